"""Large results of queries as frames in which a text that occurs often lies in memory once.

What a query returns holds a node's or a file's name again in each row, and a sort by such names copies them all.
Here rows come a slice at a time, their texts as numbers, and they are put in order as numbers. Names stay numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

SLICE_ROWS = 25_000
"""Rows of a result that are in memory at a time in the form in which they came."""
NAME = pl.Categorical(pl.Categories("peerscope"))
"""A text of which there are few: nodes, peers, files, categories. All such columns share one list of texts, which
goes with the last of them; a row takes four bytes instead of sixteen."""
_LIST = pl.List(pl.String)


def as_names(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with all its texts as names."""
    lists = [name for name, kind in frame.schema.items() if kind == _LIST]
    return frame.with_columns(pl.col(pl.String).cast(NAME), pl.col(lists).cast(pl.List(NAME)))


def as_texts(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its names as plain texts."""
    lists = [name for name, kind in frame.schema.items() if kind == pl.List(NAME)]
    return frame.with_columns(pl.col(pl.Categorical).cast(pl.String), pl.col(lists).cast(_LIST))


def places(names: pl.Series) -> pl.Series:
    """For each row the place of its name among those of the column, in the order of the texts; null for none."""
    known = names.drop_nulls().unique().sort()
    numbers = known.to_physical().to_numpy()
    place = np.zeros(int(numbers.max(initial=0)) + 1, np.uint32)
    place[numbers] = np.arange(len(numbers))
    return pl.Series(names.name, place).gather(names.to_physical())


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
            rows = pl.int_range(part.height, eager=True)
            for column in part.with_columns(numbers):
                self._parts[column.name].append(column.gather(rows))

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
        if order is not None:
            column = column.gather(order)
        if name in self._texts:
            return texts.gather(column.to_physical()).alias(name)
        return column.cast(_LIST) if name in self._lists else column


def in_order(frame: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """The frame in order, nulls first; rows of equal keys stay as they were.

    Texts are sorted once each: a sort by several keys would write all of them out for every row.
    """
    texts = [name for name in by if frame.schema[name] == pl.String]
    keys = frame.select(by)
    if texts:
        known = pl.concat([frame[name].alias("") for name in texts]).drop_nulls().unique().sort()
        keys = keys.with_columns(pl.col(texts).cast(pl.Enum(known)).to_physical())
    keys = keys.with_columns(places(key) for key in keys if isinstance(key.dtype, pl.Categorical))
    order = keys.select(pl.arg_sort_by(by, nulls_last=False, maintain_order=True)).to_series()
    return frame if order.is_sorted() else frame[order]


def _order(keys: list[pl.Series]) -> pl.Series | None:
    """The rows in the order of the keys: of a text its place among all texts counts."""
    if not keys:
        return None
    numbers = pl.DataFrame([places(key) if isinstance(key.dtype, pl.Categorical) else key for key in keys])
    return numbers.select(pl.arg_sort_by(numbers.columns, nulls_last=False)).to_series()
