"""Templates: how often, since when, what is new and what has stopped. Counts are of all lines, also benign ones."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.queries.base import Query, Scope

TREND_BUCKETS = 24


def _counts(scope: Scope, more: list[str]) -> tuple[str, dict[str, Any]]:
    return scope.where(time="minute", member="node", search=("node",), more=more)


def listed(scope: Scope, start: datetime, end: datetime, show_benign: bool, text: str | None) -> Query:
    """Templates by the lines counted in the range, with a trend of ``TREND_BUCKETS`` numbers."""
    where, values = _counts(scope, [])
    step = max(60, int((end - start).total_seconds() / TREND_BUCKETS))
    values |= {"lo": start, "step": step}
    kept = [] if show_benign else ["coalesce(t.category, '') <> 'benign'"]
    if text:
        kept.append("contains(lower(t.template), $text)")
        values["text"] = text.lower()
    limit = "WHERE " + " AND ".join(kept) if kept else ""
    return Query(
        f"""
WITH counted AS (
  SELECT template_id, CAST(greatest(0, least({TREND_BUCKETS - 1},
    (epoch_us(minute) - epoch_us(CAST($lo AS TIMESTAMPTZ))) // ($step * CAST(1000000 AS BIGINT)))) AS INTEGER) AS n,
         sum(events) AS events, min(minute) AS first_at, max(minute) AS last_at
  FROM event_counts
  {where}
  GROUP BY ALL
), totals AS (
  SELECT template_id, sum(events) AS events, min(first_at) AS first_at, max(last_at) AS last_at,
         map_from_entries(list((n, events)) FILTER (n IS NOT NULL)) AS by_n
  FROM counted GROUP BY template_id
)
SELECT t.template, CAST(x.events AS BIGINT) AS events, round(100.0 * x.events / sum(x.events) OVER (),
  3) AS share_percent,
       list_transform(range({TREND_BUCKETS}), lambda i: CAST(coalesce(x.by_n[i], 0) AS BIGINT)) AS trend,
       x.first_at, x.last_at, t.component, t.category, t.severity, t.rule, x.template_id
FROM totals AS x LEFT JOIN templates AS t ON t.template_id = x.template_id
{limit}""",
        values,
        order="x.events DESC, x.template_id",
    )


def total(scope: Scope) -> Query:
    """Lines counted in the range, and those without a template."""
    where, values = _counts(scope, [])
    return Query(
        "SELECT CAST(coalesce(sum(events), 0) AS BIGINT) AS events, "
        "CAST(coalesce(sum(events) FILTER (template_id IS NULL), 0) AS BIGINT) AS without_template, "
        "CAST(coalesce(sum(events) FILTER (category = 'unclassified'), 0) AS BIGINT) AS unclassified\n"
        f"FROM event_counts {where}",
        values,
    )


def changed(scope: Scope, split: datetime, appeared: bool) -> Query:
    """Templates seen only after ``split`` (``appeared``) or only before it, in the range."""
    where, values = _counts(scope, ["minute IS NOT NULL", "template_id IS NOT NULL"])
    having = "min(minute) >= $split" if appeared else "max(minute) < $split"
    return Query(
        f"""
SELECT t.template, c.events, c.first_at, c.last_at, t.component, t.category, t.severity, c.template_id
FROM (
  SELECT template_id, CAST(sum(events) AS BIGINT) AS events, min(minute) AS first_at, max(minute) AS last_at
  FROM event_counts
  {where}
  GROUP BY template_id HAVING {having}
) AS c JOIN templates AS t ON t.template_id = c.template_id""",
        values | {"split": split},
        order="t.category = 'benign', c.events DESC, c.template_id",
    )


def one(template_id: str) -> Query:
    """A template."""
    return Query("SELECT * FROM templates WHERE template_id = $template", {"template": template_id})


def over_time(scope: Scope, template_id: str, step: int) -> Query:
    """Lines of a template by node in buckets of ``step`` seconds (at least a minute: counts have no finer time)."""
    where, values = _counts(scope, ["template_id = $template", "minute IS NOT NULL"])
    return Query(
        f"""
SELECT make_timestamptz(epoch_us(minute) // ($step * CAST(1000000 AS BIGINT)) * $step * 1000000) AS moment,
  coalesce(node, '–') AS node,
       CAST(sum(events) AS BIGINT) AS events
FROM event_counts
{where}
GROUP BY ALL ORDER BY moment, node""",
        values | {"template": template_id, "step": max(60, step)},
    )


def values_of(scope: Scope, template_id: str) -> Query:
    """Values that stood in the named places of a template, with how often, from the records kept of it."""
    where, values = scope.where(time="ts", member="node", search=("node", "peer"), more=["template_id = $template"])
    return Query(
        f"""
SELECT e.key AS name, e.value AS value, count(*) AS records
FROM (
  SELECT unnest(list_concat(map_entries(params), [{{'key': 'peer', 'value': peer}},
    {{'key': 'protocol', 'value': protocol}}])) AS e
  FROM log_events {where}
)
WHERE e.value IS NOT NULL
GROUP BY e.key, e.value
QUALIFY row_number() OVER (PARTITION BY e.key ORDER BY count(*) DESC, e.value) <= 20
ORDER BY e.key, records DESC, e.value""",
        values | {"template": template_id},
    )
