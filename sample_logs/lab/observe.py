"""What was seen: states of sessions over time, and the snapshots people would have taken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sample_logs.lab.control import Row

Session = tuple[str, str]
"""A node and the name of a BGP protocol on it: one end of a session."""


def iso(moment: float) -> str:
    """A time in UTC with milliseconds."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def kube_time(moment: float) -> str:
    """A time as Kubernetes objects carry it."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


def compact_time(moment: float) -> str:
    """A time for file names."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y%m%dT%H%M%SZ}"


def date_u(moment: float) -> str:
    """A time as ``date -u`` prints it in the C locale."""
    now = datetime.fromtimestamp(moment, UTC)
    return f"{now:%a %b} {now.day:2} {now:%H:%M:%S} UTC {now.year}"


@dataclass
class Interval:
    """A stretch in which polling found one end of a session unchanged; no row means no answer."""

    row: Row | None
    started_at: float
    ended_at: float

    @property
    def established(self) -> bool:
        """Whether the session was up."""
        return self.row is not None and self.row.bgp_state == "Established"


@dataclass
class History:
    """Intervals of every end, and when it was last configured."""

    intervals: dict[Session, list[Interval]] = field(default_factory=dict)
    gone: dict[Session, float] = field(default_factory=dict)

    def see(self, moment: float, answers: Mapping[str, Iterable[Row] | None]) -> None:
        """Take in one round of polling: each node's rows, or ``None`` where the daemon was silent."""
        for node, rows in answers.items():
            known = {session for session in self.intervals if session[0] == node and session not in self.gone}
            if rows is None:
                for session in known:
                    self._extend(session, moment, None)
                continue
            present: set[Session] = set()
            for row in rows:
                present.add((node, row.protocol))
                self.gone.pop((node, row.protocol), None)
                self._extend((node, row.protocol), moment, row)
            for session in known - present:
                self.intervals[session][-1].ended_at = moment
                self.gone[session] = moment

    def _extend(self, session: Session, moment: float, row: Row | None) -> None:
        intervals = self.intervals.setdefault(session, [])
        if intervals:
            intervals[-1].ended_at = moment
        if not intervals or intervals[-1].row != row:
            intervals.append(Interval(row, moment, moment))

    def down(self, session: Session, start: float, end: float) -> bool:
        """Whether the end was seen not established at some time of ``start`` … ``end``."""
        return any(
            not interval.established and interval.row is not None
            for interval in self.intervals.get(session, ())
            if interval.started_at <= end and interval.ended_at >= start
        )

    def up_since(self, session: Session) -> float | None:
        """Since when the end is up, or unconfigured; ``None`` while it is down."""
        if session in self.gone:
            return self.gone[session]
        intervals = self.intervals.get(session)
        if not intervals or not intervals[-1].established:
            return None
        return intervals[-1].started_at


@dataclass
class Snapshot:
    """What ``birdc`` printed on every node at about one time."""

    moment: float
    status: dict[str, str] = field(default_factory=dict)
    protocols: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    taken_at: dict[str, float] = field(default_factory=dict)
    probe_texts: dict[str, str | None] = field(default_factory=dict)
