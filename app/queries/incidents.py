"""Incidents: the list, and everything about one of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from app.queries.base import Query, Scope

MOST_ENDS = 60
"""Ends drawn in the timeline of an incident; the longest failures first."""


def listed(scope: Scope, severities: Sequence[str] = (), status: str = "all", cause: str | None = None) -> Query:
    """Incidents that overlap the range; the worst, then those with most sessions, first."""
    more: list[str] = []
    given: dict[str, Any] = {}
    if severities:
        more.append("list_contains($severities, CAST(i.severity AS VARCHAR))")
        given["severities"] = list(severities)
    if status != "all":
        more.append(f"i.ended_at IS {'NULL' if status == 'open' else 'NOT NULL'}")
    if cause:
        more.append("i.cause = $cause")
        given["cause"] = cause
    where, values = scope.where(
        time="i.started_at",
        until="i.ended_at",
        cluster="i.cluster",
        group="i.group_name",
        more=[*more, *_about(scope)],
        given=given | ({"search": scope.search.lower()} if scope.search else {}),
    )
    return Query(
        f"""
SELECT i.incident_id, i.severity, i.cause, d.title, i.cluster, i.group_name, i.started_at, i.ended_at, i.nodes,
  i.sessions,
       i.events, round(i.confidence, 2) AS confidence, i.category, i.planned
FROM incidents AS i
LEFT JOIN (SELECT incident_id, cause, any_value(title) AS title FROM diagnoses GROUP BY incident_id, cause) AS d
  ON d.incident_id = i.incident_id AND d.cause = i.cause
{where}""",
        values,
        order="i.ended_at IS NULL DESC, i.severity DESC, i.sessions DESC, i.started_at DESC, i.incident_id",
    )


def _about(scope: Scope) -> list[str]:
    """An incident is about a node when it took a session of it, or its evidence or the summary of a claim names it."""
    if not scope.search:
        return []
    return [
        "(i.incident_id IN (SELECT incident_id FROM incident_sessions "
        "WHERE contains(lower(concat_ws(' ', node, peer, peer_node, protocol)), $search)) "
        "OR i.incident_id IN (SELECT d.incident_id FROM diagnoses AS d LEFT JOIN evidence AS e "
        "ON e.diagnosis_id = d.diagnosis_id "
        "WHERE contains(lower(concat_ws(' ', d.summary, d.title, e.node, e.peer, i.cause)), $search)))"
    ]


def by_severity(scope: Scope) -> Query:
    """Number of incidents by severity, open and over."""
    inner = listed(scope)
    return Query(
        "SELECT severity, count(*) FILTER (ended_at IS NULL) AS still_open, count(*) AS incidents\n"
        f"FROM ({inner.sql}) GROUP BY severity ORDER BY severity DESC",
        inner.params,
    )


def causes(scope: Scope) -> Query:
    """Causes that occur."""
    inner = listed(scope)
    return Query(
        f"SELECT cause, count(*) AS incidents FROM ({inner.sql}) GROUP BY cause ORDER BY 2 DESC, 1", inner.params
    )


def incident(incident_id: str) -> Query:
    """One incident."""
    return Query("SELECT * FROM incidents WHERE incident_id = $incident", {"incident": incident_id})


def claims(incident_id: str) -> Query:
    """Causes claimed for an incident, the likeliest first."""
    return Query(
        """
SELECT d.diagnosis_id, d.cause, d.title, d.confidence, d.summary, d.remedy, d.refuted_by, d.cause = i.cause AS chosen
FROM diagnoses AS d JOIN incidents AS i ON i.incident_id = d.incident_id
WHERE d.incident_id = $incident
ORDER BY chosen DESC, d.confidence DESC, d.diagnosis_id""",
        {"incident": incident_id},
    )


def evidence(diagnosis_id: str, role: str) -> Query:
    """Facts behind a claim in one role, the strongest first."""
    return Query(
        """
SELECT ts, node, peer, text, source_path, byte_offset
FROM evidence WHERE diagnosis_id = $diagnosis AND role = $role""",
        {"diagnosis": diagnosis_id, "role": role},
        order="position NULLS LAST, ts NULLS LAST, node, source_path, byte_offset",
    )


def evidence_counts(incident_id: str) -> Query:
    """How many facts each claim of an incident has in each role."""
    return Query(
        """
SELECT d.diagnosis_id, e.role, count(*) AS facts
FROM diagnoses AS d JOIN evidence AS e ON e.diagnosis_id = d.diagnosis_id
WHERE d.incident_id = $incident GROUP BY ALL""",
        {"incident": incident_id},
    )


_LOST = """
  SELECT cluster, node, protocol, peer, any_value(peer_node) AS peer_node, min(started_at) AS first_at
  FROM incident_sessions WHERE cluster = $cluster AND incident_id = $incident AND node IS NOT NULL
  GROUP BY cluster, node, protocol, peer"""


def losses(cluster: str, incident_id: str) -> Query:
    """Each loss of one end that belongs to the incident; the two ends of a session stand together."""
    return Query(
        """
SELECT node, peer_node, peer, category, last_error, started_at, ended_at, protocol, cluster, source_path, byte_offset
FROM incident_sessions WHERE cluster = $cluster AND incident_id = $incident""",
        {"cluster": cluster, "incident": incident_id},
        order="least(coalesce(node, ''), coalesce(peer_node, peer, '')), greatest(coalesce(node, ''), "
        "coalesce(peer_node, peer, '')), started_at, node, protocol",
    )


def concerned(cluster: str, incident_id: str, started: datetime, ended: datetime | None) -> Query:
    """Stretches of the ends that the incident took, and of their other ends, around it."""
    return Query(
        f"""
WITH failed AS ({_LOST}
  ORDER BY first_at, node, peer LIMIT {MOST_ENDS // 2}
), ends AS (
  SELECT cluster, node, coalesce(peer_node, peer) AS other FROM failed
  UNION
  SELECT cluster, coalesce(peer_node, peer), node FROM failed
)
SELECT s.node, coalesce(s.peer_node, s.peer) AS other, s.peer, s.protocol,
       CASE WHEN s.state = 'up' THEN 'up' WHEN s.state = 'unknown' OR s.state IS NULL THEN 'unknown'
         ELSE 'failing' END AS health,
       s.state, s.category, s.reason, s.how_started, s.how_ended, s.started_at,
       coalesce(s.ended_at, h.last_at) AS ended_at
FROM session_intervals AS s
JOIN ends AS e ON e.cluster = s.cluster AND e.node = s.node AND e.other = coalesce(s.peer_node, s.peer)
JOIN (SELECT cluster, max(ended_at) AS last_at FROM coverage GROUP BY cluster) AS h ON h.cluster = s.cluster
WHERE s.started_at < coalesce($ended, TIMESTAMPTZ '9999-01-01') + INTERVAL 10 MINUTE
  AND coalesce(s.ended_at, $started) >= $started - INTERVAL 10 MINUTE
ORDER BY s.node, other, s.started_at""",
        {"cluster": cluster, "incident": incident_id, "started": started, "ended": ended},
    )


def affected_nodes(cluster: str, incident_id: str) -> Query:
    """Nodes at either end of the sessions of the incident, with how many and what they are."""
    return Query(
        f"""
WITH failed AS ({_LOST}
), sides AS (
  SELECT node, coalesce(peer_node, peer) AS other, first_at FROM failed
  UNION ALL
  SELECT peer_node, node, first_at FROM failed WHERE peer_node IS NOT NULL
), facts AS (
  SELECT * FROM nodes WHERE cluster = $cluster
  QUALIFY row_number() OVER (PARTITION BY node ORDER BY valid_from DESC NULLS LAST) = 1
)
SELECT f.node, count(DISTINCT f.other) AS sessions, min(f.first_at) AS first_at,
       any_value(n.is_reflector) AS is_reflector, any_value(n.calico_version) AS calico_version,
       any_value(n.kernel_version) AS kernel_version, any_value(n.optmem_max) AS optmem_max
FROM sides AS f LEFT JOIN facts AS n ON n.node = f.node
GROUP BY f.node ORDER BY sessions DESC, f.node""",
        {"cluster": cluster, "incident": incident_id},
    )


def signs(cluster: str, started: datetime, ended: datetime | None) -> Query:
    """Warnings and worse of the cluster around the incident by kind, counted in buckets of ten seconds."""
    return Query(
        """
SELECT time_bucket(INTERVAL 10 SECOND, ts) AS moment, category, count(*) AS events
FROM log_events
WHERE cluster = $cluster AND category <> 'benign' AND severity IN ('warning', 'error', 'critical')
  AND ts >= $started - INTERVAL 5 MINUTE AND ts < coalesce($ended, $started) + INTERVAL 30 MINUTE
GROUP BY ALL ORDER BY moment, category""",
        {"cluster": cluster, "started": started, "ended": ended},
    )


def context(cluster: str, source_path: str, byte_offset: int, around: int = 5) -> Query:
    """The record at a place of a source and the records kept before and after it."""
    return Query(
        f"""
(SELECT ts, component, severity, category, message, byte_offset, byte_offset = $offset AS here
 FROM log_events WHERE cluster = $cluster AND source_path = $source AND byte_offset <= $offset
 ORDER BY byte_offset DESC LIMIT {int(around) + 1})
UNION ALL
(SELECT ts, component, severity, category, message, byte_offset, false
 FROM log_events WHERE cluster = $cluster AND source_path = $source AND byte_offset > $offset
 ORDER BY byte_offset LIMIT {int(around)})
ORDER BY byte_offset""",
        {"cluster": cluster, "source": source_path, "offset": byte_offset},
    )
