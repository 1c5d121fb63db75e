"""Texts that a pattern cannot match without: looking for them spares most rules most shapes.

To compile a pattern takes longer than to match it thousands of times, and few shapes are new at a time.
"""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Sequence, Set
from re import _constants, _parser  # type: ignore[attr-defined]  # the only parser of patterns in the library
from typing import Any

_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)


class Needed:
    """For each of some patterns, texts of which a matching one holds one at least."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._all = frozenset(range(len(patterns)))
        self._with: dict[str, set[int]] = defaultdict(set)
        for number, pattern in enumerate(patterns):
            for text in needed(pattern):
                self._with[text].add(number)

    def may_match(self, shape: str) -> Set[int]:
        """The places of the patterns that may match a shape; never too few of them."""
        if not shape.isascii():  # letters of other scripts may equal ASCII ones when case is ignored
            return self._all
        lower = shape.lower()
        return set().union(*(numbers for text, numbers in self._with.items() if text in lower))


def needed(pattern: str) -> tuple[str, ...]:
    """Texts in lower case, one of which is in the lower case of every ASCII text that the pattern matches.

    The empty text, which is in all, where nothing is surely needed.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of what Rust's dialect means already
            found = _of_sequence(_parser.parse(pattern))
    except re.error:  # a pattern of Rust's dialect alone
        found = ()
    return tuple(text.lower() for text in found) or ("",)


def _of_sequence(items: Sequence[tuple[Any, Any]]) -> tuple[str, ...]:
    """The best of what the parts of a sequence need: the one whose shortest text is longest."""
    best: tuple[str, ...] = ()
    run = ""
    for code, value in [*items, (None, None)]:
        if code is _constants.LITERAL:
            run += chr(value)
            continue
        for found in ((run,) if run else (), _of_part(code, value)):
            if found and min(map(len, found)) > min(map(len, best), default=0):
                best = found
        run = ""
    return best


def _of_part(code: Any, value: Any) -> tuple[str, ...]:
    if code is _constants.SUBPATTERN:
        return _of_sequence(value[-1])
    if code in _REPEATS and value[0] > 0:
        return _of_sequence(value[2])
    if code is _constants.BRANCH:
        each = [_of_sequence(branch) for branch in value[1]]
        return tuple(text for texts in each for text in texts) if all(each) else ()
    return ()
