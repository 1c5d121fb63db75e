"""A query as data, and the shared filters as predicates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_PARAMETER = re.compile(r"\$([a-z_][a-z0-9_]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Query:
    """One SELECT with named parameters (``$name``).

    ``order`` is what stands after ORDER BY, apart from the rest because counting the rows, or taking the first of
    them, must not sort all of them. A query with few rows may hold its ORDER BY in ``sql``.
    """

    sql: str
    params: Mapping[str, Any] = field(default_factory=dict)
    order: str = ""

    @property
    def text(self) -> str:
        """The whole statement."""
        return f"{self.sql}\nORDER BY {self.order}" if self.order else self.sql

    def literal(self) -> str:
        """The statement with its values written out: runs anywhere, as it stands."""
        plain = "\n".join(line for line in self.text.strip().split("\n") if line.strip())
        # Values go in last: a value may hold empty lines, and a dollar sign in one means nothing.
        return _PARAMETER.sub(
            lambda found: _literal(self.params[found[1]]) if found[1] in self.params else found[0], plain
        )

    def counted(self) -> Query:
        """How many rows this has."""
        return Query(f"SELECT count(*) AS n FROM ({self.sql})", self.params)

    def page(self, size: int, number: int) -> Query:
        """Rows of page ``number`` (from 1)."""
        return Query(f"{self.text}\nLIMIT {int(size)} OFFSET {int(size) * (int(number) - 1)}", self.params)

    def first(self, rows: int) -> Query:
        """The first rows, one more than asked for so that it shows whether there are more."""
        return Query(f"{self.text}\nLIMIT {int(rows) + 1}", self.params) if self.order else self


@dataclass(frozen=True)
class Scope:
    """The filters that all pages share; None is everything. Times are aware, ``start`` inclusive, ``end`` exclusive."""

    cluster: str | None = None
    group: str | None = None
    search: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def where(
        self,
        *,
        time: str | None = None,
        until: str | None = None,
        cluster: str = "cluster",
        group: str | None = None,
        member: str | None = None,
        search: Sequence[str] = (),
        more: Sequence[str] = (),
        given: Mapping[str, Any] | None = None,
    ) -> tuple[str, dict[str, Any]]:
        """A WHERE clause (empty when nothing limits) and its values.

        ``time`` is the column of an instant or of a start; with ``until``, the column of the end of a stretch, rows
        that overlap the range are meant. ``group`` is a column with the group's name; ``member`` a column with a node
        that must belong to the group. ``search`` are columns of which one must contain the searched text.
        """
        terms: list[str] = list(more)
        values: dict[str, Any] = dict(given or {})
        if self.cluster:
            terms.append(f"{cluster} = $cluster")
            values["cluster"] = self.cluster
        if self.group and group:
            terms.append(f"{group} = $group")
            values["group"] = self.group
        elif self.group and member:
            terms.append(f"({cluster}, {member}) IN ({_MEMBERS})")
            values["group"] = self.group
        if self.search and search:
            terms.append(_contains(search))
            values["search"] = self.search.lower()
        if time:
            self._in_time(terms, values, time, until)
        return ("WHERE " + "\n  AND ".join(terms) if terms else ""), values

    def _in_time(self, terms: list[str], values: dict[str, Any], time: str, until: str | None) -> None:
        if self.start is not None:
            terms.append(f"{time} >= $start" if until is None else f"coalesce({until}, $start) >= $start")
            values["start"] = self.start
        if self.end is not None:
            terms.append(f"{time} < $end")
            values["end"] = self.end


_MEMBERS = (
    "SELECT cluster, unnest(list_concat(coalesce(reflectors, []), coalesce(members, []))) "
    "FROM bgp_groups WHERE group_name = $group"
)


def _contains(columns: Sequence[str]) -> str:
    """One of the columns contains the text; an address also means the node that has it."""
    terms = [f"contains(lower({column}), $search)" for column in columns]
    if "node" in columns:
        terms.append("node IN (SELECT node FROM nodes WHERE list_contains(addresses, $search))")
    return "(" + " OR ".join(terms) + ")"


def _literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case datetime():
            moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
            return f"TIMESTAMPTZ '{moment:%Y-%m-%d %H:%M:%S.%f}+00'"
        case list() | tuple():
            return "[" + ", ".join(_literal(item) for item in value) + "]"
        case _:
            text = str(value).replace("'", "''")
            return f"'{text}'"
