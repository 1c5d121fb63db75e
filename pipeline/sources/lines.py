"""Bytes to physical lines, with the place of each line in its source.

A frame of lines has the columns ``src`` (u32, index of the source in its batch), ``offset`` (u64, where the
line starts in the decompressed source), ``length`` (u32, bytes including its newline) and ``raw`` (text
without line end). Nothing is dropped here: bad UTF-8 costs the bad bytes (U+FFFD), not the line.

Clean text is never copied: the column is made of Arrow string views that point into one buffer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.frames import schema

LINES_SCHEMA = schema({"src": pl.UInt32, "offset": pl.UInt64, "length": pl.UInt32, "raw": pl.String})
_BOM = b"\xef\xbb\xbf"
_INLINE = 12  # bytes that an Arrow string view holds itself
_LENGTHS = 0xFFFFFFFF


@dataclass(frozen=True)
class Chunk:
    """A piece of one source: ``data`` begins at ``offset`` and holds whole lines (the last may lack its end).

    ``tail`` counts bytes of the last line that were left out because the line is too long to be of use.
    """

    src: int
    data: bytes
    offset: int = 0
    tail: int = 0


def split_lines(chunks: Sequence[Chunk], line_bytes: int) -> pl.DataFrame:
    """Physical lines of all chunks in order; ``raw`` is cut after ``line_bytes`` bytes, ``length`` is not."""
    frames: list[pl.DataFrame] = []
    clean: list[Chunk] = []
    for chunk in chunks:
        if not chunk.data:
            continue
        if _is_utf8(chunk.data):
            clean.append(chunk)
        else:
            frames.append(_split_damaged(chunk))
    if clean:
        frames.append(_split_clean(clean))
    if not frames:
        return pl.DataFrame(schema=LINES_SCHEMA)
    lines = pl.concat(frames)
    if len(frames) > 1:
        lines = lines.sort("src", "offset", maintain_order=True)
    return _trim(lines, line_bytes)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _split_clean(chunks: Sequence[Chunk]) -> pl.DataFrame:
    ended = [chunk.data if chunk.data.endswith(b"\n") else chunk.data + b"\n" for chunk in chunks]
    buffer = ended[0] if len(ended) == 1 else b"".join(ended)
    octets = np.frombuffer(buffer, np.uint8)
    stops = np.flatnonzero(octets == 10)
    starts = np.empty_like(stops)
    starts[0] = 0
    starts[1:] = stops[:-1] + 1
    # everything below is per chunk: how many lines it has, where it begins in the buffer and in its source
    ends = np.cumsum([len(data) for data in ended])
    last = np.searchsorted(stops, ends - 1)
    count = np.diff(last, prepend=-1)
    shift = np.array([chunk.offset for chunk in chunks]) - (ends - [len(data) for data in ended])
    length = stops - starts + 1
    length[last] += [chunk.tail - (len(data) - len(chunk.data)) for chunk, data in zip(chunks, ended, strict=True)]
    begins = starts.copy()
    for chunk, first in zip(chunks, last - count + 1, strict=True):
        if chunk.offset == 0 and chunk.data.startswith(_BOM):
            begins[first] += len(_BOM)
    width = stops - begins - ((octets[stops - 1] == 13) & (stops > begins))
    return pl.DataFrame(
        {
            "src": np.repeat(np.array([chunk.src for chunk in chunks], np.uint32), count),
            "offset": (starts + np.repeat(shift, count)).astype(np.uint64),
            "length": np.minimum(length, _LENGTHS).astype(np.uint32),
            "raw": pl.Series(_views(buffer, octets, begins, width)),
        }
    )


def _views(buffer: bytes, octets: np.ndarray, starts: np.ndarray, width: np.ndarray) -> pa.Array:
    """Arrow string views: length, first four bytes, number of the buffer, place in it; short texts inline."""
    views = np.zeros((len(starts), 4), np.int32)
    views[:, 0] = width
    padded = octets if len(octets) > _INLINE else np.pad(octets, (0, _INLINE))
    words = np.lib.stride_tricks.as_strided(padded[:4].view(np.int32), (len(padded) - 3,), (1,))
    views[:, 1] = words[np.minimum(starts, len(words) - 1)]
    views[:, 3] = starts
    for row in np.flatnonzero(width <= _INLINE).tolist():
        text = buffer[starts[row] : starts[row] + width[row]].ljust(_INLINE, b"\0")
        views[row, 1:] = np.frombuffer(text, np.int32)
    return pa.Array.from_buffers(pa.string_view(), len(starts), [None, pa.py_buffer(views), pa.py_buffer(buffer)])


def _split_damaged(chunk: Chunk) -> pl.DataFrame:
    pieces = chunk.data.split(b"\n")
    if pieces[-1] == b"":
        pieces.pop()
    offsets, lengths, position = [], [], chunk.offset
    for piece in pieces:
        offsets.append(position)
        lengths.append(len(piece) + 1)
        position += len(piece) + 1
    lengths[-1] = min(chunk.offset + len(chunk.data) - offsets[-1] + chunk.tail, _LENGTHS)
    return pl.DataFrame(
        {
            "src": [chunk.src] * len(pieces),
            "offset": offsets,
            "length": lengths,
            "raw": [_text(piece, chunk.offset + place == 0) for place, piece in enumerate(pieces)],
        },
        schema=LINES_SCHEMA,
    )


def _text(line: bytes, first: bool) -> str:
    return line.removeprefix(_BOM if first else b"").decode("utf-8", errors="replace").removesuffix("\r")


def _trim(lines: pl.DataFrame, line_bytes: int) -> pl.DataFrame:
    if lines.select((pl.col("length") > line_bytes).any()).item():
        cut = pl.col("raw").str.slice(0, line_bytes)
        lines = lines.with_columns(pl.when(pl.col("length") > line_bytes).then(cut).otherwise("raw").alias("raw"))
    return lines
