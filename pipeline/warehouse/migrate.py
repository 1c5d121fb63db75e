"""Brings the schema of a warehouse up to this version, or says which version it needs."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipeline import __version__
from pipeline.errors import SchemaError
from pipeline.warehouse import sqlfiles

# The migrations that were applied to this warehouse.
_SCHEMA_INFO = """
CREATE TABLE IF NOT EXISTS schema_info (
  version UINTEGER PRIMARY KEY, file VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL,
  peerscope_version VARCHAR NOT NULL
);
"""


def known_version() -> int:
    """Schema version this peerscope writes: the number of its last migration."""
    return sqlfiles.migrations()[-1][0]


def schema_version(con: duckdb.DuckDBPyConnection) -> int:
    """Schema version of an open warehouse; 0 for an empty database."""
    tables = con.sql("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'schema_info'").fetchall()
    if tables[0][0] == 0:
        return 0
    return int(con.sql("SELECT coalesce(max(version), 0) FROM schema_info").fetchall()[0][0])


def migrate(con: duckdb.DuckDBPyConnection, directory: Path, first_change: int) -> None:
    """Apply the missing migrations and the current views, each of both in a transaction.

    ``first_change`` is where the change counter of a new warehouse starts: above every snapshot that an
    earlier warehouse left in the same folder.

    Raises:
        SchemaError: the warehouse was written by a newer peerscope.
    """
    have, want = schema_version(con), known_version()
    if have > want:
        raise SchemaError(
            f"warehouse {directory}: its schema is version {have}, peerscope {__version__} knows {want}; "
            "run a newer peerscope (`peerscope --version`), or start a new warehouse with --warehouse DIR"
        )
    if have < want:
        _apply(con, have, first_change)
    _apply_views(con)


def _apply(con: duckdb.DuckDBPyConnection, have: int, first_change: int) -> None:
    """All that is missing at once: each transaction is written to disk, and a new warehouse misses everything."""
    missing = [(version, path) for version, path in sqlfiles.migrations() if version > have]
    path = missing[0][1]
    con.begin()
    try:
        _drop_views(con)
        con.execute(_SCHEMA_INFO)
        for _, path in missing:
            con.execute(sqlfiles.script(path))
        con.execute(
            "INSERT INTO schema_info SELECT unnest($versions), unnest($files), CAST($now AS TIMESTAMPTZ), $peerscope",
            {
                "versions": [version for version, _ in missing],
                "files": [path.name for _, path in missing],
                "now": datetime.now(UTC).isoformat(),
                "peerscope": __version__,
            },
        )
        if have == 0:
            con.execute("INSERT INTO warehouse_state VALUES (?, '')", [first_change])
        else:
            con.execute("UPDATE warehouse_state SET views_digest = ''")
        con.commit()
    except duckdb.Error as exc:
        con.rollback()
        raise SchemaError(f"migration {path.name} failed, the warehouse is as it was: {exc}") from exc


def _drop_views(con: duckdb.DuckDBPyConnection) -> None:
    names = con.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    for (name,) in names:
        con.execute(f'DROP VIEW IF EXISTS "{name}"')


def _apply_views(con: duckdb.DuckDBPyConnection) -> None:
    texts = [path.read_text(encoding="utf-8") for path in sqlfiles.views()]
    digest = hashlib.blake2b("\0".join(texts).encode(), digest_size=16).hexdigest()
    if con.sql("SELECT views_digest FROM warehouse_state").fetchall()[0][0] == digest:
        return
    con.begin()
    try:
        _drop_views(con)
        for path in sqlfiles.views():
            con.execute(sqlfiles.script(path))
        con.execute("UPDATE warehouse_state SET views_digest = ?, change_seq = change_seq + 1", [digest])
        con.commit()
    except duckdb.Error as exc:
        con.rollback()
        raise SchemaError(f"the views could not be created, the warehouse is as it was: {exc}") from exc
