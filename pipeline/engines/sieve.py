"""Lines whose kind is known are not read again: most are only counted, the others get what their kind is said to be.

Lines are told apart by their *kind*: the text behind the stamps with every token that holds a digit wiped, the key of
the grammar's shapes, which follows from the wording that ``native.wordings`` finds. The first line of a kind is read
as any other, by the readers and the grammar, and all lines of its kind get the same answer. That holds only where
the kind decides the answer, so everything else is left to be read: other layouts than BIRD's and logrus', lines that
may go on with the one before, words that may stand for secrets, lines without a time and the neighbours they take it
from. The facts are those that reading would have given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.engines.kinds import Kinds, Reader
from pipeline.frames import schema
from pipeline.grammar import RULE_NUMBER, Ruleset
from pipeline.native.counts import Counts, Quiet, count_quiet
from pipeline.native.wordings import DATE_WIDTH, NO_HEAD, SURELY_FOUR, Scanned, find_bodies
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
MINUTE = 60_000_000
_PLACE = r"^\[[A-Z]+\]\[[^\]]+\] (?:[a-z0-9-]+/)?(\S+ [^\s:]+):"


@dataclass(frozen=True)
class Sifted:
    """Of a block of lines: counts of quiet ones, what their kinds tell of others (a row each), the rows left to be
    read, and whether all of BIRD's lines are IPv4's."""

    counts: Sequence[Counts]
    told: pl.DataFrame | None
    rows: np.ndarray | slice
    only_four: bool


UNSIFTED = Sifted((), None, slice(None), only_four=False)


class Sieve:
    """Sifts the lines of work items; what it says of a line never depends on what it saw before."""

    def __init__(self, ruleset: Ruleset, telling: Sequence[str], placed: Sequence[str], examples: int) -> None:
        """``telling``: rules whose fields are wanted of every record; ``placed``: those of which each place in the
        source of their program is wanted once."""
        self._kinds = Kinds(ruleset, frozenset(telling), frozenset(placed))
        self._examples = examples

    def begin(self) -> None:
        """Make room for an item; what was sifted before means nothing from here on."""
        self._kinds.make_room()

    def sift(self, text: Text, ranges: Mapping[int, tuple[int, int | None]], read: Reader) -> Sifted:
        """Tell quiet lines of a block of an item, which holds sources whole, from the others.

        ``ranges`` has, for each source, the offsets from and up to which lines are its own; the others are around
        it for what its records go on with.
        """
        heads = self._kinds.scan(text)
        if np.count_nonzero(heads.wording >= 0) * 2 < len(text):
            return UNSIFTED
        self._kinds.learn(text, heads, read)
        kind, unsure = self._kinds.of(heads)
        sure, quiet, bird, names = (self._kinds.flags(flag)[kind] for flag in ("sure", "quiet", "bird", "names"))
        sure &= ~unsure
        named = np.flatnonzero(names & (kind >= 0) & (heads.said & SURELY_FOUR == 0))
        only_four = not _six_may_speak(text.texts(named, heads.begin[named])) and not _six_may_speak(
            text.frame(kind < 0)["raw"]
        )
        if not only_four:
            sure &= ~bird
        _leave_neighbours(sure, heads, text.src)
        mine = sure & _inside(text, ranges)
        quiet &= mine
        counts = self._count(text, heads, kind, quiet)
        told = self._tell(np.flatnonzero(mine & ~quiet), kind, text, heads)
        return Sifted(counts, told, np.flatnonzero(~sure), only_four)

    def counted(self, blocks: Sequence[Sifted]) -> pl.DataFrame:
        """Counts (``COUNTED``) of the quiet lines of an item, a row for each source, minute and kind."""
        parts = [pl.DataFrame(part._asdict()) for block in blocks for part in block.counts if len(part.src)]
        if not parts:
            return NO_COUNTS
        sums = (
            pl.concat(parts)
            .group_by("src", "minute", "kind")
            .agg(pl.col("events").sum(), first_ts=pl.col("first_ts").min(), last_ts=pl.col("last_ts").max())
        )
        counts = sums.join(self._kinds.said(), on="kind", how="left")
        return counts.with_columns(_time(name) for name in ("minute", "first_ts", "last_ts")).select(
            pl.col(name).cast(kind) for name, kind in COUNTED.items()
        )

    def told(self, blocks: Sequence[Sifted]) -> pl.DataFrame:
        """Records (``TOLD``) of the lines of an item of which all but their own words is known."""
        parts = [block.told for block in blocks if block.told is not None]
        if not parts:
            return NO_RECORDS
        frame = pl.concat(parts)
        placed = np.flatnonzero(self._kinds.flags("placed")[frame["kind"].to_numpy()])
        code = pl.Series("code", [None], dtype=pl.String).new_from_index(0, frame.height)
        code = code.scatter(placed, frame["headed"].gather(placed).str.extract(_PLACE, 1))
        frame = frame.with_columns(code, _time("ts"))
        return frame.join(self._kinds.said(), on="kind", how="left", maintain_order="left").select(TOLD.names())

    def _count(self, text: Text, heads: Scanned, kind: np.ndarray, quiet: np.ndarray) -> list[Counts]:
        """Counts of quiet lines; those that are wanted whole lose ``quiet``."""
        placed = np.zeros(len(text), bool)
        lines = Quiet(text.src, heads.ts, kind, heads.begin, text.begin + text.width, quiet, placed)
        counts = count_quiet(text.octets, lines, self._kinds.flags("placed"), self._examples)
        rows = np.flatnonzero(placed)
        first = _first_of_places(text.src[rows], text.texts(rows, heads.begin[rows] + DATE_WIDTH))
        quiet[rows[first]] = False
        again = np.delete(rows, first)
        ts = heads.ts[again]
        alone = Counts(text.src[again], kind[again], ts // MINUTE * MINUTE, np.ones(len(again), np.int64), ts, ts)
        return [counts, alone]

    def _tell(self, rows: np.ndarray, kind: np.ndarray, text: Text, heads: Scanned) -> pl.DataFrame:
        """Where what is said stands in lines, and what stands before it."""
        of = kind[rows]
        bird, six = self._kinds.flags("terse")[of], self._kinds.flags("six")[of]
        begin = heads.begin[rows] + np.where(bird, np.where(six, len("bird6: "), len("bird: ")), DATE_WIDTH)
        bodies = find_bodies(text.octets, begin, text.begin[rows] + text.width[rows], ~bird)
        return pl.DataFrame(
            {
                "src": text.src[rows],
                "ts": heads.ts[rows],
                "kind": of,
                "headed": text.texts(rows, begin),
                "body": text.texts(rows, bodies),
                "offset": text.offset[rows],
                "length": text.length[rows],
            }
        )


def _six_may_speak(lines: pl.Series) -> bool:
    """Whether any of the lines is bird6's by what it names: ``birds`` would then look around the others."""
    six = lines.filter(lines.str.contains(SIX))
    return not six.str.contains(FOUR).all()


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


def _time(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
