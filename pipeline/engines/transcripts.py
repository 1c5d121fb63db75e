"""Lines of logs among what commands printed: a ticket holds tables and stretches of logs, one below the other.

The reader of transcripts has the first word, as events and probes quote log lines of their own. What it and the rules
for consoles leave over, and what begins as lines of logs do, is read as a log, at the place where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from pipeline.engines.readers import NO_QUIET, READ, QuietFacts
from pipeline.frames import schema
from pipeline.grammar import Ruleset
from pipeline.sources.envelope_table import ENVELOPES, ISO, ZONE
from pipeline.sources.headers import LAYOUTS
from pipeline.sources.identify import Identity

if TYPE_CHECKING:
    from pipeline.engines.parse import Piece

_LOG = Identity("log", "log:bare", "lines of a log among what commands printed")
# Words such as INFO and rows of events are what commands print, too.
_HEADS = [layout.pattern for layout in LAYOUTS if layout.name not in ("event-row", "level-word")]
# Behind these stamps anything may follow: only a head tells a log.
_LOOSE = ("timestamps", "svlogd-iso", "stern", "logcli-text", "fluentd-file")


def _either(patterns: Sequence[str]) -> str:
    bare = [re.sub(r"\(\?P<\w+>", "(?:", pattern.removeprefix("(?s)").removeprefix("^")) for pattern in patterns]
    return "|".join(f"(?:{pattern})" for pattern in bare)


_BEGINS = (
    rf"(?s)^(?:{ISO}{ZONE}? )?(?:{_either(_HEADS)})|"
    rf"^(?:{_either([envelope.pattern for envelope in ENVELOPES if envelope.name not in _LOOSE])})"
)
# no query here: it would start the threads of Polars when this is imported, and a process that is forked then hangs
_NO_TOLD = schema({name: READ[name] for name in ("src", "offset", "node", "pod", "ts")}).to_frame()


@dataclass(frozen=True)
class Pasted:
    """Stretches of logs as pieces to be read, and what is left of the transcripts.

    ``told`` has what the transcript says of each of the lines: the node or pod of its prompt, and the time of a date
    near it.
    """

    quiet: QuietFacts
    logs: list[Piece]
    told: pl.DataFrame

    def with_logs(self, records: pl.DataFrame) -> pl.DataFrame:
        """The records of all logs (schema ``READ``), and those that are left, in the order of sources and places."""
        if self.told.is_empty():
            return pl.concat([records, self.quiet.records])
        found = records.join(self.told, on=["src", "offset"], how="left", suffix="_told", maintain_order="left")
        late = pl.col("ts").is_null() & pl.col("ts_told").is_not_null()
        placed = found.with_columns(
            node=pl.coalesce("node", "node_told"),
            pod=pl.coalesce("pod", "pod_told"),
            ts=pl.coalesce("ts", "ts_told"),
            ts_source=pl.when(late).then(pl.lit("neighbour")).otherwise("ts_source"),
        )
        both = pl.concat([placed.select(records.columns), self.quiet.records])
        return both.sort("src", "offset", maintain_order=True)


def take_logs(quiet: QuietFacts, pieces: Sequence[Piece], ruleset: Ruleset) -> Pasted:
    """Take the lines of logs out of what was read of ``pieces``."""
    consoles = {piece.src: piece for piece in pieces if piece.identity.family == "console"}
    lines = quiet.records.with_row_index("row").filter(
        pl.col("src").is_in(list(consoles))
        & (pl.col("family") == "console")
        & (pl.col("lines") == 1)
        & ~pl.col("silent")
        & pl.col("body").str.contains(_BEGINS)
    )
    if lines.height:
        lines = lines.filter(ruleset.judge(lines.drop("row"))["rule"].is_null())
    if lines.is_empty():
        return Pasted(quiet, [], _NO_TOLD)
    rest = quiet.records.with_row_index("row").join(lines, on="row", how="anti", maintain_order="left").drop("row")
    dated = pl.when(pl.col("ts_source") == "neighbour").then("ts")
    told = lines.select("src", _text_begins(lines, consoles), "node", "pod", ts=dated)
    return Pasted(replace(quiet, records=rest), list(_stretches(lines, consoles)), told)


def _text_begins(lines: pl.DataFrame, consoles: dict[int, Piece]) -> pl.Series:
    """Where each line begins behind its blanks: as it was pasted, it may be indented."""
    begins = []
    for src, offset, length in lines.select("src", "offset", "length").iter_rows():
        piece = consoles[src]
        raw = bytes(piece.data[offset - piece.offset : offset - piece.offset + length])
        begins.append(offset + len(raw) - len(raw.lstrip()))
    return pl.Series("offset", begins, dtype=READ["offset"])


def _stretches(lines: pl.DataFrame, consoles: dict[int, Piece]) -> Iterator[Piece]:
    """Lines that stand below each other as one piece."""
    ends = lines["offset"] + lines["length"].cast(pl.UInt64)
    places = pl.DataFrame({"src": lines["src"], "begin": _text_begins(lines, consoles), "end": ends})
    follows = (pl.col("src") == pl.col("src").shift()) & (pl.col("begin") == pl.col("end").shift() + 1)
    parts = places.group_by("src", (~follows.fill_null(False)).cum_sum().alias("part"), maintain_order=True)
    for src, _, begin, end in parts.agg(pl.col("begin").first(), pl.col("end").last()).iter_rows():
        piece = consoles[src]
        data = piece.data[begin - piece.offset : end - piece.offset]
        yield replace(piece, identity=_LOG, data=data, offset=begin, tail=0)


NOTHING_PASTED = Pasted(NO_QUIET, [], _NO_TOLD)
