"""How many threads the database may use, for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import duckdb


def threads_of(connection: duckdb.DuckDBPyConnection) -> int:
    """How many it may use; with one, a query is worked on by the thread that asks and no other."""
    return int(connection.sql("SELECT current_setting('threads')").fetchall()[0][0])


@contextlib.contextmanager
def with_threads(connection: duckdb.DuckDBPyConnection, count: int) -> Iterator[None]:
    """Let the database, with all its connections, use so many for a while."""
    before = threads_of(connection)
    connection.execute(f"SET threads = {count}")
    try:
        yield
    finally:
        # an error that ended the database ends its settings as well
        with contextlib.suppress(duckdb.Error):
            connection.execute(f"SET threads = {before}")
