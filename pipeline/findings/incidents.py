"""Failures that share place, reason and time become one incident; planned work is told from failure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
import polars as pl

from pipeline.findings.clusters import WINDOW, clustered
from pipeline.findings.columns import NEVER, Ints, micros_of, moment_of, used
from pipeline.findings.groups import Group
from pipeline.findings.losses import NONE, Losses, Pair
from pipeline.findings.owners import owners
from pipeline.findings.planned import PlannedWork


@dataclass(frozen=True, eq=False)
class Incident:
    """What belongs together; ``nodes`` are those that suffer.

    ``kind`` is 'session', 'planned', 'record', or 'missing': sessions that should be there and were never seen.
    ``failures`` are positions in ``losses``.
    """

    incident_id: str
    kind: str
    category: str
    started_at: datetime | None
    ended_at: datetime | None
    losses: Losses = NONE
    failures: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    records: pl.DataFrame | None = None
    group: Group | None = None
    nodes: tuple[str, ...] = ()
    hubs: tuple[str, ...] = ()
    work: str | None = None

    @cached_property
    def session_numbers(self) -> Ints:
        """The sessions concerned, each once, in order, as positions in ``losses.sides``."""
        return self.losses.sessions_of(self.failures)

    @property
    def session_count(self) -> int:
        """How many sessions are concerned."""
        return len(self.session_numbers)

    @property
    def sessions(self) -> tuple[Pair, ...]:
        """The sessions concerned, each once, in order."""
        return tuple(self.losses.pairs(self.session_numbers))

    @cached_property
    def sides(self) -> tuple[Ints, Ints]:
        """The two ends of each session, as positions in ``losses.names``."""
        one, other = self.losses.sides
        return one[self.session_numbers], other[self.session_numbers]

    @cached_property
    def around(self) -> frozenset[str]:
        """The nodes that suffer and those at the centre."""
        return frozenset((*self.nodes, *self.hubs))

    @cached_property
    def involved(self) -> frozenset[str]:
        """All names in the incident."""
        names = self.losses.names
        return self.around.union(names[k] for k in used(np.concatenate(self.sides), len(names)).tolist())

    @cached_property
    def end_categories(self) -> frozenset[str]:
        """The categories of all ends that failed."""
        told = self.losses.column("category")
        codes = told.codes[self.losses.ends_of(self.failures)]
        return frozenset(told.values[k] for k in used(codes, len(told.values)).tolist())

    @property
    def events(self) -> int:
        """Losses of sessions, or records, that were put together."""
        return len(self.failures) or (0 if self.records is None else self.records.height)

    @property
    def is_open(self) -> bool:
        """Whether it still lasted when the data ends."""
        return self.ended_at is None


class Bundler:
    """Puts failures together to incidents."""

    def __init__(self, cluster: str, losses: Losses, groups: list[Group], planned: PlannedWork) -> None:
        self._cluster, self._losses, self._groups = cluster, losses, groups
        self._owner = owners(losses, groups)
        self._work = planned.kinds(losses)

    def incidents(self) -> list[Incident]:
        """Incidents of sessions, in order of time."""
        found = clustered(self._losses, self._work, self._owner)
        incidents = [self._incident(c.reason, c.work, np.array(c.failures, np.int64)) for c in found]
        return sorted(incidents, key=lambda i: (micros_of(i.started_at), i.incident_id))

    def merged(self, first: Incident, second: Incident) -> Incident:
        """One incident out of two that turned out to have the same cause."""
        return self._incident(first.category, first.work, np.concatenate([first.failures, second.failures]))

    def _incident(self, reason: str, work: str | None, failures: Ints) -> Incident:
        losses = self._losses
        started, ended = losses.started[failures], losses.ended[failures]
        group = self._main_group(failures)
        sessions = losses.sessions_of(failures)
        hubs, nodes = _places(losses, sessions, group)
        category = reason if work is None else self._common(failures)
        known = started[started != NEVER]
        begun = moment_of(int(known.min())) if len(known) else None
        return Incident(
            incident_id=content_id(
                self._cluster, work or "session", category, str(begun), *self._origin(failures, group)
            ),
            kind="planned" if work else "session", category=category, started_at=begun,
            ended_at=None if (ended == NEVER).any() else moment_of(int(ended.max())),
            losses=losses, failures=failures, group=group, nodes=nodes, hubs=hubs, work=work,
        )  # fmt: skip

    def _origin(self, failures: Ints, group: Group | None) -> list[str]:
        """What an incident is known by as it grows: the sessions it began with; where that is not known, its group."""
        losses = self._losses
        started = losses.started[failures]
        known = started[started != NEVER]
        if not len(known) and group is not None:
            return [group.name]
        first = failures[started == known.min()] if len(known) else failures
        return sorted("|".join(pair) for pair in losses.pairs(losses.sessions_of(first)))

    def _main_group(self, failures: Ints) -> Group | None:
        owners = self._owner[failures]
        known, counts = np.unique(owners[owners >= 0], return_counts=True)
        ranked = zip(counts.tolist(), (self._groups[k] for k in known), strict=True)
        return max(ranked, key=lambda pair: (pair[0], pair[1].name), default=(0, None))[1]

    def _common(self, failures: Ints) -> str:
        """The category that most of the failures have, the first by name of those."""
        category = self._losses.category
        known, counts = np.unique(category.codes[failures], return_counts=True)
        return str(category.values[known[np.argmax(counts)]])


def _places(losses: Losses, sessions: Ints, group: Group | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The reflectors that stand in the failing sessions, and the nodes that lost a session by it."""
    one, other = (side[sessions] for side in losses.sides)
    names = losses.names
    both = used(np.r_[one, other], len(names)).tolist()
    involved = [k for k in both if not names[k].startswith(("?", "#"))]
    reflectors = set(group.reflectors) if group is not None and group.kind != "mesh" else set()
    centres = [k for k in involved if names[k].lstrip("@") in reflectors]
    is_centre = np.zeros(len(names), np.bool_)
    is_centre[centres] = True
    first, second = is_centre[one], is_centre[other]
    suffers = np.zeros(len(names), np.bool_)
    suffers[one[second | ~first]] = suffers[other[first | ~second]] = True
    nodes = [names[k] for k in involved if suffers[k]]
    hubs = [names[k] for k in centres] or _middle(names, one, other)
    return tuple(sorted(hubs)), tuple(sorted(name for name in nodes if not name.startswith("@")))


def _middle(names: list[str], one: Ints, other: Ints) -> list[str]:
    """The one node that all failing sessions have in common, when there are several sessions."""
    if len(one) < 2:
        return []
    common = [k for k in {int(one[0]), int(other[0])} if ((one == k) | (other == k)).all()]
    return [names[k] for k in common if not names[k].startswith("?")]


def may_be_one(first: Incident, second: Incident) -> bool:
    """Whether two incidents overlap in time and place; a place or time that is not known rules nothing out."""
    if first.kind != second.kind or first.records is not None or second.records is not None:
        return False
    if first.around and second.around and first.around.isdisjoint(second.around):
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
