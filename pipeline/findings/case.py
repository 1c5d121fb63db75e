"""One incident with everything that can be asked about it. Signals look at nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from pipeline.findings.columns import NEVER, Bools, Coded, Ints, combinations, distinct, micros_of, moment_of, used
from pipeline.findings.excerpts import Excerpt, Selection
from pipeline.findings.incidents import Incident
from pipeline.findings.losses import End
from pipeline.findings.proofs import LOOKED_THROUGH, PROOFS, Proof, proof_of_end, spread
from pipeline.findings.world import World

BEFORE = timedelta(minutes=5)
AFTER = timedelta(minutes=10)
SETTLE = timedelta(seconds=2)
"""A table printed in the very moment of the loss says nothing of what came after."""
ANSWERS = "the daemon answers"


@dataclass(frozen=True)
class Case:
    """One incident in its world."""

    incident: Incident
    world: World

    @cached_property
    def rows(self) -> Ints:
        """The rows of all stretches of all failing ends."""
        return self.incident.losses.ends_of(self.incident.failures)

    @cached_property
    def has_ends(self) -> bool:
        """Whether sessions failed: an incident of records has no ends."""
        return len(self.rows) > 0

    @cached_property
    def ends(self) -> list[End]:
        """All failing ends one by one: only for incidents that are known to be small."""
        return [self.incident.losses.end(int(row)) for row in self.rows]

    def column(self, name: str) -> Coded:
        """One text of all failing ends, in their order: large incidents are asked by columns, not end by end."""
        found: Coded = self.remembered(("column", name), lambda: self.incident.losses.column(name).at(self.rows))
        return found

    @cached_property
    def far(self) -> Coded:
        """The far end of each end, as :attr:`End.far` says it."""
        return self.incident.losses.far.at(self.rows)

    @cached_property
    def places(self) -> Coded:
        """The place of each end, as :attr:`End.place` says it."""
        return self.incident.losses.place.at(self.rows)

    @cached_property
    def errors(self) -> Coded:
        """The error texts of each end: there are few such lists, however many ends."""
        return self.incident.losses.errors.at(self.rows)

    @cached_property
    def error_codes(self) -> Ints:
        """The different lists of error texts, by their codes."""
        return used(self.errors.codes, len(self.errors.values))

    def told(self, name: str) -> list[Any]:
        """The different values of a text of the ends, None left out."""
        found: list[Any] = self.remembered(("told", name), lambda: distinct(self.column(name)))
        return found

    @cached_property
    def far_names(self) -> list[str]:
        """The different far ends."""
        return distinct(self.far)

    @cached_property
    def place_names(self) -> list[str]:
        """The different places of the ends."""
        return distinct(self.places)

    def quoted(self, chosen: Bools | None = None, limit: int = PROOFS) -> tuple[Proof, ...]:
        """Proofs of the ends that are chosen; of all when nothing is said: by place, then by far end."""
        losses = self.incident.losses
        order = self._quote_order if chosen is None else self._quote_order[chosen[self._quote_order]]
        few = self.rows[order[: LOOKED_THROUGH * limit]]
        return tuple(proof_of_end(losses.end(int(few[k]))) for k in spread(losses.place.codes[few].tolist(), limit))

    @cached_property
    def _quote_order(self) -> Ints:
        """The positions of the ends in the order of quoting."""
        return np.argsort(self.incident.losses.quote_rank[self.rows], kind="stable")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every node in the incident, at the centre or not."""
        found = {*self.incident.around, *self.told("node"), *self.told("peer_node")}
        return tuple(sorted(name for name in found if name))

    @cached_property
    def both_seen(self) -> bool:
        """Whether both ends of at least half of the failing sessions were observed."""
        seen = int(self.seen_at_both.sum())
        return seen > 0 and 2 * seen >= self.incident.session_count

    @cached_property
    def seen_at_both(self) -> Bools:
        """For each failing session whether both its ends were observed."""
        seen = self.world.seen_names(self.incident.losses)
        one, other = self.incident.sides
        return np.asarray(seen[one] & seen[other], np.bool_)

    @cached_property
    def unseen(self) -> tuple[str, ...]:
        """Far ends of which nothing at all was collected."""
        known = self.world.end_counts
        pairs = combinations(self.far, self.column("peer_node"))
        return tuple(sorted({far for far, node in pairs if (node or "") not in known}))

    @cached_property
    def window(self) -> tuple[datetime | None, datetime | None]:
        """The time to look for records in: from a little before the start to a little after the end."""
        begun, done = self.incident.started_at, self.incident.ended_at
        if self.incident.kind == "missing":
            # It was found at some time, but nobody knows since when it is so.
            return (None, None)
        return (begun - BEFORE if begun else None, done + AFTER if done else None)

    @cached_property
    def own_records(self) -> Excerpt | None:
        """The records that an incident of records is made of."""
        mine = self.incident.records
        return None if mine is None else Excerpt(self.world.numbered, mine["row"].cast(pl.Int64).to_numpy())

    def within(self, records: Selection, where: str = "nodes") -> Excerpt:
        """Those of ``records`` (from ``World.select``) that belong to the case, in the window.

        ``where``: on the nodes concerned (an incident of records: only its own ones), ``beside`` these, or
        ``anywhere``. Without names or times nothing is left out for them.
        """
        if where == "nodes" and self.own_records is not None:
            return records.among(self.own_records.rows)
        begun, done = self.window
        names = self.names if where != "anywhere" and self.names else None
        chosen = None if names is None else frozenset(names)
        return records.part(chosen, micros_of(begun), micros_of(done))

    @cached_property
    def restarts(self) -> list[tuple[str, datetime]]:
        """The nodes whose daemon started around the loss of one of their sessions, and when."""
        found = self.world.planned.restarted(self.incident.losses, self.incident.failures)
        starts = ((node, moment_of(moment)) for node, moment in {start[1:] for start in found})
        return sorted((node, moment) for node, moment in starts if moment is not None)

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
        stretches = self.world.ups.get(name)
        if stretches is None:
            return 0, {}
        begun, done = self.incident.started_at, self.incident.ended_at or self.world.data_end
        losses = self.incident.losses
        failing = np.zeros(len(losses.names) + 1, np.bool_)
        failing[self._failing_with(losses.position.get(name, -1))] = True
        up = ~failing[self.world.far_of_ups(losses)[stretches.rows]]
        if begun is not None and done is not None:
            up &= (stretches.ended > micros_of(begun + SETTLE)) & (stretches.started <= micros_of(done))
            up &= stretches.started != NEVER
        others = stretches.rows[up]
        return len(others), self.world.up.row(int(others[0]), named=True) if len(others) else {}

    def _failing_with(self, name: int) -> Ints:
        """The other ends of a name's failing sessions, both as positions in the names of sessions."""
        near, far = self._both_ways
        begin, end = np.searchsorted(near, np.array([name, name + 1], near.dtype))  # of another type it is copied
        return far[begin:end]

    @cached_property
    def _both_ways(self) -> tuple[Ints, Ints]:
        """The two ends of each failing session, seen from either, in order of the first."""
        one, other = self.incident.sides
        near, far = np.concatenate([one, other]), np.concatenate([other, one])
        order = np.argsort(near, kind="stable")
        return near[order], far[order]

    def printed(self, node: str, text: str = ANSWERS) -> Proof | None:
        """A status table that a node's daemon printed while the incident lasted."""
        found: Proof | None = self.remembered(("printed", node), lambda: self._printed(node))
        return found if found is None or text == ANSWERS else replace(found, text=text)

    def _printed(self, node: str) -> Proof | None:
        begun, done = self.incident.started_at, self.incident.ended_at
        table = None if begun is None else self.world.table_after(node, begun + SETTLE)
        if table is None or (done is not None and table[0] > done):
            return None
        return Proof(ANSWERS, table[0], node, None, table[1], table[2])

    @cached_property
    def size_rows(self) -> list[dict[str, Any]]:
        """The last size of each reflector while the incident lasted and peers were missing (else the last known)."""
        rows = []
        for hub in self.incident.hubs:
            mine = self.world.sizes_of.get(hub)
            if mine is None:
                continue
            begun, done = self.incident.started_at, self.incident.ended_at
            during = mine.filter(pl.lit(begun is None) | pl.col("ts").is_null() | (pl.col("ts") >= begun))
            if done is not None:
                during = during.filter(pl.col("ts").is_null() | (pl.col("ts") <= done))
            chosen = during if not during.is_empty() else mine
            failing = chosen.filter(pl.col("failed_peers") > 0)
            ordered = (chosen if failing.is_empty() else failing).sort("ts", nulls_last=False)
            rows.append(ordered.row(-1, named=True))
        return rows
