"""Reads a report out of a published snapshot: the tables of the contract, nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import polars as pl

from pipeline.errors import UsageError
from pipeline.findings.report.model import (
    RULED_OUT,
    Diagnosis,
    EvidenceLine,
    IncidentReport,
    Observed,
    Quality,
    Report,
    Size,
)

_SPAN = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

_INCIDENTS = """
SELECT incident_id, cluster, group_name, category, CAST(severity AS VARCHAR) AS severity, started_at, ended_at,
       nodes, sessions, events, cause, confidence
FROM incidents
WHERE ($cluster IS NULL OR cluster = $cluster) AND ($grp IS NULL OR group_name = $grp)
  AND ($since IS NULL OR ended_at IS NULL OR ended_at >= CAST($since AS TIMESTAMPTZ))
ORDER BY CASE CAST(severity AS VARCHAR) WHEN 'critical' THEN 0 WHEN 'error' THEN 1 WHEN 'warning' THEN 2 ELSE 3 END,
         ended_at IS NOT NULL, sessions DESC, started_at NULLS FIRST, incident_id
"""
_DIAGNOSES = """
SELECT diagnosis_id, incident_id, cause, title, confidence, summary, remedy, refuted_by, ruleset_version
FROM diagnoses WHERE list_contains($ids, incident_id) ORDER BY confidence DESC, cause
"""
_EVIDENCE = """
SELECT diagnosis_id, CAST(role AS VARCHAR) AS role, text, ts, node, peer, source_path, byte_offset
FROM evidence WHERE list_contains($ids, diagnosis_id)
"""
_OBSERVED = """
SELECT (SELECT min(started_at) FROM coverage WHERE $cluster IS NULL OR cluster = $cluster) AS first,
       (SELECT max(ended_at) FROM coverage WHERE $cluster IS NULL OR cluster = $cluster) AS last,
       (SELECT count(DISTINCT (cluster, node)) FROM nodes WHERE $cluster IS NULL OR cluster = $cluster) AS nodes,
       count(*) AS session_ends, count(*) FILTER (state = 'up') AS ends_up,
       count(*) FILTER (state IS NOT NULL AND state <> 'up') AS ends_down
FROM sessions WHERE $cluster IS NULL OR cluster = $cluster
"""
_LINES = """
SELECT count(*) AS files, coalesce(sum(lines_read), 0) AS lines_read, coalesce(sum(lines_rejected), 0) AS lines_rejected
FROM sources WHERE $cluster IS NULL OR cluster = $cluster
"""
_COUNTS = """
SELECT coalesce(sum(events) FILTER (category = 'unclassified'), 0) AS unclassified, coalesce(sum(events), 0) AS counted
FROM event_counts WHERE $cluster IS NULL OR cluster = $cluster
"""
_REJECTS = """
SELECT CAST(reason AS VARCHAR) AS reason, count(*) AS times, coalesce(sum(lines), 0) AS lines FROM rejects
WHERE $cluster IS NULL OR cluster = $cluster GROUP BY ALL ORDER BY times DESC, reason
"""
_COVERAGE = """
SELECT coalesce(component, '?') AS component, count(DISTINCT (cluster, node)) AS nodes,
       round(sum(epoch(ended_at) - epoch(started_at)) / 3600, 2) AS hours
FROM coverage WHERE $cluster IS NULL OR cluster = $cluster GROUP BY ALL ORDER BY component
"""
_SIZES = """
SELECT cluster, group_name, coalesce(reflector, '') AS reflector,
       arg_max(configured_peers, coalesce(ts, TIMESTAMPTZ '1970-01-01')) AS configured,
       arg_max(established_peers, coalesce(ts, TIMESTAMPTZ '1970-01-01')) AS established,
       arg_max(CASE WHEN md5_peers > 0 THEN md5_key_limit END, coalesce(ts, TIMESTAMPTZ '1970-01-01')) AS "limit"
FROM group_sizes WHERE ($cluster IS NULL OR cluster = $cluster) AND ($grp IS NULL OR group_name = $grp)
GROUP BY ALL HAVING configured IS NOT NULL ORDER BY ALL
"""


class Frames(Protocol):
    """What a report is read from: an open snapshot, or anything that answers queries with frames."""

    def frame(self, sql: str, params: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """Rows of a query."""


def build_report(
    snapshot: Frames, cluster: str | None = None, group: str | None = None, since: str | datetime | None = None
) -> Report:
    """Read the report of one cluster (all when None), of one group, of what lasted after ``since``.

    ``since`` is a time or a text such as ``24h``, ``7d`` or ``2026-11-23T07:00Z``.

    Raises:
        UsageError: a ``since`` that is neither, or a cluster that the warehouse does not hold.
    """
    known = tuple(snapshot.frame("SELECT DISTINCT cluster FROM loads ORDER BY 1")["cluster"].to_list())
    if cluster is not None and cluster not in known:
        raise UsageError(f"--cluster {cluster}: not in this warehouse; it holds {', '.join(known) or 'none'}")
    after = _moment(since) if isinstance(since, str) else since
    only = {"cluster": cluster}
    incidents = _incidents(snapshot, {**only, "grp": group, "since": after.isoformat() if after else None})
    observed = Observed(**_row(snapshot.frame(_OBSERVED, only)))
    counted = snapshot.frame(_SIZES, {**only, "grp": group}).iter_rows(named=True)
    sizes = tuple(Size(**row) for row in counted)
    told = _size_and_version(snapshot, cluster)
    return Report(known, cluster, group, after, observed, _quality(snapshot, only), tuple(incidents), sizes, told)


def _size_and_version(snapshot: Frames, cluster: str | None) -> tuple[str, ...]:
    """What the statistics say, in sentences; nothing when none were made."""
    from pipeline.effects.forecast import forecast
    from pipeline.effects.summary import summarise

    effects, thresholds = snapshot.frame("FROM effects"), snapshot.frame("FROM size_thresholds")
    if effects.is_empty() and thresholds.is_empty():
        return ()
    groups = "WHERE $cluster IS NULL OR cluster = $cluster"
    params = {"cluster": cluster}
    sizes = snapshot.frame(f"FROM group_sizes {groups}", params)
    ahead = forecast(sizes, snapshot.frame(f"FROM bgp_groups {groups}", params), thresholds)
    return tuple(summarise(effects, thresholds, ahead, cluster))


def _row(frame: pl.DataFrame) -> dict[str, Any]:
    return frame.row(0, named=True)


def _moment(text: str) -> datetime:
    span = _SPAN.fullmatch(text.strip())
    if span:
        return datetime.now(UTC) - timedelta(**{_UNITS[span.group(2)]: int(span.group(1))})
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as exc:
        raise UsageError(f"--since {text}: give a span such as 24h or 7d, or a time such as 2026-11-23T07:00Z") from exc
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _incidents(snapshot: Frames, params: dict[str, Any]) -> list[IncidentReport]:
    incidents = snapshot.frame(_INCIDENTS, params)
    if incidents.is_empty():
        return []
    claims = snapshot.frame(_DIAGNOSES, {"ids": incidents["incident_id"].to_list()})
    evidence: dict[str, list[EvidenceLine]] = {}
    ids = claims["diagnosis_id"].to_list()
    for row in snapshot.frame(_EVIDENCE, {"ids": ids}).iter_rows(named=True):
        evidence.setdefault(row.pop("diagnosis_id"), []).append(EvidenceLine(**row))
    by_incident: dict[str, list[Diagnosis]] = {}
    for row in claims.iter_rows(named=True):
        found = tuple(evidence.get(row.pop("diagnosis_id"), ()))
        by_incident.setdefault(row.pop("incident_id"), []).append(Diagnosis(**row, evidence=found))
    return [_incident(row, by_incident.get(row["incident_id"], [])) for row in incidents.iter_rows(named=True)]


def _incident(row: dict[str, Any], claims: list[Diagnosis]) -> IncidentReport:
    empty = Diagnosis(row["cause"], row["cause"], row["confidence"] or 0.0, "", "", "", "")
    best = next((claim for claim in claims if claim.cause == row["cause"]), empty)
    rest = [claim for claim in claims if claim is not best]
    return IncidentReport(
        **row, best=best,
        others=tuple(claim for claim in rest if claim.confidence >= RULED_OUT),
        ruled_out=tuple(c for c in rest if c.confidence < RULED_OUT and c.lines("contradicts")),
    )  # fmt: skip


def _quality(snapshot: Frames, only: dict[str, Any]) -> Quality:
    lines, counts = _row(snapshot.frame(_LINES, only)), _row(snapshot.frame(_COUNTS, only))
    return Quality(
        files=int(lines["files"]), lines_read=int(lines["lines_read"]), lines_rejected=int(lines["lines_rejected"]),
        unclassified=int(counts["unclassified"]), counted=int(counts["counted"]),
        rejects=tuple((r, int(n), int(k)) for r, n, k in snapshot.frame(_REJECTS, only).iter_rows()),
        coverage=tuple((c, int(n), float(h or 0)) for c, n, h in snapshot.frame(_COVERAGE, only).iter_rows()),
    )  # fmt: skip
