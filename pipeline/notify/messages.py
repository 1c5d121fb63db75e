"""From a report to notices, and from notices to what a receiver understands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from pipeline import __version__
from pipeline.findings.report.model import FAIL_LEVELS, IncidentReport, Report

KINDS = ("alertmanager", "generic")
# Receivers show a few lines; the report has the rest.
TEXT_CHARS = 2000


@dataclass(frozen=True)
class Notice:
    """One incident as a receiver sees it. ``labels`` are its identity there, ``texts`` may change."""

    incident_id: str
    labels: dict[str, str]
    texts: dict[str, str]
    started_at: datetime | None
    ended_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether the incident has ended."""
        return self.ended_at is not None

    @property
    def digest(self) -> str:
        """Hash of what the receiver would be told; the same digest is not sent again."""
        told = [self.labels, self.texts, str(self.started_at), str(self.ended_at)]
        return blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=16).hexdigest()

    def as_plain(self) -> dict[str, Any]:
        """Plain values, from which ``of_plain`` makes it again."""
        return {
            "incident_id": self.incident_id,
            "labels": self.labels,
            "texts": self.texts,
            "started_at": _iso(self.started_at),
            "ended_at": _iso(self.ended_at),
        }

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Notice:
        """The notice that ``as_plain`` wrote."""
        moments = (datetime.fromisoformat(text) if text else None for text in (plain["started_at"], plain["ended_at"]))
        return cls(plain["incident_id"], plain["labels"], plain["texts"], *moments)


def notices_of(report: Report, least: str = "warning") -> list[Notice]:
    """Notices for the incidents of a report that are at least as severe as ``least``, ended ones too."""
    levels = FAIL_LEVELS[FAIL_LEVELS.index(least) :]
    return [_notice(incident) for incident in report.incidents if incident.severity in levels]


def _notice(incident: IncidentReport) -> Notice:
    best = incident.best
    labels = {
        "alertname": "CalicoBgpIncident",
        "cluster": incident.cluster,
        "group": incident.group_name or "",
        "category": incident.category,
        "cause": incident.cause,
        "severity": incident.severity,
        "incident": incident.incident_id,
    }
    texts = {
        "summary": _cut(best.title),
        "description": _cut(best.summary),
        "remedy": _cut(best.remedy),
        "confidence": f"{incident.confidence:.2f}",
        "scope": f"{incident.sessions} sessions, {incident.nodes} nodes",
    }
    return Notice(incident.incident_id, labels, texts, incident.started_at, incident.ended_at)


def payload(kind: str, notices: Sequence[Notice], now: datetime, alive: timedelta) -> bytes:
    """The body to post: Alertmanager's v2 list of alerts, or one object of our own.

    ``alive`` is how long Alertmanager keeps an open alert that it hears no more of.
    """
    if kind == "alertmanager":
        return json.dumps([_alert(notice, now, alive) for notice in notices]).encode()
    body = {
        "sender": "peerscope",
        "version": __version__,
        "sent_at": _iso(now),
        "incidents": [
            {"status": "resolved" if notice.is_over else "firing", **notice.as_plain()} for notice in notices
        ],
    }
    return json.dumps(body).encode()


def _alert(notice: Notice, now: datetime, alive: timedelta) -> dict[str, Any]:
    return {
        "labels": notice.labels,
        "annotations": notice.texts,
        "startsAt": _iso(notice.started_at or now),
        "endsAt": _iso(notice.ended_at if notice.is_over else now + alive),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


def _cut(text: str) -> str:
    """Text from logs is hostile: no control characters, and not without end."""
    clean = "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)
    return clean if len(clean) <= TEXT_CHARS else clean[: TEXT_CHARS - 1] + "…"
