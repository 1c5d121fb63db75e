"""What is counted of a work item: lines by minute and shape, times observed, and the sums of each source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
    parts = [conform(counts, COUNTS), conform(counted, COUNTS)]
    more = counts.filter(pl.col("more") > 0)
    if more.height:
        joined = more.group_by(["src", "minute", "node", "component"])
        parts.append(count_silent(joined.agg(events=pl.col("more").sum(), shape=pl.lit(CONTINUATION))))
    return pl.concat(parts)


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
    told = pl.col("ts").is_not_null() & pl.col("ts_source").is_in(["envelope", "line", "neighbour"])
    timed = spoken.select(*keys, "lines", "ts", "ts_source").filter(told)
    seen = timed.select(*keys, "lines", first_ts="ts", last_ts="ts")
    if counted.height:
        seen = pl.concat(
            [seen, counted.select(*keys, pl.col("events").alias("lines").cast(pl.UInt32), "first_ts", "last_ts")]
        )
    return seen.group_by(keys, maintain_order=True).agg(
        pl.col("first_ts").min(), pl.col("last_ts").max(), pl.col("lines").sum().cast(pl.UInt64)
    )


def tally(pieces: Sequence[Piece], understood: Understood, counted: pl.DataFrame) -> pl.DataFrame:
    """How many lines each source had of which sort, and the node and pod that its records name first."""
    src = np.unique(np.array([piece.src for piece in pieces], np.uint32))
    spoken = understood.spoken

    def add_up(of: pl.Series, lines: pl.Series | None = None) -> NDArray[np.int64]:
        # numbers of lines are exact in what they are added up as
        weights = None if lines is None else lines.to_numpy()
        return np.bincount(np.searchsorted(src, of.to_numpy()), weights, len(src)).astype(np.int64)

    records = add_up(spoken["src"], spoken["lines"]) + add_up(counted["src"], counted["events"])
    silent = add_up(understood.silent["src"], understood.silent["events"])
    rejected = add_up(understood.rejects["src"], understood.rejects["lines"])
    unparsed = add_up(spoken["src"].filter(spoken["rule"].is_null() & (spoken["lines"] > 0)))
    sums = pl.DataFrame(
        {
            "src": src,
            "lines_read": records + silent + rejected,
            "lines_parsed": records + silent - unparsed,
            "lines_unparsed": unparsed,
            "lines_rejected": rejected,
        }
    )
    for name in ("node", "pod"):
        first = spoken.select("src", name).drop_nulls().unique("src", keep="first", maintain_order=True)
        sums = sums.join(first, on="src", how="left", maintain_order="left")
    return sums
