"""The distinct shapes of a load, each with its first example; columns, so that a million of them fit in memory."""

from __future__ import annotations

import polars as pl

from pipeline.frames import conform, schema
from pipeline.shape_ids import with_shape_id

_TEXT = ("shape", "component", "rule", "category", "severity", "example", "source_path")
_SCHEMA = schema({"shape_id": pl.UInt64, **dict.fromkeys(_TEXT, pl.String), "byte_offset": pl.UInt64})
# Most rows repeat what others say: they are put together when there are this many more of them.
_MORE = 50_000


class Shapes:
    """Collects shapes; what stays does not depend on the order in which they came."""

    def __init__(self) -> None:
        self._frames: list[pl.DataFrame] = []
        self._rows = self._kept = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Shapes with component, rule, category, severity, and an example with its place, where there is one."""
        if frame.is_empty():
            return
        named = with_shape_id(frame)
        self._frames.append(conform(named, _SCHEMA))
        self._rows += frame.height
        if self._rows > self._kept * 2 + _MORE:
            self._frames = [self._distinct()]
            self._rows = self._kept = self._frames[0].height

    def frame(self) -> pl.DataFrame:
        """Each shape once, in the order of ids, with the example that stands first, by source and place."""
        whole = self._distinct().drop("source_path", "byte_offset")
        self._frames = []
        return whole[whole["shape_id"].arg_sort()]

    def _distinct(self) -> pl.DataFrame:
        if not self._frames:
            return _SCHEMA.to_frame()
        rows = pl.concat(self._frames)
        # Only what came several times is put in order: a sort of all, by texts as well, takes twice their memory.
        again = rows["shape_id"].is_duplicated()
        if not again.any():
            return rows
        place = [pl.col("source_path").fill_null(""), pl.col("byte_offset").fill_null(0), pl.col("example")]
        ordered = rows.filter(again).sort("shape_id", pl.col("example").is_null(), *place)
        return pl.concat([rows.filter(~again), ordered.unique("shape_id", keep="first", maintain_order=True)])
