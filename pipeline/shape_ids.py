"""Content hashes of shapes: the numbers under which counts and records refer to them."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import polars as pl

# The nulls of a text key must not collide with an empty text.
_NULL = "\x00"
SHAPE_KEYS = ["component", "rule", "shape"]
"""What a shape's id is made of."""


# a fleet has some thousand shapes; the bound is for hostile ones
@lru_cache(maxsize=1 << 16)
def shape_id(component: str | None, rule: str | None, shape: str) -> int:
    """Content hash of a shape: the same number everywhere and in every version of the libraries."""
    key = "\x1f".join(_NULL if part is None else part for part in (component, rule, shape))
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")


def with_shape_id(frame: pl.DataFrame) -> pl.DataFrame:
    """Add ``shape_id`` (UInt64) from the columns ``component``, ``rule`` and ``shape``, where it is not there yet."""
    if "shape_id" in frame.columns:
        return frame
    text = frame.with_columns(pl.col(SHAPE_KEYS).cast(pl.String))
    distinct = text.select(SHAPE_KEYS).unique()
    ids = pl.Series("shape_id", [shape_id(*row) for row in distinct.iter_rows()], dtype=pl.UInt64)
    return text.join(distinct.with_columns(ids), on=SHAPE_KEYS, how="left", nulls_equal=True)
