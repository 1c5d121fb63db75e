"""Which failures belong together: neighbours in place, reason and time.

Two failures belong together when they have an end in common and the same reason, and began within ``WINDOW``
of each other, or are the same session going down again soon. A reason that lasts until somebody acts
(a kernel that refuses keys) also joins what began later while it lasted. A loss that names no reason joins
the incident of its neighbours that do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from pipeline.findings.columns import NEVER, Ints, blocks, span, used
from pipeline.findings.losses import Losses
from pipeline.findings.planned import WORKS
from pipeline.sessions.reasons import BARE

WINDOW = timedelta(seconds=120)
"""Losses by one event are noticed within the hold time at different moments; half of Calico's 240 s."""
PLANNED_WINDOW = timedelta(minutes=10)
"""A rolling restart pauses between nodes."""
FLAP = timedelta(seconds=300)
"""A session that falls again this soon after it came back has the same trouble (BIRD's error forget time)."""
LASTING = frozenset({"md5_kernel_setup_failed", "cannot_assign_address"})
SOFT = frozenset({BARE, "connection_reset", "connection_closed", "neighbor_lost", "connect_timeout"})

LATER = int(np.iinfo(np.int64).max)
_WINDOW, _PLANNED_WINDOW, _FLAP = span(WINDOW), span(PLANNED_WINDOW), span(FLAP)


@dataclass(slots=True, eq=False)
class Cluster:
    """Failures that belong together; times are microseconds, ``NEVER`` where none is known.

    ``nodes`` and ``first_start`` are only asked for, and set, when all failures are there.
    """

    reason: str
    work: str | None
    failures: list[int] = field(default_factory=list)
    nodes: set[int] = field(default_factory=set)
    first_start: int = LATER
    last_start: int = NEVER
    last_end: int = NEVER
    is_open: bool = False
    session_ends: dict[int, int] = field(default_factory=dict)
    merged_into: Cluster | None = None
    window: int = field(init=False)

    def __post_init__(self) -> None:
        self.window = _PLANNED_WINDOW if self.work else _WINDOW

    def root(self) -> Cluster:
        """The cluster that this one went into."""
        cluster = self
        while cluster.merged_into is not None:
            cluster = cluster.merged_into
        return cluster

    def absorb(self, other: Cluster) -> None:
        """Add all failures of another cluster."""
        self.failures += other.failures
        self.nodes |= other.nodes
        self.first_start = min(self.first_start, other.first_start)
        self.last_start = max(self.last_start, other.last_start)
        self.last_end = max(self.last_end, other.last_end)
        self.is_open |= other.is_open
        for session, ended in other.session_ends.items():
            if ended > self.session_ends.get(session, NEVER):
                self.session_ends[session] = ended
        other.merged_into = self

    def joins(self, session: int, begun: int) -> bool:
        """Whether a failure that begins then belongs here; it has an end and the reason in common."""
        if begun == NEVER or self.last_start == NEVER:
            return begun == NEVER and self.last_start == NEVER
        if begun - self.last_start <= self.window:
            return True
        if self.reason in LASTING and (self.is_open or self.last_end >= begun):
            return True
        before = self.session_ends.get(session)
        return before is not None and begun - before <= _FLAP


def clustered(losses: Losses, work: Ints, owner: Ints) -> list[Cluster]:
    """Put the failures together; ``work`` (position in ``WORKS``) and ``owner`` for each of them."""
    clusters: list[Cluster] = []
    latest: dict[int, Cluster] = {}
    reasons = [*WORKS, *losses.category.values]
    reason = np.where(work > 0, work, losses.category.codes + len(WORKS))
    near, far = (side[losses.session] for side in losses.sides)
    # One number for node, reason (that of planned work is another than any category) and group.
    scope = (reason * (int(owner.max(initial=0)) + 2) + owner + 1) * len(losses.names)
    columns = (losses.session, losses.started, losses.ended, reason, work, scope + near, scope + far)
    rows = (row for block in blocks(len(losses)) for row in zip(*(c[block].tolist() for c in columns), strict=True))
    # There may be a million failures: what most of them need is done in place, without a call.
    for failure, (session, begun, ended, why, planned, one, other) in enumerate(rows):
        home, second = latest.get(one), latest.get(other)
        if home is not None:
            if home.merged_into is not None:
                home = home.root()
            if not (0 <= begun - home.last_start <= home.window or home.joins(session, begun)):
                home = None
        if second is not None:
            if second.merged_into is not None:
                second = second.root()
            if second is not home and (0 <= begun - second.last_start <= second.window or second.joins(session, begun)):
                if home is None:
                    home = second
                else:
                    home.absorb(second)
        if home is None:
            home = Cluster(reasons[why], WORKS[planned])
            clusters.append(home)
        home.failures.append(failure)
        if begun > home.last_start:
            home.last_start = begun
        if ended == NEVER:
            home.is_open = True
        else:
            if ended > home.last_end:
                home.last_end = ended
            ends = home.session_ends
            if ended > ends.get(session, NEVER):
                ends[session] = ended
        latest[one] = latest[other] = home
    live = [cluster for cluster in clusters if cluster.merged_into is None]
    for cluster in live:
        mine = np.array(cluster.failures, np.int64)
        cluster.nodes.update(used(np.r_[near[mine], far[mine]], len(losses.names)).tolist())
        starts = losses.started[mine]
        cluster.first_start = int(starts[starts != NEVER].min(initial=LATER))
    return _with_soft_joined(live)


def _with_soft_joined(clusters: list[Cluster]) -> list[Cluster]:
    """Losses without a telling reason join a neighbour that began about then and has one."""
    telling = [c for c in clusters if c.reason not in SOFT]
    kept = list(telling)
    for soft in (c for c in clusters if c.reason in SOFT):
        home = next((c for c in telling if _explains(c, soft)), None)
        if home is None:
            kept.append(soft)
        else:
            home.absorb(soft)
    return kept


def _explains(cluster: Cluster, soft: Cluster) -> bool:
    if soft.last_start == NEVER or cluster.last_start == NEVER or cluster.nodes.isdisjoint(soft.nodes):
        return False
    return cluster.first_start - _WINDOW <= soft.first_start <= cluster.last_start + _WINDOW
