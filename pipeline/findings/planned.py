"""Losses that somebody meant: restarts that come back in time, peers taken out of the configuration."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
import polars as pl

from pipeline.findings.columns import NEVER, Bools, Ints, micros_of, moment_of, span
from pipeline.findings.losses import Losses
from pipeline.sessions.facts import ClusterFacts

RESTART_WINDOW = timedelta(seconds=300)
"""A restarted daemon is back within the graceful restart time of 120 s and BIRD's waits; give it 5 minutes."""
AWAY = timedelta(seconds=45)
"""A restart that somebody means does not leave the daemon away for longer than this."""
NEAR_CRASH = timedelta(seconds=60)
"""A loss this close to a crash of one end's daemon was not meant."""
RESTART, REMOVED, RECONFIGURED = "restart", "removed", "reconfigured"
WORKS = (None, RESTART, REMOVED, RECONFIGURED)

_SHUTDOWN = re.compile(
    r"Administrative(ly)? shutdown|Administrative reset|Graceful restart|Unknown error 6\.[249]$", re.I
)
_REMOVED = re.compile(r"Peer de-?configured|Peer unconfigured|Unknown error 6\.3$", re.I)
_RECONFIGURED = re.compile(r"Other configuration change|Unknown error 6\.6$", re.I)
_UNPLANNED = frozenset(
    {"hold_timer_expired", "md5_kernel_setup_failed", "bad_peer_as", "open_error", "resource_exhaustion",
     "no_route_to_host"}
)  # fmt: skip
STARTED = r"^(Started|Graceful (restart|recovery) started)$"
FATAL = ("process_restart", "resource_exhaustion")
UNANSWERED = "bird_socket_unavailable"
_CRASH = (
    r"segfault|SIGSEGV|oom|[Oo]ut of memory|Unable to allocate|killed process|liveness probe, will be restarted"
    r"|core dumped|trap"
)


@lru_cache(maxsize=100_000)
def _said(errors: tuple[str, ...]) -> str | None:
    """The work that the last words of a session name."""
    texts = " ".join(errors)
    named = ((_REMOVED, REMOVED), (_RECONFIGURED, RECONFIGURED), (_SHUTDOWN, RESTART))
    return next((work for pattern, work in named if pattern.search(texts)), None)


class PlannedWork:
    """Knows when daemons started anew and whether something killed them."""

    def __init__(self, facts: ClusterFacts, data_end: datetime | None) -> None:
        self._data_end = data_end
        self._starts: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._crashes: dict[str, list[int]] = defaultdict(list)
        started = pl.col("component").is_in(["bird", "bird6"]) & pl.col("message").str.contains(STARTED)
        for node, ts in _moments(facts.records, started).iter_rows():
            self._starts[node].append((micros_of(ts), span(timedelta(seconds=10))))
        exactly = set(self._starts)
        counted = facts.marks.filter(pl.col("rule") == "bird.started")
        for node, minute in counted.select("node", "minute").drop_nulls().iter_rows():
            if node not in exactly:
                self._starts[node].append((micros_of(minute + timedelta(seconds=30)), span(timedelta(seconds=60))))
        crashed = pl.col("category").is_in(FATAL) & pl.col("message").str.contains(_CRASH)
        for node, ts in _moments(facts.records, crashed).iter_rows():
            self._crashes[node].append(micros_of(ts))
        self._dead: dict[str, list[int]] = defaultdict(list)
        for node, ts in _moments(facts.records, pl.col("category") == UNANSWERED).sort("ts").iter_rows():
            self._dead[node].append(micros_of(ts))

    def kinds(self, losses: Losses) -> Ints:
        """For each failure the planned work that it was, as a position in ``WORKS``; 0 for none."""
        if not len(losses):
            return np.zeros(0, np.int64)
        said, rows = _all_said(losses), np.arange(len(losses))
        back = self._came_back(losses) & ~self._crashed(losses)
        kinds = np.where((said == WORKS.index(REMOVED)) | back, said, 0)
        open_to = back & (said == 0) & (losses.ended != NEVER) & ~losses.category.among(_UNPLANNED)
        for row, node, moment in self.restarted(losses, rows[open_to]):
            if moment - min(int(losses.started[row]), self._dead_since(node, moment)) <= span(AWAY):
                kinds[row] = WORKS.index(RESTART)
        return kinds

    def restarted(self, losses: Losses, failures: Ints) -> Iterator[tuple[int, str, int]]:
        """Failures around whose begin the daemon of one end started: the failure, the end's node, and when."""
        chosen = failures[(losses.started[failures] != NEVER) & losses.had_been_up[failures]]
        begun, until = losses.started[chosen], losses.ended[chosen]
        until = np.where(until == NEVER, begun + span(RESTART_WINDOW), until)
        for node, mine in _by_name(losses, chosen, self._starts):
            for moment, slack in self._starts[node]:
                near = mine[(begun[mine] - slack <= moment) & (moment <= until[mine] + slack)]
                yield from ((row, node, moment) for row in chosen[near].tolist())

    def _dead_since(self, node: str, start: int) -> int:
        """When the daemon that started then was first known not to answer, since its start before."""
        before = max((m for m, _ in self._starts.get(node, ()) if m < start - span(AWAY)), default=NEVER)
        low = max(before, start - span(RESTART_WINDOW))
        return min((ts for ts in self._dead.get(node, ()) if low < ts < start), default=start)

    def starts_of(self, node: str) -> list[datetime]:
        """When a node's daemon was seen to start, in order."""
        return sorted(moment for moment in (moment_of(start) for start, _ in self._starts.get(node, ())) if moment)

    def _came_back(self, losses: Losses) -> Bools:
        """Up again in time, or still within that time when the data ends."""
        finished = np.where(losses.ended == NEVER, micros_of(self._data_end), losses.ended)
        known = (losses.started != NEVER) & (finished != NEVER)
        return np.asarray(known & (finished - losses.started <= span(RESTART_WINDOW)), np.bool_)

    def _crashed(self, losses: Losses) -> Bools:
        found = np.zeros(len(losses), np.bool_)
        rows = np.flatnonzero(losses.started != NEVER)
        for node, mine in _by_name(losses, rows, self._crashes):
            for moment in self._crashes[node]:
                found[rows[mine]] |= np.abs(moment - losses.started[rows[mine]]) <= span(NEAR_CRASH)
        return found


def _moments(records: pl.DataFrame, chosen: pl.Expr) -> pl.DataFrame:
    """Node and time of the records that are chosen, without a copy of what else they say."""
    return records.lazy().filter(chosen).select("node", "ts").drop_nulls().collect()


def _all_said(losses: Losses) -> Ints:
    """For each failure the work that the last words of its session name."""
    codes, texts = losses.errors.codes, losses.errors.values
    alone = np.array([WORKS.index(_said(found)) for found in texts], np.int64)
    result = alone[codes[losses.first]]
    known: dict[tuple[int, ...], int] = {}
    for failure in np.flatnonzero(losses.counts > 1).tolist():
        begin = losses.first[failure]
        key = tuple(codes[begin : begin + losses.counts[failure]].tolist())
        if key not in known:
            known[key] = WORKS.index(_said(tuple(dict.fromkeys(text for k in key for text in texts[k]))))
        result[failure] = known[key]
    return result


def _by_name(losses: Losses, failures: Ints, names: Iterable[str]) -> Iterator[tuple[str, Ints]]:
    """Those of ``names`` that stand in the sessions of failures, with the positions in ``failures``."""
    codes = sorted(losses.position[name] for name in set(names) if name in losses.position)
    if not codes:
        return
    wanted = np.zeros(len(losses.names), np.bool_)
    wanted[codes] = True
    one, other = (side[losses.session[failures]] for side in losses.sides)
    mine, theirs = np.flatnonzero(wanted[one]), np.flatnonzero(wanted[other] & (one != other))
    both, rows = np.concatenate([one[mine], other[theirs]]), np.concatenate([mine, theirs])
    order = np.argsort(both, kind="stable")
    ordered = both[order]
    for code in codes:
        begin, end = np.searchsorted(ordered, [code, code + 1])
        if begin < end:
            yield losses.names[code], rows[order[begin:end]]
