"""The log explorer: records, their kinds, and what stands around one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.queries.base import Query, Scope

FACETS = ("category", "component", "severity", "level", "node")
"""Columns whose values can be clicked."""

FACET_VALUES = 8

_BUCKET = "epoch_us(ts) // ($step * CAST(1000000 AS BIGINT))"


def _moment(bucket: str) -> str:
    return f"make_timestamptz({bucket} * $step * 1000000)"


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
            plain = not re.search("[%_]", self.text)
            # The faster of the two, where no character of the text has a meaning in it.
            more.append("message ILIKE $text" if plain else "contains(lower(message), $text)")
            given["text"] = f"%{self.text}%" if plain else self.text.lower()
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
{where}""",
        values,
        order="ts DESC NULLS LAST, cluster, source_path, byte_offset",
    )


def over_time(scope: Scope, wanted: Wanted, step: int) -> Query:
    """Records by category in buckets of ``step`` seconds."""
    where, values = wanted.where(scope)
    return Query(
        f"""
SELECT {_moment("bucket")} AS moment, category, events
FROM (SELECT {_BUCKET} AS bucket, category, count(*) AS events FROM log_events
{where}
GROUP BY ALL)
WHERE bucket IS NOT NULL
ORDER BY moment, category""",
        values | {"step": step},
    )


def summary(scope: Scope, wanted: Wanted, step: int) -> Query:
    """The records counted by the most frequent values of every facet, and by time as in ``over_time``.

    Rows are (facet, value, moment, events): ``facet`` is the name of a facet, or ``moment`` for a bucket of time whose
    category is ``value``. A facet is counted without its own choice, so that its other values can be offered; all that
    have the same records are counted in one reading of them.
    """
    chosen = [name for name in FACETS if wanted.only.get(name) or wanted.without.get(name)]
    where, values = wanted.where(scope)
    parts = [_counted([name for name in FACETS if name not in chosen], True, where)]
    for name in chosen:
        where, given = wanted.where(scope, leave=name)
        values |= given
        parts.append(_counted([name], False, where))
    return Query(
        "SELECT facet, value, moment, events FROM (\n" + "\nUNION ALL\n".join(parts) + "\n)\n"
        "QUALIFY facet = 'moment' OR row_number() OVER (PARTITION BY facet ORDER BY events DESC, value) <= "
        f"{FACET_VALUES}\nORDER BY facet, moment, events DESC, value",
        values | {"step": step},
    )


def _counted(names: Sequence[str], by_time: bool, where: str) -> str:
    """Records by value, for each of the columns, and by time."""
    facet = " ".join(f"WHEN grouping({name}) = 0 THEN '{name}'" for name in names)
    value = ", ".join(f"CAST({name} AS VARCHAR)" for name in ({*names, "category"} if by_time else names))
    sets = [f"({name})" for name in names]
    if by_time:
        facet = f"WHEN grouping(bucket) = 0 THEN 'moment' {facet}"
        sets.append("(bucket, category)")
    moment = f"{_moment('bucket')}" if by_time else "CAST(NULL AS TIMESTAMPTZ)"
    return (
        f"SELECT CASE {facet} END AS facet, coalesce({value}) AS value, {moment} AS moment, count(*) AS events\n"
        f"FROM (SELECT *, {_BUCKET} AS bucket FROM log_events)\n{where}\n"
        f"GROUP BY GROUPING SETS ({', '.join(sets)})"
    )


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
