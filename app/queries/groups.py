"""Groups and sizes: counts over time, failures by size, computed and estimated limits."""

from __future__ import annotations

from app.queries.base import Query, Scope

CLASS_WIDTH = 25
"""Peers in a size class of the rates picture."""

EVERYWHERE = "all"
"""What stands for the cluster in an estimate over all clusters together."""

_FIRM = (
    "list_position(['supported', 'suggestive', 'confounded', 'not_distinguishable', 'not_enough_data'], "
    "CAST(verdict AS VARCHAR))"
)


def known(scope: Scope) -> Query:
    """Peering groups as they are now, with their sizes."""
    where, values = scope.where(group="group_name")
    return Query(
        f"""
SELECT cluster, group_name, kind, len(reflectors) AS reflectors, len(members) AS members, md5, valid_from, valid_to
FROM bgp_groups
{where}
QUALIFY row_number() OVER (PARTITION BY cluster, group_name ORDER BY valid_to DESC NULLS FIRST,
                           valid_from DESC NULLS LAST) = 1
ORDER BY members DESC NULLS LAST, cluster, group_name""",
        values,
    )


def history(cluster: str, group: str) -> Query:
    """Times in which a group was the same, the newest first, with who came and who left at the start of each."""
    return Query(
        """
SELECT valid_from, valid_to, len(reflectors) AS reflectors, len(members) AS members,
  list_filter(members, lambda x: NOT list_contains(before, x)) AS joined,
  list_filter(before, lambda x: NOT list_contains(members, x)) AS departed, md5
FROM (SELECT *, lag(members) OVER (ORDER BY valid_from NULLS FIRST) AS before FROM bgp_groups
      WHERE cluster = $cluster AND group_name = $group)
ORDER BY valid_from DESC NULLS LAST""",
        {"cluster": cluster, "group": group},
    )


def over_time(scope: Scope, cluster: str, group: str, step: int) -> Query:
    """Peers of the fullest reflector of a group in each bucket, and its key limit.

    All numbers of a bucket are of one reflector, of equally full ones that with most failed; where only the inventory
    tells of it, nothing is known of established and failed.
    """
    where, values = Scope(start=scope.start, end=scope.end).where(
        time="ts",
        more=["cluster = $cluster", "group_name = $group", "ts IS NOT NULL"],
        given={"cluster": cluster, "group": group, "step": step},
    )
    return Query(
        f"""
SELECT make_timestamptz(epoch_us(ts) // ($step * CAST(1000000 AS BIGINT)) * $step * 1000000) AS moment, reflector,
  configured_peers AS configured, established_peers AS established, failed_peers AS failed, md5_peers, md5_key_limit
FROM group_sizes
{where}
QUALIFY row_number() OVER (PARTITION BY moment ORDER BY configured_peers DESC NULLS LAST, failed_peers DESC NULLS LAST,
  ts DESC, reflector) = 1
ORDER BY moment""",
        values,
    )


def forecasts(cluster: str, group: str) -> Query:
    """When each reflector of a group meets its nearest limit, the first to meet one first."""
    return Query(
        """
SELECT reflector, configured_peers, limit_name, limit_value, headroom, growth_per_day, meets_at, meets_earliest,
  meets_latest, verdict, as_of
FROM forecasts WHERE cluster = $cluster AND group_name = $group
ORDER BY meets_at NULLS LAST, headroom NULLS LAST, reflector""",
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


def _estimates(scope: Scope, *more: str, **given: str) -> tuple[str, dict[str, str]]:
    """Estimates of the chosen cluster, and those over all clusters, which hold for it too."""
    terms, values = list(more), dict(given)
    if scope.cluster:
        terms.append(f"cluster IN ($cluster, '{EVERYWHERE}')")
        values["cluster"] = scope.cluster
    return ("WHERE " + " AND ".join(terms) if terms else ""), values


def thresholds(scope: Scope) -> Query:
    """Estimated sizes at which failures begin; what the data support comes first."""
    where, values = _estimates(scope)
    return Query(
        f"""
SELECT verdict, category, cluster, scope, threshold, ci_low, ci_high, explained_by, rule, ratio, p_value, q_value, model,
  groups
FROM size_thresholds {where}
ORDER BY {_FIRM}, cluster <> '{EVERYWHERE}', category <> 'any', p_value NULLS LAST, category, cluster, scope""",
        values,
    )


def effects(scope: Scope, factor: str) -> Query:
    """Estimated effects of a factor, crude and adjusted side by side; what the data support comes first."""
    where, values = _estimates(scope, "factor = $factor", factor=factor)
    return Query(
        f"""
SELECT verdict, category, outcome, cluster, level, reference, adjusted_for, estimate, ci_low, ci_high, rule, p_value,
  q_value, groups, failures, session_hours, method
FROM effects {where}
ORDER BY {_FIRM}, cluster <> '{EVERYWHERE}', category <> 'any', category, cluster, level, outcome,
  adjusted_for NULLS FIRST, method""",
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
