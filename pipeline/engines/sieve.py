"""Lines whose kind is known are not read again: most are only counted, the others get what their kind is said to be.

Lines are told apart by their *kind*: the text behind the stamps with every token that holds a digit wiped, the key of
the grammar's shapes, which follows from the wording that ``native.wordings`` finds. The first line of a kind is read
as any other, by the readers and the grammar, and all lines of its kind get the same answer. That holds only where
the kind decides the answer, so everything else is left to be read: other layouts than BIRD's and logrus', lines that
may go on with the one before, words that may stand for secrets, lines without a time and the neighbours they take it
from. The facts are those that reading would have given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from pipeline.engines.facts import LOUD
from pipeline.frames import schema
from pipeline.grammar import RULE_NUMBER, Ruleset
from pipeline.native.counts import Counts, Quiet, count_quiet
from pipeline.native.wordings import DATE_WIDTH, NO_HEAD, SURELY_FOUR, TELLING, Scanned, Wordings, find_bodies, scan
from pipeline.native.words import openings, words_of
from pipeline.redact import HIDDEN_WORDS
from pipeline.redact import TELLING as TELLING_WORDS
from pipeline.sources.birds import FOUR, SIX
from pipeline.sources.lines import Text
from pipeline.sources.times import UTC_US

COUNTED = schema(
    {
        "src": pl.UInt32, "minute": UTC_US, "component": pl.String, "level": pl.String, "shape": pl.String,
        "rule": pl.String, "severity": pl.String, "events": pl.UInt64, "first_ts": UTC_US, "last_ts": UTC_US,
    }
)  # fmt: skip
TOLD = schema(
    {
        "src": pl.UInt32, "ts": UTC_US, "component": pl.String, "level": pl.String, "family": pl.String,
        "body": pl.String, "code": pl.String, "offset": pl.UInt64, "length": pl.UInt32, "shape": pl.String,
        "rule": pl.String, "category": pl.String, "severity": pl.String, RULE_NUMBER: pl.Int32,
    }
)  # fmt: skip
NO_COUNTS, NO_RECORDS = COUNTED.to_frame(), TOLD.to_frame()
_SAID = schema(
    {
        "component": pl.String, "level": pl.String, "family": pl.String, "shape": pl.String, "rule": pl.String,
        "category": pl.String, "severity": pl.String, RULE_NUMBER: pl.Int32,
    }
)  # fmt: skip
MINUTE = 60_000_000
# Lines of a wording that are read before its kind is asked for: names without a digit make wordings of a few lines.
_OFTEN = 8
# The keys of lines whose head is told by the key (and the Go file, whose name may hold a digit) alone; the digit of
# bird6 is hidden there.
_LOGRUS = re.compile(r"\[[A-Z]+\]\[<\*>(?:/<\*>)*\] (?:[a-z-]+/)?(?:[A-Za-z_.<>-]+|<\*>) (?:<\*>|<nil>):")
_FILE = r"^\[[A-Z]+\]\[[^\]]*\] (?:[a-z-]+/)?([\w.-]+\.go) "
_BIRD = re.compile(r"bird\x07?: (?:[^<b]|b[^i])")
_NAMES = "Mesh_|Node_|Global_|bird"
_PLACE = r"^\[[A-Z]+\]\[[^\]]+\] (?:[a-z0-9-]+/)?(\S+ [^\s:]+):"
_SECRET = re.compile(TELLING_WORDS)


class Verdict(NamedTuple):
    """What holds for every line of a kind.

    ``sure``: it is a record of one line, unless the next line goes on with it, and ``said`` (the columns ``_SAID``)
    is what the grammar says of it. ``quiet``: that it was said is all that matters. ``placed``: the first one of each
    place in the program's source matters. ``bird``: it is of a BIRD daemon that could be either of the two.
    ``names``: it may name a neighbour, which tells which daemon speaks.
    """

    sure: bool = False
    quiet: bool = False
    placed: bool = False
    bird: bool = True
    names: bool = True
    said: tuple[Any, ...] = (None,) * len(_SAID)


UNREAD = Verdict()
#: A kind: whether it stands behind a date, its key, and the Go file that said it.
Name = tuple[bool, str, str | None]
#: Reads single lines (the columns of lines, each with its own ``src``) as ``parse`` does, up to the rule.
Reader = Callable[[pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True)
class Sifted:
    """Counts (``COUNTED``) of quiet lines, records (``TOLD``) of others, the rows left to be read, and whether all of
    BIRD's lines are IPv4's."""

    counted: pl.DataFrame
    told: pl.DataFrame
    rows: np.ndarray | slice
    only_four: bool


UNSIFTED = Sifted(NO_COUNTS, NO_RECORDS, slice(None), only_four=False)


class Sieve:
    """Remembers the kinds it has seen; what it says of a kind never depends on what it saw before."""

    def __init__(self, ruleset: Ruleset, telling: Sequence[str], placed: Sequence[str], examples: int) -> None:
        """``telling``: rules whose fields are wanted of every record; ``placed``: those of which each place in the
        source of their program is wanted once."""
        self._ruleset = ruleset
        self._telling = frozenset(telling)
        self._placed = frozenset(placed)
        self._examples = examples
        self._words = words_of(ruleset)
        before = "|".join(re.escape(text) for text in openings(ruleset.protected))
        # what may tell of a secret, what looks like a wiped token, and digits that a word before them may protect
        self._unsure = re.compile(f"{HIDDEN_WORDS}|<\\*>|(?:{before})\\0".encode())
        self._forget()

    def _forget(self) -> None:
        self._wordings = Wordings()
        self._lines = np.zeros(0, np.int64)
        self._kind_of = np.array([-1])
        self._unsure_of = np.array([True])
        self._numbers: dict[Name, int] = {}
        self._verdicts: list[Verdict] = [UNREAD]

    def sift(self, text: Text, ranges: Mapping[int, tuple[int, int | None]], read: Reader) -> Sifted:
        """Tell quiet lines from the others.

        ``ranges`` has, for each source, the offsets from and up to which lines are its own; the others are around
        it for what its records go on with.
        """
        if self._wordings.full:
            self._forget()
        heads = scan(text.octets, text.begin, text.width, self._words, self._wordings)
        if np.count_nonzero(heads.wording >= 0) * 2 < len(text):
            return UNSIFTED
        self._learn(text, heads, read)
        kind = self._kind_of[heads.wording]
        sure, quiet, bird, names = (self._flags(flag)[kind] for flag in ("sure", "quiet", "bird", "names"))
        sure &= ~self._unsure_of[heads.wording] & (heads.said & TELLING == 0)
        named = np.flatnonzero(names & (kind >= 0) & (heads.said & SURELY_FOUR == 0))
        only_four = not _six_may_speak(text.texts(named, heads.begin[named])) and not _six_may_speak(
            text.frame(kind < 0)["raw"]
        )
        if not only_four:
            sure &= ~bird
        _leave_neighbours(sure, heads, text.src)
        mine = sure & _inside(text, ranges)
        quiet &= mine
        counted = self._count(text, heads, kind, quiet)
        told = self._told(np.flatnonzero(mine & ~quiet), kind, text, heads)
        return Sifted(counted, told, np.flatnonzero(~sure), only_four)

    def _flags(self, name: str) -> np.ndarray:
        """A flag of the verdicts, by the number of the kind."""
        return np.array([getattr(verdict, name) for verdict in self._verdicts])

    def _count(self, text: Text, heads: Scanned, kind: np.ndarray, quiet: np.ndarray) -> pl.DataFrame:
        """Counts (``COUNTED``) of quiet lines; those that are wanted whole lose ``quiet``."""
        placed = np.zeros(len(text), bool)
        lines = Quiet(text.src, heads.ts, kind, heads.begin, text.begin + text.width, quiet, placed)
        counts = count_quiet(text.octets, lines, self._flags("placed"), self._examples)
        rows = np.flatnonzero(placed)
        first = _first_of_places(text.src[rows], text.texts(rows, heads.begin[rows] + DATE_WIDTH))
        quiet[rows[first]] = False
        again = np.delete(rows, first)
        ts = heads.ts[again]
        alone = Counts(text.src[again], kind[again], ts // MINUTE * MINUTE, np.ones(len(again), np.int64), ts, ts)
        return _counted([counts, alone], self._verdicts)

    def _told(self, rows: np.ndarray, kind: np.ndarray, text: Text, heads: Scanned) -> pl.DataFrame:
        """Records (``TOLD``) of lines of which all but their own words is known."""
        if not len(rows):
            return NO_RECORDS
        said = _said(self._verdicts)
        of = kind[rows]
        bird = (said["family"] == "bird").fill_null(False).to_numpy()[of]
        six = (said["component"] == "bird6").fill_null(False).to_numpy()[of]
        begin = heads.begin[rows] + np.where(bird, np.where(six, len("bird6: "), len("bird: ")), DATE_WIDTH)
        bodies = find_bodies(text.octets, begin, text.begin[rows] + text.width[rows], ~bird)
        placed = np.flatnonzero(self._flags("placed")[of])
        code = pl.Series("code", [None], dtype=pl.String).new_from_index(0, len(rows))
        code = code.scatter(placed, text.texts(rows[placed], begin[placed]).str.extract(_PLACE, 1))
        frame = pl.DataFrame(
            {
                "src": text.src[rows],
                "ts": heads.ts[rows],
                "kind": of,
                "body": text.texts(rows, bodies),
                "code": code,
                "offset": text.offset[rows],
                "length": text.length[rows],
            }
        ).join(said, on="kind", how="left", maintain_order="left")
        return frame.with_columns(_time("ts")).select(TOLD.names())

    def _learn(self, text: Text, heads: Scanned, read: Reader) -> None:
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
        self._unsure_of[asked] = [bool(self._unsure.search(self._wordings.text(number))) for number in numbers]

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
        said = tuple(row[name] for name in _SAID)
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


def _six_may_speak(lines: pl.Series) -> bool:
    """Whether any of the lines is bird6's by what it names: ``birds`` would then look around the others."""
    return bool(lines.filter(~lines.str.contains(FOUR)).str.contains(SIX).any())


def _leave_neighbours(sure: np.ndarray, heads: Scanned, src: np.ndarray) -> None:
    """Lines that another one may go on with, and those around one without a head, are left to be read with it.

    A line that may not begin a record goes on with the nearest one before it in its stream that does; a line without
    a head may be a piece of the next one, and take its time from either side.
    """
    place, n, plain = np.arange(len(sure)), len(sure), heads.begin != NO_HEAD
    bare = np.flatnonzero(~plain)
    near: list[tuple[np.ndarray, np.ndarray]] = []
    for stream in (0, 1):
        mine = plain & (heads.stream == stream)
        asking = np.flatnonzero(~plain | (mine & ~sure))
        if len(asking) and mine.any():
            near.append((asking, np.maximum.accumulate(np.where(mine & sure, place, -1))[asking]))
        if len(bare) and mine.any():
            near.append((bare, np.maximum.accumulate(np.where(mine, place, -1))[bare]))
            near.append((bare, np.minimum.accumulate(np.where(mine, place, n)[::-1])[::-1][bare]))
    for asking, found in near:
        real = (found >= 0) & (found < n)
        asking, found = asking[real], found[real]
        sure[found[src[found] == src[asking]]] = False


def _first_of_places(src: np.ndarray, texts: pl.Series) -> np.ndarray:
    """Which of some lines are the first of their source that tell their place in the source of their program."""
    places = pl.DataFrame({"src": src, "at": texts.str.extract(_PLACE, 1)}).with_row_index()
    return places.unique(["src", "at"], keep="first")["index"].to_numpy()


def _first_of(numbers: np.ndarray, size: int) -> np.ndarray:
    """Where each number below ``size`` comes first (-1: nowhere); negative numbers stand for nothing."""
    first = np.full(size + 1, -1)
    first[numbers[::-1]] = np.arange(len(numbers))[::-1]
    return first[:-1]


def _grown(array: np.ndarray, size: int, fill: int) -> np.ndarray:
    return np.append(array, np.full(size - len(array), fill, array.dtype))


def _inside(text: Text, ranges: Mapping[int, tuple[int, int | None]]) -> np.ndarray:
    inside = np.ones(len(text), bool)
    for src, (begin, stop) in ranges.items():
        if not begin and stop is None:
            continue  # a whole source: a batch holds hundreds of them
        out = text.offset < begin
        if stop is not None:
            out |= text.offset >= stop
        inside &= ~out | (text.src != src)
    return inside


def _counted(parts: Sequence[Counts], verdicts: Sequence[Verdict]) -> pl.DataFrame:
    """Counts with what is said of their kinds, a row for each source, minute and kind."""
    lines = pl.concat(pl.DataFrame(part._asdict()) for part in parts)
    if lines.is_empty():
        return NO_COUNTS
    sums = lines.group_by("src", "minute", "kind").agg(
        pl.col("events").sum(), first_ts=pl.col("first_ts").min(), last_ts=pl.col("last_ts").max()
    )
    counts = sums.join(_said(verdicts), on="kind", how="left")
    return counts.with_columns(_time(name) for name in ("minute", "first_ts", "last_ts")).select(
        pl.col(name).cast(kind) for name, kind in COUNTED.items()
    )


def _said(verdicts: Sequence[Verdict]) -> pl.DataFrame:
    said = pl.DataFrame([verdict.said for verdict in verdicts], _SAID, orient="row")
    return said.with_columns(kind=pl.int_range(pl.len(), dtype=pl.Int64))


def _time(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
