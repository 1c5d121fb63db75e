"""Failures of sessions: what both ends show of one loss, as one row.

A failure is the union of the down stretches of a session's two ends. What is normal is left out: the time a
session needs to come up after its later end started, and the ends that a reconfiguration removed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import polars as pl

from pipeline.sessions.facts import TIME
from pipeline.sessions.reasons import BARE, category_of

EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
STARTUP = timedelta(seconds=90)
"""A session that is up this soon after its later end was configured had no trouble: BIRD delays the first
connection by 2 s, retries every 5 s, and waits up to 30 s after each of the two connections that collided."""
PATIENCE = timedelta(seconds=45)
"""A session that is not up this long after its later end was configured, when the data ends, counts as failed."""
SETTLING = timedelta(seconds=10)
"""Both ends dial at once at first; one of two parallel connections is closed again this early."""
ENDS_TOLERANCE = timedelta(seconds=5)
"""Stretches of the two ends that miss each other by no more than this are one loss: clocks and stamps differ."""


class End(NamedTuple):
    """What one end showed during a failure. A tuple, because a large cluster in trouble has a million of them."""

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


class Failure(NamedTuple):
    """One loss of one session; ``ended_at`` is None while it lasts."""

    session: tuple[str, str]
    ends: tuple[End, ...]
    started_at: datetime | None
    ended_at: datetime | None
    had_been_up: bool

    @property
    def category(self) -> str:
        """The most telling category of the two ends."""
        if len(self.ends) == 1:
            return self.ends[0].category
        told = [end.category for end in self.ends if end.category != BARE]
        return min(told, key=_rank) if told else BARE

    @property
    def protocols(self) -> set[str]:
        """Kinds of protocol at the ends, as far as they are named: Mesh, Node, Global."""
        return {end.protocol.split("_")[0] for end in self.ends if end.protocol and "_" in end.protocol}

    @property
    def errors(self) -> tuple[str, ...]:
        """All error texts of both ends, first seen first."""
        if len(self.ends) == 1:
            return self.ends[0].errors
        texts = [text for end in self.ends for text in end.errors]
        return tuple(dict.fromkeys(texts))


_NEVER_STARTUP = frozenset(
    {"md5_kernel_setup_failed", "bad_peer_as", "cannot_assign_address", "md5_hash_mismatch", "resource_exhaustion"}
)
_ENDS_A_SESSION = frozenset(
    {"hold_timer_expired", "cease_admin_shutdown", "cease_other", "graceful_restart", "neighbor_lost"}
)
"""What is only said of a session that was up, even when its rise was not recorded."""
_TELLING = (
    "md5_kernel_setup_failed", "bad_peer_as", "cannot_assign_address", "resource_exhaustion", "open_error",
    "md5_hash_mismatch", "hold_timer_expired", "cease_admin_shutdown", "cease_other", "graceful_restart",
    "update_error", "no_route_to_host", "network_unreachable", "connection_refused", "connect_timeout",
    "neighbor_lost", "connection_reset", "connection_closed",
)  # fmt: skip


_RANK = {category: number for number, category in enumerate(_TELLING)}


def _rank(category: str) -> int:
    return _RANK.get(category, len(_RANK))


def build_failures(intervals: pl.DataFrame, data_end: datetime | None) -> list[Failure]:
    """All failures of sessions, in order of time; start-up and removed ends left out."""
    keyed = _with_session(intervals)
    if keyed.is_empty():
        return []
    later_first = keyed.group_by("session", "speaker").agg(pl.col("started_at").min()).group_by("session").agg(
        pl.col("started_at").max().alias("_both_since")
    )  # fmt: skip
    down = keyed.filter(pl.col("state") == "down").join(later_first, on="session", how="left")
    down = down.with_columns(
        is_open=pl.col("how_ended").is_in(["end of data", "unobserved"]) | pl.col("ended_at").is_null(),
        _end=pl.when(pl.col("how_ended").is_in(["end of data", "unobserved"])).then(None).otherwise("ended_at"),
        had_been_up=pl.col("_had_up"),
    )
    chained = _chained(down).select("session", "_no", "_both_since", "had_been_up", *End._fields)
    kept = []
    for _, rows in groupby(chained.iter_rows(), key=lambda row: row[:2]):
        failure, since = _failure(list(rows))
        if not _is_startup(failure, since, data_end):
            kept.append(failure)
    return sorted(kept, key=lambda f: (f.started_at is not None, f.started_at or EARLIEST, f.session))


def _with_session(intervals: pl.DataFrame) -> pl.DataFrame:
    """Add the unordered pair of the two speakers, and whether the end had been up before."""
    far = pl.coalesce("peer_node", pl.lit("@") + pl.col("peer"), pl.lit("#") + pl.col("end"))
    pair = pl.concat_list(pl.col("speaker"), far).list.sort().list.join("\x1f")
    return intervals.with_columns(
        session=pair,
        _had_up=(pl.col("state") == "up").cum_sum().over("speaker", "end") > 0,
    )


def _chained(down: pl.DataFrame) -> pl.DataFrame:
    """Number the down stretches of a session so that stretches of both ends that overlap share a number."""
    far_future = pl.lit(LATEST, dtype=TIME)
    ordered = down.sort(["session", "started_at"], nulls_last=False, maintain_order=True).with_columns(
        _until=pl.coalesce(pl.when(~pl.col("is_open")).then("_end"), far_future)
    )
    reach = pl.col("_until").cum_max().over("session").shift(1).over("session")
    apart = (pl.col("started_at") > reach.dt.offset_by("0s")) & (pl.col("started_at") - reach > ENDS_TOLERANCE)
    same_end = (pl.col("speaker") == pl.col("speaker").shift(1).over("session")).fill_null(False) & (
        pl.col("end") == pl.col("end").shift(1).over("session")
    ).fill_null(False)
    new = (apart | (same_end & (pl.col("started_at") >= reach))).fill_null(False)
    return ordered.with_columns(_no=new.cum_sum().over("session"))


def _failure(rows: list[tuple[Any, ...]]) -> tuple[Failure, datetime | None]:
    """One failure of rows with columns session, _no, _both_since, had_been_up and those of :class:`End`."""
    ends = tuple(_end(row[4:]) for row in rows)
    session, _, both_since, _ = rows[0][:4]
    names = session.split("\x1f")
    if len(ends) == 1:
        started, is_open, ended = ends[0].started_at, ends[0].is_open, ends[0].ended_at
    else:
        started = min((end.started_at for end in ends if end.started_at is not None), default=None)
        is_open = any(end.is_open for end in _latest(ends))
        ended = max((end.ended_at for end in ends if end.ended_at is not None and not end.is_open), default=None)
    had_been_up = any(row[3] for row in rows)
    return Failure((names[0], names[-1]), ends, started, None if is_open else ended, had_been_up), both_since


def _latest(ends: tuple[End, ...]) -> list[End]:
    """The last stretch of each end; an earlier open one cannot be: it was followed by another."""
    latest: dict[tuple[str, str | None], End] = {}
    for end in ends:
        latest[(end.speaker, end.protocol or end.peer)] = end
    return list(latest.values())


_ERRORS = End._fields.index("errors")


def _end(row: tuple[Any, ...]) -> End:
    return End._make((*row[:_ERRORS], tuple(row[_ERRORS] or ()), *row[_ERRORS + 1 :]))


def _is_startup(failure: Failure, both_since: datetime | None, data_end: datetime | None) -> bool:
    """Whether a session merely came up, or had no time yet to do so."""
    if failure.started_at is None or both_since is None or failure.category in _NEVER_STARTUP:
        return False
    if any(end.how_started == "snapshot" for end in failure.ends) and failure.ended_at is None:
        return False
    if failure.started_at == both_since == data_end and all(end.observed_by == "probe" for end in failure.ends):
        # A single verdict is all there is: nothing tells that the node was just starting.
        return False
    had_been_up = failure.had_been_up or failure.category in _ENDS_A_SESSION
    if had_been_up and (failure.ended_at is None or failure.started_at - both_since > SETTLING):
        return False
    begun = max(failure.started_at, both_since)
    if failure.ended_at is not None:
        return failure.ended_at - begun <= STARTUP
    return data_end is not None and data_end - begun <= PATIENCE
