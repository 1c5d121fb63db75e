"""Work done by a thread of Polars' own pool.

A query that another thread asks is handed to the pool and waited for: with two busy cores that takes 0.1 ms, as much as
a small query itself. Asked from the pool it runs where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import polars as pl

T = TypeVar("T")


def in_pool(work: Callable[[], T]) -> T:
    """Do the work in the pool and give back what it returns, or raise what it raises.

    It must not wait for another thread that asks Polars: the pool may have no other thread for that one.
    """
    done: list[T] = []
    failed: list[BaseException] = []

    def call(_: pl.Series) -> pl.Series:
        try:
            done.append(work())
        except BaseException as exc:  # noqa: BLE001 - Polars would raise another one instead
            failed.append(exc)
        return pl.Series([True])

    called = pl.col("one").map_batches(call, return_dtype=pl.Boolean)
    # one of two expressions: a query with an only one is not handed over
    pl.DataFrame({"one": [True]}).select(called.alias("called"), pl.col("one"))
    if failed:
        raise failed[0]
    return done[0]
