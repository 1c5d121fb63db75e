"""The log explorer: records, their kinds, and what stands around one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.queries.base import Query, Scope

FACETS = ("category", "component", "severity", "level", "node")
"""Columns whose values can be clicked."""

FACET_VALUES = 8


@dataclass(frozen=True)
class Wanted:
    """Which records: a text in them, values of facets to have or not to have, a template."""

    text: str | None = None
    only: Mapping[str, Sequence[str]] = field(default_factory=dict)
    without: Mapping[str, Sequence[str]] = field(default_factory=dict)
    template: str | None = None

    def where(self, scope: Scope, leave: str | None = None) -> tuple[str, dict[str, Any]]:
        """The WHERE clause; ``leave`` is a facet to leave out, so that its other values can be offered."""
        more: list[str] = []
        given: dict[str, Any] = {}
        if self.text:
            more.append("contains(lower(message), $text)")
            given["text"] = self.text.lower()
        for sign, chosen in (("", self.only), ("NOT ", self.without)):
            for name, values in chosen.items():
                if values and name != leave and name in FACETS:
                    key = f"{'no_' if sign else ''}{name}"
                    more.append(f"{sign}coalesce(list_contains(${key}, CAST({name} AS VARCHAR)), false)")
                    given[key] = list(values)
        if self.template:
            more.append("template_id = $template")
            given["template"] = self.template
        return scope.where(time="ts", member="node", search=("node", "peer", "pod"), more=more, given=given)


def records(scope: Scope, wanted: Wanted) -> Query:
    """The records, the newest first."""
    where, values = wanted.where(scope)
    return Query(
        f"""
SELECT ts, node, component, severity, category, message, protocol, peer, cluster, pod, level, source_path,
  byte_offset, template_id
FROM log_events
{where}
ORDER BY ts DESC NULLS LAST, cluster, source_path, byte_offset""",
        values,
    )


def over_time(scope: Scope, wanted: Wanted, step: int) -> Query:
    """Records by category in buckets of ``step`` seconds."""
    where, values = wanted.where(scope)
    return Query(
        f"""
SELECT make_timestamptz(epoch_us(ts) // ($step * CAST(1000000 AS BIGINT)) * $step * 1000000) AS moment, category,
  count(*) AS events
FROM log_events
{where}
GROUP BY moment, category HAVING moment IS NOT NULL ORDER BY moment, category""",
        values | {"step": step},
    )


def facets(scope: Scope, wanted: Wanted) -> Query:
    """The most frequent values of every facet among the records, each facet without its own choice."""
    parts: list[str] = []
    values: dict[str, Any] = {}
    for name in FACETS:
        where, given = wanted.where(scope, leave=name)
        values |= given
        parts.append(
            f"(SELECT '{name}' AS facet, CAST({name} AS VARCHAR) AS value, count(*) AS events FROM log_events {where} "
            f"GROUP BY {name} ORDER BY events DESC LIMIT {FACET_VALUES})"
        )
    return Query("\nUNION ALL\n".join(parts), values)


def patterns(scope: Scope, wanted: Wanted) -> Query:
    """Templates of the records, the most frequent first."""
    where, values = wanted.where(scope)
    return Query(
        f"""
SELECT c.events, round(100.0 * c.events / sum(c.events) OVER (), 2) AS share_percent, t.template, t.component,
  t.category,
       c.first_at, c.last_at, c.template_id
FROM (
  SELECT template_id, count(*) AS events, min(ts) AS first_at, max(ts) AS last_at
  FROM log_events
  {where}
  GROUP BY template_id
) AS c LEFT JOIN templates AS t ON t.template_id = c.template_id
ORDER BY c.events DESC, c.template_id""",
        values,
    )


def record(cluster: str, source_path: str, byte_offset: int) -> Query:
    """One record with all that is known of it."""
    return Query(
        "SELECT * FROM log_events WHERE cluster = $cluster AND source_path = $source AND byte_offset = $offset LIMIT 1",
        {"cluster": cluster, "source": source_path, "offset": byte_offset},
    )
