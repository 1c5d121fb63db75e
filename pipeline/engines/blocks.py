"""Pieces of an item go through the sieve some at a time: what it needs beside the text grows with them alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from pipeline.engines.sieve import NO_COUNTS, NO_RECORDS, UNSIFTED, Sieve, Sifted
from pipeline.native.library import available
from pipeline.sources.lines import LINES_SCHEMA, Chunk, split_text
from pipeline.sources.secrets import holds_blocks

if TYPE_CHECKING:
    from pipeline.engines.kinds import Reader
    from pipeline.engines.parse import Piece

BLOCK_BYTES = 32 << 20


@dataclass(frozen=True)
class Sorted:
    """Lines that are to be read, and what is known of the others (``counted`` and ``told`` as of ``Sieve``).

    ``only_four``: all of BIRD's lines are IPv4's.
    """

    lines: pl.DataFrame
    counted: pl.DataFrame
    told: pl.DataFrame
    only_four: bool


NOTHING_KNOWN = Sorted(LINES_SCHEMA.to_frame(), NO_COUNTS, NO_RECORDS, only_four=False)


def may_be_sifted(pieces: Sequence[Piece]) -> bool:
    """Container logs, a piece of each, that do not say by their place which BIRD daemon speaks."""
    return (
        available()
        and pieces[0].identity.chain == ("cri",)
        and len({piece.src for piece in pieces}) == len(pieces)
        and all(piece.service not in ("bird", "bird6") for piece in pieces)
    )


def sort_lines(pieces: Sequence[Piece], sieve: Sieve, read: Reader) -> Sorted:
    """What the sieve says of the pieces' lines; ``read`` is asked about lines of kinds that it has not met."""
    sieve.begin()
    found = [_sift(block, sieve, read) for block in _blocks(pieces)]
    sifted = [known for _, known in found]
    return Sorted(
        pl.concat([LINES_SCHEMA.to_frame(), *(lines for lines, _ in found)]),
        sieve.counted(sifted),
        sieve.told(sifted),
        all(known.only_four for known in sifted),
    )


def _blocks(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    block: list[Piece] = []
    size = 0
    for piece in pieces:
        block.append(piece)
        size += len(piece.data)
        if size >= BLOCK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _sift(block: Sequence[Piece], sieve: Sieve, read: Reader) -> tuple[pl.DataFrame, Sifted]:
    """The lines of a block that are to be read, and what is known of the others."""
    text = split_text([Chunk(piece.src, piece.data, piece.offset, piece.tail) for piece in block])
    if text is None:
        return LINES_SCHEMA.to_frame(), UNSIFTED
    known = sieve.sift(text, {piece.src: (piece.begin, piece.end) for piece in block}, read)
    lines = text.frame(known.rows)
    # what stands between the lines of a key or a Secret matters
    return (text.frame(), UNSIFTED) if holds_blocks(lines["raw"]) else (lines, known)
