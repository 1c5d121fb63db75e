"""Parts of a large source: a range of bytes and some around it, never the whole.

A line belongs to the range in which it begins. ``read_window`` takes a range out of a plain file, so that several
processes can read one file side by side; ``stream_windows`` cuts what can only be read from its start.
A line too long to be of use is cut, and the bytes left out are counted (``tail``), so that memory is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

_BLOCK = 1 << 20
# a character has at most four bytes: this much of an overlong line holds all that is kept of it
_WIDEST = 4


@dataclass(frozen=True)
class Window:
    """Whole lines from ``offset`` on; those that begin in ``begin`` .. ``end`` are its own (None: to the end)."""

    data: bytes
    offset: int
    begin: int
    end: int | None
    tail: int = 0


def read_window(
    file: BinaryIO, begin: int, end: int, size: int, context: int, line_bytes: int, floor: int = 0
) -> Window | None:
    """The range ``begin`` .. ``end`` of a file of ``size`` bytes; None when no line begins in it.

    What stands before ``floor`` is not looked at: it was read before, and records are not joined to it.
    """
    start = max(begin - context - 1, floor)
    stop = min(end + context, size)
    file.seek(start)
    data = file.read(stop - start)
    cut = 0 if begin - floor <= context else data.find(b"\n") + 1
    if cut == 0 and begin - floor > context:
        return None
    offset, data = start + cut, data[cut:]
    last = len(data) if stop == size else data.rfind(b"\n") + 1
    own_end = None if end >= size else end
    if offset + last >= end or stop == size:
        return Window(data[:last], offset, begin, own_end) if offset < end else None
    whole, tail = _finish_line(file, data, last, size - offset - len(data), _WIDEST * line_bytes)
    return Window(whole, offset, begin, own_end, tail)


def _finish_line(file: BinaryIO, data: bytes, start: int, left: int, keep: int) -> tuple[bytes, int]:
    """``data`` with its last line, begun at ``start``, read to its end or cut; and the bytes cut off."""
    line, tail = bytearray(data[start:]), 0
    while left > 0:
        block = file.read(min(_BLOCK, left))
        left -= len(block)
        end = block.find(b"\n") + 1
        line += block[:end] if end else block
        if len(line) > keep:
            tail += len(line) - keep
            del line[keep:]
        if end or not block:
            break
    return data[:start] + bytes(line), tail


def stream_windows(
    read: Callable[[], bytes], head: bytes, item: Callable[[], int], context: int, line_bytes: int
) -> Iterator[Window]:
    """Windows over a stream, the next one of about ``item()`` bytes; ``read`` gives the bytes after ``head``, b"" at
    the end."""
    buffer, base, begin = bytearray(head), 0, 0
    while True:
        wanted = item()
        ended = _fill(buffer, read, begin + wanted + context - base)
        if ended:
            if base + len(buffer) > begin:
                yield Window(bytes(buffer), base, begin, None)
            return
        end, last = begin + wanted, buffer.rfind(b"\n") + 1
        if base + last >= end:
            yield Window(bytes(buffer[:last]), base, begin, end)
            begin = end
            if begin - context > base:
                cut = buffer.find(b"\n", begin - context - base - 1) + 1
                del buffer[:cut]
                base += cut
            continue
        rest, tail = _skip_line(buffer, last, read, _WIDEST * line_bytes)
        after = base + len(buffer) + tail
        yield Window(bytes(buffer), base, begin, after if rest is not None else None, tail)
        if rest is None:
            return
        buffer, base, begin = bytearray(rest), after, after


def _fill(buffer: bytearray, read: Callable[[], bytes], wanted: int) -> bool:
    while len(buffer) < wanted:
        block = read()
        if not block:
            return True
        buffer += block
    return False


def _skip_line(buffer: bytearray, start: int, read: Callable[[], bytes], keep: int) -> tuple[bytes | None, int]:
    """Reads on to the end of the line begun at ``start``, cut to ``keep`` bytes; what follows it, and the bytes cut."""
    tail = 0
    while True:
        block = read()
        end = block.find(b"\n") + 1
        buffer += block[:end] if end else block
        if len(buffer) - start > keep:
            tail += len(buffer) - start - keep
            del buffer[start + keep :]
        if end or not block:
            return (block[end:] if block else None), tail
