"""Where lines begin and end."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.native.library import available, library, place

_BLOCK = 1 << 18
_SHORT = 64  # most lines are longer: there is room for all at the first try


class Lines(NamedTuple):
    """Begin and width (int64) of each line, without its end (LF or CR LF); and whether all of it is ASCII."""

    begin: np.ndarray
    width: np.ndarray
    plain: bool


def find_lines(octets: np.ndarray) -> Lines:
    """The lines of a text, whose last one ends with LF like all others."""
    if not available():
        return _find_slowly(octets)
    lines, plain = len(octets) // _SHORT + 1, np.zeros(1, np.int64)
    while True:
        room, begin, width = lines, np.empty(lines, np.int64), np.empty(lines, np.int64)
        places = place(begin), place(width), room, place(plain)
        lines = library().peerscope_lines(place(octets), len(octets), *places)
        if lines <= room:
            return Lines(begin[:lines], width[:lines], bool(plain[0]))


def _find_slowly(octets: np.ndarray) -> Lines:
    # newlines are looked for in blocks that stay in the processor's cache
    blocks = range(0, len(octets), _BLOCK)
    stops = np.concatenate([np.flatnonzero(octets[start : start + _BLOCK] == 10) + start for start in blocks])
    begin = np.empty_like(stops)
    begin[:1] = 0
    begin[1:] = stops[:-1] + 1
    return Lines(begin, stops - begin - ((octets[stops - 1] == 13) & (stops > begin)), bytes(octets).isascii())
