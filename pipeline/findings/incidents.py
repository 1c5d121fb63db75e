"""Failures that share place, reason and time become one incident; planned work is told from failure.

Two failures belong together when they have an end in common and the same reason, and began within ``WINDOW``
of each other, or are the same session going down again soon. A reason that lasts until somebody acts
(a kernel that refuses keys) also joins what began later while it lasted. A loss that names no reason joins
the incident of its neighbours that do.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

import polars as pl

from pipeline.findings.failures import EARLIEST, Failure
from pipeline.findings.groups import Group
from pipeline.findings.planned import PlannedWork
from pipeline.sessions.reasons import BARE

WINDOW = timedelta(seconds=120)
"""Losses by one event are noticed within the hold time at different moments; half of Calico's 240 s."""
PLANNED_WINDOW = timedelta(minutes=10)
"""A rolling restart pauses between nodes."""
FLAP = timedelta(seconds=300)
"""A session that falls again this soon after it came back has the same trouble (BIRD's error forget time)."""
LASTING = frozenset({"md5_kernel_setup_failed", "cannot_assign_address"})
SOFT = frozenset({BARE, "connection_reset", "connection_closed", "neighbor_lost", "connect_timeout"})


@dataclass(frozen=True)
class Incident:
    """What belongs together; ``nodes`` are those that suffer.

    ``kind`` is 'session', 'planned', 'record', or 'missing': sessions that should be there and were never seen.
    """

    incident_id: str
    kind: str
    category: str
    started_at: datetime | None
    ended_at: datetime | None
    failures: tuple[Failure, ...] = ()
    records: pl.DataFrame | None = None
    group: Group | None = None
    nodes: tuple[str, ...] = ()
    hubs: tuple[str, ...] = ()
    work: str | None = None

    @cached_property
    def sessions(self) -> tuple[tuple[str, str], ...]:
        """The sessions concerned, each once."""
        return tuple(sorted({failure.session for failure in self.failures}))

    @property
    def events(self) -> int:
        """Losses of sessions, or records, that were put together."""
        return len(self.failures) or (0 if self.records is None else self.records.height)

    @property
    def is_open(self) -> bool:
        """Whether it still lasted when the data ends."""
        return self.ended_at is None


@dataclass(slots=True)
class _Cluster:
    reason: str
    work: str | None
    failures: list[Failure] = field(default_factory=list)
    nodes: set[str] = field(default_factory=set)
    last_start: datetime | None = None
    last_end: datetime | None = None
    is_open: bool = False
    session_ends: dict[tuple[str, str], datetime] = field(default_factory=dict)
    merged_into: _Cluster | None = None

    def root(self) -> _Cluster:
        cluster = self
        while cluster.merged_into is not None:
            cluster = cluster.merged_into
        return cluster

    def take(self, failure: Failure) -> None:
        self.failures.append(failure)
        self.nodes.update(failure.session)
        begun, ended, session = failure.started_at, failure.ended_at, failure.session
        if begun is not None and (self.last_start is None or begun > self.last_start):
            self.last_start = begun
        if ended is None:
            self.is_open = True
            return
        if self.last_end is None or ended > self.last_end:
            self.last_end = ended
        before = self.session_ends.get(session)
        if before is None or ended > before:
            self.session_ends[session] = ended

    def absorb(self, other: _Cluster) -> None:
        for failure in other.failures:
            self.take(failure)
        other.merged_into = self

    def spans(self, moment: datetime) -> bool:
        return self.is_open or (self.last_end is not None and self.last_end >= moment)


def build_incidents(cluster: str, failures: Iterable[Failure], owner: Owners, planned: PlannedWork) -> list[Incident]:
    """Incidents of sessions, in order of time."""
    clusters: list[_Cluster] = []
    latest: dict[tuple[str, str, str | None, str | None], _Cluster] = {}
    for failure in failures:
        work = planned.kind_of(failure)
        group = owner.of(failure)
        reason = work or failure.category
        name = group.name if group else None
        keys = [(node, reason, work, name) for node in failure.session]
        near = [latest[key].root() for key in keys if key in latest and _joins(latest[key].root(), failure)]
        home = near[0] if near else _Cluster(reason, work)
        if not near:
            clusters.append(home)
        for other in near[1:]:
            if other is not home:
                home.absorb(other)
        home.take(failure)
        for key in keys:
            latest[key] = home
    live = _with_soft_joined([c for c in clusters if c.merged_into is None])
    found = [_incident(cluster, c, owner) for c in live]
    return sorted(found, key=lambda i: (i.started_at is not None, i.started_at or EARLIEST, i.incident_id))


def _joins(cluster: _Cluster, failure: Failure) -> bool:
    begun = failure.started_at
    if begun is None or cluster.last_start is None:
        return begun is None and cluster.last_start is None
    if begun - cluster.last_start <= (PLANNED_WINDOW if cluster.work else WINDOW):
        return True
    if cluster.reason in LASTING and cluster.spans(begun):
        return True
    before = cluster.session_ends.get(failure.session)
    return before is not None and begun - before <= FLAP


def _with_soft_joined(clusters: list[_Cluster]) -> list[_Cluster]:
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


def _explains(cluster: _Cluster, soft: _Cluster) -> bool:
    if not cluster.nodes & soft.nodes or soft.last_start is None or cluster.last_start is None:
        return False
    begun = min((f.started_at for f in soft.failures if f.started_at), default=soft.last_start)
    first = min((f.started_at for f in cluster.failures if f.started_at), default=cluster.last_start)
    return first - WINDOW <= begun <= cluster.last_start + WINDOW


class Owners:
    """Finds the group that a failing session belongs to; reflectors come before outside peers and the mesh."""

    def __init__(self, groups: list[Group]) -> None:
        mesh_first, mesh_last = {"mesh": 0, "reflector": 1, "external": 2}, {"reflector": 0, "external": 1, "mesh": 2}
        self._of_mesh = sorted(groups, key=lambda g: (mesh_first.get(g.kind, 3), g.name))
        self._of_nodes = sorted(groups, key=lambda g: (mesh_last.get(g.kind, 3), g.name))
        self._known: dict[tuple[bool, frozenset[str]], Group | None] = {}
        self._asked: dict[int, tuple[Failure, Group | None]] = {}

    def of(self, failure: Failure) -> Group | None:
        """The group of a failure; asked once for each, and once for the same names."""
        asked = self._asked.get(id(failure))
        if asked is None or asked[0] is not failure:
            asked = self._asked[id(failure)] = (failure, self._find(failure))
        return asked[1]

    def _find(self, failure: Failure) -> Group | None:
        names = {name.lstrip("@") for name in failure.session}
        names.update(name for end in failure.ends for name in (end.peer, end.node, end.peer_node) if name)
        mesh = failure.protocols == {"Mesh"}
        key = (mesh, frozenset(names))
        if key not in self._known:
            ranked = self._of_mesh if mesh else self._of_nodes
            self._known[key] = next((group for group in ranked if group.holds(names)), None)
        return self._known[key]


def _incident(cluster: str, found: _Cluster, owner: Owners) -> Incident:
    failures = tuple(found.failures)
    starts = [f.started_at for f in failures if f.started_at is not None]
    ends = [f.ended_at for f in failures]
    named = Counter(group for group in map(owner.of, failures) if group is not None)
    group = max(named, key=lambda g: (named[g], g.name)) if named else None
    sessions = sorted({f.session for f in failures})
    hubs, nodes = _places(sessions, group)
    category = found.reason if found.work is None else _common([f.category for f in failures])
    started = min(starts, default=None)
    names = sorted(map("|".join, sessions))
    return Incident(
        incident_id=content_id(cluster, found.work or "session", category, str(started), *names),
        kind="planned" if found.work else "session",
        category=category,
        started_at=started,
        ended_at=None if any(e is None for e in ends) else max(e for e in ends if e is not None),
        failures=failures, group=group, nodes=nodes, hubs=hubs, work=found.work,
    )  # fmt: skip


def _common(categories: list[str]) -> str:
    counted = Counter(categories)
    return max(sorted(counted), key=lambda category: counted[category])


def _places(sessions: list[tuple[str, str]], group: Group | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The reflectors that stand in the failing sessions, and the nodes that lost a session by it."""
    involved = {name for session in sessions for name in session if not name.startswith(("?", "#"))}
    reflectors = set(group.reflectors) if group is not None and group.kind != "mesh" else set()
    centres = {name for name in involved if name.lstrip("@") in reflectors}
    suffering = set()
    for first, second in sessions:
        both_centres = first in centres and second in centres
        suffering |= {n for n in (first, second) if both_centres or n not in centres}
    hubs = centres or _middle(sessions)
    return tuple(sorted(hubs)), tuple(sorted(n for n in suffering if n in involved and not n.startswith("@")))


def _middle(sessions: list[tuple[str, str]]) -> set[str]:
    """The one node that all failing sessions have in common, when there are several sessions."""
    if len(sessions) < 2:
        return set()
    common = set.intersection(*(set(session) for session in sessions))
    return {name for name in common if not name.startswith("?")}


def merged(cluster: str, first: Incident, second: Incident, owner: Owners) -> Incident:
    """One incident out of two that turned out to have the same cause."""
    home = _Cluster(first.category, first.work)
    for failure in (*first.failures, *second.failures):
        home.take(failure)
    return _incident(cluster, home, owner)


def may_be_one(first: Incident, second: Incident) -> bool:
    """Whether two incidents overlap in time and place; a place or time that is not known rules nothing out."""
    if first.kind != second.kind or first.records is not None or second.records is not None:
        return False
    mine, theirs = set(first.nodes) | set(first.hubs), set(second.nodes) | set(second.hubs)
    if mine and theirs and not mine & theirs:
        return False
    if first.started_at is None or second.started_at is None:
        return True
    return not (
        (first.ended_at is not None and first.ended_at + WINDOW < second.started_at)
        or (second.ended_at is not None and second.ended_at + WINDOW < first.started_at)
    )


def content_id(*parts: str) -> str:
    """A short content hash: the same parts give the same id in every run."""
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).hexdigest()
