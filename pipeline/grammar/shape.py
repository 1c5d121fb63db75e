"""The shape of a body: every token that holds a digit becomes ``<*>``, except protected words.

The shape is a pure function of the body. Nothing else decides which rule a record belongs to, so two
records of one shape always get the same rule, whatever else is in the batch.

How it is done on a column: the digits of protected words are swapped for control characters (one pass of
a multi-string search), one regular expression wipes what still holds a digit, and the control characters
are swapped back on the few distinct results only.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

MARK = "<*>"

# Only this much of a body takes part in its shape: a dumped configuration or health table can be many
# kilobytes long, and no rule looks further than a few hundred characters.
SHAPE_CHARS = 4096

# Control characters: one byte each keeps the patterns small, which makes them a third faster.
_PRIVATE = "\x01\x02\x03\x04\x05\x06\x07\x08\x0e\x0f"
_HIDE = {ord("0") + i: char for i, char in enumerate(_PRIVATE)}
# The last character of a kept prefix, so that the token begins after it.
_JOIN = {"_": "\x10", "-": "\x11"}

# A token reaches over dots, colons and dashes (addresses, times, names of pods) but ends in a letter or
# digit, so that the colon of "Mesh_10_0_0_1:" stays. Lists of such tokens are one mark, however long.
_INNER = r"0-9A-Za-z_.:\-\x01-\x08\x0e\x0f"
_LAST = r"0-9A-Za-z\x01-\x08\x0e\x0f"
_TOKEN = f"[{_INNER}]*[0-9](?:[{_INNER}]*[{_LAST}])?"
_WIPE = f"{_TOKEN}(?:,{_TOKEN})*"

# Codes of errors are protected with the words before them; none of the other words overlaps these.
BEGINNINGS = ("Unknown error ", "code=")


@dataclass(frozen=True, slots=True)
class Shaper:
    """The wiping, with its protected words; make one with :meth:`of`."""

    words: tuple[str, ...]
    hidden: tuple[str, ...]

    @classmethod
    def of(cls, words: set[str], prefixes: list[str]) -> Shaper:
        """``words`` are kept whole, ``prefixes`` (each ending in ``_`` or ``-``) are kept before a mark."""
        kept = sorted(words, key=lambda word: (-len(word), word))
        pairs = [(word, word.translate(_HIDE)) for word in kept]
        pairs += [(prefix, prefix[:-1] + _JOIN[prefix[-1]]) for prefix in sorted(prefixes, key=lambda p: (-len(p), p))]
        return cls(tuple(plain for plain, _ in pairs), tuple(hidden for _, hidden in pairs))

    def keys(self, bodies: pl.Series, *, trimmed: bool = False) -> pl.Series:
        """Shapes with protected words still hidden: one-to-one with the shapes, and cheap per row.

        White space around the body takes no part. ``trimmed``: no body is null, longer than ``SHAPE_CHARS`` or holds
        one of ``BEGINNINGS`` (if one does, its key means nothing), and white space around it may stay.
        """
        heads = bodies if trimmed else bodies.fill_null("").str.strip_chars().str.slice(0, SHAPE_CHARS)
        few, many = self._tables
        # words that begin alike and are rare: one search for their beginnings spares the others
        if not trimmed and len(at := heads.str.contains("|".join(BEGINNINGS)).arg_true()):
            rare = heads.gather(at)
            for words, hides in few.values():
                rare = rare.str.replace_many(words, hides, leftmost=True)
            heads = heads.clone().scatter(at, rare)
        return heads.str.replace_many(*many, leftmost=True).str.replace_all(_WIPE, MARK)

    @property
    def _tables(self) -> tuple[dict[str, tuple[list[str], list[str]]], tuple[list[str], list[str]]]:
        """The protected words that share a long beginning, by that beginning, and the others.

        A search for up to a hundred words is twice as fast as one for more.
        """
        few: dict[str, tuple[list[str], list[str]]] = {start: ([], []) for start in BEGINNINGS}
        many: tuple[list[str], list[str]] = ([], [])
        for word, hidden in zip(self.words, self.hidden, strict=True):
            table = next((few[start] for start in few if word.startswith(start)), many)
            table[0].append(word)
            table[1].append(hidden)
        return {start: table for start, table in few.items() if table[0]}, many

    def reveal(self, keys: pl.Series) -> pl.Series:
        """Shapes of distinct keys."""
        return keys.str.replace_many(list(self.hidden), list(self.words), leftmost=True)

    def shapes(self, bodies: pl.Series) -> pl.Series:
        """The shape of each body (String, no nulls; a null body has the empty shape)."""
        return self.reveal(self.keys(bodies))

    def shape(self, body: str) -> str:
        """The shape of one body."""
        return str(self.shapes(pl.Series([body]))[0])
