"""Groups and sizes: counts over time, failures by size, computed and estimated limits."""

from __future__ import annotations

from app.queries.base import Query, Scope

CLASS_WIDTH = 25
"""Peers in a size class of the rates picture."""


def known(scope: Scope) -> Query:
    """Peering groups as they are now, with their sizes."""
    where, values = scope.where(group="group_name")
    return Query(
        f"""
SELECT cluster, group_name, kind, len(reflectors) AS reflectors, len(members) AS members, md5, valid_from
FROM bgp_groups
{where}
QUALIFY row_number() OVER (PARTITION BY cluster, group_name ORDER BY valid_from DESC NULLS LAST) = 1
ORDER BY members DESC NULLS LAST, cluster, group_name""",
        values,
    )


def over_time(scope: Scope, cluster: str, group: str, step: int) -> Query:
    """Configured, established and failed peers of the fullest reflector of a group, and its key limit."""
    where, values = Scope(start=scope.start, end=scope.end).where(
        time="ts",
        more=["cluster = $cluster", "group_name = $group"],
        given={"cluster": cluster, "group": group, "step": step},
    )
    return Query(
        f"""
SELECT make_timestamptz(epoch_us(ts) // ($step * CAST(1000000 AS BIGINT)) * $step * 1000000) AS moment,
  max(configured_peers) AS configured,
       max(established_peers) AS established, max(failed_peers) AS failed, max(md5_peers) AS md5_peers,
       min(md5_key_limit) AS md5_key_limit
FROM group_sizes
{where}
GROUP BY moment HAVING moment IS NOT NULL ORDER BY moment""",
        values,
    )


def growth(cluster: str, group: str) -> Query:
    """The most password peers of a group in each hour, and its smallest limit: what a forecast is made of."""
    return Query(
        """
SELECT time_bucket(INTERVAL 1 HOUR, ts) AS moment, max(coalesce(md5_peers, configured_peers)) AS peers,
  min(md5_key_limit) AS key_limit
FROM group_sizes WHERE cluster = $cluster AND group_name = $group AND ts IS NOT NULL
GROUP BY moment ORDER BY moment""",
        {"cluster": cluster, "group": group},
    )


def rates_by_size(scope: Scope, category: str | None = None) -> Query:
    """Failures per observed session-hour by size class, with 95 % Poisson limits (Byar)."""
    more, given = ["configured_peers IS NOT NULL"], {}
    if category:
        more.append("category = $category")
        given["category"] = category
    where, values = scope.where(time="bucket", group="group_name", more=more, given=given)
    return Query(
        f"""
SELECT category, configured_peers // {CLASS_WIDTH} * {CLASS_WIDTH} AS peers_from, count(DISTINCT (cluster,
  group_name)) AS groups,
       CAST(sum(failures) AS BIGINT) AS failures, round(sum(session_hours), 3) AS session_hours,
       sum(failures) / sum(session_hours) AS rate,
       CASE WHEN sum(failures) = 0 THEN 0 ELSE sum(failures)
         * (1 - 1 / (9 * sum(failures)) - 1.96 / (3 * sqrt(sum(failures)))) ** 3 / sum(session_hours) END AS rate_low,
       (sum(failures) + 1) * (1 - 1 / (9 * (sum(failures) + 1)) + 1.96 / (3 * sqrt(sum(failures) + 1))) ** 3
         / sum(session_hours) AS rate_high
FROM failure_rates
{where}
GROUP BY category, peers_from HAVING sum(session_hours) > 0
ORDER BY category, peers_from""",
        values,
    )


def categories(scope: Scope) -> Query:
    """Failure categories that occur, the most frequent first."""
    where, values = scope.where(time="bucket", group="group_name")
    return Query(
        f"SELECT category, sum(failures) AS failures FROM failure_rates {where} GROUP BY category ORDER BY 2 DESC, 1",
        values,
    )


def thresholds(scope: Scope) -> Query:
    """Estimated sizes at which failures begin."""
    where, values = scope.where()
    return Query(
        f"""
SELECT verdict, category, scope, threshold, ci_low, ci_high, p_value, model, explained_by, cluster
FROM size_thresholds {where} ORDER BY verdict, p_value NULLS LAST, category""",
        values,
    )


def effects(scope: Scope, factor: str) -> Query:
    """Estimated effects of a factor, crude and adjusted side by side."""
    where, values = scope.where(more=["factor = $factor"], given={"factor": factor})
    return Query(
        f"""
SELECT category, level, reference, adjusted_for, verdict, estimate, ci_low, ci_high, p_value, q_value, groups, failures,
       session_hours, method, cluster
FROM effects {where} ORDER BY category, level, adjusted_for NULLS FIRST""",
        values,
    )


def memory(scope: Scope) -> Query:
    """What the nodes' kernels allow: the numbers that computed limits come from."""
    where, values = scope.where(member="node", search=("node",), more=["is_reflector"])
    return Query(
        f"""
SELECT cluster, node, kernel_version, optmem_max, calico_version
FROM nodes {where}
QUALIFY row_number() OVER (PARTITION BY cluster, node ORDER BY valid_from DESC NULLS LAST) = 1
ORDER BY optmem_max NULLS FIRST, cluster, node""",
        values,
    )
