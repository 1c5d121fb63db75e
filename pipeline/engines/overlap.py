"""Overlapping dumps of one container: a line that an earlier dump had is not added again.

The rule of ``--overlap dedupe``: a line is the same as another one when both are equal byte for byte, hold a time of
day, and come from the same cluster, node, pod and container, as far as paths and options tell. A line that stands
n times in a dump stays as often as no dump before had it: dumps together count as often as the richest of them. A
line without a time goes with the one above it; before the first line with a time nothing is ever left out.

Only dumps that were read with the rule are compared: what they held is remembered by hash, for ``record_days``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import BinaryIO

import duckdb
import polars as pl

_TIMED = re.compile(rb"\d\d:\d\d:\d\d")
_BLOCK = 4 << 20
_KNOWN = """
SELECT marks.row, marks.nth <= coalesce(known.times, 0) AS old
FROM marks LEFT JOIN (SELECT mark, sum(times) AS times FROM line_marks WHERE container = $container GROUP BY mark)
  AS known ON known.mark = marks.mark ORDER BY marks.row
"""
_ADD = """
INSERT INTO line_marks BY NAME
SELECT $load AS load_id, $container AS container, mark, CAST(count(*) AS UINTEGER) AS times FROM marks
WHERE NOT old GROUP BY mark
"""
Stretch = tuple[int, int]


def new_stretches(
    con: duckdb.DuckDBPyConnection, load_id: int, container: str, file: BinaryIO, begin: int, end: int
) -> tuple[list[Stretch], int]:
    """Stretches of ``begin`` .. ``end`` that hold new lines, and how many lines are left out between them.

    What is new is remembered in the transaction of the load.
    """
    starts: list[int] = []
    marks: list[int] = []
    before = b""
    for start, line in _lines(file, begin, end):
        if _TIMED.search(line):
            before = _hash(line)
        elif before:
            before = _hash(before + line)
        starts.append(start)
        marks.append(int.from_bytes(before, "big"))
    if not starts:
        return [], 0
    frame = pl.DataFrame({"row": range(len(marks)), "mark": marks}, schema={"row": pl.UInt32, "mark": pl.UInt64})
    frame = frame.with_columns(old=_seen(con, load_id, int.from_bytes(_hash(container.encode()), "big"), frame))
    stretches: list[Stretch] = []
    stops = [*starts[1:], end]
    for start, stop, old in zip(starts, stops, frame["old"], strict=True):
        if old:
            continue
        if stretches and stretches[-1][1] == start:
            stretches[-1] = (stretches[-1][0], stop)
        else:
            stretches.append((start, stop))
    return stretches, int(frame["old"].sum())


def _seen(con: duckdb.DuckDBPyConnection, load_id: int, container: int, frame: pl.DataFrame) -> pl.Series:
    """For each line whether it was there before; those that were not are remembered."""
    timed = frame.filter(pl.col("mark") > 0).with_columns(nth=pl.col("row").cum_count().over("mark"))
    if timed.is_empty():
        return pl.Series("old", [False] * frame.height)
    # found by the queries under its name: what is registered stays in memory until the load ends
    marks = timed.to_arrow()
    old = con.sql(_KNOWN, params={"container": container}).pl()
    timed = timed.join(old.select(pl.col("row").cast(pl.UInt32), "old"), on="row")
    marks = timed.to_arrow()  # noqa: F841
    con.execute(_ADD, {"load": load_id, "container": container})
    return frame.join(timed.select("row", "old"), on="row", how="left", maintain_order="left")["old"].fill_null(False)


def _lines(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Lines with their places, without their ends: two dumps may end them differently."""
    file.seek(begin)
    at, rest = begin, b""
    while at + len(rest) < end:
        block = file.read(min(_BLOCK, end - at - len(rest)))
        if not block:
            break
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield at, line.rstrip(b"\r")
            at += len(line) + 1
    if rest:
        yield at, rest.rstrip(b"\r")


def _hash(data: bytes) -> bytes:
    return blake2b(data, digest_size=8).digest()


def pieces_of(file: BinaryIO, stretches: list[Stretch], size: int) -> Iterator[tuple[int, bytes]]:
    """The bytes of the stretches with their places, in pieces of about ``size`` bytes that end with a line."""
    for begin, end in stretches:
        at = begin
        while at < end:
            file.seek(at)
            data = file.read(min(size, end - at))
            if not data:
                return
            if at + len(data) < end:
                data = data[: data.rfind(b"\n") + 1] or data
            yield at, data
            at += len(data)
