"""Puts Polars frames into tables of the warehouse: by column name, with the table's types."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import duckdb
import polars as pl

from pipeline.errors import WarehouseError

SLICE_ROWS = 50_000
"""Rows that are copied at a time on their way into a table."""


def table_columns(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Columns of a table of the warehouse with their SQL types, in order."""
    # bound and not run; the catalogue's table function would list the columns of every table
    relation = con.sql(f'FROM main."{table}" LIMIT 0')
    return dict(zip(relation.columns, map(str, relation.types), strict=True))


def insert(
    con: duckdb.DuckDBPyConnection,
    table: str,
    frame: pl.DataFrame,
    constants: Mapping[str, object],
) -> int:
    """Insert ``frame`` into ``table``; returns the rows inserted.

    Columns of the table that the frame lacks get the value in ``constants``, else null. Text in a MAP column
    is a JSON object, in a JSON column a JSON value.

    Raises:
        WarehouseError: a column the table does not have, or a value its type cannot hold.
    """
    columns = table_columns(con, table)
    unknown = [name for name in frame.columns if name not in columns]
    if unknown:
        raise WarehouseError(f"table {table}: no column {unknown[0]!r}; it has {', '.join(columns)}")
    if frame.is_empty():
        return 0
    names, values, params = [], [], {}
    for name, kind in columns.items():
        if name in frame.columns:
            values.append(_cast(name, kind, frame.schema[name]))
        elif name in constants:
            values.append(f"CAST(${name} AS {kind})")
            params[name] = constants[name]
        else:
            continue
        names.append(f'"{name}"')
    query = f'INSERT INTO "{table}" ({", ".join(names)}) SELECT {", ".join(values)} FROM incoming'
    for part in map(_as_texts, frame.iter_slices(SLICE_ROWS)):
        # Found by the query under its name: what is registered stays in memory until the transaction ends. Text goes
        # as views of what is in memory, in older Arrow it would be copied first.
        incoming = _narrow(part, columns).to_arrow(compat_level=pl.CompatLevel.newest())  # noqa: F841
        try:
            con.execute(query, params)
        except duckdb.Error as exc:
            raise WarehouseError(f"table {table}: rows do not fit: {_first_line(exc)}") from exc
    return frame.height


def _narrow(frame: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """Signed and unsigned numbers put together are Int128 in Polars, which Arrow does not know."""
    wide = [name for name, kind in frame.schema.items() if kind == pl.Int128]
    return frame.with_columns(
        pl.col(name).cast(pl.UInt64 if columns[name].startswith("U") else pl.Int64) for name in wide
    )


def _cast(name: str, kind: str, dtype: pl.DataType) -> str:
    column = f'"{name}"'
    if kind.startswith("MAP(") and dtype == pl.String:
        # most are empty: those need no JSON to be read
        return (
            f"CASE WHEN coalesce({column}, '{{}}') = '{{}}' THEN CAST(MAP {{}} AS {kind}) "
            f"ELSE CAST(CAST({column} AS JSON) AS {kind}) END"
        )
    return f"CAST({column} AS {kind})"


def _first_line(exc: Exception) -> str:
    return str(exc).splitlines()[0]


def digest(frame: pl.DataFrame) -> str:
    """Content hash of a frame: names, types and rows in the order given, categories by their texts.

    A slice at a time, to hold no second copy, and each text once.
    """
    hasher = hashlib.blake2b(digest_size=16)
    hasher.update(repr(_as_texts(frame.clear()).schema).encode())
    numbers = []
    for column in frame.select(pl.col(pl.Categorical)):
        texts = column.drop_nulls().unique().sort().cast(pl.String)
        hasher.update(repr(texts.to_list()).encode())
        numbers.append(pl.col(column.name).cast(pl.Enum(texts)).to_physical())
    for part in frame.iter_slices(SLICE_ROWS):
        whole = part.with_columns(numbers).rechunk()  # or how the frame was put together would tell
        hasher.update(
            whole.write_ipc(None, compression="uncompressed", compat_level=pl.CompatLevel.oldest()).getbuffer()
        )
    return hasher.hexdigest()


def _as_texts(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Categorical).cast(pl.String))


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """A result with everyday types: ENUM as text, sums of whole numbers (HUGEINT) as Int64 where they fit."""
    sums = [
        name
        for name, dtype in frame.schema.items()
        if isinstance(dtype, pl.Decimal) and dtype.scale == 0 and _fits_int64(frame[name])
    ]
    return frame.with_columns(pl.col(pl.Categorical).cast(pl.String), pl.col(sums).cast(pl.Int64))


def _fits_int64(values: pl.Series) -> bool:
    return values.cast(pl.Int64, strict=False).null_count() == values.null_count()
