"""Publishes the warehouse: a new immutable file for readers, then a pointer that names it.

Nothing a reader has open is ever changed, and a reader sees either the snapshot before or the one after.
"""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue

import duckdb

from pipeline import __version__
from pipeline.errors import NotPublishedError, WarehouseError
from pipeline.warehouse.migrate import schema_version
from pipeline.warehouse.narrow import sorted_rows
from pipeline.warehouse.snapshots import (
    SNAPSHOT_FOLDER,
    archive_files,
    current_snapshot,
    last_sequence,
    list_snapshots,
    point_to,
    sequence_of,
    snapshot_name,
    sync_folder,
)
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
    "snapshot": "Number of the snapshot.",
    "published_at": "When it was published, UTC.",
    "schema_version": "Schema version of the warehouse it was made from.",
    "ruleset_version": "Grammar of the latest load.",
    "peerscope_version": "Version of peerscope that published it.",
}


@dataclass(frozen=True)
class SnapshotInfo:
    """What ``publish`` did; ``created`` is False when nothing had changed and the current one stays."""

    path: Path
    sequence: int
    created: bool
    removed: tuple[Path, ...] = ()


def publish(warehouse: Warehouse, keep: int = 3) -> SnapshotInfo:
    """Publish what the warehouse holds; keeps the last ``keep`` snapshots (at least the current one).

    Raises:
        WarehouseError: the snapshot could not be written; the one before stays current.
    """
    directory = warehouse.directory
    current = _current(directory)
    sequence = warehouse.change_seq
    if current is not None and sequence_of(current) == sequence:
        return SnapshotInfo(current, sequence, created=False, removed=_prune(directory, current, keep))
    # After a restore from a backup the counter may lie behind snapshots that readers still have open.
    sequence = warehouse.raise_change_seq(last_sequence(directory) + 1)
    folder = directory / SNAPSHOT_FOLDER
    try:
        folder.mkdir(exist_ok=True)
        _remove(folder / _TEMPORARY)
        _write(warehouse, folder / _TEMPORARY, sequence)
        path = folder / snapshot_name(sequence)
        (folder / _TEMPORARY).rename(path)
        sync_folder(folder)
        point_to(directory, path)
    except OSError as exc:
        raise WarehouseError(f"snapshot in {folder}: cannot be written: {exc.strerror or exc}") from exc
    return SnapshotInfo(path, sequence, created=True, removed=_prune(directory, path, keep))


def _current(directory: Path) -> Path | None:
    try:
        path = current_snapshot(directory)
    except NotPublishedError:
        return None
    except WarehouseError:
        # A damaged pointer is mended by publishing anew.
        return None
    return path if path.is_file() else None


def _write(warehouse: Warehouse, path: Path, sequence: int) -> None:
    con = warehouse.connection
    options = f"STORAGE_VERSION '{STORAGE_VERSION}', ROW_GROUP_SIZE {_GROUP_ROWS}"
    con.execute(f"ATTACH '{_quoted(str(path))}' AS snapshot ({options})")
    try:
        _write_tables(con, (warehouse.directory / DATABASE_NAME).stat().st_size)
        con.begin()
        _copy_comments(con)
        _write_archive_view(con, warehouse.directory)
        _write_meta(con, sequence)
        con.commit()
        # Detaching writes the checkpoint: the file is complete without a log beside it.
        con.execute("DETACH snapshot")
    except BaseException as exc:
        # After a failed write even this may be refused; the unfinished file has no name that a reader knows.
        for query in ("ROLLBACK", "DETACH snapshot"):
            with contextlib.suppress(duckdb.Error):
                con.execute(query)
        if isinstance(exc, duckdb.Error):
            raise WarehouseError(f"snapshot {path}: cannot be written: {str(exc).splitlines()[0]}") from exc
        raise
    with path.open("rb") as file:
        os.fsync(file.fileno())
    path.chmod(0o444)


def _write_tables(con: duckdb.DuckDBPyConnection, size: int) -> None:
    """All tables of a database of ``size`` bytes, each writer's in a transaction: nobody sees the file before all are
    there."""
    left: SimpleQueue[str] = SimpleQueue()
    for name in PUBLISHED:
        left.put(name)
    count = _WRITERS if size <= _SMALL_BYTES else 1
    with ThreadPoolExecutor(count) as pool:
        writers = [pool.submit(_write_some, con.cursor(), left) for _ in range(count)]
    for writer in writers:
        writer.result()


def _write_some(con: duckdb.DuckDBPyConnection, left: SimpleQueue[str]) -> None:
    with con:
        con.begin()
        with contextlib.suppress(Empty):
            while True:
                name = left.get_nowait()
                with sorted_rows(con, name, PUBLISHED[name]) as rows:
                    con.execute(f'CREATE TABLE snapshot.main."{name}" AS {rows}')
        con.commit()


def _write_archive_view(con: duckdb.DuckDBPyConnection, directory: Path) -> None:
    """Readers find the archive, where there is one, as a view over its files."""
    pattern = archive_files(directory)
    if pattern is None:
        return
    con.execute(
        "CREATE VIEW snapshot.main.archive AS SELECT * FROM read_parquet("
        f"'{_quoted(pattern)}', hive_partitioning = true, union_by_name = true)"
    )
    con.execute(f"COMMENT ON VIEW snapshot.main.archive IS '{_quoted(_ARCHIVE)}'")


def _copy_comments(con: duckdb.DuckDBPyConnection) -> None:
    """All of them at once: a statement for each column takes longer than writing many a table."""
    here = "database_name = current_database() AND list_contains($names, {})"
    about = con.execute(
        f"SELECT table_name, NULL, comment FROM duckdb_tables() WHERE {here.format('table_name')} UNION ALL "
        f"SELECT view_name, NULL, comment FROM duckdb_views() WHERE {here.format('view_name')} UNION ALL "
        f"SELECT table_name, column_name, comment FROM duckdb_columns() WHERE {here.format('table_name')}",
        {"names": list(PUBLISHED)},
    ).fetchall()
    con.execute("".join(_comment(*row) for row in about))


def _comment(table: str, column: str | None, comment: str | None) -> str:
    target = f'COLUMN snapshot.main."{table}"."{column}"' if column else f'TABLE snapshot.main."{table}"'
    return f"COMMENT ON {target} IS '{_quoted(comment or '')}';\n"


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
    con.execute("COMMENT ON TABLE snapshot.main.meta IS 'One row: when and from what this was made.'")
    for column, comment in _META.items():
        con.execute(f"COMMENT ON COLUMN snapshot.main.meta.{column} IS '{comment}'")


def _prune(directory: Path, current: Path, keep: int) -> tuple[Path, ...]:
    """Remove old snapshots; a reader that has one open keeps reading it."""
    others = [path for path in list_snapshots(directory) if path.name != current.name]
    surplus = others[: max(0, len(others) - max(0, keep - 1))]
    for path in surplus:
        _remove(path)
    return tuple(surplus)


def _remove(path: Path) -> None:
    for name in (path, path.with_name(path.name + ".wal")):
        with contextlib.suppress(FileNotFoundError):
            name.unlink()


def _quoted(text: str) -> str:
    return text.replace("'", "''")
