"""One incident with everything that can be asked about it. Signals look at nothing else."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import polars as pl

from pipeline.findings.expected import Missing, expected_of, find_missing
from pipeline.findings.failures import End
from pipeline.findings.groups import Group
from pipeline.findings.incidents import Incident
from pipeline.findings.planned import PlannedWork
from pipeline.findings.proofs import LOOKED_THROUGH, PROOFS, Proof, natural, spread_proofs
from pipeline.sessions.addresses import AddressBook, registered_addresses
from pipeline.sessions.facts import ClusterFacts
from pipeline.sessions.observations import SNAPSHOTS

BEFORE = timedelta(minutes=5)
AFTER = timedelta(minutes=10)
SETTLE = timedelta(seconds=2)
"""A table printed in the very moment of the loss says nothing of what came after."""

SILENT = ("benign", "session_established")
"""The ordinary steps of a session: no signal quotes them."""


@dataclass(frozen=True, slots=True)
class EndGroup:
    """Failing ends whose error texts are the same: their positions in ``Case.ends``, and whose they are."""

    errors: tuple[str, ...]
    positions: list[int]
    sessions: set[tuple[str, str]]
    places: frozenset[str]
    far: frozenset[str]


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
    observations: pl.DataFrame
    configured: dict[str, dict[str, dict[str, Any]]]
    patterns: frozenset[str] = frozenset()
    """All patterns that a cause looks for in records."""

    @cached_property
    def ends(self) -> dict[str, pl.DataFrame]:
        """Stretches by speaker."""
        parts = self.intervals.partition_by("speaker", as_dict=True, maintain_order=True)
        return {str(key[0]): frame for key, frame in parts.items()}

    @cached_property
    def stretches_up(self) -> dict[str, pl.DataFrame]:
        """Stretches in which sessions were up, by speaker, with the far end in a column ``far``."""
        up = self.intervals.filter(pl.col("state") == "up").select(
            "speaker", "peer", "peer_node", "source_path", "byte_offset", "started_at", "ended_at",
            far=pl.coalesce("peer_node", pl.format("@{}", pl.col("peer").fill_null("None"))),
        )  # fmt: skip
        parts = up.partition_by("speaker", as_dict=True, maintain_order=True)
        return {str(key[0]): frame for key, frame in parts.items()}

    def last_configured(self, speaker: str) -> dict[str, datetime | None]:
        """Nodes that a speaker had a session configured with, and when that was last seen."""
        found = self._configured_until.get(speaker)
        if found is None:
            frame = self.ends[speaker].filter(pl.col("peer_node").is_not_null() & (pl.col("state") != "unknown"))
            last = frame.group_by("peer_node").agg(pl.col("ended_at").max())
            found = self._configured_until[speaker] = dict(last.iter_rows())
        return found

    @cached_property
    def _configured_until(self) -> dict[str, dict[str, datetime | None]]:
        return {}

    @cached_property
    def protocols_up(self) -> dict[tuple[str, str], list[str]]:
        """Protocols that were ever up, by speaker and address of the peer, in order of their rows."""
        up = self.intervals.filter(
            (pl.col("state") == "up") & pl.col("peer").is_not_null() & pl.col("protocol").is_not_null()
        )
        found: dict[tuple[str, str], list[str]] = {}
        distinct = up.select("speaker", "peer", "protocol").unique(maintain_order=True)
        for speaker, peer, protocol in distinct.iter_rows():
            found.setdefault((speaker, peer), []).append(protocol)
        return found

    @cached_property
    def records(self) -> pl.DataFrame:
        """All records, numbered in a column ``row``, by which those of an incident are found again."""
        return self.facts.records.with_row_index("row")

    @cached_property
    def worth_a_look(self) -> pl.DataFrame:
        """Records in which at least one pattern of a cause is found: few, and found in one pass."""
        if not self.patterns:
            return self.records.clear()
        every = "|".join(f"(?:{pattern})" for pattern in self.patterns)
        return self.records.filter(pl.col("message").str.contains(every))

    @cached_property
    def _selections(self) -> dict[tuple[str, tuple[str, ...]], pl.DataFrame]:
        return {}

    def select(self, pattern: str, categories: tuple[str, ...] = ()) -> pl.DataFrame:
        """Records with ``pattern`` (any when empty) and of one of ``categories``; found once for all incidents."""
        key = (pattern, categories)
        if key not in self._selections:
            if pattern:
                known = pattern in self.patterns
                found = (self.worth_a_look if known else self.records).filter(pl.col("message").str.contains(pattern))
                chosen = found.filter(pl.col("category").is_in(categories)) if categories else found
            else:
                chosen = self.records.filter(pl.col("category").is_in(categories))
            self._selections[key] = chosen
        return self._selections[key]

    @cached_property
    def tables(self) -> dict[str, pl.DataFrame]:
        """When each speaker printed a status table, and where that stands."""
        printed = self.observations.filter(pl.col("observed_by").is_in(SNAPSHOTS) & pl.col("ts").is_not_null())
        moments = printed.group_by("speaker", "ts").agg(
            pl.col("source_path").first(), pl.col("byte_offset").min()
        ).sort("speaker", "ts")  # fmt: skip
        parts = moments.partition_by("speaker", as_dict=True, maintain_order=True)
        return {str(key[0]): frame for key, frame in parts.items()}

    @cached_property
    def seen(self) -> set[str]:
        """Nodes of which anything was collected."""
        return set(self.ends) | set(self.facts.records["node"].drop_nulls().unique())

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
    def missing(self) -> list[Missing]:
        """Sessions that the inventory asks for and that were never seen."""
        return find_missing(self.facts, self.book, self.observations)

    @cached_property
    def inventory(self) -> bool:
        """Whether Node resources were collected."""
        return bool((self.facts.resources["kind"] == "Node").any())


@dataclass(frozen=True)
class Case:
    """One incident in its world."""

    incident: Incident
    world: World

    @cached_property
    def ends(self) -> tuple[End, ...]:
        """All stretches of all failing ends."""
        return tuple(end for failure in self.incident.failures for end in failure.ends)

    @cached_property
    def _columns(self) -> dict[str, tuple[Any, ...]]:
        values = zip(*self.ends, strict=True) if self.ends else (() for _ in End._fields)
        return dict(zip(End._fields, values, strict=True))

    def column(self, name: str) -> tuple[Any, ...]:
        """One field of all ends, in their order: large incidents are asked by columns, not end by end."""
        return self._columns[name]

    @cached_property
    def far(self) -> list[str]:
        """The far end of each end, as :attr:`End.far` says it."""
        told = zip(self.column("peer_node"), self.column("peer"), self.column("protocol"), strict=True)
        return [node or peer or protocol or "?" for node, peer, protocol in told]

    @cached_property
    def places(self) -> list[str]:
        """The place of each end, as :attr:`End.place` says it."""
        return [node or speaker for node, speaker in zip(self.column("node"), self.column("speaker"), strict=True)]

    @cached_property
    def end_groups(self) -> tuple[EndGroup, ...]:
        """The ends with the same error texts, put together: there are few such lists, however many ends."""
        owners = [failure.session for failure in self.incident.failures for _ in failure.ends]
        positions: dict[tuple[str, ...], list[int]] = {}
        for position, errors in enumerate(self.column("errors")):
            positions.setdefault(errors, []).append(position)
        return tuple(
            EndGroup(
                errors, found, {owners[k] for k in found}, frozenset(self.places[k] for k in found),
                frozenset(self.far[k] for k in found),
            )
            for errors, found in positions.items()
        )  # fmt: skip

    @cached_property
    def _quote_order(self) -> list[int]:
        """For each end its place in the order of quoting."""
        near = {name: k for k, name in enumerate(sorted(set(self.places), key=natural))}
        far = {name: k for k, name in enumerate(sorted(set(self.far), key=natural))}
        width = len(far)
        return [near[place] * width + far[name] for place, name in zip(self.places, self.far, strict=True)]

    def quoted(self, positions: Iterable[int] | None = None, limit: int = PROOFS) -> tuple[Proof, ...]:
        """Proofs of the ends at these positions of ``ends``; of all when none are given."""
        chosen = range(len(self.ends)) if positions is None else positions
        few = heapq.nsmallest(LOOKED_THROUGH * limit, chosen, key=self._quote_order.__getitem__)
        return spread_proofs((self.ends[k] for k in few), limit)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every node in the incident, at the centre or not."""
        found = {*self.incident.nodes, *self.incident.hubs, *self.column("node"), *self.column("peer_node")}
        return tuple(sorted(name for name in found if name))

    @cached_property
    def both_seen(self) -> bool:
        """Whether both ends of at least half of the failing sessions were observed."""
        seen = [all(name in self.world.ends for name in session) for session in self.incident.sessions]
        return bool(seen) and 2 * sum(seen) >= len(seen)

    @cached_property
    def unseen(self) -> tuple[str, ...]:
        """Far ends of which nothing at all was collected."""
        known = self.world.ends
        pairs = set(zip(self.far, self.column("peer_node"), strict=True))
        return tuple(sorted({far for far, node in pairs if (node or "") not in known}))

    @cached_property
    def window(self) -> tuple[datetime | None, datetime | None]:
        """The time to look for records in: from a little before the start to a little after the end."""
        begun, done = self.incident.started_at, self.incident.ended_at
        if self.incident.kind == "missing":
            # It was found at some time, but nobody knows since when it is so.
            return (None, None)
        return (begun - BEFORE if begun else None, done + AFTER if done else None)

    def within(self, records: pl.DataFrame, where: str = "nodes") -> pl.DataFrame:
        """Those of ``records`` (from ``World.select``) that belong to the case, in the window.

        ``where``: on the nodes concerned (an incident of records: only its own ones), ``beside`` these, or
        ``anywhere``. Without names or times nothing is left out for them.
        """
        if records.is_empty():
            return records
        if where == "nodes" and self.incident.records is not None:
            return self.incident.records.filter(pl.col("row").is_in(records["row"].implode()))
        begun, done = self.window
        chosen = records.filter(~pl.col("category").is_in(SILENT))
        if where != "anywhere" and self.names:
            chosen = chosen.filter(pl.col("node").is_in(list(self.names)) | pl.col("node").is_null())
        if begun is not None:
            chosen = chosen.filter((pl.col("ts") >= begun) | pl.col("ts").is_null())
        if done is not None:
            chosen = chosen.filter((pl.col("ts") <= done) | pl.col("ts").is_null())
        return chosen

    @cached_property
    def _failing_with(self) -> dict[str, list[str]]:
        """For each speaker the far ends of its failing sessions."""
        found: dict[str, list[str]] = {}
        for first, second in self.incident.sessions:
            found.setdefault(first, []).append(second)
            found.setdefault(second, []).append(first)
        return found

    @cached_property
    def restarts(self) -> list[tuple[str, datetime]]:
        """The nodes whose daemon started around the loss of one of their sessions, and when."""
        planned = self.world.planned
        return sorted({start for failure in self.incident.failures for start in planned.restarted(failure)})

    @cached_property
    def _answers(self) -> dict[Any, Any]:
        """What was asked before: many causes ask the same questions."""
        return {}

    def remembered(self, key: Any, ask: Callable[[], Any]) -> Any:
        """The answer to a question of this case, found once."""
        if key not in self._answers:
            self._answers[key] = ask()
        return self._answers[key]

    def up_elsewhere(self, name: str) -> tuple[int, dict[str, Any]]:
        """How many stretches of a node's other sessions were up during the incident, and the first of them."""
        found: tuple[int, dict[str, Any]] = self.remembered(("up", name), lambda: self._up_elsewhere(name))
        return found

    def _up_elsewhere(self, name: str) -> tuple[int, dict[str, Any]]:
        frame = self.world.stretches_up.get(name)
        if frame is None:
            return 0, {}
        begun, done = self.incident.started_at, self.incident.ended_at or self.world.data_end
        up = frame
        if begun is not None and done is not None:
            up = up.filter((pl.col("ended_at") > begun + SETTLE) & (pl.col("started_at") <= done))
        failing = self._failing_with.get(name, ())
        others = up.filter(~pl.col("far").is_in(failing)) if failing else up
        return others.height, others.row(0, named=True) if others.height else {}

    def printed(self, node: str, text: str = "the daemon answers") -> Proof | None:
        """A status table that a node's daemon printed while the incident lasted."""
        found: Proof | None = self.remembered(("printed", node), lambda: self._printed(node))
        return None if found is None else replace(found, text=text)

    def _printed(self, node: str) -> Proof | None:
        frame = self.world.tables.get(node)
        begun, done = self.incident.started_at, self.incident.ended_at
        if frame is None or begun is None:
            return None
        during = frame.filter(pl.col("ts") > begun + SETTLE)
        if done is not None:
            during = during.filter(pl.col("ts") <= done)
        if during.is_empty():
            return None
        row = during.row(0, named=True)
        return Proof("", row["ts"], node, None, row["source_path"], row["byte_offset"])

    def size_rows(self) -> list[dict[str, Any]]:
        """The last size of each reflector while the incident lasted and peers were missing (else the last known)."""
        rows = []
        for hub in self.incident.hubs:
            mine = self.world.sizes.filter(pl.col("reflector") == hub)
            begun, done = self.incident.started_at, self.incident.ended_at
            during = mine.filter(pl.lit(begun is None) | pl.col("ts").is_null() | (pl.col("ts") >= begun))
            if done is not None:
                during = during.filter(pl.col("ts").is_null() | (pl.col("ts") <= done))
            chosen = during if not during.is_empty() else mine
            if not chosen.is_empty():
                failing = chosen.filter(pl.col("failed_peers") > 0)
                ordered = (chosen if failing.is_empty() else failing).sort("ts", nulls_last=False)
                rows.append(ordered.row(-1, named=True))
        return rows
