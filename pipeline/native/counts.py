"""Lines that are only counted: how many of each kind in each minute, and which of them are not counted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.native.library import library, place, structure


class Counts(NamedTuple):
    """Rows by source, kind and minute (microseconds since 1970, as the times of the first and last line); several
    rows of one minute where lines are not in the order of time."""

    src: np.ndarray
    kind: np.ndarray
    minute: np.ndarray
    events: np.ndarray
    first_ts: np.ndarray
    last_ts: np.ndarray


class Quiet(NamedTuple):
    """Lines: source (uint32), time, kind, where the text behind the container's head begins and ends (int64);
    ``quiet`` are those to be counted.

    ``placed`` is set for quiet lines of placed kinds whose place in the source of their program differs from that of
    the line of their kind before; these are not counted.
    """

    src: np.ndarray
    ts: np.ndarray
    kind: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    quiet: np.ndarray
    placed: np.ndarray


def count_quiet(octets: np.ndarray, lines: Quiet, placed: np.ndarray, examples: int) -> Counts:
    """Count the quiet lines; the first ``examples`` of each kind in each source are none, and lose ``quiet``.

    ``placed`` says of each kind whether its lines tell their place. Sources come one after the other.
    """
    kinds, size = len(placed), len(lines.src)
    known = [np.full(kinds, -1, np.int64) for _ in range(5)]
    rows = Counts(*(np.empty(size, np.uint32 if name == "src" else np.int64) for name in Counts._fields))
    found = library().peerscope_count(
        place(octets), size, structure(*lines), structure(placed.astype(np.uint8), *known), examples, structure(*rows)
    )
    return Counts(*(column[:found] for column in rows))
