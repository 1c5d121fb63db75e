"""Bytes to physical lines, with the place of each line in its source.

A frame of lines has the columns ``src`` (u32, index of the source in its batch), ``offset`` (u64, where the
line starts in the decompressed source), ``length`` (u32, bytes including its newline) and ``raw`` (text
without line end). Nothing is dropped here: bad UTF-8 costs the bad bytes (U+FFFD), not the line.

Clean text is never copied: the column is made of Arrow string views that point into one buffer.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.frames import schema
from pipeline.native.lines import find_lines

LINES_SCHEMA = schema({"src": pl.UInt32, "offset": pl.UInt64, "length": pl.UInt32, "raw": pl.String})
_BOM = b"\xef\xbb\xbf"
_INLINE = 12  # bytes that an Arrow string view holds itself
_LENGTHS = 0xFFFFFFFF
_LINE_END = 10
#: Some bytes, or a view of where they lie.
Bytes = bytes | memoryview


@dataclass(frozen=True)
class Chunk:
    """A piece of one source: ``data`` begins at ``offset`` and holds whole lines (the last may lack its end).

    ``tail`` counts bytes of the last line that were left out because the line is too long to be of use.
    """

    src: int
    data: Bytes
    offset: int = 0
    tail: int = 0


@dataclass(frozen=True)
class Text:
    """Physical lines of clean chunks as places in one buffer, an entry a line; ``frame`` makes the columns.

    ``src``, ``offset`` and ``length`` are as in the frame; a line's text is ``width`` bytes from ``begin`` on. Lines
    with bytes that are no UTF-8 have no width, and their text, with those bytes replaced, in ``mended``.
    """

    buffer: Bytes
    octets: np.ndarray
    src: np.ndarray
    offset: np.ndarray
    length: np.ndarray
    begin: np.ndarray
    width: np.ndarray
    mended: dict[int, str]

    def __len__(self) -> int:
        return len(self.src)

    def texts(self, rows: np.ndarray, begin: np.ndarray) -> pl.Series:
        """From ``begin`` to the end of the line, for some rows (an index or a mask); nothing is copied."""
        width = self.begin[rows] + self.width[rows] - begin
        return _views(self.buffer, self.octets, begin, width)

    def frame(self, rows: np.ndarray | slice = slice(None)) -> pl.DataFrame:
        """The lines (all, or those of an index or a mask) with the columns of ``LINES_SCHEMA``."""
        raw = _views(self.buffer, self.octets, self.begin[rows], self.width[rows])
        if self.mended:
            at = {row: place for place, row in enumerate(np.arange(len(self))[rows].tolist())}
            found = [(at[row], text) for row, text in self.mended.items() if row in at]
            raw = raw.scatter([place for place, _ in found], [text for _, text in found]) if found else raw
        return pl.DataFrame(
            {"src": self.src[rows], "offset": self.offset[rows], "length": self.length[rows], "raw": raw},
            schema=LINES_SCHEMA,
        )


def split_lines(chunks: Sequence[Chunk], line_bytes: int) -> pl.DataFrame:
    """Physical lines of all chunks in order; ``raw`` is cut after ``line_bytes`` bytes, ``length`` is not."""
    text = split_text(chunks)
    return trim_lines(text.frame(), line_bytes) if text else pl.DataFrame(schema=LINES_SCHEMA)


def split_text(chunks: Sequence[Chunk]) -> Text | None:
    """The lines of the chunks; None when there are none."""
    chunks = [chunk for chunk in chunks if chunk.data]
    return _split(chunks) if chunks else None


def trim_lines(lines: pl.DataFrame, line_bytes: int) -> pl.DataFrame:
    """The lines, overlong ones cut."""
    if lines.select((pl.col("length") > line_bytes).any()).item():
        cut = pl.col("raw").str.slice(0, line_bytes)
        lines = lines.with_columns(pl.when(pl.col("length") > line_bytes).then(cut).otherwise("raw").alias("raw"))
    return lines


def _broken_at(chunk: Bytes) -> list[int]:
    """Places in lines that are no UTF-8, one in each such line."""
    found: list[int] = []
    data = bytes(chunk)
    view, start = memoryview(data), 0
    while start < len(data):
        try:
            codecs.utf_8_decode(view[start:], "strict", True)
        except UnicodeDecodeError as error:
            found.append(start + error.start)
            start = data.find(b"\n", found[-1]) + 1 or len(data)
        else:
            break
    return found


def _one_text(data: Sequence[Bytes], unended: np.ndarray) -> Bytes:
    """All of it in one buffer, each piece with an end of line; what lies so in memory is not copied."""
    places = [np.frombuffer(piece, np.uint8).ctypes.data for piece in data]
    stops = np.add(places, [len(piece) for piece in data]) + unended
    owners = [piece.obj if isinstance(piece, memoryview) else None for piece in data]
    if owners[0] is not None and all(o is owners[0] for o in owners) and np.array_equal(stops[:-1], places[1:]):
        whole = memoryview(owners[0])
        begin = places[0] - np.frombuffer(whole, np.uint8).ctypes.data
        text, ends = whole[begin : begin + int(stops[-1]) - places[0]], (stops - places[0]).tolist()
        if len(text) == ends[-1] and all(text[end - 1] == _LINE_END for end in ends):
            return text
    ended = [bytes(piece) + b"\n" if lacks else piece for piece, lacks in zip(data, unended, strict=True)]
    return ended[0] if len(ended) == 1 else b"".join(ended)


def _split(chunks: Sequence[Chunk]) -> Text:
    unended = np.array([chunk.data[-1] != _LINE_END for chunk in chunks], np.int64)
    buffer = _one_text([chunk.data for chunk in chunks], unended)
    octets = np.frombuffer(buffer, np.uint8)
    starts, width, plain = find_lines(octets)
    stops = np.append(starts[1:], len(octets)) - 1
    # everything below is per chunk: how many lines it has, where it begins in the buffer and in its source
    sizes = np.array([len(chunk.data) for chunk in chunks]) + unended
    ends = np.cumsum(sizes)
    last = np.searchsorted(stops, ends - 1)
    count = np.diff(last, prepend=-1)
    at = ends - sizes
    shift = np.array([chunk.offset for chunk in chunks]) - at
    length = stops - starts + 1
    length[last] += np.array([chunk.tail for chunk in chunks]) - unended
    offset = (starts + np.repeat(shift, count)).astype(np.uint64)
    begins = starts
    for chunk, first in zip(chunks, last - count + 1, strict=True):
        if chunk.offset == 0 and chunk.data[: len(_BOM)] == _BOM:
            begins[first] += len(_BOM)
            width[first] -= len(_BOM)
    places = [
        before + place
        for before, chunk in zip(at.tolist(), chunks, strict=True)
        if not plain
        for place in _broken_at(chunk.data)
    ]
    mended = {}
    for row in np.searchsorted(stops, places).tolist():
        mended[row] = str(buffer[begins[row] : begins[row] + width[row]], "utf-8", "replace")
        width[row] = 0
    return Text(
        buffer,
        octets,
        np.repeat(np.array([chunk.src for chunk in chunks], np.uint32), count),
        offset,
        np.minimum(length, _LENGTHS).astype(np.uint32),
        begins,
        width,
        mended,
    )


class _Exported:
    """An array as its interface alone: for one of pyarrow's, Polars loads all of that library's functions."""

    def __init__(self, array: pa.Array) -> None:
        self.__arrow_c_array__ = array.__arrow_c_array__


def _views(buffer: Bytes, octets: np.ndarray, starts: np.ndarray, width: np.ndarray) -> pl.Series:
    """Arrow string views: length, first four bytes, number of the buffer, place in it; short texts inline."""
    views = np.zeros((len(starts), 4), np.int32)
    views[:, 0] = width
    padded = octets if len(octets) > _INLINE else np.pad(octets, (0, _INLINE))
    words = np.lib.stride_tricks.as_strided(padded[:4].view(np.int32), (len(padded) - 3,), (1,))
    views[:, 1] = words[np.minimum(starts, len(words) - 1)]
    views[:, 3] = starts
    short = np.flatnonzero(width <= _INLINE)
    if len(short):
        views[short, 1:] = _inline(octets, starts[short], np.asarray(width)[short])
    array = pa.Array.from_buffers(pa.string_view(), len(starts), [None, pa.py_buffer(views), pa.py_buffer(buffer)])
    return pl.Series(_Exported(array))


def _inline(octets: np.ndarray, starts: np.ndarray, width: np.ndarray) -> np.ndarray:
    """The texts themselves, each padded with zeros to twelve bytes, as three words."""
    place = starts[:, None] + np.arange(_INLINE)
    inside = np.arange(_INLINE) < width[:, None]
    return np.where(inside, octets[np.minimum(place, len(octets) - 1)], 0).astype(np.uint8).view(np.int32)
