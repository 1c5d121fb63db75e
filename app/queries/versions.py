"""Versions: what runs, how it fails, and how much of each was observed at which size."""

from __future__ import annotations

from app.queries.base import Query, Scope

CLASS_WIDTH = 50


def running(scope: Scope) -> Query:
    """Versions in use by node count."""
    where, values = scope.where(member="node", search=("node",))
    return Query(
        f"""
SELECT calico_version, count(*) AS nodes, count(DISTINCT cluster) AS clusters,
  count(*) FILTER (is_reflector) AS reflectors,
       string_agg(DISTINCT kernel_version, ', ' ORDER BY kernel_version) AS kernels,
       string_agg(DISTINCT k8s_version, ', ' ORDER BY k8s_version) AS kubernetes
FROM (SELECT * FROM nodes {where} QUALIFY row_number() OVER (PARTITION BY cluster, node
  ORDER BY valid_from DESC NULLS LAST) = 1)
GROUP BY calico_version ORDER BY nodes DESC""",
        values,
    )


def crude(scope: Scope, category: str | None = None) -> Query:
    """Failures per observed session-hour by version, with 95 % Poisson limits (Byar); nothing is held apart."""
    more, given = [], {}
    if category:
        more.append("category = $category")
        given["category"] = category
    where, values = scope.where(time="bucket", group="group_name", more=more, given=given)
    return Query(
        f"""
SELECT category, coalesce(calico_version, '–') AS calico_version, count(DISTINCT (cluster, group_name)) AS groups,
       CAST(sum(failures) AS BIGINT) AS failures, round(sum(session_hours), 3) AS session_hours,
       sum(failures) / sum(session_hours) AS rate,
       CASE WHEN sum(failures) = 0 THEN 0 ELSE sum(failures)
         * (1 - 1 / (9 * sum(failures)) - 1.96 / (3 * sqrt(sum(failures)))) ** 3 / sum(session_hours) END AS rate_low,
       (sum(failures) + 1) * (1 - 1 / (9 * (sum(failures) + 1)) + 1.96 / (3 * sqrt(sum(failures) + 1))) ** 3
         / sum(session_hours) AS rate_high
FROM failure_rates
{where}
GROUP BY category, calico_version HAVING sum(session_hours) > 0
ORDER BY category, calico_version""",
        values,
    )


def exposure(scope: Scope) -> Query:
    """Session-hours and failures by version and size class, as the estimates were made from them.

    An empty field is a comparison that cannot be made. Estimates are of all times, so the time range is left out.
    """
    where, values = Scope(scope.cluster, scope.group).where(group="group_name", more=["category = 'any'"])
    return Query(
        f"""
SELECT coalesce(calico_version, '–') AS calico_version,
       coalesce(CAST(size // {CLASS_WIDTH} * {CLASS_WIDTH} AS VARCHAR), '–') AS peers_from,
       size // {CLASS_WIDTH} AS size_class, sum(session_hours) AS session_hours,
       CAST(sum(failures) AS BIGINT) AS failures, sum(failures) / nullif(sum(session_hours), 0) AS rate,
       count(DISTINCT (cluster, group_name)) AS groups
FROM exposure {where}
GROUP BY ALL HAVING sum(session_hours) > 0
ORDER BY calico_version, size_class""",
        values,
    )
