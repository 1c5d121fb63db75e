"""Gives freed space back to the disk: DuckDB reuses the room of deleted rows but never shrinks its file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.errors import WarehouseError
from pipeline.warehouse.comments import quoted
from pipeline.warehouse.snapshots import SNAPSHOT_FOLDER, list_snapshots, sync_folder
from pipeline.warehouse.space import check_space
from pipeline.warehouse.writer import DATABASE_NAME, Warehouse

# A name with a dot in front: no reader or writer opens it, the next maintenance removes what a kill left.
TEMPORARY = ".peerscope-compact.duckdb"


@dataclass(frozen=True)
class Compaction:
    """Bytes of the working file before and after."""

    before: int
    after: int


def compact(warehouse: Warehouse, free_bytes: int) -> tuple[Warehouse, Compaction]:
    """Rewrite the working file; returns the warehouse opened anew, under the same lock.

    The new file is complete and on disk before it takes the old one's name, so a kill leaves either.

    Raises:
        SpaceError: the copy would not leave ``free_bytes`` free.
        WarehouseError: it could not be written; the old file stays.
    """
    directory = warehouse.directory
    path, fresh = directory / DATABASE_NAME, directory / TEMPORARY
    before = path.stat().st_size
    check_space(directory, free_bytes, before, "compaction")
    _remove(fresh)
    con = warehouse.connection
    try:
        con.execute("CHECKPOINT")
        con.execute(f"ATTACH '{quoted(str(fresh))}' AS fresh")
        try:
            name = con.sql("SELECT current_database()").fetchall()[0][0]
            con.execute(f'COPY FROM DATABASE "{name}" TO fresh')
        finally:
            con.execute("DETACH fresh")
    except duckdb.Error as exc:
        _remove(fresh)
        raise WarehouseError(f"warehouse file {path}: cannot be rewritten: {str(exc).splitlines()[0]}") from exc
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    return warehouse.replace_file(fresh), Compaction(before, path.stat().st_size)


def leftovers(directory: Path) -> list[Path]:
    """Files that killed jobs left: unfinished snapshots and copies. Only to be asked under the lock."""
    folder = directory / SNAPSHOT_FOLDER
    known = {path.name for path in list_snapshots(directory)}
    stray = [path for path in folder.glob("*.duckdb*") if path.name.removesuffix(".wal") not in known]
    stray += folder.glob(".*.duckdb*")
    return sorted({*stray, *directory.glob(f"{TEMPORARY}*")})


def remove_leftovers(directory: Path) -> int:
    """Remove what ``leftovers`` names; returns the bytes freed."""
    freed = 0
    for path in leftovers(directory):
        freed += path.stat().st_size
        path.unlink()
    if freed:
        sync_folder(directory)
    return freed


def _remove(path: Path) -> None:
    for name in (path, path.with_name(path.name + ".wal")):
        name.unlink(missing_ok=True)
