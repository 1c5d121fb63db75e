"""Typed frames: schemas as values, and frames brought into them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from polars.datatypes import DataTypeClass

Columns = Mapping[str, pl.DataType | DataTypeClass]


def schema(columns: Columns) -> pl.Schema:
    """A Polars schema from column names and types."""
    return pl.Schema(dict(columns))


def conform(frame: pl.DataFrame, columns: pl.Schema) -> pl.DataFrame:
    """The frame with exactly the schema's columns, in order and type; absent columns are null."""
    given = frame.schema
    if given == columns:
        return frame
    if all(given.get(name) == kind for name, kind in columns.items()):
        return frame.select(columns.names())
    return frame.select(
        (pl.col(name) if name in given else pl.lit(None)).cast(kind).alias(name) for name, kind in columns.items()
    )
