"""One pass over the bytes of container lines: their stamps, and a number for the wording of each.

The wording of a line is its text with every token that holds a digit wiped, as the grammar's shape wipes it, but
finer where that is cheaper: lines of one wording always have one shape, and a shape may have several wordings. That
a number stands for one wording is checked byte by byte, so hashes decide nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.grammar.shape import SHAPE_CHARS
from pipeline.native.library import library, place, structure
from pipeline.native.words import Words

#: In place of where a line's text begins, and of its wording. Lines with another head, control characters or very
#: long ones have no wording.
NO_HEAD = NO_WORDING = -1
#: What the words of a line are besides: some may tell of a secret; it begins as BIRD for IPv4 names a neighbour.
TELLING, SURELY_FOUR = 1, 2
DATE_WIDTH = 24
_DATED = 2
_ROOM, _POOL_WORDS = 1 << 16, 1 << 20
_COUNT, _USED = 8, 9  # places in the structure
assert SHAPE_CHARS == 4096  # so much room has scan.c


class Scanned(NamedTuple):
    """Of each line: time (microseconds since 1970), where its text begins, the number of its wording, 1 for
    stderr, and what else its words are."""

    ts: np.ndarray
    begin: np.ndarray
    wording: np.ndarray
    stream: np.ndarray
    said: np.ndarray


class Wordings:
    """The wordings seen so far, numbered from 0 on; memory is taken as they come."""

    def __init__(self) -> None:
        self._slots = np.full(_ROOM * 2, -1, np.int32)
        self._hashes = np.empty(_ROOM, np.uint64)
        self._sizes, self._places = np.empty(_ROOM, np.int64), np.empty(_ROOM, np.int64)
        self._pool = np.empty(_POOL_WORDS, np.uint64)
        arrays = (self._slots, self._hashes, self._sizes, self._places, self._pool)
        self.table = structure(*arrays, len(self._slots) - 1, _ROOM, _POOL_WORDS, 0, 0)

    def __len__(self) -> int:
        return self.table[_COUNT]

    @property
    def full(self) -> bool:
        """Whether new wordings may find no room."""
        return len(self) == _ROOM or self.table[_USED] + SHAPE_CHARS // 8 + 2 > _POOL_WORDS

    def text(self, number: int) -> bytes:
        """A wording, a zero byte for each wiped token; the date of logrus is no part of it."""
        return self._drafted(number)[2:]

    def is_dated(self, number: int) -> bool:
        """Whether the wording stands behind a date of logrus."""
        return self._drafted(number)[1] == _DATED

    def _drafted(self, number: int) -> bytes:
        begin, size = int(self._places[number]), int(self._sizes[number])
        return self._pool[begin : begin + size // 8 + 1].tobytes()[:size]


def scan(octets: np.ndarray, begin: np.ndarray, width: np.ndarray, words: Words, seen: Wordings) -> Scanned:
    """Scan lines of ``width`` bytes from ``begin`` on (int64); ``seen`` learns their wordings while it has room."""
    lines = len(begin)
    found = Scanned(*(np.empty(lines, kind) for kind in (np.int64, np.int64, np.int64, np.uint8, np.uint8)))
    table = structure(words.fold, words.step, words.says, words.longest, words.silent)
    library().peerscope_scan(
        place(octets), len(octets), place(begin), place(width), lines, table, seen.table, structure(*found)
    )
    return found


def find_bodies(octets: np.ndarray, begin: np.ndarray, end: np.ndarray, headed: np.ndarray) -> np.ndarray:
    """Where what is said begins in texts: behind white space, and behind the first colon where ``headed`` is set."""
    found = begin.copy()
    library().peerscope_bodies(place(octets), len(found), place(found), place(end), place(headed))
    return found
