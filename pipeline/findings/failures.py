"""Failures of sessions: what both ends show of one loss, put together.

A failure is the union of the down stretches of a session's two ends. What is normal is left out: the time a
session needs to come up after its later end started, and the ends that a reconfiguration removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from pipeline.findings.columns import BLOCK, NEVER, Bools, Coded, Ints, blocks, coded, micros, micros_of, span
from pipeline.findings.losses import ENDS, NONE, Losses, most_telling
from pipeline.sessions.pooled import NAME

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

_NEVER_STARTUP = frozenset(
    {"md5_kernel_setup_failed", "bad_peer_as", "cannot_assign_address", "md5_hash_mismatch", "resource_exhaustion"}
)
_ENDS_A_SESSION = frozenset(
    {"hold_timer_expired", "cease_admin_shutdown", "cease_other", "graceful_restart", "neighbor_lost"}
)
"""What is only said of a session that was up, even when its rise was not recorded."""
_LAST = ["end of data", "unobserved"]


@dataclass(frozen=True, slots=True)
class _Stretches:
    """Down stretches in order of session and time; ``row`` is the place among all stretches.

    What ``goes_on`` is told to be so since the stretch before it.
    """

    row: Ints
    session: Ints
    speaker: Ints
    end: Ints
    started: Ints
    ended: Ints
    is_open: Bools
    had_up: Bools
    goes_on: Bools


def build_failures(intervals: pl.DataFrame, data_end: datetime | None) -> Losses:
    """All failures of sessions, in order of time; start-up and removed ends left out."""
    if intervals.is_empty():
        return NONE
    names, sides, session, speaker = _sessions(intervals)
    started = micros(intervals["started_at"])
    # positions in the names start after None, which no session has
    both_since = _both_since(session, speaker - 1 == sides[0][session], started, len(sides[0]))
    down = _down(intervals, session, speaker, started)
    if not len(down.row):
        return NONE
    new = _begins(down)
    first = np.flatnonzero(new)
    ends = intervals.select("protocol", "peer", "category", "how_started", "observed_by")[
        pl.Series(down.row, dtype=pl.UInt32)
    ]
    began, ended = _times(down, ends, first, np.cumsum(new) - 1)
    category = most_telling(coded(ends["category"]), first)
    had_up = np.logical_or.reduceat(down.had_up, first)
    since = both_since[down.session[first]]
    startup = _is_startup(ends, first, category, (began, ended, since), had_up, data_end)
    keep = np.flatnonzero(~startup)
    order = keep[np.lexsort((down.session[first][keep], began[keep]))]
    whole = Losses(ends, first, names, sides, down.session[first], began, ended, had_up)
    chosen = whole.ends_of(order)
    counts = whole.counts[order]
    del ends, whole
    told = intervals.select(name for name in ENDS if name != "is_open")[pl.Series(down.row[chosen], dtype=pl.UInt32)]
    return Losses(
        told.with_columns(is_open=pl.Series(down.is_open[chosen])).select(*ENDS), np.cumsum(counts) - counts, names,
        sides, down.session[first[order]], began[order], ended[order], had_up[order],
    )  # fmt: skip


def _sessions(intervals: pl.DataFrame) -> tuple[list[str], tuple[Ints, Ints], Ints, Ints]:
    """The names in sessions, the unordered pairs of them, in order; for each stretch its pair and its speaker."""
    far = pl.coalesce("peer_node", pl.lit("@") + pl.col("peer"), pl.lit("#") + pl.col("end"))
    parts = (intervals.slice(block.start, BLOCK) for block in blocks(intervals.height))
    told = [part.select(far.cast(NAME).alias("speaker")).to_series() for part in parts]
    both = coded(pl.concat([intervals["speaker"], *told]))
    near, other = both.codes[: intervals.height], both.codes[intervals.height :]
    low, high, width = np.minimum(near, other), np.maximum(near, other), len(both.values)
    distinct, session = np.unique(low.astype(np.int64) * width + high, return_inverse=True)
    # The first of the coded values is None, which no session has.
    sides = [(part - 1).astype(np.int32) for part in np.divmod(distinct, width)]
    return both.values[1:], (sides[0], sides[1]), session.astype(np.int32), near


def _both_since(session: Ints, is_low: Bools, started: Ints, sessions: int) -> Ints:
    """For each session when its later end was first seen."""
    known = started != NEVER
    late = np.iinfo(np.int64).max
    # a session has two sides, and the speaker is one of them
    first = np.full((2, sessions), late)
    np.minimum.at(first, (is_low[known].astype(np.int64), session[known]), started[known])
    return np.asarray(np.where(first == late, NEVER, first).max(axis=0), np.int64)


def _down(intervals: pl.DataFrame, session: Ints, speaker: Ints, started: Ints) -> _Stretches:
    end = coded(intervals["end"]).codes
    is_up = intervals["state"].is_in(["up"]).to_numpy()
    # The stretches of one end lie beside each other, so what was up before it is taken off.
    begins = np.flatnonzero(np.r_[True, (speaker[1:] != speaker[:-1]) | (end[1:] != end[:-1])])
    ups = np.cumsum(is_up, dtype=np.int32)
    before = np.repeat((ups - is_up)[begins], np.diff(begins, append=len(ups)))
    is_open = (intervals["how_ended"].is_in(_LAST) | intervals["ended_at"].is_null()).fill_null(False).to_numpy()
    goes_on = intervals["how_started"].is_in(["since"]).fill_null(False).to_numpy()
    ended = micros(intervals["ended_at"])
    down = np.flatnonzero(intervals["state"].is_in(["down"]).to_numpy()).astype(np.int32)
    down = down[np.lexsort((started[down], session[down]))]
    return _Stretches(
        down, session[down], speaker[down], end[down], started[down], ended[down], is_open[down],
        (ups > before)[down], goes_on[down],
    )  # fmt: skip


def _begins(down: _Stretches) -> Bools:
    """Which stretches begin a failure: those of both ends that overlap are one."""
    until = np.where(down.is_open, micros_of(LATEST), down.ended)
    other = np.r_[True, down.session[1:] != down.session[:-1]]
    # The latest end of the session's stretches so far: ranks, so that a session never reaches into the next.
    moments, rank = np.unique(until, return_inverse=True)
    group = np.cumsum(other)
    reached = np.maximum.accumulate(group * len(moments) + rank) - group * len(moments)
    reach = np.r_[NEVER, moments[reached[:-1]]]
    same_end = np.r_[False, (down.speaker[1:] == down.speaker[:-1]) & (down.end[1:] == down.end[:-1])]
    known = (down.started != NEVER) & ~other
    late = np.where(known, down.started - reach, -1)
    again = same_end & (late >= 0) & ~(down.goes_on & (late == 0))
    return np.asarray(other | (known & ((late > span(ENDS_TOLERANCE)) | again)), np.bool_)


def _times(down: _Stretches, ends: pl.DataFrame, first: Ints, failure: Ints) -> tuple[Ints, Ints]:
    """When each failure began and ended; the last stretch of each end tells whether it lasts."""
    far_future = np.iinfo(np.int64).max
    began = np.minimum.reduceat(np.where(down.started == NEVER, far_future, down.started), first)
    name = coded(ends.select(pl.when(pl.col("protocol") != "").then("protocol").otherwise("peer")).to_series())
    key = (failure * (int(down.speaker.max()) + 1) + down.speaker) * len(name.values) + name.codes
    # An earlier open stretch of an end cannot be: it was followed by another.
    _, latest = np.unique(key[::-1], return_index=True)
    is_last = np.zeros(len(key), np.bool_)
    is_last[len(key) - 1 - latest] = True
    is_open = np.logical_or.reduceat(down.is_open & is_last, first)
    ended = np.maximum.reduceat(np.where(down.is_open, NEVER, down.ended), first)
    return np.where(began == far_future, NEVER, began), np.where(is_open, NEVER, ended)


def _is_startup(
    ends: pl.DataFrame,
    first: Ints,
    category: Coded,
    times: tuple[Ints, Ints, Ints],
    had_up: Bools,
    data_end: datetime | None,
) -> Bools:
    """Whether a session merely came up, or had no time yet to do so; ``times``: began, ended, both ends since."""
    began, ended, since = times
    until, lasts = micros_of(data_end), ended == NEVER
    told = (began != NEVER) & (since != NEVER) & ~category.among(_NEVER_STARTUP)
    tables = ends["how_started"].is_in(["snapshot", "since"]).fill_null(False).to_numpy()
    by_table = np.logical_or.reduceat(tables, first) & lasts
    # A single verdict is all there is: nothing tells that the node was just starting.
    probes = np.logical_and.reduceat(ends["observed_by"].is_in(["probe"]).fill_null(False).to_numpy(), first)
    alone = probes & (began == since) & (since == until)
    was_up = (had_up | category.among(_ENDS_A_SESSION)) & (lasts | (began - since > span(SETTLING)))
    begun = np.maximum(began, since)
    quick = np.where(lasts, (data_end is not None) & (until - begun <= span(PATIENCE)), ended - begun <= span(STARTUP))
    return np.asarray(told & ~by_table & ~alone & ~was_up & quick, np.bool_)
