"""Failure rates with exact intervals, and the rule for when there is too little to show one.

The interval is Garwood's (Biometrika 28:437, 1936), exact for a Poisson count; it takes the failures as
independent, which failures of one incident are not: where groups differ, the spread between groups says more,
so a cell needs at least two of them before its rate is more than an anecdote.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.effects.panel import Floats

MIN_FAILURES = 5
"""Fewer failures give an interval wider than a factor of five."""
MIN_GROUPS = 2
"""One group cannot tell size or version from whatever else is peculiar to it."""
SIZE_EDGES = (25, 50, 100, 150, 200, 300, 500, 1000)
"""Upper ends of size classes for tables and pictures; the tests use sizes as they are."""


def exact_interval(failures: Floats, hours: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """Garwood limits of rates per hour; the lower limit of no failure is 0."""
    from statsmodels.stats.rates import confint_poisson

    low, high = confint_poisson(np.asarray(failures, dtype=float), np.asarray(hours, dtype=float), "exact-c", 1 - level)
    return np.nan_to_num(np.asarray(low)), np.asarray(high)


def size_class(size: pl.Expr) -> pl.Expr:
    """Text such as ``101-150`` for a size, and ``over 1000``."""
    lows = (1, *(edge + 1 for edge in SIZE_EDGES))
    labels = [f"{low}-{high}" for low, high in zip(lows, SIZE_EDGES, strict=False)] + [f"over {SIZE_EDGES[-1]}"]
    place = pl.lit(pl.Series(SIZE_EDGES, dtype=pl.Int64)).search_sorted(size.cast(pl.Int64), side="left")
    return place.replace_strict(dict(enumerate(labels)), return_dtype=pl.String)


def rate_table(cells: pl.DataFrame, by: list[str], outcome: str = "failures") -> pl.DataFrame:
    """Rates of cells of one category, added up by columns; ``enough`` is false where too little was seen.

    Returns ``by`` and groups, failures (of the outcome), session_hours, rate, rate_low, rate_high (per hour),
    enough. Use a column made by ``size_class`` for sizes.
    """
    summed = (
        cells.group_by(by)
        .agg(
            groups=pl.struct("cluster", "group_name").n_unique(), failures=pl.col(outcome).sum(),
            session_hours=pl.col("session_hours").sum(),
        )
        .sort(by)
    )  # fmt: skip
    low, high = exact_interval(summed["failures"].to_numpy(), summed["session_hours"].to_numpy())
    return summed.with_columns(
        rate=pl.col("failures") / pl.col("session_hours"), rate_low=pl.Series(low, dtype=pl.Float64),
        rate_high=pl.Series(high, dtype=pl.Float64),
        enough=(pl.col("failures") >= MIN_FAILURES) & (pl.col("groups") >= MIN_GROUPS),
    )  # fmt: skip


def grid(cells: pl.DataFrame, outcome: str = "failures") -> pl.DataFrame:
    """The version by size grid: where the hours are shows what can be told apart, and what cannot."""
    classed = cells.with_columns(size_class=size_class(pl.col("size")))
    return rate_table(classed, ["calico_version", "size_class"], outcome)
