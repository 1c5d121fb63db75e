"""Bytes to physical lines, with the place of each line in its source.

A frame of lines has the columns ``src`` (u32, index of the source in its batch), ``offset`` (u64, where the
line starts in the decompressed source), ``length`` (u32, bytes including its newline) and ``raw`` (text
without line end). Nothing is dropped here: bad UTF-8 costs the bad bytes (U+FFFD), not the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.frames import schema

LINES_SCHEMA = schema({"src": pl.UInt32, "offset": pl.UInt64, "length": pl.UInt32, "raw": pl.String})
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Chunk:
    """A piece of one source: ``data`` begins at ``offset`` and holds whole lines (the last may lack its end)."""

    src: int
    data: bytes
    offset: int = 0


def split_lines(chunks: Sequence[Chunk], line_bytes: int) -> pl.DataFrame:
    """Physical lines of all chunks in order; ``raw`` is cut after ``line_bytes`` bytes, ``length`` is not."""
    clean: list[tuple[Chunk, str]] = []
    frames: list[tuple[int, pl.DataFrame]] = []
    for position, chunk in enumerate(chunks):
        if not chunk.data:
            continue
        try:
            clean.append((chunk, chunk.data.decode("utf-8")))
        except UnicodeDecodeError:
            frames.append((position, _split_damaged(chunk)))
    if clean:
        frames.append((-1, _split_clean(clean)))
    if not frames:
        return pl.DataFrame(schema=LINES_SCHEMA)
    lines = pl.concat([frame for _, frame in frames])
    if len(frames) > 1:
        lines = lines.sort("src", "offset", maintain_order=True)
    return _trim(lines, line_bytes)


def _split_clean(chunks: Sequence[tuple[Chunk, str]]) -> pl.DataFrame:
    texts = pl.DataFrame(
        {
            "src": [chunk.src for chunk, _ in chunks],
            "start": [chunk.offset for chunk, _ in chunks],
            "size": [len(chunk.data) for chunk, _ in chunks],
            "raw": [text for _, text in chunks],
        },
        schema={"src": pl.UInt32, "start": pl.UInt64, "size": pl.UInt64, "raw": pl.String},
    ).with_columns(
        # splitting gives each text one byte more than it has, so this is where it starts among all pieces
        begin=(pl.col("size") + 1).cum_sum() - (pl.col("size") + 1),
        raw=pl.col("raw").str.split("\n"),
    )
    lines = texts.explode("raw").with_columns(width=pl.col("raw").str.len_bytes().cast(pl.UInt64) + 1)
    lines = lines.with_columns(relative=pl.col("width").cum_sum() - pl.col("width") - pl.col("begin"))
    # the text after the last newline is a line only when it is not empty
    lines = lines.filter(pl.col("relative") < pl.col("size"))
    return lines.select(
        "src",
        (pl.col("start") + pl.col("relative")).alias("offset"),
        pl.min_horizontal("width", pl.col("size") - pl.col("relative")).cast(pl.UInt32).alias("length"),
        "raw",
    )


def _split_damaged(chunk: Chunk) -> pl.DataFrame:
    pieces = chunk.data.split(b"\n")
    if pieces[-1] == b"":
        pieces.pop()
    offsets, lengths, position = [], [], chunk.offset
    for piece in pieces:
        offsets.append(position)
        lengths.append(len(piece) + 1)
        position += len(piece) + 1
    lengths[-1] = chunk.offset + len(chunk.data) - offsets[-1]
    return pl.DataFrame(
        {
            "src": [chunk.src] * len(pieces),
            "offset": offsets,
            "length": lengths,
            "raw": [piece.decode("utf-8", errors="replace") for piece in pieces],
        },
        schema=LINES_SCHEMA,
    )


def _trim(lines: pl.DataFrame, line_bytes: int) -> pl.DataFrame:
    raw = pl.col("raw").str.strip_suffix("\r")
    bom = _BOM.decode("utf-8")
    lines = lines.with_columns(
        pl.when(pl.col("offset") == 0).then(raw.str.strip_prefix(bom)).otherwise(raw).alias("raw")
    )
    if lines.select((pl.col("length") > line_bytes).any()).item():
        cut = pl.col("raw").str.slice(0, line_bytes)
        lines = lines.with_columns(
            pl.when(pl.col("length") > line_bytes).then(cut).otherwise(pl.col("raw")).alias("raw")
        )
    return lines
