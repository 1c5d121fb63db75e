"""The heads of container and logrus lines, read from their bytes: stamps stand at fixed places there.

A few words of eight bytes are looked at for each line, whole columns at a time. What is said of a line here is what
``envelopes`` and ``heads`` would say of it; lines of any other form are left to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

MINUTE = 60_000_000
# the widest head: a stamp of 35 bytes, the stream, and a word more
_REACH = 64
DATE_WIDTH = 24
_BLOCK = 8192
_WIDTHS = (30, 35, *range(22, 30), *range(31, 35))


@dataclass(frozen=True)
class Heads:
    """Of each line: whether it has the head, its time (microseconds since 1970), stream, and where its text begins."""

    plain: np.ndarray
    ts: np.ndarray
    stream: np.ndarray
    begin: np.ndarray


def _word(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_ZEROS, _SIX, _HIGHS = (np.uint64(n * 0x0101010101010101) for n in (0x30, 0x06, 0xF0))
_STREAMS = (_word(b" stdout "), _word(b" stderr "))
_WHOLE = int.from_bytes(b"F ", "little")


def _words(octets: np.ndarray) -> np.ndarray:
    """The eight bytes from each place of the buffer as one number."""
    return np.ndarray(len(octets) - 7, np.dtype("<u8"), octets.data, 0, (1,))


def _digits(words: np.ndarray, form: bytes) -> np.ndarray:
    """Whether the words have a digit wherever ``form`` has a ``0``, its other characters, and anything for ``?``."""
    here = _word(bytes(0xFF if byte == 48 else 0 for byte in form))
    fixed = _word(bytes(0 if byte in b"0?" else 0xFF for byte in form))
    low, carried = words & _HIGHS, (words & np.uint64(0x7F7F7F7F7F7F7F7F)) + _SIX & _HIGHS
    wrong = ((low ^ _ZEROS) | (carried ^ _ZEROS)) & here
    wrong |= (words ^ _word(form)) & fixed
    good: np.ndarray = wrong == 0
    return good


def _number(words: np.ndarray) -> np.ndarray:
    """Eight digits to a number, the first one being the lowest byte."""
    low = np.uint64(0x0F0F0F0F0F0F0F0F)
    pairs = ((words & low) * np.uint64(2561)) >> np.uint64(8)
    fours = ((pairs & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601)) >> np.uint64(16)
    number: np.ndarray = ((fours & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001)) >> np.uint64(32)
    return number


def container_heads(octets: np.ndarray, begin: np.ndarray, width: np.ndarray) -> Heads:
    """Whole lines of the Container Runtime Interface: ``2024-12-18T07:00:00.123456789Z stdout F text``.

    The width of the stamp varies: trailing zeros of the fraction are left out, zones are ``Z`` or an offset.
    """
    n = len(begin)
    heads = Heads(np.zeros(n, bool), np.zeros(n, np.int64), np.zeros(n, np.uint8), begin.copy())
    if len(octets) <= _REACH:
        return heads
    words = _words(octets)
    able = np.flatnonzero((width >= 32) & (begin + _REACH <= len(octets)))
    for start in range(0, len(able), _BLOCK):
        _read_block(words, octets, begin, width, able[start : start + _BLOCK], heads)
    return heads


def _read_block(
    words: np.ndarray, octets: np.ndarray, begin: np.ndarray, width: np.ndarray, left: np.ndarray, heads: Heads
) -> None:
    """Fill ``heads`` for some lines: few enough to stay in the processor's cache."""
    for stamp in _WIDTHS:
        if not len(left):
            break
        tail = words[begin[left] + stamp]
        hit = (tail == _STREAMS[0]) | (tail == _STREAMS[1])
        hit &= width[left] >= stamp + 10
        if hit.any():
            _read(words, octets, begin, left[hit], stamp, heads)
            left = left[~hit]


def _read(words: np.ndarray, octets: np.ndarray, begin: np.ndarray, rows: np.ndarray, stamp: int, heads: Heads) -> None:
    """Fill ``heads`` for lines whose stream stands after a stamp of that width."""
    start = begin[rows]
    zulu = octets[start + stamp - 1] == 0x5A
    after = start + stamp
    good = (octets[after + 8] == 0x46) & (octets[after + 9] == 0x20)
    ts = np.zeros(len(rows), np.int64)
    for mask, zone in ((zulu, 1), (~zulu, 6)):
        if 1 <= stamp - 20 - zone <= 9 and mask.any():
            some = slice(None) if mask.all() else np.flatnonzero(mask)
            ts[some], fine = _stamps(words, start[some], stamp - 20 - zone)
            if zone == 6:
                shift, told = _offsets(words, start[some] + stamp - 8)
                ts[some] -= shift
                fine &= told
            good[some] &= fine
        else:
            good &= ~mask
    rows, ts, start = rows[good], ts[good], start[good]
    heads.plain[rows] = True
    heads.ts[rows] = ts
    heads.stream[rows] = words[start + stamp] == _STREAMS[1]
    heads.begin[rows] = start + stamp + 10


def _stamps(words: np.ndarray, start: np.ndarray, fraction: int) -> tuple[np.ndarray, np.ndarray]:
    """Times of ``YYYY-MM-DDTHH:MM:SS.`` and so many digits; and which of them are times."""
    first, second = words[start], words[start + 8]
    minutes = _minutes(first, second)
    seconds = words[start + 16]
    good = _digits(seconds, b":00.????") & (minutes >= 0)
    tens, ones = (seconds >> np.uint64(8)) & np.uint64(15), (seconds >> np.uint64(16)) & np.uint64(15)
    whole = (tens * np.uint64(10) + ones).astype(np.int64)
    good &= whole < 60
    digits = words[start + 20]
    good &= _digits(digits, b"0" * min(fraction, 8) + b"?" * (8 - min(fraction, 8)))
    if fraction == 9:
        good &= _digits(words[start + 21], b"00000000")
    kept = np.uint64((1 << 8 * min(fraction, 6)) - 1)
    micros = _number((digits & kept) << np.uint64(16)).astype(np.int64)
    return minutes + whole * 1_000_000 + micros, good


def _minutes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Microseconds since 1970 of ``YYYY-MM-DDTHH:MM``, -1 where that is no time; equal neighbours are read once."""
    changes = np.ones(len(first), bool)
    changes[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    at = np.flatnonzero(changes)
    known: dict[tuple[int, int], int] = {}
    values = np.empty(len(at), np.int64)
    for n, pair in enumerate(zip(first[at].tolist(), second[at].tolist(), strict=True)):
        if pair not in known:
            known[pair] = _minute(pair)
        values[n] = known[pair]
    return np.repeat(values, np.diff(at, append=len(first)))


def _minute(pair: tuple[int, int]) -> int:
    text = b"".join(part.to_bytes(8, "little") for part in pair)
    digits = (text[:4], text[5:7], text[8:10], text[11:13], text[14:])
    if not all(part.isdigit() for part in digits) or bytes(text[n] for n in (4, 7, 10, 13)) != b"--T:":
        return -1
    try:
        moment = datetime(*(int(part) for part in digits), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        return -1
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


def _offsets(words: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds east of UTC of the zones ``+08:00`` two bytes after ``place``; and which of them are zones."""
    zones, back = np.unique(words[place] >> np.uint64(16), return_inverse=True)
    shifts, good = np.zeros(len(zones), np.int64), np.zeros(len(zones), bool)
    for n, zone in enumerate(zones.tolist()):
        text = int(zone).to_bytes(8, "little")[:6]
        if text[:1] in b"+-" and text[3:4] == b":" and (text[1:3] + text[4:]).isdigit():
            sign = -1 if text[:1] == b"-" else 1
            shifts[n], good[n] = sign * (int(text[1:3]) * 60 + int(text[4:])) * MINUTE, True
    return shifts[back], good[back]


def dated(octets: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Which lines go on with ``2024-12-18 07:00:00.123 `` (logrus) at ``begin``."""
    found = np.zeros(len(begin), bool)
    if len(octets) < DATE_WIDTH:
        return found
    words = _words(octets)
    for start in range(0, len(begin), _BLOCK):
        some = slice(start, start + _BLOCK)
        able = (end[some] - begin[some] >= DATE_WIDTH) & (begin[some] + DATE_WIDTH <= len(octets))
        place = np.where(able, begin[some], 0)
        middle = words[place + 16]
        able &= _digits(words[place], b"0000-00-") & _digits(words[place + 8], b"00 00:00")
        found[some] = able & (_digits(middle, b":00.000 ") | _digits(middle, b":00,000 "))
    return found
