"""The writer's side: the only code that opens the working file, and always under the lock."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import polars as pl

from pipeline.errors import WarehouseError
from pipeline.warehouse.derived import (
    DERIVED_TABLES,
    Replacement,
    derived,
    replacement,
    settle_statistics,
    statistics_are_due,
    write,
)
from pipeline.warehouse.load import Load
from pipeline.warehouse.lock import WarehouseLock, locked_error
from pipeline.warehouse.memory import memory_of
from pipeline.warehouse.migrate import migrate
from pipeline.warehouse.snapshots import last_sequence, sync_folder
from pipeline.warehouse.tables import plain

__all__ = ["DATABASE_NAME", "DERIVED_TABLES", "Warehouse", "failed"]

DATABASE_NAME = "peerscope.duckdb"
_CONTENTS = "SELECT content_id FROM sources UNION SELECT content_id FROM forgotten_content"
_SIZES = """
SELECT content_id, 0 FROM forgotten_content UNION ALL
SELECT s.content_id, coalesce(t.end_at, s.bytes_read) FROM sources AS s LEFT JOIN streams AS t USING (content_id)
"""
_HOLDER = re.compile(r"\(PID (\d+)")


class Warehouse:
    """The working database of a warehouse, held by this process until ``close``."""

    def __init__(self, directory: Path, lock: WarehouseLock, con: duckdb.DuckDBPyConnection) -> None:
        self.directory = directory
        self.connection = con
        self._lock = lock
        self._known: set[str] | None = None

    @classmethod
    def open(
        cls,
        directory: Path | str,
        wait_seconds: float = 0.0,
        *,
        memory_limit: str | None = None,
        threads: int | None = None,
    ) -> Warehouse:
        """Open the warehouse in ``directory``, made when it is not there, and bring its schema up to date.

        Raises:
            LockedError: another job holds it, after waiting ``wait_seconds``.
            SchemaError: it was written by a newer peerscope.
            WarehouseError: the folder cannot be written, or the file is not a warehouse.
        """
        folder = Path(directory)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise WarehouseError(f"warehouse {folder}: cannot be made: {exc.strerror}") from exc
        lock = WarehouseLock(folder, wait_seconds)
        try:
            con = _connect(folder, memory_limit, threads)
            try:
                migrate(con, folder, first_change=last_sequence(folder))
            except BaseException as exc:
                with contextlib.suppress(duckdb.Error):
                    con.close()
                if isinstance(exc, duckdb.Error):
                    raise failed(folder, exc) from exc
                raise
        except BaseException:
            lock.release()
            raise
        return cls(folder, lock, con)

    def replace_file(self, fresh: Path) -> Warehouse:
        """Put ``fresh`` in the place of the working file; this object is used up, the returned one holds the lock.

        Raises:
            WarehouseError: the old file could not be closed cleanly, or ``fresh`` is not a warehouse.
        """
        path = self.directory / DATABASE_NAME
        limit = str(self.connection.sql("SELECT current_setting('memory_limit')").fetchall()[0][0])
        self.connection.close()
        if path.with_name(path.name + ".wal").exists():
            raise WarehouseError(f"warehouse file {path}: not closed cleanly; run the command again")
        fresh.replace(path)
        sync_folder(self.directory)
        return Warehouse(self.directory, self._lock, _connect(self.directory, limit, None))

    def close(self) -> None:
        """Close the database and give up the lock; a second call does nothing."""
        try:
            self.connection.close()
        finally:
            self._lock.release()

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except duckdb.Error as exc:
            # A database that met an error while it wrote refuses to close in order; the file is as it was.
            if error is None:
                raise failed(self.directory, exc) from exc
        if isinstance(error, duckdb.Error):
            raise failed(self.directory, error) from error

    def with_memory(self, limit: str) -> contextlib.AbstractContextManager[None]:
        """Let the database hold so much (``500MB``) for a while."""
        return memory_of(self.connection, limit)

    @property
    def change_seq(self) -> int:
        """How often the warehouse changed; the number its next snapshot gets."""
        return int(self.connection.sql("SELECT change_seq FROM warehouse_state").fetchall()[0][0])

    def raise_change_seq(self, least: int) -> int:
        """Make the change counter at least ``least``; returns it."""
        if self.change_seq < least:
            self.connection.execute("UPDATE warehouse_state SET change_seq = ?", [least])
        return self.change_seq

    def frame(self, query: str, params: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """The result of a query on the working database; ENUM columns as text."""
        return plain(self.connection.sql(query, params=dict(params) if params else None).pl())

    def known_content_ids(self) -> frozenset[str]:
        """Content hashes of everything ever read: the same bytes under any name are read once."""
        return frozenset(self._content_ids())

    def known_sources(self) -> dict[str, int]:
        """Content hashes of everything ever read, with the sizes in bytes."""
        return dict(self.connection.sql(_SIZES).fetchall())

    def load_ids(self) -> set[int]:
        """The loads that were committed."""
        return {number for (number,) in self.connection.sql("SELECT load_id FROM loads").fetchall()}

    def load(self, *, cluster: str, engine: str, ruleset_version: str | None = None, examples: int = 3) -> Load:
        """Begin a load; use it as a context manager. ``examples``: benign records kept for each shape."""
        return Load(
            self.connection,
            self._content_ids(),
            cluster=cluster,
            engine=engine,
            ruleset_version=ruleset_version,
            examples=examples,
        )

    def shapes(self, *columns: str) -> pl.DataFrame:
        """Every shape, with the columns named (none: all), in an order that does not depend on when it came."""
        return self.frame(f"SELECT {', '.join(columns) or '*'} FROM shapes ORDER BY shape_id")

    def store_mined(self, mined: pl.DataFrame, templates: pl.DataFrame) -> bool:
        """Replace the mined templates; False when they are the same as before.

        ``mined`` has shape_id and template_id; ``templates`` has template_id, template, component, rule,
        category and severity.
        """
        tables = {"mined": mined.sort("shape_id"), "template_texts": templates.sort("template_id")}
        return self.write(replacement(self.connection, "", tables))

    def replace_derived(self, cluster: str, tables: Mapping[str, pl.DataFrame]) -> bool:
        """Replace the rows of ``cluster`` in each table named, all in one transaction.

        The frames may leave out ``cluster``. Returns False when every frame is the same, row for row, as the
        one stored last: then nothing is written.

        Raises:
            WarehouseError: a table that is not derived, a column it does not have, rows of another cluster.
        """
        return self.write(self.derived(cluster, tables))

    def derived(self, cluster: str, tables: Mapping[str, pl.DataFrame]) -> Replacement:
        """What ``replace_derived`` would write, for ``write``: until then nothing of it is to be seen."""
        return derived(self.connection, cluster, tables)

    def write(self, found: Replacement) -> bool:
        """Replace what changed, all in one transaction; False when nothing did. Nobody else may ask meanwhile."""
        return write(self.connection, found)

    def statistics_are_due(self) -> bool:
        """Whether the stored statistics rest on other tables than those stored beside them."""
        return statistics_are_due(self.connection)

    def settle_statistics(self) -> None:
        """Say that the statistics are all written: they rest on the tables stored now."""
        settle_statistics(self.connection)

    def _content_ids(self) -> set[str]:
        if self._known is None:
            self._known = {row[0] for row in self.connection.sql(_CONTENTS).fetchall()}
        return self._known


def failed(directory: Path, exc: duckdb.Error) -> WarehouseError:
    """The error for what DuckDB could not do: a full disk, no memory. Transactions leave nothing half done."""
    said = next((line for line in str(exc).splitlines() if line.strip()), type(exc).__name__)
    return WarehouseError(
        f"warehouse {directory}: {said}; what was committed before stays. Make room or give it memory, then run again"
    )


def _connect(folder: Path, memory_limit: str | None, threads: int | None) -> duckdb.DuckDBPyConnection:
    # Order is given where it matters; keeping insertion order as well doubles time and file size of a load.
    config: dict[str, Any] = {"preserve_insertion_order": False}
    if memory_limit:
        config["memory_limit"] = memory_limit
    if threads:
        config["threads"] = threads
    path = folder / DATABASE_NAME
    try:
        con = duckdb.connect(str(path), config=config)
    except duckdb.IOException as exc:
        if "lock" in str(exc):
            holder = _HOLDER.search(str(exc))
            raise locked_error(folder, int(holder[1]) if holder else None) from exc
        raise WarehouseError(f"warehouse file {path}: {str(exc).splitlines()[0]}") from exc
    except duckdb.Error as exc:
        raise WarehouseError(f"warehouse file {path}: {str(exc).splitlines()[0]}") from exc
    con.execute("SET GLOBAL TimeZone = 'UTC'")
    con.execute("SET enable_progress_bar = false")  # nobody wants one in a job's log
    # What is more goes into the file at once: through the log beside it, it would be written twice.
    con.execute("SET checkpoint_threshold = '4MB'")
    return con
