"""Lines whose kind is known are not read again: most are only counted, the others get what their kind is said to be.

Lines are told apart by their *kind*: the text behind the stamps with every token that holds a digit wiped, the key of
the grammar's shapes. The first line of a kind is read as any other, by the readers and the grammar, and all lines of
its kind get the same answer. That holds only where the kind decides the answer, so everything else is left to be
read: other layouts than BIRD's and logrus', lines that may go on with the one before, words that may stand for
secrets, lines without a time and the neighbours they take it from. The facts are those that reading would have given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from pipeline.engines.facts import LOUD
from pipeline.frames import schema
from pipeline.grammar import RULE_NUMBER, Ruleset
from pipeline.grammar.shape import BEGINNINGS, SHAPE_CHARS
from pipeline.redact import HIDDEN_WORDS, TELLING
from pipeline.sources.birds import FOUR, SIX
from pipeline.sources.lines import Text
from pipeline.sources.stamped import DATE_WIDTH, MINUTE, Heads, container_heads, dated
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
# Kinds remembered between calls: real fleets have some hundreds; the bound is for hostile ones.
_REMEMBERED = 50_000
# The keys of lines whose head is told by the key alone; the digit of bird6 is hidden there.
_LOGRUS = re.compile(r"\[[A-Z]+\]\[<\*>(?:/<\*>)*\] (?:[a-z-]+/)?[A-Za-z_.<>-]+ (?:<\*>|<nil>):")
_BIRD = re.compile(r"bird\x07?: (?:[^<b]|b[^i])")
_NAMES = "Mesh_|Node_|Global_|bird"
_PLACE = r"^\[[A-Z]+\]\[[^\]]+\] (?:[a-z0-9-]+/)?(\S+ [^\s:]+):"
# how nearly all lines with a neighbour's name begin: cheaper to look for than such a name anywhere
_SURELY_FOUR = r"^bird: (?:Mesh|Node|Global)_[0-9]{1,3}_[0-9]{1,3}_[0-9]{1,3}_[0-9]{1,3}[^0-9A-Za-z_]"
_SECRET = re.compile(TELLING)
# what a wiped token may hold, what looks like one, and words that the cheap keys do not protect
_UNSURE = "|".join([HIDDEN_WORDS, r"<\*>", *BEGINNINGS])
_MANY_GROUPS = 1 << 24


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
_FLAGS = 5
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
        self._known: dict[tuple[bool, str], Verdict] = {}

    def sift(self, text: Text, ranges: Mapping[int, tuple[int, int | None]], read: Reader) -> Sifted:
        """Tell quiet lines from the others.

        ``ranges`` has, for each source, the offsets from and up to which lines are its own; the others are around
        it for what its records go on with.
        """
        heads = container_heads(text.octets, text.begin, text.width)
        end = text.begin + text.width
        rows = np.flatnonzero(heads.plain & (end - heads.begin < SHAPE_CHARS))
        if len(rows) * 2 < len(text):
            return UNSIFTED
        stamped = dated(text.octets, heads.begin[rows], end[rows])
        rests = text.texts(rows, heads.begin[rows] + np.where(stamped, DATE_WIDTH, 0))
        numbers, keys = _numbered(self._ruleset.shape_keys(rests, trimmed=True))
        kind = np.full(len(text), -1)
        kind[rows] = numbers * 2 + stamped
        verdicts = [*self._verdicts(keys, kind, text, read), UNREAD]
        sure, quiet, placed, bird, names = (np.array([v[n] for v in verdicts])[kind] for n in range(_FLAGS))
        telling = rests.str.contains(_UNSURE).to_numpy()
        sure[rows] &= ~telling
        only_four = not _six_may_speak(rests.filter(names[rows])) and not _six_may_speak(text.frame(kind < 0)["raw"])
        if not only_four:
            sure &= ~bird
        _leave_neighbours(sure, heads, text.src)
        mine = sure & _inside(text, ranges)
        quiet &= mine
        _tell_examples(quiet, kind, text.src, self._examples)
        _tell_places(quiet, np.flatnonzero(quiet & placed), text, heads)
        counted = _count(text.src[quiet], heads.ts[quiet], kind[quiet], verdicts)
        told = _told(np.flatnonzero(mine & ~quiet), kind, verdicts, text, heads)
        return Sifted(counted, told, np.flatnonzero(~sure), only_four)

    def _verdicts(self, keys: list[str], kind: np.ndarray, text: Text, read: Reader) -> list[Verdict]:
        """A verdict for each number of a kind: two for a key, without and with a date before it."""
        named = [(stamped, key) for key in keys for stamped in (False, True)]
        first = _first_of(kind, len(named))
        new = [n for n in np.flatnonzero(first >= 0).tolist() if named[n] not in self._known]
        hopeful = [n for n in new if (_LOGRUS if named[n][0] else _BIRD).match(named[n][1])]
        found = {n: Verdict(names=re.search(_NAMES, named[n][1]) is not None) for n in new}
        if hopeful:
            lines = text.frame(first[np.array(hopeful)])
            alone = read(lines.with_columns(src=pl.int_range(pl.len(), dtype=pl.UInt32)))
            for row in self._ruleset.judge(alone).iter_rows(named=True):
                n = hopeful[row["src"]]
                found[n] = self._verdict(stamped=named[n][0], key=named[n][1], row=row)
        verdicts = [found[n] if n in found else self._known.get(name, UNREAD) for n, name in enumerate(named)]
        if len(self._known) + len(found) > _REMEMBERED:
            self._known = {}
        self._known.update(islice(((named[n], verdict) for n, verdict in found.items()), _REMEMBERED))
        return verdicts

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


def _numbered(keys: pl.Series) -> tuple[np.ndarray, list[str]]:
    """A number for each row, and the distinct texts in the order of their numbers."""
    categories = pl.Categories.random()
    coded = keys.cast(pl.Categorical(categories))
    return coded.to_physical().to_numpy().astype(np.int64), categories.to_series().to_list()


def _may_be_doubled(key: str) -> bool:
    """Two daemons may write the same to one pipe, and it comes as one line: such a text is looked at itself."""
    half = len(key) // 2
    parts = [part for part in key.split("<*>") if len(part) > 2]
    return key[:half] == key[half:] or len(parts) != len(set(parts))


def _six_may_speak(lines: pl.Series) -> bool:
    """Whether any of the lines is bird6's by what it names: ``birds`` would then look around the others."""
    lines = lines.filter(~lines.str.contains(_SURELY_FOUR))
    return bool(lines.filter(~lines.str.contains(FOUR)).str.contains(SIX).any())


def _leave_neighbours(sure: np.ndarray, heads: Heads, src: np.ndarray) -> None:
    """Lines that another one may go on with, and those around one without a head, are left to be read with it.

    A line that may not begin a record goes on with the nearest one before it in its stream that does; a line without
    a head may be a piece of the next one, and take its time from either side.
    """
    place, n = np.arange(len(sure)), len(sure)
    bare = np.flatnonzero(~heads.plain)
    near: list[tuple[np.ndarray, np.ndarray]] = []
    for stream in (0, 1):
        mine = heads.plain & (heads.stream == stream)
        asking = np.flatnonzero(~heads.plain | (mine & ~sure))
        if len(asking) and mine.any():
            near.append((asking, np.maximum.accumulate(np.where(mine & sure, place, -1))[asking]))
        if len(bare) and mine.any():
            near.append((bare, np.maximum.accumulate(np.where(mine, place, -1))[bare]))
            near.append((bare, np.minimum.accumulate(np.where(mine, place, n)[::-1])[::-1][bare]))
    for asking, found in near:
        real = (found >= 0) & (found < n)
        asking, found = asking[real], found[real]
        sure[found[src[found] == src[asking]]] = False


def _tell_examples(quiet: np.ndarray, kind: np.ndarray, src: np.ndarray, examples: int) -> None:
    """The first quiet lines of each kind and source are kept whole."""
    rows = np.flatnonzero(quiet)
    if not len(rows):
        return
    width = int(kind.max()) + 1
    source = np.cumsum(np.diff(src[rows], prepend=src[rows[0]]) != 0)
    group = source * width + kind[rows]
    for _ in range(examples):
        first = _first_of(group, width * (int(source[-1]) + 1))
        first = first[first >= 0]
        quiet[rows[first]] = False
        group = group.copy()
        group[first] = -1


def _tell_places(quiet: np.ndarray, rows: np.ndarray, text: Text, heads: Heads) -> None:
    """Of lines that tell the version by where they stand in the source of their program, the first of each place."""
    if not len(rows):
        return
    places = pl.DataFrame(
        {"src": text.src[rows], "at": text.texts(rows, heads.begin[rows] + DATE_WIDTH).str.extract(_PLACE, 1)}
    )
    first = places.with_row_index().unique(["src", "at"], keep="first")["index"]
    quiet[rows[first.to_numpy()]] = False


def _first_of(group: np.ndarray, size: int) -> np.ndarray:
    """The place of the first row of each group, -1 for a group without rows; rows of group -1 have none."""
    if size > _MANY_GROUPS:
        named, places = np.unique(group, return_index=True)
        return places[named >= 0]
    first = np.full(size + 1, -1)
    first[group[::-1]] = np.arange(len(group))[::-1]
    return first[:-1]


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


def _count(src: np.ndarray, ts: np.ndarray, kind: np.ndarray, verdicts: Sequence[Verdict]) -> pl.DataFrame:
    if not len(src):
        return NO_COUNTS
    lines = pl.DataFrame({"src": src, "minute": ts // MINUTE * MINUTE, "kind": kind, "ts": ts})
    counts = lines.group_by("src", "minute", "kind").agg(
        events=pl.len().cast(pl.UInt64), first_ts=pl.col("ts").min(), last_ts=pl.col("ts").max()
    )
    counts = counts.join(_said(verdicts), on="kind", how="left")
    return counts.with_columns(_time(name) for name in ("minute", "first_ts", "last_ts")).select(
        pl.col(name).cast(kind) for name, kind in COUNTED.items()
    )


def _said(verdicts: Sequence[Verdict]) -> pl.DataFrame:
    said = pl.DataFrame([verdict.said for verdict in verdicts], _SAID, orient="row")
    return said.with_columns(kind=pl.int_range(pl.len(), dtype=pl.Int64))


def _time(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _told(rows: np.ndarray, kind: np.ndarray, verdicts: Sequence[Verdict], text: Text, heads: Heads) -> pl.DataFrame:
    """Records of lines of which all but their own words is known."""
    if not len(rows):
        return NO_RECORDS
    said = _said(verdicts)
    bird = (said["family"] == "bird").fill_null(False).to_numpy()[kind[rows]]
    six = (said["component"] == "bird6").fill_null(False).to_numpy()[kind[rows]]
    begin = heads.begin[rows] + np.where(bird, np.where(six, len("bird6: "), len("bird: ")), DATE_WIDTH)
    frame = pl.DataFrame(
        {
            "src": text.src[rows],
            "ts": heads.ts[rows],
            "kind": kind[rows],
            "body": text.texts(rows, begin),
            "offset": text.offset[rows],
            "length": text.length[rows],
        }
    ).join(said, on="kind", how="left", maintain_order="left")
    # the head of logrus ends with the first colon behind the date
    go, colon = pl.col("family") == "go", pl.col("body").str.find(":", literal=True)
    behind = pl.when(go).then(pl.col("body").str.slice(colon + 1).str.strip_prefix(" ")).otherwise("body")
    return frame.with_columns(
        _time("ts"),
        body=behind.str.strip_chars_start(" \t"),
        code=pl.when(go).then(pl.col("body")).str.extract(_PLACE, 1),
    ).select(TOLD.names())
