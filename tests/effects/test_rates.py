"""Exact intervals and the rule for too little data."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from pipeline.effects.rates import exact_interval, grid, rate_table, size_class


def test_garwood_limits() -> None:
    low, high = exact_interval(np.array([0.0, 1.0, 10.0]), np.array([1.0, 1.0, 2.0]))
    assert low == pytest.approx([0, 0.02532, 4.7954 / 2], rel=1e-3)
    assert high == pytest.approx([3.6889, 5.5716, 18.3904 / 2], rel=1e-3)


def cells(rows: list[tuple[str, int, str, float, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        [("c", *row) for row in rows],
        schema=["cluster", "group_name", "size", "calico_version", "session_hours", "failures"], orient="row",
    )  # fmt: skip


def test_too_few_failures_or_groups_are_not_enough() -> None:
    rows = cells([("a", 10, "v1", 10.0, 9), ("b", 10, "v2", 10.0, 3), ("c", 10, "v2", 10.0, 3)])
    table = rate_table(rows, ["calico_version"]).to_dicts()
    assert [(r["groups"], r["failures"], r["enough"]) for r in table] == [(1, 9, False), (2, 6, True)]
    assert table[1]["rate"] == pytest.approx(0.3)
    assert table[1]["rate_low"] < 0.3 < table[1]["rate_high"]


def test_the_grid_shows_where_the_hours_are() -> None:
    found = grid(cells([("a", 150, "v1", 10.0, 0), ("b", 151, "v1", 20.0, 0)]))
    assert dict(found.select("size_class", "session_hours").iter_rows()) == {"101-150": 10.0, "151-200": 20.0}


def test_size_classes_cover_everything() -> None:
    named = pl.DataFrame({"n": [1, 25, 26, 1000, 5000]}).select(n=size_class(pl.col("n")))["n"].to_list()
    assert named == ["1-25", "1-25", "26-50", "501-1000", "over 1000"]
