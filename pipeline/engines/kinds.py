"""Kinds of lines: which wordings are of one kind, and what holds for every line of it.

A kind is named by the key of its shape, so its lines are read alike wherever the shape decides what is read. The first
line of a kind is read as any other, by the readers and the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from pipeline.engines.facts import LOUD
from pipeline.frames import schema
from pipeline.grammar import RULE_NUMBER, Ruleset
from pipeline.native.wordings import DATE_WIDTH, TELLING, Scanned, Wordings, scan
from pipeline.native.words import openings, words_of
from pipeline.redact import HIDDEN_WORDS
from pipeline.redact import TELLING as TELLING_WORDS
from pipeline.sources.lines import Text

SAID = schema(
    {
        "component": pl.String, "level": pl.String, "family": pl.String, "shape": pl.String, "rule": pl.String,
        "category": pl.String, "severity": pl.String, RULE_NUMBER: pl.Int32,
    }
)  # fmt: skip
# Lines of a wording that are read before its kind is asked for: names without a digit make wordings of a few lines.
_OFTEN = 8
# The keys of lines whose head is told by the key (and the Go file, whose name may hold a digit) alone; the digit of
# bird6 is hidden there.
_LOGRUS = re.compile(r"\[[A-Z]+\]\[<\*>(?:/<\*>)*\] (?:[a-z-]+/)?(?:[A-Za-z_.<>-]+|<\*>) (?:<\*>|<nil>):")
_FILE = r"^\[[A-Z]+\]\[[^\]]*\] (?:[a-z-]+/)?([\w.-]+\.go) "
_BIRD = re.compile(r"bird\x07?: (?:[^<b]|b[^i])")
_NAMES = "Mesh_|Node_|Global_|bird"
_SECRET = re.compile(TELLING_WORDS)


class Verdict(NamedTuple):
    """What holds for every line of a kind.

    ``sure``: it is a record of one line, unless the next line goes on with it, and ``said`` (the columns ``SAID``)
    is what the grammar says of it. ``quiet``: that it was said is all that matters. ``placed``: the first one of each
    place in the program's source matters. ``bird``: it is of a BIRD daemon that could be either of the two.
    ``names``: it may name a neighbour, which tells which daemon speaks.
    """

    sure: bool = False
    quiet: bool = False
    placed: bool = False
    bird: bool = True
    names: bool = True
    said: tuple[Any, ...] = (None,) * len(SAID)

    @property
    def terse(self) -> bool:
        """Whether the text follows the daemon's name (BIRD's own lines)."""
        return self._saying("family") == "bird"

    @property
    def six(self) -> bool:
        """Whether bird6 says it."""
        return self._saying("component") == "bird6"

    def _saying(self, name: str) -> object:
        return self.said[SAID.names().index(name)]


UNREAD = Verdict()
#: A kind: whether it stands behind a date, its key, and the Go file that said it.
Name = tuple[bool, str, str | None]
#: Reads single lines (the columns of lines, each with its own ``src``) as ``parse`` does, up to the rule.
Reader = Callable[[pl.DataFrame], pl.DataFrame]


class Kinds:
    """The kinds seen so far. What is said of one never depends on what was seen before it."""

    def __init__(self, ruleset: Ruleset, telling: frozenset[str], placed: frozenset[str]) -> None:
        """``telling``: rules whose records are never quiet; ``placed``: those whose lines tell their place."""
        self._ruleset = ruleset
        self._telling = telling
        self._placed = placed
        self._words = words_of(ruleset)
        before = "|".join(re.escape(text) for text in openings(ruleset.protected))
        # what may tell of a secret, what looks like a wiped token, and digits that a word before them may protect
        self.unsure = re.compile(f"{HIDDEN_WORDS}|<\\*>|(?:{before})\\0".encode())
        self._forget()

    def _forget(self) -> None:
        self._wordings = Wordings()
        self._lines = np.zeros(0, np.int64)
        self._kind_of = np.array([-1])
        self._unsure_of = np.array([True])
        self._numbers: dict[Name, int] = {}
        self._verdicts: list[Verdict] = [UNREAD]

    def make_room(self) -> None:
        """Hostile lines may have filled what there was room for: it is emptied, and kinds get new numbers."""
        if self._wordings.full:
            self._forget()

    def scan(self, text: Text) -> Scanned:
        """Stamps and wordings of lines."""
        return scan(text.octets, text.begin, text.width, self._words, self._wordings)

    def of(self, heads: Scanned) -> tuple[np.ndarray, np.ndarray]:
        """The number of each line's kind (-1: not known), and whether more than its kind decides what it says."""
        return self._kind_of[heads.wording], self._unsure_of[heads.wording] | (heads.said & TELLING != 0)

    def flags(self, name: str) -> np.ndarray:
        """A flag of the verdicts, by the number of the kind; the last is for lines without one."""
        return np.array([getattr(verdict, name) for verdict in self._verdicts])

    def said(self) -> pl.DataFrame:
        """What the grammar says of each kind (column ``kind``)."""
        said = pl.DataFrame([verdict.said for verdict in self._verdicts], SAID, orient="row")
        return said.with_columns(kind=pl.int_range(pl.len(), dtype=pl.Int64))

    def learn(self, text: Text, heads: Scanned, read: Reader) -> None:
        """Find the kinds of wordings that have come often enough to pay for it, and verdicts for new kinds.

        Of the arrays and the list, the last entry is for lines without a wording.
        """
        size = len(self._wordings)
        counts = np.bincount(heads.wording + 1, minlength=size + 1)[1:]
        self._lines = _grown(self._lines, size, 0) + counts
        self._kind_of = _grown(self._kind_of[:-1], size + 1, -1)
        self._unsure_of = _grown(self._unsure_of[:-1], size + 1, True)
        asked = np.flatnonzero((self._kind_of[:-1] < 0) & (self._lines >= _OFTEN) & (counts > 0))
        if not len(asked):
            return
        first = _first_of(heads.wording, size)[asked]
        numbers = asked.tolist()
        dated = [self._wordings.is_dated(number) for number in numbers]
        rests = text.texts(first, heads.begin[first] + np.where(dated, DATE_WIDTH, 0))
        shapes, files = self._ruleset.shape_keys(rests, trimmed=True), rests.str.extract(_FILE)
        keys = list(zip(dated, shapes.to_list(), files.to_list(), strict=True))
        new = {key: row for key, row in zip(keys[::-1], first[::-1].tolist(), strict=True) if key not in self._numbers}
        self._judge(new, text, read)
        self._kind_of[asked] = [self._numbers[key] for key in keys]
        self._unsure_of[asked] = [bool(self.unsure.search(self._wordings.text(number))) for number in numbers]

    def _judge(self, new: Mapping[Name, int], text: Text, read: Reader) -> None:
        """Number new kinds, each with the row of one of its lines, and say what holds for them."""
        names = list(new)
        found = [Verdict(names=re.search(_NAMES, key) is not None) for _, key, _ in names]
        hopeful = [n for n, name in enumerate(names) if _is_hopeful(*name)]
        if hopeful:
            lines = text.frame(np.array([new[names[n]] for n in hopeful]))
            alone = read(lines.with_columns(src=pl.int_range(pl.len(), dtype=pl.UInt32)))
            for row in self._ruleset.judge(alone).iter_rows(named=True):
                stamped, key, _ = names[n := hopeful[row["src"]]]
                found[n] = self._verdict(stamped=stamped, key=key, row=row)
        self._numbers.update(zip(names, range(len(self._numbers), len(self._numbers) + len(names)), strict=True))
        self._verdicts[-1:] = [*found, UNREAD]

    def _verdict(self, stamped: bool, key: str, row: Mapping[str, Any]) -> Verdict:
        bird = row["component"] == "bird"
        names = bird and re.search(_NAMES, row["shape"]) is not None
        doubled = row["family"] == "bird" and _may_be_doubled(key.partition(": ")[2])
        if row["family"] != ("go" if stamped else "bird") or doubled or _SECRET.search(key):
            return Verdict(names=names)
        quiet = (
            row["category"] == "benign"
            and row["level"] not in LOUD
            and row["rule"] is not None
            and row["rule"] not in self._telling
        )
        said = tuple(row[name] for name in SAID)
        return Verdict(sure=True, quiet=quiet, placed=row["rule"] in self._placed, bird=bird, names=names, said=said)


def _is_hopeful(dated: bool, key: str, file: str | None) -> bool:
    """Whether a kind may decide what is read in its lines."""
    if not dated:
        return _BIRD.match(key) is not None
    head = _LOGRUS.match(key)
    return head is not None and ("<*>" not in head[0].partition("] ")[2].rpartition(" ")[0] or file is not None)


def _may_be_doubled(key: str) -> bool:
    """Two daemons may write the same to one pipe, and it comes as one line: such a text is looked at itself."""
    half = len(key) // 2
    parts = [part for part in key.split("<*>") if len(part) > 2]
    return key[:half] == key[half:] or len(parts) != len(set(parts))


def _first_of(numbers: np.ndarray, size: int) -> np.ndarray:
    """Where each number below ``size`` comes first (-1: nowhere); negative numbers stand for nothing."""
    first = np.full(size + 1, -1)
    first[numbers[::-1]] = np.arange(len(numbers))[::-1]
    return first[:-1]


def _grown(array: np.ndarray, size: int, fill: int) -> np.ndarray:
    return np.append(array, np.full(size - len(array), fill, array.dtype))
