"""What files looked like when they were read, so that an unchanged one need not be opened again.

It only ever saves reading: a file whose path, size, time of change or inode differs is read and hashed as if it
were new, and whether its content is known is decided by that hash.
"""

from __future__ import annotations

import time
from pathlib import Path

import duckdb
import polars as pl

from pipeline.sources.discover import FileStatus
from pipeline.sources.remote import is_url

# A file written while it is read may keep its size and, within the clock's grain, its time: such are not noted.
SETTLED_NS = 2_000_000_000
_SCHEMA = {"path": pl.String, "size": pl.UInt64, "mtime_ns": pl.Int64, "inode": pl.UInt64, "digest": pl.Binary}
_State = tuple[int, int, int, bytes]


class FileMemory:
    """The remembered files of a warehouse; ``store`` writes what was noted."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        rows = con.sql("SELECT path, size, mtime_ns, inode, digest FROM file_states").fetchall()
        self._states: dict[str, _State] = {row[0]: (row[1], row[2], row[3], row[4]) for row in rows}
        self._noted: dict[str, _State] = {}

    def digest(self, path: str, status: FileStatus) -> bytes | None:
        """Hash of the content that the file had when it was in this state; None when it was not seen so."""
        known = self._states.get(_key(path))
        if known is None or known[:3] != (status.st_size, status.st_mtime_ns, status.st_ino):
            return None
        return known[3]

    def digests(self) -> list[tuple[str, bytes]]:
        """Paths of all files seen, with the hashes of what they held then."""
        return [(path, state[3]) for path, state in (self._states | self._noted).items()]

    def note(self, path: str, status: FileStatus | None, digest: bytes) -> None:
        """Remember the state in which a file was read; ``status`` was taken before reading (None: not a file)."""
        if status is not None and time.time_ns() - status.st_mtime_ns > SETTLED_NS:
            state = (status.st_size, status.st_mtime_ns, status.st_ino, digest)
            self._noted[_key(path)] = state

    def store(self) -> None:
        """Write what was noted; nothing when all of it was known."""
        new = {path: state for path, state in self._noted.items() if self._states.get(path) != state}
        if not new:
            return
        rows = pl.DataFrame([(path, *state) for path, state in new.items()], schema=_SCHEMA, orient="row")
        self._con.register("noted", rows.to_arrow())
        try:
            self._con.execute("INSERT OR REPLACE INTO file_states SELECT * FROM noted")
        finally:
            self._con.unregister("noted")
        self._states |= new


def _key(path: str) -> str:
    return path if is_url(path) else str(Path(path).absolute())
