"""Which lines told of a session's state: looked up by their numbers, as a join writes out its keys for each row."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.findings.columns import Bools, Ints, blocks, micros

LINE = ["source_path", "byte_offset", "ts"]
"""What a line is known by. Its place alone is not enough: a file that is cut and begun anew keeps its name."""


def told_by(records: pl.DataFrame, rows: pl.Series, states: pl.DataFrame) -> Bools:
    """For each of these rows of records whether one of the states stands in its line."""
    ranks, width = _ranks(records, states), 2 + max(_last_offset(records), _last_offset(states))
    places, times = _places(states, ranks, width), micros(states["ts"])
    # facts come in the order of their places, so that there is mostly nothing to be put in order
    if not ((places[1:] > places[:-1]) | ((places[1:] == places[:-1]) & (times[1:] >= times[:-1]))).all():
        order = np.lexsort((times, places))
        places, times = places[order], times[order]
    lines, found = records.select(LINE), np.zeros(len(rows), np.bool_)
    for block in blocks(len(rows)):
        part = lines[rows[block]]
        found[block] = _stands(_places(part, ranks, width), micros(part["ts"]), places, times)
    return found


def _ranks(*frames: pl.DataFrame) -> Ints:
    """For each number of a file's name its place in the order of names, from 1; 0 for none, which comes last."""
    names = pl.concat([frame["source_path"].unique() for frame in frames]).unique().drop_nulls().sort()
    codes = names.to_physical().to_numpy()
    ranks = np.zeros(int(codes.max(initial=0)) + 2, np.int64)
    ranks[codes] = np.arange(1, len(codes) + 1)
    return ranks


def _last_offset(frame: pl.DataFrame) -> int:
    last = frame["byte_offset"].max()
    return last if isinstance(last, int) else 0


def _places(frame: pl.DataFrame, ranks: Ints, width: int) -> Ints:
    """A number for file and offset of each row, in the order of both, what is not known first."""
    places = np.empty(frame.height, np.int64)
    for block in blocks(frame.height):
        files = frame["source_path"][block].to_physical().fill_null(len(ranks) - 1).to_numpy()
        offsets = frame["byte_offset"][block].cast(pl.Int64).fill_null(-1).to_numpy()
        places[block] = ranks[files] * width + offsets + 1
    return places


def _stands(sought: Ints, moments: Ints, places: Ints, times: Ints) -> Bools:
    """Whether a row of ``places`` and ``times``, which are in order of both, has a place and time that is sought."""
    low = np.searchsorted(places, sought)
    end = np.searchsorted(places, sought, side="right")
    high = end.copy()
    while (open_ := np.flatnonzero(low < high)).size:
        middle = (low[open_] + high[open_]) // 2
        early = times[middle] < moments[open_]
        low[open_[early]] = middle[early] + 1
        high[open_[~early]] = middle[~early]
    found = low < end
    found[found] = times[low[found]] == moments[found]
    return found
