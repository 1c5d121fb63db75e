"""What a report holds, before it has a form."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

FAIL_LEVELS = ("info", "warning", "error", "critical")
RULED_OUT = 0.15
"""A claim below this confidence is only shown to say why it was ruled out."""


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """One fact: what it says and where it stands. ``text`` may quote a log and is hostile."""

    role: str
    text: str
    ts: datetime | None
    node: str | None
    peer: str | None
    source_path: str | None
    byte_offset: int | None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A cause that was considered."""

    cause: str
    title: str
    confidence: float
    summary: str
    remedy: str
    refuted_by: str
    ruleset_version: str
    evidence: tuple[EvidenceLine, ...] = ()

    def lines(self, role: str) -> list[EvidenceLine]:
        """Its evidence of one role: first what carries a sentence, then the further records, each in time order."""
        mine = [line for line in self.evidence if line.role == role]
        return sorted(mine, key=lambda e: (e.text.startswith("also: "), e.ts is None, str(e.ts), e.node or "", e.text))


@dataclass(frozen=True, slots=True)
class IncidentReport:
    """An incident with its diagnoses: the one that is claimed, other candidates, and what was ruled out."""

    incident_id: str
    cluster: str
    group_name: str | None
    category: str
    severity: str
    started_at: datetime | None
    ended_at: datetime | None
    nodes: int
    sessions: int
    events: int
    cause: str
    confidence: float
    best: Diagnosis
    others: tuple[Diagnosis, ...] = ()
    ruled_out: tuple[Diagnosis, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether it still lasts at the end of the data."""
        return self.ended_at is None


@dataclass(frozen=True, slots=True)
class Observed:
    """What was looked at."""

    first: datetime | None
    last: datetime | None
    nodes: int
    session_ends: int
    ends_up: int
    ends_down: int


@dataclass(frozen=True, slots=True)
class Quality:
    """How good the data is: lines, what no rule knows, what was refused, what was covered."""

    files: int
    lines_read: int
    lines_rejected: int
    unclassified: int
    counted: int
    rejects: tuple[tuple[str, int, int], ...] = ()
    coverage: tuple[tuple[str, int, float], ...] = ()

    @property
    def unclassified_share(self) -> float | None:
        """Part of the counted lines that no rule knows."""
        return self.unclassified / self.counted if self.counted else None


@dataclass(frozen=True, slots=True)
class Size:
    """A reflector at its latest count; ``limit`` is the number of MD5 keys that fit, where passwords are used.

    ``established`` is None where nobody looked.
    """

    cluster: str
    group_name: str
    reflector: str
    configured: int
    established: int | None
    limit: int | None

    @property
    def room(self) -> int | None:
        """What is left to the limit."""
        return None if self.limit is None else self.limit - self.configured


@dataclass(frozen=True, slots=True)
class Report:
    """A report of one cluster, or of all."""

    clusters: tuple[str, ...]
    cluster: str | None
    group: str | None
    since: datetime | None
    observed: Observed
    quality: Quality
    incidents: tuple[IncidentReport, ...] = field(default=())
    sizes: tuple[Size, ...] = ()
    size_and_version: tuple[str, ...] = ()

    @property
    def worst(self) -> str | None:
        """The gravest severity of an incident that still lasts."""
        levels = [FAIL_LEVELS.index(incident.severity) for incident in self.incidents if incident.is_open]
        return FAIL_LEVELS[max(levels)] if levels else None

    @property
    def failures(self) -> tuple[IncidentReport, ...]:
        """Incidents that are failures, not planned work."""
        return tuple(incident for incident in self.incidents if incident.severity != "info")

    @property
    def headline(self) -> str:
        """The report in one line."""
        name = self.cluster or ", ".join(self.clusters) or "no cluster"
        if self.failures:
            first = self.failures[0]
            more = len(self.failures) - 1
            tail = f", and {more} more" if more else ""
            return f"{name}: {first.best.title} ({first.severity}, {first.confidence:.0%} sure){tail}"
        planned = len(self.incidents)
        if planned:
            return f"{name}: no failure; {self.incidents[0].best.title}"
        seen = self.observed
        return f"{name}: no incident; {seen.ends_up} of {seen.session_ends} session ends up on {seen.nodes} nodes"


def as_plain(report: Report) -> dict[str, Any]:
    """The report as plain values: dictionaries, lists, numbers and text."""
    plain = _plain(asdict(report))
    plain["headline"] = report.headline
    plain["worst"] = report.worst
    plain["quality"]["unclassified_share"] = report.quality.unclassified_share
    assert isinstance(plain, dict)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
