"""What is known of a cluster, arranged so that each incident finds its part of it quickly."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from pipeline.findings.columns import Bools, Coded, Ints, coded, micros
from pipeline.findings.excerpts import Records, Selection
from pipeline.findings.expected import Missing, expected_of
from pipeline.findings.groups import Group
from pipeline.findings.losses import Losses
from pipeline.findings.planned import PlannedWork
from pipeline.sessions.addresses import AddressBook, registered_addresses
from pipeline.sessions.facts import ClusterFacts

Table = tuple[datetime, str | None, int | None]
"""When a status table was printed, and where it stands."""


_ASKED = ["row", "message", "category"]


@dataclass(frozen=True, slots=True)
class Ups:
    """Stretches in which the sessions of one speaker were up; ``rows`` are their places in ``World.up``."""

    rows: Ints
    started: Ints
    ended: Ints


@dataclass(frozen=True)
class World:
    """What is known of the cluster, shared by all its incidents."""

    facts: ClusterFacts
    book: AddressBook
    groups: list[Group]
    nodes: pl.DataFrame
    sizes: pl.DataFrame
    intervals: pl.DataFrame
    planned: PlannedWork
    data_end: datetime | None
    printed: pl.DataFrame
    """What status tables showed: speaker, ts, source_path, byte_offset."""
    missing: list[Missing]
    """Sessions that the inventory asks for and that were never seen."""
    configured: dict[str, dict[str, dict[str, Any]]]
    patterns: frozenset[str] = frozenset()
    """All patterns that a cause looks for in records."""

    @cached_property
    def end_counts(self) -> dict[str, int]:
        """How many different ends each speaker has."""
        counted = self.intervals.group_by("speaker").agg(pl.col("end").n_unique())
        return dict(counted.iter_rows())

    def seen_names(self, losses: Losses) -> Bools:
        """For each of the names in sessions whether it is a speaker."""
        if losses not in self._seen_names:
            count = len(losses.names)
            self._seen_names[losses] = np.fromiter((n in self.end_counts for n in losses.names), np.bool_, count)
        return self._seen_names[losses]

    @cached_property
    def _seen_names(self) -> dict[Losses, Bools]:
        return {}

    @cached_property
    def up(self) -> pl.DataFrame:
        """All stretches in which sessions were up, with the far end in a column ``far``."""
        return self.intervals.filter(pl.col("state") == "up").select(
            "speaker", "peer", "peer_node", "source_path", "byte_offset", "started_at", "ended_at",
            far=pl.coalesce("peer_node", pl.format("@{}", pl.col("peer").fill_null("None"))),
        )  # fmt: skip

    @cached_property
    def ups(self) -> dict[str, Ups]:
        """The same by speaker; the stretches of one lie beside each other."""
        speakers = self.up["speaker"].to_list()
        started, ended = micros(self.up["started_at"]), micros(self.up["ended_at"])
        begins = [k for k, name in enumerate(speakers) if not k or speakers[k - 1] != name]
        pieces = zip(begins, [*begins[1:], len(speakers)], strict=False)
        return {
            speakers[first]: Ups(np.arange(first, last), started[first:last], ended[first:last])
            for first, last in pieces
        }

    def far_of_ups(self, losses: Losses) -> Ints:
        """For each stretch of ``up`` the far end as a position in the names of sessions; -1 for one of no failure."""
        if losses not in self._far_of_ups:
            far = coded(self.up["far"])
            table = np.array([losses.position.get(name, -1) for name in far.values], np.int64)
            self._far_of_ups[losses] = table[far.codes]
        return self._far_of_ups[losses]

    @cached_property
    def _far_of_ups(self) -> dict[Losses, Ints]:
        return {}

    def last_configured(self, speaker: str) -> dict[str, datetime | None]:
        """Nodes that a speaker had a session configured with, and when that was last seen."""
        return self._configured_until.get(speaker, {})

    @cached_property
    def _configured_until(self) -> dict[str, dict[str, datetime | None]]:
        named = self.intervals.filter(pl.col("peer_node").is_not_null() & (pl.col("state") != "unknown"))
        found: dict[str, dict[str, datetime | None]] = {}
        for speaker, node, last in named.group_by("speaker", "peer_node").agg(pl.col("ended_at").max()).iter_rows():
            found.setdefault(speaker, {})[node] = last
        return found

    @cached_property
    def _protocols_up(self) -> pl.DataFrame:
        """The first two protocols that were ever up, by speaker and address of the peer, in order of their rows."""
        up = self.intervals.filter(
            (pl.col("state") == "up") & pl.col("peer").is_not_null() & pl.col("protocol").is_not_null()
        )
        distinct = up.select("speaker", "peer", "protocol").unique(maintain_order=True)
        return distinct.group_by("speaker", "peer", maintain_order=True).agg(
            _one=pl.col("protocol").first(), _other=pl.col("protocol").slice(1, 1).first()
        )

    def twins(self, losses: Losses) -> Coded:
        """For each end another protocol of its daemon to the same address that was ever up."""
        if losses not in self._twins:
            told = losses.ends.select("speaker", "peer", "protocol").join(
                self._protocols_up, on=["speaker", "peer"], how="left", maintain_order="left"
            )
            differs = pl.col("protocol") != pl.col("_one")
            twin = pl.when(differs).then("_one").when(pl.col("protocol").is_not_null()).then("_other")
            self._twins[losses] = coded(told.select(twin.alias("twin")).to_series())
        return self._twins[losses]

    @cached_property
    def _twins(self) -> dict[Losses, Coded]:
        return {}

    @cached_property
    def numbered(self) -> Records:
        """All records, arranged for the questions of incidents."""
        return Records(self.facts.records)

    @property
    def records(self) -> pl.DataFrame:
        """All records, numbered in a column ``row``."""
        return self.numbered.frame

    @cached_property
    def worth_a_look(self) -> pl.DataFrame:
        """Records in which at least one pattern of a cause is found: few, and found in one pass."""
        if not self.patterns:
            return self.records.clear()
        every = "|".join(f"(?:{pattern})" for pattern in self.patterns)
        return self.records.filter(pl.col("message").str.contains(every))

    @cached_property
    def _selections(self) -> dict[tuple[str, tuple[str, ...]], Selection]:
        return {}

    def select(self, pattern: str, categories: tuple[str, ...] = ()) -> Selection:
        """Records with ``pattern`` (any when empty) and of one of ``categories``; found once for all incidents."""
        key = (pattern, categories)
        if key not in self._selections:
            if pattern:
                known = pattern in self.patterns
                asked = (self.worth_a_look if known else self.records).select(_ASKED)
                found = asked.filter(pl.col("message").str.contains(pattern))
                chosen = found.filter(pl.col("category").is_in(categories)) if categories else found
            else:
                chosen = self.records.select(_ASKED).filter(pl.col("category").is_in(categories))
            self._selections[key] = Selection(chosen, self.numbered)
        return self._selections[key]

    def of_rule(self, rule: str) -> Selection:
        """Records that one rule read."""
        key = (f"rule {rule}", ("",))
        if key not in self._selections:
            self._selections[key] = Selection(
                self.records.select("rule", *_ASKED).filter(pl.col("rule") == rule), self.numbered
            )
        return self._selections[key]

    @cached_property
    def tables(self) -> dict[str, list[Table]]:
        """The status tables that each speaker printed, in order of time."""
        moments = self.printed.group_by("speaker", "ts").agg(
            pl.col("source_path").first(), pl.col("byte_offset").min()
        ).sort("speaker", "ts")  # fmt: skip
        found: dict[str, list[Table]] = {}
        for speaker, *table in moments.iter_rows():
            found.setdefault(speaker, []).append((table[0], table[1], table[2]))
        return found

    def table_after(self, speaker: str, moment: datetime) -> Table | None:
        """The first table that a speaker printed after this time."""
        tables = self.tables.get(speaker, [])
        position = bisect_right(tables, moment, key=lambda table: table[0])
        return tables[position] if position < len(tables) else None

    @cached_property
    def sizes_of(self) -> dict[str, pl.DataFrame]:
        """The counts of what each reflector showed."""
        shown = self.sizes.filter(pl.col("established_peers").is_not_null())
        parts = shown.partition_by("reflector", as_dict=True, maintain_order=True)
        return {str(key[0]): frame for key, frame in parts.items()}

    @cached_property
    def seen(self) -> set[str]:
        """Nodes of which anything was collected."""
        return set(self.end_counts) | set(self.facts.tellers["node"].drop_nulls())

    @cached_property
    def registered(self) -> dict[str, set[str]]:
        """Addresses of the Node resources, with the nodes that have them."""
        found: dict[str, set[str]] = {}
        for address, node in registered_addresses(self.facts):
            found.setdefault(address, set()).add(node)
        return found

    @cached_property
    def expected(self) -> set[tuple[str, str]]:
        """(node, far node) of all sessions inside the cluster that the latest inventory asks for."""
        wanted, _, _ = expected_of(self.facts)
        return {(session.node, session.peer_node) for session in wanted if session.peer_node}

    @cached_property
    def mesh_protocols(self) -> int:
        """How many protocols of the mesh were seen."""
        names = self.facts.states["protocol"].drop_nulls().unique()
        return int(names.cat.starts_with("Mesh_").sum())

    @cached_property
    def inventory(self) -> bool:
        """Whether Node resources were collected."""
        return bool((self.facts.resources["kind"] == "Node").any())
