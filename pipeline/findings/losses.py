"""All failures of sessions as columns: what both ends show of each loss.

A large cluster in trouble has a million of them, so an incident holds their numbers, and what is asked of it is
asked of columns. An :class:`End` is made only where one is quoted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.findings.columns import Bools, Coded, Ints, coded, numbered, used
from pipeline.findings.names import natural
from pipeline.sessions.facts import TIME
from pipeline.sessions.pooled import NAME
from pipeline.sessions.reasons import BARE, category_of

Pair = tuple[str, str]


class End(NamedTuple):
    """What one end showed during a failure."""

    speaker: str
    node: str | None
    protocol: str | None
    peer: str | None
    peer_node: str | None
    category: str
    started_at: datetime | None
    ended_at: datetime | None
    is_open: bool
    how_started: str
    first_error: str | None
    last_error: str | None
    errors: tuple[str, ...]
    bgp_state: str | None
    observed_by: str
    source_path: str | None
    byte_offset: int | None

    @property
    def told_error(self) -> str | None:
        """The error text that gave the end its category; a later closed connection does not hide it."""
        return next((text for text in reversed(self.errors) if category_of(text) == self.category), self.last_error)

    @property
    def far(self) -> str:
        """The far end's node, else its address, else the protocol's name."""
        return self.peer_node or self.peer or self.protocol or "?"

    @property
    def place(self) -> str:
        """The near end's node, or the file it was read from."""
        return self.node or self.speaker


_ERRORS = End._fields.index("errors")
ENDS: dict[str, Any] = {
    "speaker": NAME, "node": NAME, "protocol": NAME, "peer": NAME, "peer_node": NAME,
    "category": NAME, "started_at": TIME, "ended_at": TIME, "is_open": pl.Boolean, "how_started": NAME,
    "first_error": NAME, "last_error": NAME, "errors": pl.List(NAME), "bgp_state": NAME,
    "observed_by": NAME, "source_path": NAME, "byte_offset": pl.UInt64,
}  # fmt: skip
_TELLING = (
    "md5_kernel_setup_failed", "bad_peer_as", "cannot_assign_address", "resource_exhaustion", "open_error",
    "md5_hash_mismatch", "hold_timer_expired", "cease_admin_shutdown", "cease_other", "graceful_restart",
    "update_error", "no_route_to_host", "network_unreachable", "connection_refused", "connect_timeout",
    "neighbor_lost", "connection_reset", "connection_closed",
)  # fmt: skip
_RANK = {category: number for number, category in enumerate(_TELLING)} | {BARE: len(_TELLING) + 1}


def most_telling(categories: Coded, first: Ints) -> Coded:
    """The most telling category of the ends of each failure; ``first`` holds the rows at which failures begin."""
    rank = np.array([_RANK.get(name, len(_TELLING)) for name in categories.values], np.int64)[categories.codes]
    rows = len(rank)
    if not rows:
        return Coded(categories.codes, categories.values)
    # Of equally telling ones the first counts, so the row is part of the key.
    best = np.minimum.reduceat(rank * rows + np.arange(rows), first) % rows
    return Coded(categories.codes[best], categories.values)


@dataclass(frozen=True, eq=False)
class Losses:
    """Failures, in order, and their ends.

    ``ends`` has the columns of :class:`End`; the ends of failure ``k`` are its rows from ``first[k]`` on, up to
    those of the next. ``sides`` are the two names of each session, as positions in ``names`` (both distinct and in
    order); ``session[k]`` is a position in these. ``started`` and ``ended`` are microseconds, ``NEVER`` where
    unknown, or while the failure lasts.
    """

    ends: pl.DataFrame
    first: Ints
    names: list[str]
    sides: tuple[Ints, Ints]
    session: Ints
    started: Ints
    ended: Ints
    had_been_up: Bools

    def __len__(self) -> int:
        return len(self.session)

    @cached_property
    def position(self) -> dict[str, int]:
        """The place of each of the names."""
        return dict(zip(self.names, range(len(self.names)), strict=True))

    @cached_property
    def counts(self) -> Ints:
        """How many ends each failure has."""
        return np.diff(self.first, append=self.ends.height)

    @cached_property
    def failure(self) -> Ints:
        """For each end the number of its failure."""
        return np.repeat(np.arange(len(self)), self.counts)

    def pairs(self, sessions: Ints) -> list[Pair]:
        """These sessions by name: there may be a million, of which few are named."""
        sides = (side[sessions].tolist() for side in self.sides)
        return [(self.names[k], self.names[n]) for k, n in zip(*sides, strict=True)]

    def ends_of(self, failures: Ints) -> Ints:
        """The rows of the ends of these failures, in their order."""
        counts = self.counts[failures]
        before = np.cumsum(counts) - counts
        return np.repeat(self.first[failures] - before, counts) + np.arange(int(counts.sum()))

    def sessions_of(self, failures: Ints) -> Ints:
        """The sessions of these failures, each once, in order."""
        return used(self.session[failures], len(self.sides[0]))

    @cached_property
    def _coded(self) -> dict[str, Coded]:
        return {}

    def column(self, name: str) -> Coded:
        """One text of all ends."""
        if name not in self._coded:
            self._coded[name] = coded(self.ends[name])
        return self._coded[name]

    @cached_property
    def category(self) -> Coded:
        """The most telling category of each failure's ends."""
        return most_telling(self.column("category"), self.first)

    @cached_property
    def errors(self) -> Coded:
        """The error texts of each end, as tuples."""
        # A list of one empty text is another one than an empty list, so its length is part of the key.
        told = pl.col("errors").cast(pl.List(pl.String))
        key = self.ends.select(
            pl.format("{} {}", told.list.len().fill_null(0), told.list.join("\x1f").fill_null("")).cast(NAME)
        ).to_series()
        joined = coded(key)
        first, codes = numbered(joined)
        return Coded(codes, [tuple(found or ()) for found in self.ends["errors"].gather(first).to_list()])

    def matches(self, pattern: str) -> NDArray[np.int8]:
        """For each list of error texts whether the pattern is found in it: 1 or 0, -1 where nobody asked yet."""
        if pattern not in self._matches:
            self._matches[pattern] = np.full(len(self.errors.values), -1, np.int8)
        return self._matches[pattern]

    @cached_property
    def _matches(self) -> dict[str, NDArray[np.int8]]:
        return {}

    @cached_property
    def place(self) -> Coded:
        """The place of each end, as :attr:`End.place` says it."""
        return coded(self.ends.select(pl.when(pl.col("node") != "").then("node").otherwise("speaker")).to_series())

    @cached_property
    def far(self) -> Coded:
        """The far end of each end, as :attr:`End.far` says it."""
        told = [pl.when(pl.col(name) != "").then(name) for name in ("peer_node", "peer", "protocol")]
        return coded(self.ends.select(pl.coalesce(*told, pl.lit("?")).alias("far")).to_series())

    @cached_property
    def quote_rank(self) -> Ints:
        """The order in which ends are quoted: by place, then by far end, numbers as numbers."""
        near, far = _naturally(self.place), _naturally(self.far)
        return np.asarray(near[self.place.codes] * len(far) + far[self.far.codes], np.int64)

    @property
    def way(self) -> Ints:
        """A number for each speaker and far end."""
        return self._ways[1]

    @property
    def ways(self) -> int:
        """How many such numbers there are."""
        return len(self._ways[0])

    @cached_property
    def _ways(self) -> tuple[Ints, Ints]:
        return numbered(self.column("speaker"), self.far)

    @cached_property
    def kinds(self) -> Coded:
        """The kind of protocol of each end, as far as it is named: Mesh, Node, Global."""
        names = self.column("protocol")
        kinds = [name.split("_")[0] if name and "_" in name else None for name in names.values]
        return Coded(names.codes, kinds)

    def end(self, row: int) -> End:
        """One end."""
        values = self.ends.row(row, named=True)
        return End(**{**values, "errors": tuple(values["errors"] or ())})

    @cached_property
    def alike(self) -> tuple[Ints, Ints]:
        """Ends that show the same (:func:`numbered`): state, texts and witness."""
        texts = ("observed_by", "category", "bgp_state", "last_error")
        return numbered(*(self.column(name) for name in texts), self.errors)

    @cached_property
    def shown(self) -> list[End]:
        """One end for each number of :attr:`alike`."""
        rows = self.ends[self.alike[0]].select(End._fields).rows()
        return [End(*values)._replace(errors=tuple(values[_ERRORS] or ())) for values in rows]

    @cached_property
    def _told(self) -> pl.DataFrame:
        """The ends as the table of an incident's sessions has them."""
        texts = [end.told_error for end in self.shown]
        last_error = pl.Series(texts, dtype=NAME).gather(self.alike[1]) if texts else self.ends["last_error"]
        return self.ends.select(
            "node", "protocol", "peer", "peer_node", "category", "started_at",
            "source_path", "byte_offset", ended_at=pl.when(~pl.col("is_open")).then("ended_at"), last_error=last_error,
        )  # fmt: skip

    def rows(self, ends: Ints) -> pl.DataFrame:
        """These ends, for a table: what they told, and no end while they last."""
        return self._told[ends]


def _naturally(column: Coded) -> Ints:
    """For each value its place in the natural order."""
    order = sorted(range(len(column.values)), key=lambda k: natural(column.values[k] or ""))
    return np.argsort(order).astype(np.int64)


def losses_of(rows: list[tuple[Pair, list[End]]], starts: Ints) -> Losses:
    """Failures made by hand: sessions (distinct, in order), their ends and when they began; they last."""
    ends = [end for _, found in rows for end in found]
    counts = np.array([len(found) for _, found in rows], np.int64)
    number = len(rows)
    frame = pl.DataFrame([(*end,) for end in ends], schema=ENDS, orient="row")
    names = sorted({name for pair, _ in rows for name in pair})
    place = {name: k for k, name in enumerate(names)}
    sides = np.array([[place[name] for name in pair] for pair, _ in rows], np.int64).reshape(-1, 2)
    return Losses(
        frame, np.cumsum(counts) - counts, names, (sides[:, 0], sides[:, 1]), np.arange(number), starts,
        np.full(number, np.iinfo(np.int64).min), np.zeros(number, np.bool_),
    )  # fmt: skip


NONE = losses_of([], np.zeros(0, np.int64))
"""No failures: those of an incident made of records."""
