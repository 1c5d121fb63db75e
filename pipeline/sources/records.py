"""Physical lines to records: CRI pieces and continuation lines joined, every time placed.

A record is what a program said at once. Its ``offset`` is where its first line starts, ``length`` reaches to
the end of its last one, ``lines`` counts the physical lines it was made of.

A large source is read in parts, and the answer must not depend on where it was cut. So nothing here looks
further than it says: a record reaches over less than ``record_bytes`` from its first line, a time is taken
from a neighbour nearer than ``neighbour_bytes``. Lines that go on beyond that are told apart (``overflow``).
"""

from __future__ import annotations

import polars as pl

_STREAM = ["src", "stream"]


def join_pieces(frame: pl.DataFrame, record_lines: int, record_bytes: int = 1 << 30) -> pl.DataFrame:
    """CRI splits long lines into pieces marked P and ends them with F, for each stream on its own.

    Adds ``lines`` and ``overflow`` (a piece too far from the first one of its record).
    """
    frame = frame.with_columns(lines=pl.lit(1, dtype=pl.UInt32), overflow=pl.lit(False))
    if not frame.select((pl.col("part") == "P").any()).item():
        return frame
    before = pl.col("part").shift(1).over(_STREAM).ne_missing("P")
    far = (pl.col("offset") - pl.col("offset").shift(1).over(_STREAM) >= record_bytes).fill_null(True)
    return _join(frame.with_columns(begins=before | far), "rest", "", record_lines, record_bytes).drop("begins")


def join_continuations(frame: pl.DataFrame, record_lines: int, record_bytes: int = 1 << 30) -> pl.DataFrame:
    """Lines that cannot begin a record are joined to the one before them in the same stream of the source."""
    if "overflow" not in frame.columns:
        frame = frame.with_columns(overflow=pl.lit(False))
    if frame.select(pl.col("starts").all()).item():
        return frame
    return _join(frame.with_columns(begins=pl.col("starts")), "body", "\n", record_lines, record_bytes).drop("begins")


def _join(frame: pl.DataFrame, text: str, glue: str, record_lines: int, record_bytes: int) -> pl.DataFrame:
    """One row for each run that starts at ``begins``; only runs of several lines are touched.

    The first lines of a source may go on with a record that was rotated away: each stands for itself.
    """
    owner = pl.when("begins").then("offset").forward_fill()
    frame = frame.with_columns(owner=owner.over(_STREAM) if _streams(frame) > 1 else owner)
    near = pl.col("offset") - pl.col("owner") < record_bytes
    frame = frame.with_columns(
        overflow=pl.col("overflow") | ~pl.coalesce(near, pl.col("offset") < record_bytes),
        owner=pl.when(near).then("owner"),
    )
    further = frame.select((pl.col("owner") != pl.col("offset")).fill_null(False)).to_series()
    if not further.any():
        return frame.drop("owner")
    # long records are few: their lines are joined apart, and the first one of each takes the result
    frame = frame.with_row_index("row")
    owners = frame.filter(further).select("src", "owner").unique()
    several = frame.join(owners, on=["src", "owner"], how="semi", maintain_order="left")
    merged = _merge(several, text, glue, record_lines)
    keep = (~further).scatter(merged["row"], True)
    changed = [frame[name].scatter(merged["row"], merged[name]) for name in (text, "length", "lines")]
    return frame.with_columns(changed).filter(keep).drop("owner", "row")


def _streams(frame: pl.DataFrame) -> int:
    return frame.select(pl.struct("src", "stream").n_unique()).item() if frame["src"].n_unique() == 1 else 2


def _merge(several: pl.DataFrame, text: str, glue: str, record_lines: int) -> pl.DataFrame:
    """Text, length and lines of each record, and the row of its first line; after ``record_lines`` another begins."""
    keys = ["src", "owner"]
    if several.height > record_lines:
        place = pl.int_range(pl.len(), dtype=pl.UInt32).over(keys) // max(record_lines, 1)
        several, keys = several.with_columns(part_of=place), [*keys, "part_of"]
    records = several.group_by(keys, maintain_order=True).agg(
        pl.col("row").first(),
        pl.col(text),
        pl.col("lines").sum(),
        first=pl.col("offset").first(),
        stop=(pl.col("offset") + pl.col("length")).last(),
    )
    # joined all at once: a call for each record would take ten times as long
    return records.select(
        "row",
        pl.col(text).list.join(glue),
        (pl.col("stop") - pl.col("first")).cast(pl.UInt32).alias("length"),
        pl.col("lines").cast(pl.UInt32),
    )


def place_in_time(frame: pl.DataFrame, neighbour_bytes: int = 1 << 40) -> pl.DataFrame:
    """A record without a time takes that of the nearest one before it in its source, else after it."""
    if frame["ts"].null_count() == 0:
        return frame
    place = pl.when(pl.col("ts").is_not_null()).then("offset")
    earlier, later = place.forward_fill().over("src"), place.backward_fill().over("src")
    before = pl.when(pl.col("offset") - earlier < neighbour_bytes).then(pl.col("ts").forward_fill().over("src"))
    after = pl.when(later - pl.col("offset") < neighbour_bytes).then(pl.col("ts").backward_fill().over("src"))
    filled = frame.with_columns(near=pl.coalesce(before, after))
    taken = pl.col("ts").is_null() & pl.col("near").is_not_null()
    return filled.with_columns(
        ts_source=pl.when(taken).then(pl.lit("neighbour")).otherwise("ts_source"), ts=pl.coalesce("ts", "near")
    ).drop("near")
