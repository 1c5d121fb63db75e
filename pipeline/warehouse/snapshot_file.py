"""The file of a snapshot: what is published, in which order, and how it is written.

Some tables can be written while the analysis is at work: no analysis changes them, and it keeps one core busy.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue

import duckdb

from pipeline import __version__
from pipeline.errors import WarehouseError
from pipeline.warehouse.comments import comments, describe, quoted
from pipeline.warehouse.memory import BESIDE
from pipeline.warehouse.migrate import schema_version
from pipeline.warehouse.narrow import sorted_rows
from pipeline.warehouse.snapshots import SNAPSHOT_FOLDER, archive_files
from pipeline.warehouse.threads import threads_of, with_threads
from pipeline.warehouse.writer import DATABASE_NAME, Warehouse

# Clients of DuckDB 1.5 must be able to read a snapshot; the default format of a newer one shuts them out.
STORAGE_VERSION = "v1.5.0"
# A table of fewer rows than a group is kept as it is until the commit and written there by one thread, at twice the
# cost: with a third of the usual size that is only what is small. Filters skip more of the file as well.
_GROUP_ROWS = 40_960
# One attempt at a time may write; a name with a dot is no snapshot and is removed by the next publish.
_TEMPORARY = ".peerscope-new.duckdb"

# What is published, with its sort order. Neighbouring rows of one category and time are read together, so a
# filter on either skips most of the file.
PUBLISHED: dict[str, str] = {
    "log_events": "category, ts, cluster, source_path, byte_offset",
    "event_counts": "category, minute, cluster, node, component, level, template_id",
    "templates": "component, category, template",
    "session_states": "cluster, node, protocol, peer, ts, source_path, byte_offset",
    "session_intervals": "cluster, node, protocol, peer, started_at",
    "sessions": "cluster, node, protocol, peer",
    "coverage": "cluster, node, component, started_at",
    "nodes": "cluster, node, valid_from",
    "bgp_groups": "cluster, group_name, valid_from",
    "group_sizes": "cluster, group_name, reflector, ts",
    "missing_sessions": "cluster, node, peer",
    "failure_rates": "cluster, group_name, category, bucket",
    "incidents": "cluster, started_at, incident_id",
    "incident_sessions": "cluster, incident_id, node, peer, started_at",
    "diagnoses": "cluster, incident_id, confidence DESC, diagnosis_id",
    "evidence": "cluster, diagnosis_id, position, role, ts, source_path, byte_offset",
    "exposure": "cluster, group_name, role, category, size, calico_version",
    "effects": "cluster, category, factor, level, adjusted_for NULLS FIRST",
    "size_thresholds": "cluster, category, scope",
    "forecasts": "cluster, group_name, reflector",
    "loads": "load_id",
    "sources": "load_id, source_path",
    "rejects": "load_id, source_path, byte_offset",
}

# Sorting and writing one table keeps less than two cores busy. Of a larger database two would not fit into memory
# side by side, and each would wait for the other's rows to be written to disk.
_WRITERS = 2
_SMALL_BYTES = 64 << 20

_ARCHIVE = "Every record of the loads that were run with --archive, by cluster and day (date); read from Parquet files."
_META = {
    None: "One row: when and from what this was made.",
    "snapshot": "Number of the snapshot.",
    "published_at": "When it was published, UTC.",
    "schema_version": "Schema version of the warehouse it was made from.",
    "ruleset_version": "Grammar of the latest load.",
    "peerscope_version": "Version of peerscope that published it.",
}


class SnapshotFile:
    """The file of the next snapshot, attached beside the warehouse; no reader knows its name before it is complete."""

    def __init__(self, warehouse: Warehouse) -> None:
        """Begin it anew.

        Raises:
            OSError: the folder of snapshots cannot be written.
        """
        self.path = warehouse.directory / SNAPSHOT_FOLDER / _TEMPORARY
        self._directory = warehouse.directory
        self._con = warehouse.connection
        self._early: Future[Sequence[str]] | None = None
        self._attached = False
        self.path.parent.mkdir(exist_ok=True)
        remove(self.path)

    def begin(self) -> None:
        """Write what no analysis changes in the background; what cannot be written now is left for ``complete``."""
        with contextlib.suppress(duckdb.Error):
            cursor = self._attach().cursor()
            pool = ThreadPoolExecutor(1, thread_name_prefix="peerscope-snapshot")
            self._early = pool.submit(_write_some, cursor, _queue(_settled(self._con)), comments(cursor, PUBLISHED))
            pool.shutdown(wait=False)

    def complete(self, sequence: int) -> None:
        """Write the rest as snapshot ``sequence``.

        Raises:
            WarehouseError: it could not be written.
        """
        try:
            self._write(sequence)
        except BaseException as exc:
            self.discard()
            if isinstance(exc, duckdb.Error):
                why = str(exc).splitlines()[0]
                raise WarehouseError(f"snapshot {self.path}: cannot be written: {why}") from exc
            raise
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.chmod(0o444)

    def discard(self) -> None:
        """Leave it, if it is not complete: its name is known to no reader, and the next one begins anew."""
        self._written_early()
        if self._attached:
            # After a failed write even this may be refused.
            for query in ("ROLLBACK", "DETACH snapshot"):
                with contextlib.suppress(duckdb.Error):
                    self._con.execute(query)
            self._attached = False

    def _attach(self) -> duckdb.DuckDBPyConnection:
        if not self._attached:
            options = f"STORAGE_VERSION '{STORAGE_VERSION}', ROW_GROUP_SIZE {_GROUP_ROWS}"
            self._con.execute(f"ATTACH '{quoted(str(self.path))}' AS {BESIDE} ({options})")
            self._attached = True
        return self._con

    def _written_early(self) -> Sequence[str]:
        early, self._early = self._early, None
        try:
            return early.result() if early else ()
        except duckdb.Error:
            return ()

    def _write(self, sequence: int) -> None:
        con, written = self._attach(), self._written_early()
        _write_tables(con, [name for name in PUBLISHED if name not in written], is_small(self._directory))
        con.begin()
        _write_archive_view(con, self._directory)
        _write_meta(con, sequence)
        con.commit()
        # Detaching writes the checkpoint: the file is complete without a log beside it.
        con.execute("DETACH snapshot")
        self._attached = False


def is_small(directory: Path) -> bool:
    """Whether two tables of the warehouse fit into memory side by side, sorted."""
    return (directory / DATABASE_NAME).stat().st_size <= _SMALL_BYTES


def _settled(con: duckdb.DuckDBPyConnection) -> list[str]:
    """The tables that no analysis changes, those that take longest first."""
    nameless = "SELECT EXISTS (FROM records WHERE node IS NULL AND pod IS NOT NULL)"
    # an analysis finds out on which nodes pods were
    events = [] if con.sql(nameless).fetchall()[0][0] else ["log_events"]
    return [*events, "event_counts", "templates", "sources", "rejects", "loads"]


def _queue(names: Iterable[str]) -> SimpleQueue[str]:
    left: SimpleQueue[str] = SimpleQueue()
    for name in names:
        left.put(name)
    return left


def _write_tables(con: duckdb.DuckDBPyConnection, names: Sequence[str], small: bool) -> None:
    """Tables, each writer's in a transaction: nobody sees the file before all are there."""
    left, about = _queue(names), comments(con, names)
    count = _WRITERS if small else 1
    # what threads share out among each other takes more of each: a writer gets its part of them
    with with_threads(con, max(1, threads_of(con) // count)), ThreadPoolExecutor(count) as pool:
        writers = [pool.submit(_write_some, con.cursor(), left, about) for _ in range(count)]
    for writer in writers:
        writer.result()


def _write_some(con: duckdb.DuckDBPyConnection, left: SimpleQueue[str], about: Mapping[str, str]) -> Sequence[str]:
    """Write tables until none is left, with what is said about them; returns which."""
    written = []
    with con:
        con.begin()
        with contextlib.suppress(Empty):
            while True:
                name = left.get_nowait()
                with sorted_rows(con, name, PUBLISHED[name]) as (first, *others):
                    con.execute(f'CREATE TABLE snapshot.main."{name}" AS {first}')
                    for rows in others:
                        con.execute(f'INSERT INTO snapshot.main."{name}" {rows}')
                con.execute(about[name])
                written.append(name)
        con.commit()
    return written


def _write_archive_view(con: duckdb.DuckDBPyConnection, directory: Path) -> None:
    """Readers find the archive, where there is one, as a view over its files."""
    pattern = archive_files(directory)
    if pattern is None:
        return
    con.execute(
        "CREATE VIEW snapshot.main.archive AS SELECT * FROM read_parquet("
        f"'{quoted(pattern)}', hive_partitioning = true, union_by_name = true)"
    )
    con.execute(f"COMMENT ON VIEW snapshot.main.archive IS '{quoted(_ARCHIVE)}'")


def _write_meta(con: duckdb.DuckDBPyConnection, sequence: int) -> None:
    con.execute(
        "CREATE TABLE snapshot.main.meta AS SELECT CAST($snapshot AS UBIGINT) AS snapshot, "
        "CAST($published_at AS TIMESTAMPTZ) AS published_at, "
        "CAST($schema_version AS UINTEGER) AS schema_version, "
        "(SELECT arg_max(ruleset_version, load_id) FROM loads) AS ruleset_version, "
        "CAST($peerscope_version AS VARCHAR) AS peerscope_version",
        {
            "snapshot": sequence,
            "published_at": datetime.now(UTC).isoformat(),
            "schema_version": schema_version(con),
            "peerscope_version": __version__,
        },
    )
    con.execute("".join(describe("meta", column, comment) for column, comment in _META.items()))


def remove(path: Path) -> None:
    """Remove a snapshot and what may lie beside it."""
    for name in (path, path.with_name(path.name + ".wal")):
        with contextlib.suppress(FileNotFoundError):
            name.unlink()
