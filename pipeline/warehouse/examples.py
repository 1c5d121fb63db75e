"""Examples of benign shapes: of what says nothing bad, only the first few records of each shape are kept.

They wait outside the table until the load ends: taking rows out of a table in the transaction that wrote them has
DuckDB write all the others a second time.
"""

from __future__ import annotations

import polars as pl

from pipeline.warehouse.buffers import FLUSH_BYTES, FLUSH_ROWS
from pipeline.warehouse.tables import SLICE_ROWS

NOTABLE_LEVELS = ("warning", "error", "fatal")
BENIGN_SQL = f"category = 'benign' AND coalesce(level, '') NOT IN {NOTABLE_LEVELS}"
_BENIGN = (pl.col("category") == "benign") & ~pl.col("level").is_in(NOTABLE_LEVELS).fill_null(False)


class Examples:
    """Records of benign shapes of one load, at most ``limit`` of each shape: the first by source and place."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frames: list[pl.DataFrame] = []
        self._rows = self._kept = 0

    def split(self, records: pl.DataFrame) -> pl.DataFrame:
        """Take the benign ones out of ``records``, which have a ``shape_id``; returns the others."""
        benign = records.filter(_BENIGN)
        if benign.height:
            self._frames.append(_apart(benign))
            self._rows += benign.height
        if self._rows > self._kept * 2 + SLICE_ROWS:
            self._frames = [first(self._together(), self._limit)]
            self._rows = self._kept = self._frames[0].height
        return records.filter(~_BENIGN) if benign.height else records

    @property
    def many(self) -> bool:
        """Whether so many shapes have examples that they should wait in the table."""
        return self._kept >= FLUSH_ROWS or (self._kept > 0 and self._frames[0].estimated_size() >= FLUSH_BYTES)

    def forget(self, source_path: str) -> None:
        """Take back those of a source."""
        self._frames = [frame.filter(pl.col("source_path") != source_path) for frame in self._frames]

    def take(self, before: pl.DataFrame | None = None) -> pl.DataFrame | None:
        """Those to keep, when there are any; ``before``: how many of a shape_id were kept by earlier loads."""
        if not self._frames:
            return None
        frame = first(self._together(), self._limit, before)
        self._frames, self._rows, self._kept = [], 0, 0
        return frame

    def _together(self) -> pl.DataFrame:
        return pl.concat(self._frames, how="diagonal_relaxed")


def _apart(frame: pl.DataFrame) -> pl.DataFrame:
    """A copy that holds its own text: rows picked from a frame keep all text of that frame in memory."""
    copy = pl.from_arrow(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
    assert isinstance(copy, pl.DataFrame)
    return copy


def first(records: pl.DataFrame, limit: int, before: pl.DataFrame | None = None) -> pl.DataFrame:
    """The first ``limit`` of each shape by source and place, less what ``before`` (shape_id, kept) has of it."""
    placed = records.sort("source_path", "byte_offset").with_columns(
        _place=pl.int_range(1, pl.len() + 1).over("shape_id")
    )
    if before is None:
        return placed.filter(pl.col("_place") <= limit).drop("_place")
    known = placed.join(before, on="shape_id", how="left", maintain_order="left")
    return known.filter(pl.col("_place") + pl.col("kept").fill_null(0) <= limit).drop("_place", "kept")
