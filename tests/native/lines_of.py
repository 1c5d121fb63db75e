"""Texts that are hard on whoever tells tokens apart: pieces of words that are protected, hidden, wiped or joined."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from pipeline.grammar import load_ruleset
from pipeline.native.wordings import Scanned, Wordings, scan
from pipeline.native.words import words_of

STAMP = "2024-12-18T07:00:00.123456789Z stdout F "
WORDS = words_of(load_ruleset())
#: Protected words whole and cut, in both cases, with numbers and signs between them.
PIECES = sorted(
    {part for word in load_ruleset().protected for part in (word, word[:-1], word[1:], word.lower(), word.upper())}
    | {
        "1",
        "7",
        "10.0.0.1",
        "a",
        "x",
        "_",
        "-",
        ".",
        ":",
        ",",
        " ",
        "=",
        "\t",
        "é",
        "Code",
        "Unknown",
        "password",
        "key",
    }
)
texts = st.lists(st.sampled_from(PIECES), max_size=6).map("".join).filter(lambda text: "\n" not in text)


def scanned(lines: list[bytes], seen: Wordings | None = None) -> tuple[Scanned, Wordings, np.ndarray]:
    """What the scan says of lines, each ending with LF; and the bytes."""
    data = b"".join(line + b"\n" for line in lines) + b"\n" * 64
    octets = np.frombuffer(data, np.uint8)
    width = np.array([len(line) for line in lines], np.int64)
    begin = np.cumsum(np.append(0, width[:-1] + 1)).astype(np.int64)
    seen = Wordings() if seen is None else seen
    return scan(octets, begin, width, WORDS, seen), seen, octets
