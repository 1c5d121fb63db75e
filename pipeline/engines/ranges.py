"""Pieces of a large source: each gives the records that begin in its range, and sees some bytes around it.

A record belongs to the piece in whose range it begins. What stands before the range is only looked at (what a
continuation line goes on with, the time of a neighbour), what stands after it may end the last record. So the
same records come out wherever a source was cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from pipeline.engines.parse import Piece


# Which line begins a record, whether that line is itself a later piece of a split one, where the first piece stands
# and whether the file has pieces at all: each answer lies at most one record further away.
RECORDS_AROUND = 4


def context_bytes(record_bytes: int, neighbour_bytes: int) -> int:
    """Bytes that a piece needs on each side: a time may come from a neighbour, and that neighbour is a record."""
    return neighbour_bytes + RECORDS_AROUND * record_bytes


def trim_piece(piece: Piece, context: int) -> Piece:
    """The piece with at most ``context`` bytes on each side of its range, cut at line ends."""
    data, start = bytes(piece.data), 0
    if piece.begin - context > piece.offset:
        start = data.find(b"\n", piece.begin - context - piece.offset - 1) + 1 or len(data)
    stop = len(data)
    if piece.end is not None and piece.end + context < piece.offset + len(data):
        stop = data.find(b"\n", piece.end + context - piece.offset) + 1 or len(data)
    if start == 0 and stop == len(data):
        return piece
    tail = piece.tail if stop == len(data) else 0
    return replace(piece, data=data[start:stop], offset=piece.offset + start, tail=tail)


def within(frame: pl.DataFrame, pieces: Sequence[Piece]) -> pl.DataFrame:
    """The rows of ``frame`` (columns ``src`` and ``offset``) that begin in the range of their piece."""
    cut = [piece for piece in pieces if piece.begin > piece.offset or piece.end is not None]
    for piece in cut:
        inside = pl.col("offset") >= piece.begin
        if piece.end is not None:
            inside &= pl.col("offset") < piece.end
        frame = frame.filter(inside if len(pieces) == 1 else inside | (pl.col("src") != piece.src))
    return frame
