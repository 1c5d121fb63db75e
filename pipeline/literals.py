"""Texts that a pattern cannot match without: looking for them spares most rules most shapes.

To compile a pattern takes longer than to match it thousands of times, and few shapes are new at a time.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence, Set
from functools import lru_cache

# What patterns are made of, in Rust's dialect (https://docs.rs/regex/latest/regex/#syntax). Where it does not cover
# a pattern, such as one with look-around or spaced out with (?x), nothing is said to be needed.
_TOKEN = re.compile(
    r"(?P<text>[^\\\[\](){}|.^$*+?]+|\\[^A-Za-z0-9])"
    r"|(?P<other>\\x(?:[0-9A-Fa-f]{2}|\{[^}]*\})|\\[pP](?:\{[^}]*\}|.)|\\[AzbBdDsSwWnrt]"
    r"|\[\^?\]?(?:[^\\\[\]]|\\.)*\]|[.^$]|\(\?[imsU-]+\))"
    r"|(?P<open>\((?!\?)|\(\?(?:P?<[A-Za-z_]\w*>|[imsU-]*:))"
    r"|(?P<close>\))"
    r"|(?P<either>\|)"
    r"|(?P<repeat>(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??)"
)
_OPTIONAL = ("*", "?", "{0")


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


@lru_cache(maxsize=4096)
def needed(pattern: str) -> tuple[str, ...]:
    """Texts in lower case, one of which is in the lower case of every ASCII text that the pattern matches.

    The empty text, which is in all, where nothing is surely needed.
    """
    parts, end = [_Part()], 0
    for token in _TOKEN.finditer(pattern):
        if token.start() != end:
            return ("",)
        end = token.end()
        if token.lastgroup == "open":
            parts[-1].interrupt()
            parts.append(_Part())
        elif token.lastgroup == "close":
            if len(parts) == 1:
                return ("",)
            inner = parts.pop().texts()
            parts[-1].group = inner
        else:
            parts[-1].add(token.lastgroup, token[0])
    if end != len(pattern) or len(parts) > 1:
        return ("",)
    return tuple(text.lower() for text in parts[0].texts()) or ("",)


class _Part:
    """What a group, or all of a pattern, needs as far as it was read."""

    def __init__(self) -> None:
        #: The texts of the group that ended last: what follows may say that it can be left out.
        self.group: tuple[str, ...] = ()
        self._branches: list[tuple[str, ...]] = []
        self._best: tuple[str, ...] = ()
        self._run = ""

    def add(self, kind: str | None, token: str) -> None:
        """Take what is neither the begin nor the end of a group."""
        if kind == "text":
            self._offer(self.group)
            self._run += token[1:] if token[0] == "\\" else token
        elif kind == "repeat":
            if token.startswith(_OPTIONAL):
                self.group, self._run = (), self._run[:-1]
            self.interrupt()
        else:
            self.interrupt()
            if kind == "either":
                self._branches.append(self._best)
                self._best = ()

    def interrupt(self) -> None:
        """What follows does not go on with the text before it."""
        self._offer(self.group)
        self._offer((self._run,) if self._run else ())
        self._run = ""

    def texts(self) -> tuple[str, ...]:
        """The best found; of several branches that of each, if each has one."""
        self.interrupt()
        each = [*self._branches, self._best]
        return tuple(text for texts in each for text in texts) if all(each) else ()

    def _offer(self, texts: tuple[str, ...]) -> None:
        """Keep the texts if the shortest is longer than that of those before."""
        self.group = ()
        if texts and min(map(len, texts)) > min(map(len, self._best), default=0):
            self._best = texts
