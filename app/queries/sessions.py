"""Sessions: which nodes failed when, the latest of each end, and both ends of one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.queries.base import Query, Scope
from app.queries.overview import latest_ends

MAP_NODES = 60
"""Nodes drawn in the map: those that failed longest."""

_SEARCHED = ("node", "peer", "peer_node", "protocol")


def _where(scope: Scope, *more: str) -> tuple[str, dict[str, Any]]:
    return scope.where(time="started_at", until="ended_at", member="node", search=_SEARCHED, more=list(more))


def heat(scope: Scope, start: datetime, end: datetime, step: int) -> Query:
    """For each node and bucket the share of its observed session time that was not up, worst nodes first."""
    where, values = _where(
        scope, "node IS NOT NULL", "started_at IS NOT NULL", "state IS NOT NULL", "state <> 'unknown'"
    )
    values |= {"lo": start, "hi": end, "step": step}
    return Query(
        f"""
WITH stretches AS (
  SELECT cluster, node, state <> 'up' AS bad, (epoch_us(greatest(started_at,
    $lo)) - epoch_us(CAST($lo AS TIMESTAMPTZ))) / 1e6 AS a,
         (epoch_us(least(coalesce(ended_at, $hi), $hi)) - epoch_us(CAST($lo AS TIMESTAMPTZ))) / 1e6 AS b
  FROM session_intervals
  {where}
), worst AS (
  SELECT cluster, node, sum(b - a) FILTER (bad) AS bad_seconds FROM stretches WHERE b > a
  GROUP BY cluster, node ORDER BY bad_seconds DESC NULLS LAST, cluster, node LIMIT {MAP_NODES}
), cut AS (
  SELECT s.*, w.bad_seconds, unnest(range(CAST(floor(a / $step) AS BIGINT), CAST(ceil(b / $step) AS BIGINT))) AS n
  FROM stretches AS s JOIN worst AS w ON w.cluster = s.cluster AND w.node = s.node WHERE s.b > s.a
)
SELECT cluster, node, CAST($lo AS TIMESTAMPTZ) + to_seconds(n * $step) AS moment,
       CAST($lo AS TIMESTAMPTZ) + to_seconds((n + 1) * $step) AS until,
       round(100 * coalesce(sum(least(b, (n + 1) * $step) - greatest(a, n * $step)) FILTER (bad), 0)
             / sum(least(b, (n + 1) * $step) - greatest(a, n * $step)), 1) AS failing_percent,
       any_value(bad_seconds) AS bad_seconds
FROM cut GROUP BY cluster, node, n
ORDER BY bad_seconds DESC NULLS LAST, cluster, node, moment""",
        values,
    )


def ends(scope: Scope, health: str | None = None) -> Query:
    """Each end at the end of the range, with the other end's view beside it where the range is open; failing first."""
    _, values = _where(scope)
    limit = ""
    if health:
        limit, values = "WHERE l.health = $health", values | {"health": health}
    return Query(
        f"""
SELECT l.health, l.cluster, l.node, l.protocol, l.peer, l.peer_node, l.category, l.reason, l.since, s.bgp_state, s.last_error,
       s.other_state, s.other_bgp_state, s.other_last_error, s.other_reason
FROM ({latest_ends(scope)}
) AS l
LEFT JOIN sessions AS s ON s.cluster = l.cluster AND s.node IS NOT DISTINCT FROM l.node
 AND s.protocol IS NOT DISTINCT FROM l.protocol AND s.peer IS NOT DISTINCT FROM l.peer
{limit}""",
        values,
        order="list_position(['failing', 'unknown', 'up'], l.health), l.cluster, l.node, l.peer, l.protocol",
    )


def end(cluster: str, node: str, peer: str, protocol: str | None) -> Query:
    """One end, as last seen, with the other end's view."""
    return Query(
        """
SELECT * FROM sessions
WHERE cluster = $cluster AND node = $node AND peer = $peer AND coalesce(protocol = $protocol, $protocol IS NULL)
ORDER BY observed_at DESC NULLS LAST, protocol
LIMIT 1""",
        {"cluster": cluster, "node": node, "peer": peer, "protocol": protocol},
    )


def other_end(cluster: str, node: str, peer_node: str, protocol: str | None) -> Query:
    """The same session as its other node sees it; of several protocols the one of the same kind first."""
    return Query(
        """
SELECT * FROM sessions
WHERE cluster = $cluster AND node = $peer_node AND peer_node = $node
ORDER BY split_part(protocol, '_', 1) = split_part($protocol, '_', 1) DESC NULLS LAST, observed_at DESC NULLS LAST
LIMIT 1""",
        {"cluster": cluster, "node": node, "peer_node": peer_node, "protocol": protocol},
    )


def stretches(scope: Scope, cluster: str, node: str, peer: str | None, protocol: str | None) -> Query:
    """Stretches of one end, in order."""
    where, values = Scope(start=scope.start, end=scope.end).where(
        time="started_at",
        until="ended_at",
        more=[
            "cluster = $cluster",
            "node = $node",
            "peer IS NOT DISTINCT FROM $peer",
            "protocol IS NOT DISTINCT FROM $protocol",
        ],
        given={"cluster": cluster, "node": node, "peer": peer, "protocol": protocol},
    )
    return Query(
        f"""
SELECT node || ' → ' || coalesce(peer_node, peer) AS "end", node, peer, state, category, started_at,
       coalesce(ended_at, (SELECT max(ended_at) FROM coverage WHERE cluster = $cluster)) AS ended_at, how_started,
         how_ended, reason,
       CASE WHEN state = 'up' THEN 'up' WHEN state = 'unknown' OR state IS NULL THEN 'unknown'
         ELSE 'failing' END AS health
FROM session_intervals
{where}
ORDER BY started_at""",
        values,
    )


def observations(scope: Scope, cluster: str, node: str, peer: str | None) -> Query:
    """What was observed of one end, the newest first."""
    where, values = Scope(start=scope.start, end=scope.end).where(
        time="ts",
        more=["cluster = $cluster", "node = $node", "peer IS NOT DISTINCT FROM $peer"],
        given={"cluster": cluster, "node": node, "peer": peer},
    )
    return Query(
        f"""
SELECT ts, state, bgp_state, last_error, observed_by, protocol, source_path, byte_offset
FROM session_states
{where}""",
        values,
        order="ts DESC NULLS LAST, source_path, byte_offset",
    )


def missing(scope: Scope) -> Query:
    """Ends that the inventory asks for and that nobody ever saw; times are not asked, for there is none."""
    where, values = scope.where(group="group_name", search=("node", "peer", "peer_node"))
    return Query(
        f"""
SELECT node, peer_node, peer, reason, group_name, made_by, looked_at, cluster, source_path, byte_offset
FROM missing_sessions
{where}""",
        values,
        order="reason = 'not observed', cluster, node, peer",
    )
