"""Large results of queries as frames in which a text that occurs often lies in memory once.

What a query returns holds a node's or a file's name again in each row, and a sort by such names copies them all.
Here rows come a slice at a time, their texts as numbers, and they are put in order as numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

SLICE_ROWS = 25_000
"""Rows of a result that are in memory at a time in the form in which they came."""
_LIST = pl.List(pl.String)


class Pool:
    """Rows of a result, collected a slice at a time; columns of text as numbers of a common list of texts.

    Nothing of a slice stays as it came: the pieces would hold on to far more memory than their size.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = schema
        self._known = pl.Categories.random()
        self._texts = [name for name, kind in schema.items() if kind == pl.String]
        self._lists = [name for name, kind in schema.items() if kind == _LIST]
        self._parts: list[pl.DataFrame] = []

    def add(self, parts: Iterable[pl.DataFrame]) -> None:
        """Take in more rows, in the schema's columns and types."""
        kind = pl.Categorical(self._known)
        numbers = [pl.col(self._texts).cast(kind), pl.col(self._lists).cast(pl.List(kind))]
        self._parts += [part.with_columns(numbers) for part in parts]

    def ordered(self, by: Sequence[str]) -> pl.DataFrame:
        """All rows in order, nulls first, without keys as they came; the pool is used up."""
        if not self._parts:
            return pl.DataFrame(schema=self._schema)
        rows = pl.concat(self._parts, rechunk=True)
        self._parts = []
        texts = self._known.to_series()
        codes = rows.select(pl.col(self._texts).to_physical())
        order = _order(rows.select(by), texts) if by else pl.int_range(rows.height, eager=True)
        rest = rows.drop(self._texts)
        del rows
        columns = {name: rest.drop_in_place(name).gather(order) for name in rest.columns}
        for name in self._texts:
            columns[name] = texts.gather(codes.drop_in_place(name).gather(order)).alias(name)
        for name in self._lists:
            columns[name] = columns[name].cast(_LIST)
        return pl.DataFrame([columns[name] for name in self._schema])


def in_order(frame: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """The frame in order, nulls first; rows of equal keys stay as they were.

    Texts are sorted once each: a sort by several keys would write all of them out for every row.
    """
    texts = [name for name in by if frame.schema[name] == pl.String]
    keys = frame.select(by)
    if texts:
        known = pl.concat([frame[name].alias("") for name in texts]).drop_nulls().unique().sort()
        keys = keys.with_columns(pl.col(texts).cast(pl.Enum(known)).to_physical())
    order = keys.select(pl.arg_sort_by(by, nulls_last=False, maintain_order=True)).to_series()
    return frame if order.is_sorted() else frame[order]


def _order(keys: pl.DataFrame, texts: pl.Series) -> pl.Series:
    """The rows in the order of the keys: of a text its place among all texts counts."""
    place = texts.rank("ordinal")
    numbers = [
        place.gather(key.to_physical()).alias(key.name) if isinstance(key.dtype, pl.Categorical) else key
        for key in keys
    ]
    return pl.DataFrame(numbers).select(pl.arg_sort_by(keys.columns, nulls_last=False)).to_series()
