"""What is done in Polars' pool gives what it gives elsewhere."""

from __future__ import annotations

import io
import subprocess
import sys

import polars as pl
import pytest

from pipeline.pool import in_pool

_ALONE = "import tests.test_pool as here; print(here.in_pool(here.ask).equals(here.ask()))"


def ask() -> pl.DataFrame:
    """Queries of the kinds that parsing asks, each handed to the pool where it is asked from outside."""
    frame = pl.DataFrame({"n": range(50_000)}).with_columns(
        name=(pl.col("n") % 97).cast(pl.String), odd=pl.col("n") % 2
    )
    parts = [part.lazy().sort("n", descending=True).head(5) for part in frame.partition_by("name")]
    first = pl.concat(pl.collect_all(parts)).unique("name", keep="first", maintain_order=True)
    groups = frame.group_by("name", "odd").agg(pl.len(), pl.col("n").max().alias("most"))
    both = groups.join(first, on="name", how="left").filter(pl.col("name").str.contains("[3-9]"))
    file = io.BytesIO()
    both.sort("name", "odd").write_parquet(file)
    file.seek(0)
    return pl.read_parquet(file)


def test_it_returns_what_the_work_returns() -> None:
    assert in_pool(ask).equals(ask())


def test_it_raises_what_the_work_raises() -> None:
    def fail() -> None:
        raise ValueError("an item that cannot be parsed")

    with pytest.raises(ValueError, match="an item that cannot be parsed"):
        in_pool(fail)


def test_a_pool_of_one_thread_does_all_of_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ALONE],
        env={"POLARS_MAX_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr
