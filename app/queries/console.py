"""What the console shows beside the result: tables and columns, and a place to begin."""

from __future__ import annotations

from app.queries.base import Query

FIRST = "SELECT template, component, category, events\nFROM templates\nORDER BY events DESC\nLIMIT 20"


def tables() -> Query:
    """Tables of the snapshot and what a row of each is."""
    return Query(
        """
SELECT table_name, comment AS about, estimated_size AS row_count
FROM duckdb_tables() WHERE schema_name = 'main' ORDER BY table_name"""
    )


def columns(table: str) -> Query:
    """Columns of a table with type and meaning."""
    return Query(
        """
SELECT column_name, data_type, comment AS about
FROM duckdb_columns() WHERE schema_name = 'main' AND table_name = $table ORDER BY column_index""",
        {"table": table},
    )
