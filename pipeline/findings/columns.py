"""Columns of texts and times as numbers, so that a large cluster in trouble is asked with numpy.

A text is its position in a short list of distinct values; a time is its microseconds since 1970 in UTC.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.sessions.pooled import placed

Ints = NDArray[np.signedinteger[Any]]
"""Times and keys put together have 64 bits, positions and codes 32: whoever multiplies these widens them first."""
Bools = NDArray[np.bool_]

NEVER: int = int(np.iinfo(np.int64).min)
"""Stands for a time that is not known; earlier than all others."""
BLOCK = 50_000
_FEW = 256
"""So few numbers are put in order faster one by one."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Coded:
    """A column as numbers: ``values[codes[k]]`` is what row ``k`` holds.

    In a column of texts the first value is None, the others follow in order; not every value needs a row.
    """

    codes: Ints
    values: list[Any]

    def among(self, wanted: Container[Any]) -> Bools:
        """For each row whether its value is one of those wanted."""
        if len(self.codes) < len(self.values):
            told = (self.values[code] in wanted for code in self.codes.tolist())
            return np.fromiter(told, np.bool_, len(self.codes))
        table = np.fromiter((value in wanted for value in self.values), np.bool_, len(self.values))
        return np.asarray(table[self.codes], np.bool_)

    def at(self, rows: Ints | Bools) -> Coded:
        """The column of these rows alone."""
        return Coded(self.codes[rows], self.values)


def coded(texts: pl.Series) -> Coded:
    """The texts of a column as numbers, in the order of the texts."""
    if isinstance(texts.dtype, pl.Categorical):
        values, numbers = placed(texts)
        return _from_one(numbers, values.to_list())
    values = texts.drop_nulls().unique().sort()
    if values.is_empty():
        return Coded(np.zeros(len(texts), np.int32), [None])
    return _from_one(texts.cast(pl.Enum(values)).to_physical(), values.to_list())


def _from_one(numbers: pl.Series, values: list[Any]) -> Coded:
    if numbers.has_nulls():
        numbers = numbers.cast(pl.Int32).fill_null(-1)
    return Coded(np.add(numbers.to_numpy(), 1, dtype=np.int32, casting="unsafe"), [None, *values])


def numbered(*columns: Coded) -> tuple[Ints, Ints]:
    """A number for each combination of values: the first row that has it, and the numbers of all rows."""
    joint, size = np.zeros(len(columns[0].codes), np.int64), 1
    for column in columns:
        size *= len(column.values)
        joint = joint * np.int64(len(column.values))
        joint += column.codes
        if len(columns) > 2:
            first, joint = _dense(joint, size)
            size = len(first)
    return _dense(joint, size)


def _dense(numbers: Ints, size: int) -> tuple[Ints, Ints]:
    """Numbers below ``size`` without gaps, in their order, and the first row of each."""
    if len(numbers) * 16 < size:
        _, first, codes = np.unique(numbers, return_index=True, return_inverse=True)
        return first.astype(np.int64), codes.astype(np.int32)
    first = np.full(size, -1, np.int32)
    first[numbers[::-1]] = np.arange(len(numbers), dtype=np.int32)[::-1]
    known = first >= 0
    rows = first[known].astype(np.int64)
    # there may be far more of the numbers than rows: the place of each stands where its row stood
    np.cumsum(known, dtype=np.int32, out=first)
    first -= 1
    return rows, first[numbers]


def latest(codes: Ints, size: int) -> Ints:
    """The last position of each of the numbers, all below ``size``, in their order."""
    found = np.full(size, -1, np.int32)
    found[codes] = np.arange(len(codes), dtype=np.int32)
    return found[found >= 0].astype(np.int64)


def used(codes: Ints, size: int) -> Ints:
    """The different numbers, all below ``size``, in order."""
    if len(codes) * 16 < size:
        return np.array(sorted(set(codes.tolist())) if len(codes) < _FEW else np.unique(codes), np.int64)
    found = np.zeros(size, np.bool_)
    found[codes] = True
    return np.flatnonzero(found)


def distinct(column: Coded) -> list[Any]:
    """The different values that rows hold, None left out, in their order."""
    found = (column.values[k] for k in used(column.codes, len(column.values)).tolist())
    return [value for value in found if value is not None]


def combinations(*columns: Coded) -> list[tuple[Any, ...]]:
    """The different combinations of values that rows hold, in the order of their first rows."""
    rows = np.sort(numbered(*columns)[0])
    return [*zip(*([column.values[k] for k in column.codes[rows]] for column in columns), strict=True)]


def blocks(length: int) -> Iterator[slice]:
    """Neighbouring rows, a block at a time: what is made of them for a moment stays small."""
    return (slice(begin, begin + BLOCK) for begin in range(0, length, BLOCK))


def micros(moments: pl.Series) -> Ints:
    """Times as microseconds; ``NEVER`` where none is known."""
    numbers = moments.dt.cast_time_unit("us").to_physical()
    return (numbers.fill_null(NEVER) if numbers.has_nulls() else numbers).to_numpy()


def micros_of(moment: datetime | None) -> int:
    """One time as microseconds."""
    return NEVER if moment is None else (moment - _EPOCH) // _MICROSECOND


def moment_of(value: int) -> datetime | None:
    """The time that a number of microseconds stands for."""
    return None if value == NEVER else _EPOCH + timedelta(microseconds=int(value))


def span(length: timedelta) -> int:
    """A length of time in microseconds."""
    return length // _MICROSECOND
