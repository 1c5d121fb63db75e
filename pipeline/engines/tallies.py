"""What is counted of a work item: lines by minute and shape, times observed, and the sums of each source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from pipeline.engines.facts import COUNTS
from pipeline.engines.readers import CONTINUATION
from pipeline.frames import conform

if TYPE_CHECKING:
    from pipeline.engines.parse import Piece, Understood


def count(spoken: pl.DataFrame, counted: pl.DataFrame) -> pl.DataFrame:
    """Physical lines by minute, place and shape; further lines of a record stand under a shape of their own.

    In any order, and a minute may have several rows: the load adds them up.
    """
    keys = ["src", "minute", "node", "component", "level"]
    said = ["shape", "rule", "category", "severity"]
    minutes = spoken.select("src", "node", "component", "level", "kind", "severity", "lines", minute=_minute())
    counts = minutes.group_by([*keys, "kind", "severity"]).agg(
        # several objects may share a physical line: the first has it, the others count as events of no line
        events=(pl.col("lines") > 0).sum().cast(pl.UInt64),
        more=(pl.col("lines").cast(pl.Int64) - 1).clip(0).sum(),
    )
    kinds = spoken.select("kind", *said[:3]).unique("kind")
    counts = counts.join(kinds, on="kind", how="left")
    more = counts.filter(pl.col("more") > 0).group_by(["src", "minute", "node", "component"])
    joined = more.agg(events=pl.col("more").sum(), shape=pl.lit(CONTINUATION))
    return pl.concat([conform(counts, COUNTS), conform(counted, COUNTS), count_silent(joined)])


def _minute() -> pl.Expr:
    # whole minutes by division: a tenth of the time that truncating a date takes
    micros = pl.col("ts").to_physical() // 60_000_000 * 60_000_000
    return micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def lines_of(framing: pl.DataFrame) -> pl.DataFrame:
    """Physical lines of borders, headings and prompts, in the columns of the blank lines' counts."""
    keys = ["src", "minute", "node", "component", "level"]
    return (
        framing.with_columns(minute=_minute())
        .group_by(keys, maintain_order=True)
        .agg(events=pl.col("lines").sum().cast(pl.UInt64))
    )


def count_silent(counts: pl.DataFrame) -> pl.DataFrame:
    """Lines that say nothing of their own: they are counted, under a shape that names what they are."""
    benign = {"rule": pl.lit(None), "category": pl.lit("benign"), "severity": pl.lit("info")}
    return conform(counts.with_columns(**benign), COUNTS)


def observed(spoken: pl.DataFrame, counted: pl.DataFrame) -> pl.DataFrame:
    keys = ["src", "node", "component"]
    timed = spoken.filter(pl.col("ts").is_not_null() & pl.col("ts_source").is_in(["envelope", "line", "neighbour"]))
    seen = timed.select(*keys, "lines", first_ts="ts", last_ts="ts")
    if counted.height:
        seen = pl.concat(
            [seen, counted.select(*keys, pl.col("events").alias("lines").cast(pl.UInt32), "first_ts", "last_ts")]
        )
    return seen.group_by(keys, maintain_order=True).agg(
        pl.col("first_ts").min(), pl.col("last_ts").max(), pl.col("lines").sum().cast(pl.UInt64)
    )


def tally(pieces: Sequence[Piece], understood: Understood, counted: pl.DataFrame) -> pl.DataFrame:
    sums = pl.LazyFrame({"src": sorted({piece.src for piece in pieces})}, schema={"src": pl.UInt32})
    unread = pl.col("rule").is_null() & (pl.col("lines") > 0)
    read = (
        understood.spoken.lazy()
        .group_by("src")
        .agg(
            spoken_lines=pl.col("lines").sum().cast(pl.UInt64),
            lines_unparsed=unread.sum().cast(pl.UInt64),
            node=pl.col("node").drop_nulls().first(),
            pod=pl.col("pod").drop_nulls().first(),
        )
    )
    sifted = counted.lazy().group_by("src").agg(sifted_lines=pl.col("events").sum())
    empty = understood.silent.lazy().group_by("src").agg(silent_lines=pl.col("events").sum().cast(pl.UInt64))
    refused = understood.rejects.lazy().group_by("src").agg(lines_rejected=pl.col("lines").sum().cast(pl.UInt64))
    for part in (read, sifted, empty, refused):
        sums = sums.join(part, on="src", how="left", maintain_order="left")
    numbers = pl.col("spoken_lines", "sifted_lines", "silent_lines", "lines_unparsed", "lines_rejected").fill_null(0)
    sums = sums.with_columns(numbers).with_columns(records_lines=pl.col("spoken_lines") + pl.col("sifted_lines"))
    return sums.with_columns(
        lines_read=pl.col("records_lines") + pl.col("silent_lines") + pl.col("lines_rejected"),
        lines_parsed=pl.col("records_lines") + pl.col("silent_lines") - pl.col("lines_unparsed"),
    ).collect()
