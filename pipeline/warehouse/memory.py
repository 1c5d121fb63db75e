"""How much memory the database may hold, for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import duckdb

#: The name of a snapshot that is being written beside the warehouse.
BESIDE = "snapshot"
_IDLE = "10MB"


@contextlib.contextmanager
def memory_of(connection: duckdb.DuckDBPyConnection, limit: str) -> Iterator[None]:
    """Let the database hold so much (``500MB``) for a while.

    Raises:
        duckdb.Error: more than this is in use, or it is no size.
    """
    told = str(connection.sql("SELECT current_setting('memory_limit')").fetchall()[0][0])
    number, _, unit = told.partition(" ")
    # tenths of a unit are told, and what is less is cut off: without a little more it would shrink each time
    before = f"{float(number) + 0.05} {unit}"
    connection.execute("SET memory_limit = ?", [limit])
    try:
        yield
    finally:
        # refused while more is in use, or after an error that ended the database: neither undoes what was done
        with contextlib.suppress(duckdb.Error):
            connection.execute("SET memory_limit = ?", [before])


def let_go(connection: duckdb.DuckDBPyConnection) -> None:
    """Give back what the database keeps of its file, where nothing is asked of it for some time."""
    if connection.execute("FROM duckdb_databases() WHERE database_name = $name", {"name": BESIDE}).fetchall():
        return  # what is being written needs it
    with contextlib.suppress(duckdb.Error), memory_of(connection, _IDLE):
        pass  # refused when more is in use: what is not is given back all the same
