"""Compares two warehouses row by row, whatever the loads and places their rows came through."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.warehouse.writer import Warehouse

# Which of two equal files was read first decides paths and load numbers; everything else must be the same.
FACTS = {
    "records": "ts, ts_source, node, pod, component, level, message, rule, category, protocol, peer, peers, byte_offset",
    "minute_counts": "minute, node, component, level, shape_id",
    "state_observations": "ts, node, protocol, peer, state, bgp_state, last_error, observed_by, byte_offset",
    "rejects": "byte_offset, byte_length, lines, reason",
    "sources": "kind, node, pod",
    "shapes": "shape_id, shape, component, rule, category",
    "mined": "shape_id, template_id",
    "incidents": "cluster, incident_id, category, started_at, ended_at, nodes, sessions, events, cause",
}
# Of benign shapes the first few records stay; which these are depends on the order of reading.
# A file that is no text is refused under its name, also when it is renamed: it has no lines.
_WHERE = {
    "records": "category <> 'benign' OR level IN ('warning', 'error', 'fatal')",
    "sources": "kind <> 'refused'",
    "rejects": "lines > 0",
}
# A file that grew has a row for each time it was read.
_COUNTED = {"minute_counts": "sum(events)::BIGINT", "sources": "sum(lines_read)::BIGINT"}


def contents(directory: Path) -> dict[str, Counter[tuple[Any, ...]]]:
    """Rows of each table with how often they are there; counted lines with their number."""
    found: dict[str, Counter[tuple[Any, ...]]] = {}
    with Warehouse.open(directory, 30.0) as warehouse:
        for table, columns in FACTS.items():
            number = _COUNTED.get(table, "count(*)")
            where = _WHERE.get(table, "true")
            frame = warehouse.frame(f"SELECT {columns}, {number} AS n FROM {table} WHERE {where} GROUP BY ALL")
            found[table] = Counter({_plain(row[:-1]): row[-1] for row in frame.rows()})
    return found


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)


def differences(undisturbed: Path, disturbed: Path) -> dict[str, tuple[int, int, list[Any]]]:
    """For each table: rows lost, rows too many, and some of them."""
    want, have = contents(undisturbed), contents(disturbed)
    out = {}
    for table in FACTS:
        lost, more = want[table] - have[table], have[table] - want[table]
        out[table] = (lost.total(), more.total(), [*list(lost)[:2], *list(more)[:2]])
    return out


def reconciles(directory: Path) -> bool:
    """Whether every load's and every source's lines add up."""
    with Warehouse.open(directory, 30.0) as warehouse:
        bad = warehouse.frame(
            "SELECT count(*) AS n FROM loads AS l WHERE l.lines_parsed + l.lines_unparsed <> "
            "(SELECT coalesce(sum(events), 0) FROM minute_counts AS c WHERE c.load_id = l.load_id) "
            "OR l.lines_read <> (SELECT coalesce(sum(lines_read), 0) FROM sources AS s WHERE s.load_id = l.load_id)"
        )
        return int(bad["n"].item()) == 0
