"""Results of queries as frames in which each text lies in memory once."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.sessions.pooled import Pool, in_order

SCHEMA: dict[str, Any] = {"path": pl.String, "offset": pl.UInt64, "peer": pl.String, "peers": pl.List(pl.String)}
ROWS = pl.DataFrame(
    [
        ("b.log", 2, "ten", ["ten", "a far longer name than twelve"]),
        ("a.log", 7, None, []),
        (None, 1, "nine", None),
        ("b.log", 1, "", ["ten", None]),
        ("a.log", 7, "a far longer name than twelve", ["b.log"]),
    ],
    schema=SCHEMA,
    orient="row",
)


@pytest.mark.parametrize("by", [[], ["path", "offset", "peer"], ["offset", "peer"]])
def test_slices_in_order(by: list[str]) -> None:
    pool = Pool(SCHEMA)
    pool.add([ROWS[:2]])
    pool.add([ROWS[2:4], ROWS[4:]])
    expected = ROWS.sort(by, nulls_last=False) if by else ROWS
    assert_frame_equal(pool.ordered(by), expected)


def test_nothing_found() -> None:
    assert_frame_equal(Pool(SCHEMA).ordered(["path"]), pl.DataFrame(schema=SCHEMA))


@pytest.mark.parametrize("by", [["offset"], ["path", "peer"], ["peer"]])
def test_in_order(by: list[str]) -> None:
    assert_frame_equal(in_order(ROWS, by), ROWS.sort(by, nulls_last=False, maintain_order=True))
    assert_frame_equal(in_order(ROWS.clear(), by), ROWS.clear())
