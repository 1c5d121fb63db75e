"""Physical lines to records: CRI pieces and continuation lines joined, every time placed.

A record is what a program said at once. Its ``offset`` is where its first line starts, ``length`` reaches to
the end of its last one, ``lines`` counts the physical lines it was made of.
"""

from __future__ import annotations

import polars as pl


def join_pieces(frame: pl.DataFrame, record_lines: int) -> pl.DataFrame:
    """CRI splits long lines into pieces marked P and ends them with F, for each stream on its own."""
    frame = frame.with_columns(lines=pl.lit(1, dtype=pl.UInt32))
    if not frame.select((pl.col("part") == "P").any()).item():
        return frame
    stream = ["src", "stream"]
    begins = (pl.col("part").shift(1).over(stream) != "P").fill_null(True)
    frame = frame.with_columns(piece=begins.cast(pl.UInt32).cum_sum().over(stream))
    return _merge(frame, [*stream, "piece"], "rest", "", record_lines).drop("piece")


def join_continuations(frame: pl.DataFrame, record_lines: int) -> pl.DataFrame:
    """Lines that cannot begin a record are joined to the one before them in the same stream of the source."""
    if frame.select(pl.col("starts").all()).item():
        return frame
    stream = ["src", "stream"]
    frame = frame.with_columns(record=pl.col("starts").cast(pl.UInt32).cum_sum().over(stream))
    # the first lines of a source may continue a record that was rotated away: each stands for itself
    orphan = (pl.col("record") == 0) & ~pl.col("starts")
    loose = frame.filter(orphan).drop("record")
    joined = _merge(frame.filter(~orphan), [*stream, "record"], "body", "\n", record_lines).drop("record")
    return pl.concat([loose, joined.select(loose.columns)]).sort("src", "offset")


def _merge(frame: pl.DataFrame, keys: list[str], text: str, glue: str, record_lines: int) -> pl.DataFrame:
    """One row for each group; only groups of several lines are touched. Long groups are cut into several."""
    frame = frame.with_columns(
        part_of=(pl.int_range(pl.len(), dtype=pl.UInt32).over(keys) // max(record_lines, 1)),
        size=pl.len().over(keys),
    )
    single = frame.filter(pl.col("size") == 1).drop("part_of", "size")
    several = frame.filter(pl.col("size") > 1)
    if several.is_empty():
        return single
    others = [name for name in single.columns if name not in {*keys, text, "length", "lines"}]
    merged = several.group_by([*keys, "part_of"], maintain_order=True).agg(
        *(pl.col(name).first() for name in others),
        pl.col(text).str.join(glue),
        (pl.col("offset").last() + pl.col("length").last() - pl.col("offset").first()).cast(pl.UInt32).alias("length"),
        pl.col("lines").sum().cast(pl.UInt32).alias("lines"),
    )
    return pl.concat([single, merged.select(single.columns)]).sort("src", "offset")


def place_in_time(frame: pl.DataFrame) -> pl.DataFrame:
    """A record without a time takes the nearest one before it in its source, else the nearest after it."""
    before = pl.col("ts").forward_fill().over("src")
    after = pl.col("ts").backward_fill().over("src")
    filled = frame.with_columns(near=pl.coalesce(before, after))
    return filled.with_columns(
        ts_source=pl.when(pl.col("ts").is_null() & pl.col("near").is_not_null())
        .then(pl.lit("neighbour"))
        .otherwise(pl.col("ts_source")),
        ts=pl.col("near"),
    ).drop("near")
