"""What tables and columns hold, told in the snapshot as it is in the warehouse."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from pipeline.warehouse.memory import BESIDE

_HERE = "database_name = current_database() AND list_contains($names, {})"
_COMMENTS = f"""
SELECT table_name, NULL, comment FROM duckdb_tables() WHERE {_HERE.format("table_name")} UNION ALL
SELECT view_name, NULL, comment FROM duckdb_views() WHERE {_HERE.format("view_name")} UNION ALL
SELECT table_name, column_name, comment FROM duckdb_columns() WHERE {_HERE.format("table_name")}
"""


def comments(con: duckdb.DuckDBPyConnection, names: Iterable[str]) -> dict[str, str]:
    """For each of the tables and views the statements that describe its copy in the snapshot.

    A text of many statements: one by one they take longer than writing many a table.
    """
    told = dict.fromkeys(names, "")
    for table, column, comment in con.execute(_COMMENTS, {"names": list(told)}).fetchall():
        told[table] += describe(table, column, comment or "")
    return told


def describe(table: str, column: str | None, comment: str) -> str:
    """The statement that describes a table of the snapshot, or a column of it."""
    target = f'COLUMN {BESIDE}.main."{table}"."{column}"' if column else f'TABLE {BESIDE}.main."{table}"'
    return f"COMMENT ON {target} IS '{quoted(comment)}';\n"


def quoted(text: str) -> str:
    """A text as it stands between quotes in a statement."""
    return text.replace("'", "''")
