"""Losses that somebody meant: restarts that come back in time, peers taken out of the configuration."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime, timedelta
from functools import lru_cache

import polars as pl

from pipeline.findings.failures import Failure
from pipeline.sessions.facts import ClusterFacts

RESTART_WINDOW = timedelta(seconds=300)
"""A restarted daemon is back within the graceful restart time of 120 s and BIRD's waits; give it 5 minutes."""
AWAY = timedelta(seconds=45)
"""A restart that somebody means does not leave the daemon away for longer than this."""
RESTART, REMOVED, RECONFIGURED = "restart", "removed", "reconfigured"

_SHUTDOWN = re.compile(
    r"Administrative(ly)? shutdown|Administrative reset|Graceful restart|Unknown error 6\.[249]$", re.I
)
_REMOVED = re.compile(r"Peer de-?configured|Peer unconfigured|Unknown error 6\.3$", re.I)
_RECONFIGURED = re.compile(r"Other configuration change|Unknown error 6\.6$", re.I)
_UNPLANNED = frozenset(
    {"hold_timer_expired", "md5_kernel_setup_failed", "bad_peer_as", "open_error", "resource_exhaustion",
     "no_route_to_host"}
)  # fmt: skip
_CRASH = r"segfault|SIGSEGV|oom|[Oo]ut of memory|killed process|liveness probe, will be restarted|core dumped|trap"


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
        self._starts: dict[str, list[tuple[datetime, timedelta]]] = defaultdict(list)
        self._crashes: dict[str, list[datetime]] = defaultdict(list)
        exact = facts.records.filter(
            pl.col("component").is_in(["bird", "bird6"])
            & pl.col("message").str.contains(r"^(Started|Graceful (restart|recovery) started)$")
        )
        for node, ts in exact.select("node", "ts").drop_nulls().iter_rows():
            self._starts[node].append((ts, timedelta(seconds=10)))
        exactly = set(self._starts)
        counted = facts.marks.filter(pl.col("rule") == "bird.started")
        for node, minute in counted.select("node", "minute").drop_nulls().iter_rows():
            if node not in exactly:
                self._starts[node].append((minute + timedelta(seconds=30), timedelta(seconds=60)))
        crashed = facts.records.filter(
            (pl.col("category").is_in(["process_restart", "resource_exhaustion"]))
            & pl.col("message").str.contains(_CRASH)
        )
        for node, ts in crashed.select("node", "ts").drop_nulls().iter_rows():
            self._crashes[node].append(ts)
        self._dead: dict[str, list[datetime]] = defaultdict(list)
        unanswered = facts.records.filter(pl.col("category") == "bird_socket_unavailable").sort("ts")
        for node, ts in unanswered.select("node", "ts").drop_nulls().iter_rows():
            self._dead[node].append(ts)

    def kind_of(self, failure: Failure) -> str | None:
        """'restart', 'removed' or 'reconfigured' when the loss was planned work, else None."""
        said = _said(failure.errors)
        if said == REMOVED:
            return REMOVED
        if not self._came_back(failure) or self._crashed(failure):
            return None
        if said is not None:
            return said
        if failure.ended_at is None or failure.category in _UNPLANNED:
            return None
        begun = failure.started_at
        quick = begun is not None and any(
            moment - min(begun, self._dead_since(node, moment)) <= AWAY for node, moment in self.restarted(failure)
        )
        return RESTART if quick else None

    def restarted(self, failure: Failure) -> list[tuple[str, datetime]]:
        """The speakers of a lost session whose daemon started around the loss, and when."""
        if failure.started_at is None or not failure.had_been_up or self._starts.keys().isdisjoint(failure.session):
            return []
        until = failure.ended_at or failure.started_at + RESTART_WINDOW
        return [
            (node, moment)
            for node in failure.session
            for moment, slack in self._starts.get(node, ())
            if failure.started_at - slack <= moment <= until + slack
        ]

    def _dead_since(self, node: str, start: datetime) -> datetime:
        """When the daemon that started then was first known not to answer, since its start before."""
        before = max((m for m, _ in self._starts.get(node, ()) if m < start - AWAY), default=None)
        low = max(before, start - RESTART_WINDOW) if before else start - RESTART_WINDOW
        return min((ts for ts in self._dead.get(node, ()) if low < ts < start), default=start)

    def starts_of(self, node: str) -> list[datetime]:
        """When a node's daemon was seen to start, in order."""
        return sorted(moment for moment, _ in self._starts.get(node, ()))

    def _came_back(self, failure: Failure) -> bool:
        """Up again in time, or still within that time when the data ends."""
        if failure.started_at is None:
            return False
        finished = failure.ended_at or self._data_end
        return finished is not None and finished - failure.started_at <= RESTART_WINDOW

    def _crashed(self, failure: Failure) -> bool:
        begun = failure.started_at
        return begun is not None and any(
            abs(moment - begun) <= timedelta(seconds=60)
            for node in failure.session
            for moment in self._crashes.get(node, ())
        )
