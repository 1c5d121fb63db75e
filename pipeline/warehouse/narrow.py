"""Large tables are sorted by the numbers of their names: they order as the names do and are a fraction as wide.

What a sort carries decides whether it fits into memory: a storm's records spilled to disk took twice as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from pipeline.warehouse.pieces import pieces

# From this many facts on it pays to look for their names.
LEAST_ROWS = 200_000
# A column of more names stays text: they are held in memory, and input may make up as many as it likes.
MOST_NAMES = 1 << 16

# What a published table is made of, and the tables in which all names of a column stand.
_FACTS = {
    "log_events": "records",
    "event_counts": "minute_counts",
    "session_states": "state_observations",
    "incident_sessions": "incident_sessions",
}
_NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "log_events": {
        **dict.fromkeys(("cluster", "pod", "component", "level", "category", "protocol", "peer"), ("records",)),
        **dict.fromkeys(("source_path", "rule"), ("records",)),
        "node": ("records", "pod_nodes"),
        "template_id": ("mined",),
    },
    "event_counts": {
        **dict.fromkeys(("cluster", "node", "component", "level"), ("minute_counts",)),
        "template_id": ("mined",),
        "category": ("shapes",),
    },
    "session_states": dict.fromkeys(
        ("cluster", "node", "protocol", "peer", "state", "bgp_state", "last_error", "source_path"),
        ("state_observations",),
    ),
    "incident_sessions": dict.fromkeys(
        ("cluster", "incident_id", "node", "protocol", "peer", "peer_node", "category", "last_error", "source_path"),
        ("incident_sessions",),
    ),
}


@contextmanager
def sorted_rows(con: duckdb.DuckDBPyConnection, table: str, order: str) -> Iterator[list[str]]:
    """Queries for the rows of a published ``table`` in ``order``, one after the other; good until the block is left."""
    if not _is_large(con, table):
        yield [f'FROM main."{table}" ORDER BY {order}']
        return
    numbered = [name for name, tables in _NAMES[table].items() if _number(con, name, tables)]
    numbers = ", ".join(f"CAST({name} AS number_of_{name}) AS {name}" for name in numbered)
    texts = ", ".join(f"CAST({name} AS VARCHAR) AS {name}" for name in numbered)
    # the texts are put above the sorted rows, or they would be sorted with them
    narrow, wide = (f"SELECT * REPLACE ({names})" if numbered else "SELECT *" for names in (numbers, texts))
    yield [
        f"{wide} FROM ({narrow} FROM main.{table} WHERE {piece} ORDER BY {order})"
        for piece in pieces(con, table, _FACTS[table])
    ]
    for name in numbered:
        con.execute(f"DROP TYPE number_of_{name}")


def _is_large(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    if table not in _FACTS:
        return False
    return bool(con.execute(f"SELECT count(*) >= {LEAST_ROWS} FROM main.{_FACTS[table]}").fetchall()[0][0])


def _number(con: duckdb.DuckDBPyConnection, name: str, tables: tuple[str, ...]) -> bool:
    """Make a type whose values are the names of a column; False where they are too many, or there are none."""
    every = " UNION ".join(f"SELECT {name} FROM main.{table} WHERE {name} IS NOT NULL" for table in tables)
    names = con.sql(f"SELECT DISTINCT * FROM ({every}) LIMIT {MOST_NAMES + 1}").pl()
    if not 0 < names.height <= MOST_NAMES:
        return False
    con.execute(f"CREATE TEMP TYPE number_of_{name} AS ENUM (FROM names ORDER BY 1)")
    return True
