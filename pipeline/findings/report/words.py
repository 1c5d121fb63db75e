"""Words that all forms of a report share."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

from pipeline.findings.report.model import EvidenceLine, IncidentReport

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str) -> str:
    """Text without control, formatting and unassigned characters; line breaks stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join("\ufffd" if unicodedata.category(c) in _UNSAFE and c != "\n" else c for c in text)


def one_line(text: str) -> str:
    """Clean text on one line."""
    return clean(" ".join(text.split()))


def moment(when: datetime | None) -> str:
    """A time in UTC, to the second."""
    return "time unknown" if when is None else when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock(when: datetime) -> str:
    """The time of day in UTC."""
    return when.astimezone(UTC).strftime("%H:%M:%S")


def span(incident: IncidentReport) -> str:
    """When an incident was."""
    begun = moment(incident.started_at)
    if incident.ended_at is None:
        return f"since {begun}, still so when the data ends" if incident.started_at else "time unknown"
    seconds = (incident.ended_at - incident.started_at).total_seconds() if incident.started_at else 0
    return f"{begun} to {clock(incident.ended_at)} ({duration(seconds)})"


def duration(seconds: float) -> str:
    """A length of time in its largest units."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def place(incident: IncidentReport) -> str:
    """Where an incident was, in numbers."""
    name = one_line(incident.group_name or "")
    parts = [name if name.startswith(("group", "mesh", "reflector", "external")) else f"group {name}"] if name else []
    if incident.sessions:
        parts.append(f"{incident.sessions} session{'s' if incident.sessions != 1 else ''}")
    if incident.nodes:
        parts.append(f"{incident.nodes} node{'s' if incident.nodes != 1 else ''}")
    if not incident.sessions:
        parts.append(f"{incident.events} log line{'s' if incident.events != 1 else ''}")
    return ", ".join(parts)


def sure(confidence: float) -> str:
    """A confidence in words and numbers."""
    if confidence >= 0.9:
        word = "very likely"
    elif confidence >= 0.7:
        word = "likely"
    else:
        word = "more likely than not" if confidence >= 0.5 else "only possible"
    return f"{word} ({confidence:.0%})"


def source(line: EvidenceLine, width: int = 0) -> str:
    """Where a fact stands: node, time, file and byte offset; a long path is shortened in its middle."""
    parts = []
    if line.node:
        parts.append(one_line(line.node))
    if line.ts:
        parts.append(clock(line.ts))
    if line.source_path:
        at = f"@{line.byte_offset}" if line.byte_offset is not None else ""
        room = width - len("  ".join([*parts, at])) - 2 if width else 0
        parts.append(f"{shortened(one_line(line.source_path), room)}{at}")
    return "  ".join(parts)


def shortened(path: str, room: int) -> str:
    """A path with its middle left out when it is longer than ``room`` (0: never)."""
    if not room or len(path) <= room:
        return path
    inner = path.split("!")[-1]
    if len(inner) <= room:
        return inner
    head, tail = inner[: max(8, room // 3)], inner[-max(8, room - room // 3 - 1) :]
    return f"{head}…{tail}"
