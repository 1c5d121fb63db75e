"""Large results of queries as frames in which a text that occurs often lies in memory once.

What a query returns holds a node's or a file's name again in each row, and a sort by such names copies them all.
Here rows come a slice at a time, their texts as numbers, and they are put in order as numbers. Names stay numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

SLICE_ROWS = 25_000
"""Rows of a result that are in memory at a time in the form in which they came."""
NAME = pl.Categorical(pl.Categories("peerscope"))
"""A text of which there are few: nodes, peers, files, categories. All such columns share one list of texts, which
goes with the last of them; a row takes four bytes instead of sixteen."""
_LIST = pl.List(pl.String)
_MOST = 1 << 62
"""So many different numbers a key may have."""


def as_names(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with all its texts as names."""
    lists = [name for name, kind in frame.schema.items() if kind == _LIST]
    return frame.with_columns(pl.col(pl.String).cast(NAME), pl.col(lists).cast(pl.List(NAME)))


def as_texts(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its names as plain texts."""
    lists = [name for name, kind in frame.schema.items() if kind == pl.List(NAME)]
    return frame.with_columns(pl.col(pl.Categorical).cast(pl.String), pl.col(lists).cast(_LIST))


def named(text: str) -> pl.Expr:
    """A text as a name."""
    return pl.lit(text, NAME)


def telling(names: pl.Series, pattern: str) -> list[str]:
    """Those of the names in which a pattern is found."""
    texts = names.drop_nulls().unique().cast(pl.String)
    return texts.filter(texts.str.contains(pattern)).to_list()


def in_one_piece(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """The rows of all parts, put together a column at a time; the parts are used up."""
    columns = {name: [part[name] for part in parts] for name in parts[0].columns}
    parts.clear()
    return pl.DataFrame([pl.concat(columns.pop(name), rechunk=True) for name in list(columns)])


def placed(names: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The names of a column, each once, in the order of their texts; for each row the place of its name among them."""
    told = names.drop_nulls()
    codes = told.to_physical().to_numpy()
    size = int(codes.max(initial=0)) + 1
    row = np.full(size, -1)  # a row of each name: found faster than the different ones are
    row[codes] = np.arange(len(codes))
    known = told.gather(row[row >= 0]).sort()
    place = np.zeros(size, np.uint32)
    place[known.to_physical().to_numpy()] = np.arange(len(known))
    return known, pl.Series(names.name, place).gather(names.to_physical())


class Pool:
    """Rows of a result, collected a slice at a time; columns of text as numbers of a common list of texts.

    Nothing of a slice stays as it came: the pieces would hold on to far more memory than their size.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._known = pl.Categories.random()
        self._texts = [name for name, kind in schema.items() if kind == pl.String]
        self._lists = [name for name, kind in schema.items() if kind == _LIST]
        self._parts: dict[str, list[pl.Series]] = {name: [] for name in schema}

    def add(self, parts: Iterable[pl.DataFrame]) -> None:
        """Take in more rows, in the schema's columns and types."""
        kind = pl.Categorical(self._known)
        numbers = [pl.col(self._texts).cast(kind), pl.col(self._lists).cast(pl.List(kind))]
        for part in parts:
            # numbers and times would stay as they came, and with them all that came in one piece with them
            for column in part.with_columns(numbers)[pl.int_range(part.height, dtype=pl.UInt32, eager=True)]:
                self._parts[column.name].append(column)

    def ordered(self, by: Sequence[str]) -> pl.DataFrame:
        """All rows in order, nulls first, without keys as they came; the pool is used up."""
        if not any(self._parts.values()):
            return pl.DataFrame(schema=self._schema)
        order = _order([pl.concat(self._parts[name]) for name in by])
        texts = self._known.to_series()
        return pl.DataFrame([self._taken(name, order, texts) for name in self._schema])

    def _taken(self, name: str, order: pl.Series | None, texts: pl.Series) -> pl.Series:
        """One column in order; what it was made of is let go of."""
        column = pl.concat(self._parts.pop(name), rechunk=True)
        if column.null_count() == len(column):
            return pl.repeat(None, len(column), dtype=self._schema[name], eager=True).alias(name)  # takes no memory
        if order is not None:
            column = column.gather(order)
        if name in self._texts:
            return texts.gather(column.to_physical()).alias(name)
        return column.cast(_LIST) if name in self._lists else column


def in_order(frame: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """The frame in order of texts, times and whole numbers, nulls first; rows of equal keys stay as they were."""
    order = _order([frame[name] for name in by])
    return frame if order is None else frame[order]


def _order(keys: Sequence[pl.Series]) -> pl.Series | None:
    """The rows in the order of the keys; None where they are in it.

    Keys are put together to as few numbers as can hold them: a sort by several writes all of them out for every row.
    """
    packed: list[NDArray[np.int64]] = []
    room = 1
    for key in keys:
        numbers, width = _numbered(key)
        if not packed or room * width > _MOST:
            packed.append(numbers)
            room = width
        else:
            packed[-1] *= width
            packed[-1] += numbers
            room *= width
    if not packed or (len(packed) == 1 and bool((packed[0][1:] >= packed[0][:-1]).all())):
        return None
    order = np.lexsort(packed[::-1]) if len(packed) > 1 else np.argsort(packed[0], kind="stable")
    return pl.Series(order.astype(np.uint32))


def _numbered(key: pl.Series) -> tuple[NDArray[np.int64], int]:
    """A key as numbers in its order, and how many there may be; null is 0."""
    texts = pl.Enum(key.drop_nulls().unique().sort()) if key.dtype == pl.String else None
    values = placed(key)[1] if isinstance(key.dtype, pl.Categorical) else key.cast(texts or key.dtype).to_physical()
    low, high = values.min(), values.max()
    if not isinstance(low, int) or not isinstance(high, int):
        return np.zeros(len(key), np.int64), 1
    if high - low >= _MOST - 2:
        values, low, high = values.rank("dense"), 1, len(key)
    return (values - low).cast(pl.Int64).fill_null(-1).to_numpy() + 1, high - low + 2
