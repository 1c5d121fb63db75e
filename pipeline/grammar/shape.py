"""The shape of a body: every token that holds a digit becomes ``<*>``, except protected words.

The shape is a pure function of the body. Nothing else decides which rule a record belongs to, so two
records of one shape always get the same rule, whatever else is in the batch.

How it is done on a column: the digits of protected words are swapped for private characters (one pass of
a multi-string search), one regular expression wipes what still holds a digit, and the private characters
are swapped back on the few distinct results only.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

MARK = "<*>"

# Only this much of a body takes part in its shape: a dumped configuration or health table can be many
# kilobytes long, and no rule looks further than a few hundred characters.
SHAPE_CHARS = 4096

_PRIVATE = 0xE000
_HIDE = {ord("0") + i: chr(_PRIVATE + i) for i in range(10)}
# The last character of a kept prefix, so that the token begins after it.
_JOIN = {"_": chr(_PRIVATE + 10), "-": chr(_PRIVATE + 11)}

# A token reaches over dots, colons and dashes (addresses, times, names of pods) but ends in a letter or
# digit, so that the colon of "Mesh_10_0_0_1:" stays. Lists of such tokens are one mark, however long.
_INNER = f"0-9A-Za-z_.:\\-{chr(_PRIVATE)}-{chr(_PRIVATE + 9)}"
_LAST = f"0-9A-Za-z{chr(_PRIVATE)}-{chr(_PRIVATE + 9)}"
_TOKEN = f"[{_INNER}]*[0-9](?:[{_INNER}]*[{_LAST}])?"
_WIPE = f"{_TOKEN}(?:,{_TOKEN})*"

# Codes of errors are protected with the words before them; none of the other words overlaps these.
_BEGINNINGS = ("Unknown error ", "code=")


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

    def key(self, body: pl.Expr) -> pl.Expr:
        """The shape with protected words still hidden: one-to-one with the shape, and cheap per row.

        White space around the body takes no part.
        """
        head = body.fill_null("").str.strip_chars().str.slice(0, SHAPE_CHARS)
        few, many = self._tables
        hidden = head
        for start, (words, hides) in few.items():
            # these words begin alike and are rare: one search for their beginning spares the others
            asked = pl.when(head.str.contains(start, literal=True)).then(hidden)
            hidden = pl.coalesce(asked.str.replace_many(words, hides, leftmost=True), hidden)
        return hidden.str.replace_many(*many, leftmost=True).str.replace_all(_WIPE, MARK)

    @property
    def _tables(self) -> tuple[dict[str, tuple[list[str], list[str]]], tuple[list[str], list[str]]]:
        """The protected words that share a long beginning, by that beginning, and the others.

        A search for up to a hundred words is twice as fast as one for more.
        """
        few: dict[str, tuple[list[str], list[str]]] = {start: ([], []) for start in _BEGINNINGS}
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
        keys = bodies.to_frame("body").select(self.key(pl.col("body"))).to_series()
        return self.reveal(keys)

    def shape(self, body: str) -> str:
        """The shape of one body."""
        return str(self.shapes(pl.Series([body]))[0])
