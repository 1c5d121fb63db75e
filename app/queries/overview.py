"""What the filters offer and what the overview shows."""

from __future__ import annotations

from datetime import datetime

from app.queries.base import Query, Scope

STALE_MINUTES = 10
"""An end whose last stretch stopped this long before its cluster's newest data is not known any more."""

OPEN = "ended_at IS NULL"


def clusters() -> Query:
    """Clusters that were read."""
    return Query("SELECT DISTINCT cluster FROM loads ORDER BY cluster")


def groups(cluster: str | None) -> Query:
    """Peering groups by name."""
    where, values = Scope(cluster).where(more=["group_name IS NOT NULL"])
    return Query(f"SELECT DISTINCT group_name FROM bgp_groups {where} ORDER BY group_name", values)


def extent(cluster: str | None) -> Query:
    """First and last time that anything was observed."""
    where, values = Scope(cluster).where()
    return Query(f"SELECT min(started_at) AS first_at, max(ended_at) AS last_at FROM coverage {where}", values)


def freshness() -> Query:
    """When it was published and loaded, and the share of lines that no rule knows."""
    return Query("""
SELECT m.published_at, m.snapshot, (SELECT max(finished_at) FROM loads) AS loaded_at,
       (SELECT max(ended_at) FROM coverage) AS newest_at,
       (SELECT sum(lines_read) FROM loads) AS lines_read, (SELECT sum(lines_unparsed) FROM loads) AS lines_unparsed,
       (SELECT sum(lines_rejected) FROM loads) AS lines_rejected
FROM meta AS m""")


def latest_ends(scope: Scope) -> str:
    """Text of a subquery: each end of a session at the end of the range: up, failing or unknown."""
    where, _ = _ends(scope)
    until = "least(h.last_at, $end)" if scope.end else "h.last_at"
    return f"""
  SELECT e.*, CASE WHEN e.until < {until} - INTERVAL {STALE_MINUTES} MINUTE OR e.last_state IS NULL
              OR e.last_state = 'unknown'
                   THEN 'unknown' WHEN e.last_state = 'up' THEN 'up' ELSE 'failing' END AS health
  FROM (
    SELECT cluster, node, protocol, peer, any_value(peer_node) AS peer_node, max_by(state, started_at) AS last_state,
           max_by(category, started_at) AS category,
           CASE WHEN max_by(state, started_at) = 'unknown' THEN max_by(reason, started_at) END AS reason,
           max(started_at) AS since, max_by(coalesce(ended_at,
             TIMESTAMPTZ '9999-01-01'), started_at) AS until
    FROM session_intervals
    {where}
    GROUP BY cluster, node, protocol, peer
  ) AS e JOIN (SELECT cluster, max(ended_at) AS last_at FROM coverage GROUP BY cluster) AS h ON h.cluster = e.cluster"""


def _ends(scope: Scope) -> tuple[str, dict[str, object]]:
    return scope.where(
        time="started_at", until="ended_at", member="node", search=("node", "peer", "peer_node", "protocol")
    )


def health(scope: Scope) -> Query:
    """Ends of sessions by health."""
    return Query(
        "SELECT health, count(*) AS ends, count(DISTINCT (cluster, node)) AS nodes\n"
        f"FROM ({latest_ends(scope)})\nGROUP BY health",
        _ends(scope)[1],
    )


def clusters_state(scope: Scope) -> Query:
    """For each cluster: ends by health and open incidents."""
    return Query(
        f"""
SELECT s.cluster, count(*) FILTER (health = 'failing') AS failing, count(*) FILTER (health = 'unknown') AS unknown,
       count(*) FILTER (health = 'up') AS up, any_value(i.open_incidents) AS open_incidents,
         any_value(i.worst) AS worst,
       max(s.until) FILTER (s.until < TIMESTAMPTZ '9999-01-01') AS last_at
FROM ({latest_ends(scope)}) AS s
LEFT JOIN (SELECT cluster, count(*) AS open_incidents, max(severity) AS worst FROM incidents WHERE {OPEN}
  GROUP BY cluster) AS i
  ON i.cluster = s.cluster
GROUP BY s.cluster
ORDER BY worst DESC NULLS LAST, failing DESC, s.cluster""",
        _ends(scope)[1],
    )


def over_time(scope: Scope, start: datetime, end: datetime, step: int) -> Query:
    """Ends up, failing and unknown at the start of each bucket.

    An end counts from when it was first seen until its cluster's newest data; within that time it is unknown wherever
    nobody saw it.
    """
    where, values = scope.where(
        time="started_at",
        until="ended_at",
        member="node",
        search=("node", "peer", "peer_node", "protocol"),
        more=["started_at IS NOT NULL"],
    )
    values |= {"lo": start, "hi": end, "step": step}
    return Query(
        f"""
WITH stretches AS (
  SELECT s.cluster, s.node, s.protocol, s.peer, least(h.last_at, $hi) AS until,
         CASE WHEN state = 'up' THEN 'up' WHEN state = 'unknown' OR state IS NULL THEN 'unknown'
           ELSE 'failing' END AS health,
         greatest(0, ceil((epoch_us(started_at) - epoch_us(CAST($lo AS TIMESTAMPTZ))) / 1e6 / $step)) AS first_n,
         ceil((epoch_us(least(coalesce(ended_at, h.last_at),
           $hi)) - epoch_us(CAST($lo AS TIMESTAMPTZ)))
              / 1e6 / $step) AS last_n
  FROM (SELECT * FROM session_intervals {where}) AS s
  JOIN (SELECT cluster, max(ended_at) AS last_at FROM coverage GROUP BY cluster) AS h ON h.cluster = s.cluster
), lives AS (
  SELECT min(first_n) AS first_n, ceil((epoch_us(any_value(until)) - epoch_us(CAST($lo AS TIMESTAMPTZ)))
                                     / 1e6 / $step) AS last_n
  FROM stretches GROUP BY cluster, node, protocol, peer
), spans AS (
  SELECT health, first_n, last_n FROM stretches WHERE health <> 'unknown' AND last_n > first_n
  UNION ALL
  SELECT 'known', first_n, last_n FROM lives WHERE last_n > first_n
), changes AS (
  SELECT n, health, sum(change) AS change
  FROM (SELECT first_n AS n, health, 1 AS change FROM spans UNION ALL SELECT last_n, health, -1 FROM spans)
  GROUP BY n, health
), buckets AS (
  SELECT b.n, k.health
  FROM (SELECT unnest(range(0, CAST(ceil(date_part('epoch',
    CAST($hi AS TIMESTAMPTZ) - $lo) / $step) AS BIGINT))) AS n) AS b,
       (SELECT unnest(['up', 'failing', 'known']) AS health) AS k
), totals AS (
  SELECT b.n, b.health, sum(coalesce(c.change, 0)) OVER (PARTITION BY b.health ORDER BY b.n) AS ends
  FROM buckets AS b LEFT JOIN changes AS c ON c.n = b.n AND c.health = b.health
), wide AS (
  SELECT n, sum(ends) FILTER (health = 'up') AS up, sum(ends) FILTER (health = 'failing') AS failing,
         sum(ends) FILTER (health = 'known') AS known
  FROM totals GROUP BY n
)
SELECT CAST($lo AS TIMESTAMPTZ) + to_seconds(n * $step) AS moment, unnest(['up', 'failing', 'unknown']) AS health,
       unnest([CAST(up AS BIGINT), CAST(failing AS BIGINT), CAST(greatest(0, known - up - failing) AS BIGINT)]) AS ends
FROM wide
ORDER BY moment, health""",
        values,
    )


def limits(scope: Scope) -> Query:
    """The latest count of each reflector against what its kernel can hold; the fullest first.

    ``counted_at`` is when its peers were counted last, perhaps from the inventory, which knows nothing of what is
    established: that is of ``table_at``.
    """
    where, values = scope.where(time="ts", group="group_name", search=("reflector",))
    return Query(
        f"""
SELECT cluster, group_name, reflector, max_by(configured_peers, ts) AS configured,
  max_by(established_peers, ts) AS established, max_by(failed_peers, ts) AS failed, max_by(md5_peers, ts) AS md5_peers,
  max_by(md5_key_limit, ts) AS md5_key_limit,
  round(100.0 * max_by(md5_peers, ts) / nullif(max_by(md5_key_limit, ts), 0), 1) AS used_percent,
  max(ts) AS counted_at, max(ts) FILTER (established_peers IS NOT NULL) AS table_at
FROM group_sizes
{where}
GROUP BY cluster, group_name, reflector
ORDER BY used_percent DESC NULLS LAST, configured DESC, cluster, reflector""",
        values,
    )


def coverage(scope: Scope) -> Query:
    """Nodes known, and nodes of which anything was collected."""
    where, values = scope.where(member="node", search=("node",))
    return Query(
        f"""
SELECT count(DISTINCT (cluster, node)) AS known,
       count(DISTINCT (cluster, node)) FILTER ((cluster, node) IN (SELECT (cluster, node) FROM coverage)) AS observed
FROM nodes
{where}""",
        values,
    )
