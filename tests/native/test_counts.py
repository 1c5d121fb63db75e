"""Lines and counts of the compiled part, held against the same in Polars and numpy."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipeline.native.counts import Quiet, count_quiet
from pipeline.native.library import available
from pipeline.native.lines import _find_slowly, find_lines

pytestmark = pytest.mark.skipif(not available(), reason="peerscope was installed without a C compiler")
MINUTE = 60_000_000


@given(st.lists(st.sampled_from([b"", b"\r", b"a", b"\r\r", b"x" * 200, "é".encode(), b"\0", b"\xff"]), min_size=1))
def test_lines_are_found(lines: list[bytes]) -> None:
    octets = np.frombuffer(b"".join(line + b"\n" for line in lines), np.uint8)
    found, expected = find_lines(octets), _find_slowly(octets)
    assert found.begin.tolist() == expected.begin.tolist()
    assert found.width.tolist() == expected.width.tolist() == [len(line.removesuffix(b"\r")) for line in lines]
    assert found.plain == expected.plain


def test_many_short_lines_have_room() -> None:
    assert len(find_lines(np.full(100_000, 10, np.uint8)).begin) == 100_000


rows = st.lists(st.tuples(st.integers(0, 3), st.integers(-5, 5), st.booleans(), st.sampled_from(["7", "8", "9"])))


@given(rows=rows, examples=st.integers(0, 3))
def test_every_quiet_line_is_counted_once(rows: list[tuple[int, int, bool, str]], examples: int) -> None:
    """Kinds 2 and 3 tell their place. Sources stand one after the other, lines in no order of time."""
    texts = [f"{'d' * 24}[INFO][1] felix/a.go {line}: said" for *_, line in rows]
    octets = np.frombuffer("".join(texts).encode() + b" ", np.uint8)
    end = np.cumsum([len(text) for text in texts], dtype=np.int64)
    begin = end - np.array([len(text) for text in texts], np.int64)
    src = np.repeat(np.arange(2, dtype=np.uint32), [len(rows) // 2, len(rows) - len(rows) // 2])
    kind = np.array([kind for kind, *_ in rows], np.int64)
    ts = np.array([minute * MINUTE + 1 for _, minute, *_ in rows], np.int64)
    quiet = np.array([quiet for _, _, quiet, _ in rows], bool)
    before, placed = quiet.copy(), np.zeros(len(rows), bool)
    counts = count_quiet(octets, Quiet(src, ts, kind, begin, end, quiet, placed), np.array([0, 0, 1, 1]), examples)
    frame = pl.DataFrame(
        {"src": src, "kind": kind, "ts": ts, "quiet": before, "at": [line for *_, line in rows]},
        {"src": pl.UInt32, "kind": pl.Int64, "ts": pl.Int64, "quiet": pl.Boolean, "at": pl.String},
    ).with_row_index()  # fmt: skip
    rest = frame.filter("quiet").filter(pl.int_range(pl.len()).over("src", "kind") >= examples)
    assert np.flatnonzero(quiet).tolist() == rest["index"].to_list()
    moved = pl.col("kind").is_in([2, 3]) & (pl.col("at") != pl.col("at").shift(1).over("src", "kind")).fill_null(True)
    assert np.flatnonzero(placed).tolist() == rest.filter(moved)["index"].to_list()
    expected = (
        rest.filter(~moved)
        .group_by("src", "kind", minute=pl.col("ts") // MINUTE * MINUTE)
        .agg(events=pl.len().cast(pl.Int64), first_ts=pl.col("ts").min(), last_ts=pl.col("ts").max())
    )
    found = (
        pl.DataFrame(counts._asdict())
        .group_by("src", "kind", "minute")
        .agg(pl.col("events").sum(), pl.col("first_ts").min(), pl.col("last_ts").max())
    )
    order = ["src", "kind", "minute"]
    assert_frame_equal(found.sort(order), expected.select(found.columns).sort(order))
