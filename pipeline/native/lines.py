"""Where lines begin and end."""

from __future__ import annotations

import numpy as np

from pipeline.native.library import available, library, place

_BLOCK = 1 << 18


def find_lines(octets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Begin and width (int64) of each line, without its end (LF or CR LF); the last one must end with LF, too."""
    if not available():
        return _find_slowly(octets)
    lines = library().peerscope_lines(place(octets), len(octets), None, None)
    begin, width = np.empty(lines, np.int64), np.empty(lines, np.int64)
    library().peerscope_lines(place(octets), len(octets), place(begin), place(width))
    return begin, width


def _find_slowly(octets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # newlines are looked for in blocks that stay in the processor's cache
    blocks = range(0, len(octets), _BLOCK)
    stops = np.concatenate([np.flatnonzero(octets[start : start + _BLOCK] == 10) + start for start in blocks])
    begin = np.empty_like(stops)
    begin[:1] = 0
    begin[1:] = stops[:-1] + 1
    return begin, stops - begin - ((octets[stops - 1] == 13) & (stops > begin))
