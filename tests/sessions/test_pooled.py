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


def test_keys_too_wide_for_one_number() -> None:
    rows = pl.DataFrame({"a": [2**64 - 1, 0, 5, 5], "b": [-(2**63), 2**63 - 1, 7, None], "c": [1, 1, 1, 1]})
    rows = rows.cast({"a": pl.UInt64, "b": pl.Int64})
    assert_frame_equal(in_order(rows, ["a", "b", "c"]), rows.sort("a", "b", nulls_last=False))
    assert_frame_equal(in_order(rows, ["b"]), rows.sort("b", nulls_last=False))
