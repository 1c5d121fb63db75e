"""The readers' side: one published snapshot, read-only, in a sandbox.

Log text and queries of strangers meet here. The connection is read-only, may not touch files, the network
or its own settings, and every query has a time, a row and a byte limit.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from pipeline.errors import NotPublishedError, QueryError, WarehouseError
from pipeline.warehouse.snapshots import ARCHIVE_FOLDER, current_snapshot, sequence_of
from pipeline.warehouse.tables import plain

# One result is held in memory whole: rows are bounded by the caller, their size by this.
RESULT_BYTES = 256 << 20
_BATCH_ROWS = 2048
# A snapshot may be removed between reading the pointer and opening the file: the pointer names a newer one.
_OPEN_ATTEMPTS = 5
_SETUP = threading.Lock()
_LINE = re.compile(r"^LINE (\d+): (.*)\n( *\^)", re.MULTILINE)
_ALLOWED = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI)


@dataclass(frozen=True)
class Result:
    """Rows of a query: ``frame`` with ``columns`` in order; ``truncated`` names the limit that cut it."""

    frame: pl.DataFrame
    seconds: float
    truncated: str | None = None

    @property
    def columns(self) -> list[str]:
        """Column names."""
        return self.frame.columns


class Snapshot:
    """A published snapshot, open for reading; safe to use from several threads."""

    def __init__(self, path: Path, con: duckdb.DuckDBPyConnection, private_copy: Path | None = None) -> None:
        self.path = path
        self.sequence = sequence_of(path) or 0
        self._con = con
        self._cleanup = weakref.finalize(self, _close, con, private_copy)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._cleanup()

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def query(
        self,
        sql: str,
        params: Mapping[str, Any] | None = None,
        timeout_s: float = 30.0,
        max_rows: int = 100_000,
    ) -> Result:
        """Run one SELECT-like statement (also WITH, FROM, DESCRIBE, SHOW, EXPLAIN, SUMMARIZE, PIVOT).

        ``params`` are the values of named parameters (``$name``). Times come out in UTC.

        Raises:
            QueryError: any other statement, a query DuckDB cannot run (with the place in it), a parameter
                missing or unknown, or one that took longer than ``timeout_s`` seconds.
        """
        cursor = self._con.cursor()
        timer = threading.Timer(timeout_s, cursor.interrupt)
        timer.daemon = True
        started = time.monotonic()
        try:
            given = _check(cursor, sql, params or {})
            timer.start()
            table, cut = _fetch(cursor, sql, given, max_rows)
        except duckdb.InterruptException as exc:
            raise QueryError(
                f"query interrupted after {timeout_s:g} s: narrow it, or allow more time (sql_seconds)"
            ) from exc
        except duckdb.OutOfMemoryException as exc:
            raise QueryError(f"query needs more memory than it may use (sql_memory): {_said(exc)}") from exc
        except (duckdb.Error, pa.ArrowException, OSError) as exc:
            # What fails while rows are fetched comes through Arrow, some of it as an error of the system.
            raise QueryError(_said(exc)) from exc
        finally:
            timer.cancel()
            # Interrupting a closed cursor is undefined: a timer that has fired must be through before.
            if timer.is_alive():
                timer.join()
            cursor.close()
        return Result(plain(_to_polars(table)), time.monotonic() - started, cut)

    def frame(self, sql: str, params: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """Rows of one of our own queries, under the limits of ``query``, never cut.

        Raises:
            QueryError: as ``query``; also when the result is larger than the limits.
        """
        result = self.query(sql, params, timeout_s=120.0, max_rows=5_000_000)
        if result.truncated:
            raise QueryError(f"result too large: {result.truncated}; narrow the query")
        return result.frame


def open_snapshot(directory: Path | str, memory_limit: str = "1GB", threads: int | None = None) -> Snapshot:
    """Open what is published in the warehouse ``directory``.

    Raises:
        NotPublishedError: nothing is published; the message names the command.
        WarehouseError: the file is gone or is not a snapshot.
    """
    for _ in range(_OPEN_ATTEMPTS):
        path = current_snapshot(directory)
        if path.is_file():
            try:
                return open_file(path, memory_limit, threads)
            except FileNotFoundError:
                continue
        time.sleep(0.02)
    raise NotPublishedError(f"warehouse {directory}: snapshot {path.name} is gone; run `peerscope publish`")


def open_file(path: Path, memory_limit: str = "1GB", threads: int | None = None) -> Snapshot:
    """Open a snapshot file by path.

    A client that opened the file read-write (what the duckdb command does by default) locks others out;
    then a private copy is read, which is exact because a snapshot never changes.
    """
    config: dict[str, Any] = {
        "memory_limit": memory_limit,
        # The folder of the snapshots is not for scratch files; a query that needs more memory is refused.
        "temp_directory": "",
    }
    if threads:
        config["threads"] = threads
    try:
        return Snapshot(path, _connect(path, config))
    except (duckdb.IOException, duckdb.ConnectionException) as exc:
        if not path.exists():
            raise FileNotFoundError(path) from exc
        if "lock" not in str(exc) and "different configuration" not in str(exc):
            raise WarehouseError(f"snapshot {path}: cannot be opened: {_said(exc)}") from exc
        return _open_copy(path, config)
    except duckdb.Error as exc:
        raise WarehouseError(f"snapshot {path}: cannot be opened: {_said(exc)}") from exc


def _open_copy(path: Path, config: dict[str, Any]) -> Snapshot:
    folder = Path(tempfile.mkdtemp(prefix="peerscope-"))
    try:
        shutil.copyfile(path, folder / path.name)
        return Snapshot(path, _connect(folder / path.name, config), folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _connect(path: Path, config: dict[str, Any]) -> duckdb.DuckDBPyConnection:
    # Connections of one process to one file share an instance: the second finds it locked already, and two
    # threads that open it at the same moment must not both set it up.
    with _SETUP:
        con = duckdb.connect(str(path), read_only=True, config=config)
        if not con.sql("SELECT current_setting('lock_configuration')").fetchall()[0][0]:
            con.execute("SET GLOBAL TimeZone = 'UTC'")
            # the view `archive` reads the files beside the snapshots; no statement that writes is let through
            archive = str((path.parent.parent / ARCHIVE_FOLDER).absolute()).replace("'", "''")
            con.execute(f"SET GLOBAL allowed_directories = ['{archive}']")
            con.execute("SET GLOBAL enable_external_access = false")
            con.execute("SET lock_configuration = true")
    return con


def _check(cursor: duckdb.DuckDBPyConnection, sql: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters to run ``sql`` with, when it is one statement that may be run."""
    statements = cursor.extract_statements(sql)
    if len(statements) != 1:
        raise QueryError(f"one statement expected, found {len(statements)}")
    statement = statements[0]
    if statement.type not in _ALLOWED:
        raise QueryError(
            f"{statement.type.name} is not allowed: the published data is read-only; use SELECT, WITH, FROM, "
            "DESCRIBE, SHOW, EXPLAIN, SUMMARIZE or PIVOT"
        )
    wanted = set(statement.named_parameters)
    if missing := sorted(wanted - set(params)):
        raise QueryError(f"parameter ${missing[0]} has no value; give it with -p {missing[0]}=VALUE")
    if unknown := sorted(set(params) - wanted):
        known = ", ".join(sorted(wanted)) or "none"
        raise QueryError(f"the query has no parameter ${unknown[0]}; it has: {known}")
    return dict(params)


def _fetch(
    cursor: duckdb.DuckDBPyConnection, sql: str, params: dict[str, Any], max_rows: int
) -> tuple[pa.Table, str | None]:
    try:
        relation = cursor.sql(sql, params=params or None)
    except (duckdb.BinderException, duckdb.CatalogException):
        # Only this way of running it says where in the text the mistake is; it fails before it does anything.
        cursor.execute(sql, params)
        raise
    reader = relation.to_arrow_reader(_BATCH_ROWS)
    batches, rows, size, cut = [], 0, 0, None
    for batch in reader:
        if rows + batch.num_rows > max_rows:
            batches.append(batch.slice(0, max_rows - rows))
            cut = f"only the first {max_rows:,} rows are shown (sql_rows)"
            break
        batches.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if size > RESULT_BYTES:
            cut = f"only the first {rows:,} rows are shown: they fill {RESULT_BYTES >> 20} MiB"
            break
    return pa.Table.from_batches(batches, schema=reader.schema), cut


def _to_polars(table: pa.Table) -> pl.DataFrame:
    """Arrow allows two columns of one name, Polars does not: later ones get a number."""
    names: list[str] = []
    for name in table.column_names:
        number, unique = 2, name
        while unique in names:
            unique, number = f"{name}_{number}", number + 1
        names.append(unique)
    frame = pl.from_arrow(table.rename_columns(names))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _said(exc: Exception) -> str:
    """DuckDB's message in one line, with line and column of the place it points to."""
    text = str(exc)
    message = text.split("\n\nLINE ", 1)[0].replace("\n", " ").strip()
    if match := _LINE.search(text):
        column = len(match[3]) - len(f"LINE {match[1]}: ")
        place = f"line {match[1]}" if match[2].startswith("...") else f"line {match[1]}, column {column}"
        message += f" ({place})"
    return message


def _close(con: duckdb.DuckDBPyConnection, private_copy: Path | None) -> None:
    con.close()
    if private_copy is not None:
        shutil.rmtree(private_copy, ignore_errors=True)
