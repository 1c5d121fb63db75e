"""Examples of benign shapes: of what says nothing bad, only the first few records of each shape are kept.

They wait outside the table until the load ends: taking rows out of a table in the transaction that wrote them has
DuckDB write all the others a second time.
"""

from __future__ import annotations

import duckdb
import polars as pl

from pipeline.warehouse.buffers import FLUSH_BYTES, FLUSH_ROWS

# They are cut to the first ones when there are this many more of them.
MORE = 50_000
ORDER = ("category", "ts")
NOTABLE_LEVELS = ("warning", "error", "fatal")
_BENIGN_SQL = f"category = 'benign' AND coalesce(level, '') NOT IN {NOTABLE_LEVELS}"
_BEFORE = f"SELECT shape_id, count(*) AS kept FROM records WHERE load_id <> $load AND {_BENIGN_SQL} GROUP BY shape_id"
_EXTRA = f"""
DELETE FROM records WHERE load_id = $load AND rowid IN (
  SELECT row_id FROM (
    SELECT n.rowid AS row_id, coalesce(any_value(o.kept), 0) + row_number() OVER (
      PARTITION BY n.shape_id ORDER BY n.source_path, n.byte_offset) AS place
    FROM records AS n LEFT JOIN ({_BEFORE}) AS o ON o.shape_id = n.shape_id
    WHERE n.load_id = $load AND {_BENIGN_SQL}
    GROUP BY n.rowid, n.shape_id, n.source_path, n.byte_offset
  ) WHERE place > $examples)
"""
_BENIGN = (pl.col("category") == "benign") & ~pl.col("level").is_in(NOTABLE_LEVELS).fill_null(False)


class Examples:
    """Records of benign shapes of one load, at most ``limit`` of each shape: the first by source and place."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frames: list[pl.DataFrame] = []
        self._rows = self._kept = 0
        self._spilled = False

    def split(self, records: pl.DataFrame) -> pl.DataFrame:
        """Take the benign ones out of ``records``, which have a ``shape_id``; returns what to enter now, in order.

        When so many shapes have examples that memory would not be bounded, those are entered as well.
        """
        # one sort instead of picking rows twice
        ordered = records.with_columns(_benign=_BENIGN).sort("_benign", *ORDER)
        benign = int(ordered["_benign"].sum())
        ordered = ordered.drop("_benign")
        others = ordered.head(ordered.height - benign)
        if benign:
            self._frames.append(_apart(ordered.tail(benign)))
            self._rows += benign
        if self._rows > self._kept * 2 + MORE:
            self._frames = [first(self._together(), self._limit)]
            self._rows = self._kept = self._frames[0].height
        if not self._many():
            return others
        self._spilled = True
        waiting, self._frames, self._rows, self._kept = self._frames, [], 0, 0
        return in_order([others, *waiting])

    def _many(self) -> bool:
        return self._kept >= FLUSH_ROWS or (self._kept > 0 and self._frames[0].estimated_size() >= FLUSH_BYTES)

    def forget(self, source_path: str) -> None:
        """Take back those of a source."""
        self._frames = [frame.filter(pl.col("source_path") != source_path) for frame in self._frames]

    def take_last(self, con: duckdb.DuckDBPyConnection, load_id: int) -> pl.DataFrame | None:
        """Those to keep that are not entered yet, when there are any, less those of which earlier loads hold enough."""
        if not self._frames:
            return None
        return first(self._together(), self._limit, con.sql(_BEFORE, params={"load": load_id}).pl())

    def drop_extra(self, con: duckdb.DuckDBPyConnection, load_id: int) -> None:
        """Where examples had to be entered before all were known, take those out that are too many."""
        if self._spilled:
            con.execute(_EXTRA, {"load": load_id, "examples": self._limit})

    def _together(self) -> pl.DataFrame:
        return pl.concat(self._frames, how="diagonal_relaxed")


def in_order(records: list[pl.DataFrame]) -> pl.DataFrame:
    """What is alike lies side by side: it takes less room and is read together."""
    return pl.concat(records, how="diagonal_relaxed", rechunk=True).sort(ORDER)


def _apart(frame: pl.DataFrame) -> pl.DataFrame:
    """A copy that holds its own: rows picked from a frame keep all its text in memory, a slice its numbers as well."""
    own = frame.select(pl.all().gather(pl.int_range(pl.len())))
    copy = pl.from_arrow(own.to_arrow(compat_level=pl.CompatLevel.oldest()))
    assert isinstance(copy, pl.DataFrame)
    return copy


def first(records: pl.DataFrame, limit: int, before: pl.DataFrame | None = None) -> pl.DataFrame:
    """The first ``limit`` of each shape by source and place, less what ``before`` (shape_id, kept) has of it."""
    place = pl.int_range(1, pl.len() + 1).over("shape_id")
    placed = records.sort("source_path", "byte_offset").with_columns(_place=place)
    if before is not None:
        placed = placed.join(before, on="shape_id", how="left", maintain_order="left")
        placed = placed.with_columns(pl.col("_place") + pl.col("kept").fill_null(0)).drop("kept")
    return placed.filter(pl.col("_place") <= limit).drop("_place")
