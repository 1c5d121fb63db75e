"""Frames on their way into a table: those of work items are small, DuckDB wants large inserts."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

# The bounds keep memory independent of the input.
FLUSH_ROWS = 60_000
FLUSH_BYTES = 24 << 20


class Buffer:
    """Frames on their way into one table."""

    def __init__(self, prepare: Callable[[pl.DataFrame], pl.DataFrame] | None) -> None:
        self.inserted = 0
        self._prepare = prepare
        self._frames: list[pl.DataFrame] = []
        self._rows = 0
        self._bytes = 0.0

    def add(self, frame: pl.DataFrame) -> bool:
        """Keep ``frame``; True when the buffer should be flushed."""
        if not frame.is_empty():
            self._frames.append(frame)
            self._rows += frame.height
            self._bytes += frame.estimated_size()
        return self._rows >= FLUSH_ROWS or self._bytes >= FLUSH_BYTES

    def take(self) -> pl.DataFrame | None:
        """All rows kept so far, prepared for the table; None when there are none."""
        if not self._frames:
            return None
        # in one piece: picking rows from many pieces takes ten times as long, and DuckDB gives each a thread
        frame = pl.concat(self._frames, how="diagonal_relaxed", rechunk=True)
        self._frames, self._rows, self._bytes = [], 0, 0.0
        self.inserted += frame.height
        return self._prepare(frame) if self._prepare else frame
