"""What tables and columns hold, told in the snapshot as the SQL files tell it."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb

from pipeline.warehouse import sqlfiles
from pipeline.warehouse.memory import BESIDE

_COLUMNS = """
SELECT table_name, column_name FROM duckdb_columns()
WHERE database_name = current_database() AND list_contains($names, table_name)
"""


def comments(con: duckdb.DuckDBPyConnection, names: Iterable[str]) -> dict[str, str]:
    """For each of the tables and views the statements that describe its copy in the snapshot.

    A text of many statements: one by one they take longer than writing many a table.
    """
    known = sqlfiles.descriptions()
    told = {name: describe(name, None, known.get((name, None), "")) for name in names}
    for table, column in con.execute(_COLUMNS, {"names": list(told)}).fetchall():
        told[table] += describe(table, column, known.get((table, column), ""))
    return told


def describe(table: str, column: str | None, comment: str) -> str:
    """The statement that describes a table of the snapshot, or a column of it."""
    target = f'COLUMN {BESIDE}.main."{table}"."{column}"' if column else f'TABLE {BESIDE}.main."{table}"'
    return f"COMMENT ON {target} IS '{quoted(comment)}';\n"


def quoted(text: str) -> str:
    """A text as it stands between quotes in a statement."""
    return text.replace("'", "''")
