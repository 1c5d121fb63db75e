"""Readers of the source families, all giving one frame of records for the grammar.

The frame has ``src, ts, ts_source, node, pod, component, level, family, body, message, offset, length,
lines`` and, from tables and documents, ``read_protocol, read_peer, read_params``. ``tabular`` marks rows that
bring their states themselves, ``silent`` those that only frame others (borders, headings, prompts).
"""

from __future__ import annotations

import json
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline.engines.blocks import NOTHING_KNOWN, may_be_sifted, sort_lines
from pipeline.engines.facts import NODE_FACTS, REJECTS, RESOURCES, STATES
from pipeline.engines.ranges import RECORDS_AROUND, trim_piece, within
from pipeline.engines.sieve import NO_COUNTS, Sieve
from pipeline.frames import conform, schema
from pipeline.grammar import KIND, RULE_NUMBER, SAID
from pipeline.inventory.bird_config import parse_bird_config
from pipeline.inventory.documents import parse_documents
from pipeline.redact import redact, redact_expr, redact_series
from pipeline.settings import Settings
from pipeline.sources.birds import name_birds
from pipeline.sources.dumps import name_pods
from pipeline.sources.envelopes import strip_envelopes
from pipeline.sources.exports import Damage, read_exports
from pipeline.sources.headers import parse_headers
from pipeline.sources.lines import Chunk, split_lines, trim_lines
from pipeline.sources.records import join_continuations, join_pieces, place_in_time
from pipeline.sources.secrets import hide_blocks
from pipeline.sources.times import UTC_US
from pipeline.status import parse_console
from pipeline.status.model import FACT_SCHEMA, RECORD_SCHEMA, REJECT_SCHEMA, RESOURCE_SCHEMA, STATE_SCHEMA
from pipeline.status.model import Facts as RowFacts

if TYPE_CHECKING:
    from pipeline.engines.kinds import Reader
    from pipeline.engines.parse import Piece

READ = schema(
    {
        "src": pl.UInt32, "ts": UTC_US, "ts_source": pl.String, "node": pl.String, "pod": pl.String,
        "component": pl.String, "level": pl.String, "family": pl.String, "body": pl.String,
        "code": pl.String, "message": pl.String, "offset": pl.UInt64, "length": pl.UInt32, "lines": pl.UInt32,
        "read_protocol": pl.String, "read_peer": pl.String, "read_params": pl.String,
        "tabular": pl.Boolean, "silent": pl.Boolean,
    }
)  # fmt: skip
JUDGED = schema({**READ, **dict.fromkeys(SAID, pl.String), KIND: pl.UInt32, RULE_NUMBER: pl.Int32})
UNSAID = schema(
    {
        "src": pl.UInt32, "minute": UTC_US, "node": pl.String, "component": pl.String, "level": pl.String,
        "shape": pl.String, "events": pl.UInt64,
    }
)  # fmt: skip
BLANK = "(blank line)"
CONTINUATION = "(continuation of the record before)"
_SHORT = 4096  # a blank line is short; looking at the length first spares the long ones
SILENT_ROLES = ("detail", "frame", "stamp", "echo", "blank")


@dataclass(frozen=True)
class QuietFacts:
    """What tables, documents and configurations say; ``records`` has the schema ``READ``."""

    records: pl.DataFrame
    states: pl.DataFrame
    resources: pl.DataFrame
    node_facts: pl.DataFrame
    rejects: pl.DataFrame


@dataclass(frozen=True)
class LogFacts:
    """Records of logs (schema ``READ``), counts of lines that say nothing of their own, and what was refused.

    ``counted`` and ``told`` (schemas in ``sieve``) stand for the records that the sieve kept back.
    """

    records: pl.DataFrame
    unsaid: pl.DataFrame
    rejects: pl.DataFrame
    counted: pl.DataFrame
    told: pl.DataFrame


NO_LOGS = LogFacts(READ.to_frame(), UNSAID.to_frame(), REJECTS.to_frame(), NO_COUNTS, JUDGED.to_frame())
NO_QUIET = QuietFacts(
    READ.to_frame(), STATES.to_frame(), RESOURCES.to_frame(), NODE_FACTS.to_frame(), REJECTS.to_frame()
)


def read_logs(pieces: Sequence[Piece], settings: Settings, sieve: Sieve | None = None) -> LogFacts:
    """Records of the logs and exports among the pieces; those in the same envelopes are read together."""

    def alike(piece: Piece) -> tuple[tuple[str, ...], str, str]:
        year = piece.reference.isoformat()[:10] if piece.reference else ""
        return piece.identity.chain, piece.tz, year

    groups = groupby(sorted(pieces, key=alike), key=alike)
    parts = [_read_alike(list(group), settings, sieve) for _, group in groups]
    if len(parts) == 1:
        return parts[0]
    return LogFacts(
        pl.concat([READ.to_frame(), *(part.records for part in parts)]).sort("src", "offset"),
        pl.concat([UNSAID.to_frame(), *(part.unsaid for part in parts)]),
        pl.concat([REJECTS.to_frame(), *(part.rejects for part in parts)]),
        pl.concat([NO_COUNTS, *(part.counted for part in parts)]),
        pl.concat([JUDGED.to_frame(), *(part.told for part in parts)]),
    )


def _read_alike(pieces: Sequence[Piece], settings: Settings, sieve: Sieve | None) -> LogFacts:
    """Reads cut pieces with little around them first; with all of it only where that is not enough."""
    if sieve is not None and may_be_sifted(pieces):
        return _read_lines(pieces, settings, sieve)[0]
    near = [trim_piece(piece, RECORDS_AROUND * settings.record_bytes) for piece in pieces]
    facts, sure = _read_lines(near, settings)
    if sure or all(a is b for a, b in zip(near, pieces, strict=True)):
        return facts
    return _read_lines(pieces, settings)[0]


def _read_lines(pieces: Sequence[Piece], settings: Settings, sieve: Sieve | None = None) -> tuple[LogFacts, bool]:
    """The facts, and whether more of the sources around the pieces could not change them."""
    first = pieces[0]
    chunks = [Chunk(p.src, p.data, p.offset, p.tail) for p in pieces]
    unsaid, rejects, known = UNSAID.to_frame(), REJECTS.to_frame(), NOTHING_KNOWN
    if first.identity.family == "export":
        frame, broken = read_exports(chunks, first.identity.chain[0], first.tz, first.reference)
        frame, rejects = hide_blocks(frame.with_columns(overflow=pl.lit(False))), _refused(broken)
    else:
        if sieve is not None:
            known = sort_lines(pieces, sieve, _reader(first, settings))
        lines = trim_lines(known.lines, settings.line_bytes) if sieve else split_lines(chunks, settings.line_bytes)
        empty = (lines["length"] < _SHORT) & (lines["raw"].str.strip_chars() == "")
        if empty.any():
            unsaid = _unsaid(within(lines.filter(empty), pieces), BLANK)
            lines = lines.filter(~empty)
        frame = name_pods(strip_envelopes(lines, first.identity.chain, first.tz, first.reference))
        frame = hide_blocks(frame).drop("raw", "pid", "container")
        frame = join_pieces(frame, settings.record_lines, settings.record_bytes)
    frame, further = _split_overflow(frame)
    frame = parse_headers(frame, first.tz, first.reference)
    frame, more = _split_overflow(join_continuations(frame, settings.record_lines, settings.record_bytes))
    for lost in (further, more):
        if lost.height:
            unsaid = pl.concat([unsaid, _unsaid(within(lost, pieces), CONTINUATION)])
    frame = frame.join(_about(pieces), on="src", how="left", suffix="_known", maintain_order="left")
    untimed = frame["ts"].null_count() > 0 and within(frame.filter(pl.col("ts").is_null()), pieces).height > 0
    frame = place_in_time(frame, settings.neighbour_bytes)
    frame, guessed = (frame, False) if known.only_four else name_birds(frame, settings.neighbour_bytes)
    sure = not untimed and not (guessed and frame.select(pl.col("guessed").any()).item())
    records = _as_read(within(frame, pieces), settings)
    return LogFacts(records, unsaid, rejects, known.counted, _as_told(known.told, pieces)), sure


def _as_read(frame: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Records in the columns of ``READ``, without secrets."""
    frame = frame.with_columns(
        body=pl.col("body").str.strip_chars_start(" \t").str.slice(0, settings.message_bytes),
        node=pl.coalesce("node_known", "host"),
        pod=pl.coalesce("pod", "pod_known"),
        tabular=pl.lit(False),
        silent=pl.lit(False),
    )
    body = redact_series(frame["body"])
    return conform(frame.with_columns(body, body.alias("message")), READ)


def _as_told(told: pl.DataFrame, pieces: Sequence[Piece]) -> pl.DataFrame:
    """Records that need no reading, in the columns of ``READ`` and of what the grammar says."""
    frame = told.join(_about(pieces), on="src", how="left").with_columns(
        ts_source=pl.lit("envelope"),
        node="node_known",
        pod="pod_known",
        message="body",
        lines=pl.lit(1),
        tabular=pl.lit(False),
        silent=pl.lit(False),
    )
    return conform(frame, JUDGED)


def _reader(first: Piece, settings: Settings) -> Reader:
    """Reads single lines to records, each as if it stood alone in a source."""

    def read(lines: pl.DataFrame) -> pl.DataFrame:
        frame = strip_envelopes(lines, first.identity.chain, first.tz, first.reference)
        frame = parse_headers(join_pieces(frame, 1), first.tz, first.reference)
        return _as_read(
            frame.with_columns(node_known=pl.lit(None, pl.String), pod_known=pl.lit(None, pl.String)), settings
        )

    return read


def _split_overflow(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    if not frame["overflow"].any():
        return frame, frame.clear()
    return frame.filter(~pl.col("overflow")), frame.filter("overflow")


def _unsaid(lines: pl.DataFrame, shape: str) -> pl.DataFrame:
    """Counts of lines without text of their own."""
    lines = lines if "lines" in lines.columns else lines.with_columns(lines=pl.lit(1))
    counted = lines.group_by("src", maintain_order=True).agg(events=pl.col("lines").sum(), shape=pl.lit(shape))
    return conform(counted, UNSAID)


def _refused(broken: Mapping[int, Damage]) -> pl.DataFrame:
    rows = [(src, d.offset, d.length, d.lines, "broken export", redact(d.why)) for src, d in broken.items()]
    return pl.DataFrame(rows, schema=REJECTS, orient="row")


def _about(pieces: Sequence[Piece]) -> pl.DataFrame:
    rows = {p.src: (p.src, p.node, p.pod, p.service if p.service in ("bird", "bird6") else None) for p in pieces}
    schema = {"src": pl.UInt32, "node_known": pl.String, "pod_known": pl.String, "bird_known": pl.String}
    return pl.DataFrame(list(rows.values()), schema=schema, orient="row")


def read_console(pieces: Sequence[Piece]) -> QuietFacts:
    """Records, states, resources and facts of the other families, in the order of the pieces.

    The sources are small and many, so rows are collected from all of them before frames are made.
    """
    read = [(piece, _read_one(piece)) for piece in pieces]
    records = _gather(read, "records", {**RECORD_SCHEMA, **_NAMED})
    records = records.rename(
        {"byte_offset": "offset", "byte_length": "length", "protocol": "read_protocol", "peer": "read_peer",
         "params": "read_params"}
    ).with_columns(
        tabular=pl.lit(True),
        silent=pl.col("role").is_in(SILENT_ROLES),
        node=pl.coalesce("node_known", "node"),
        pod=pl.coalesce("pod", "pod_known"),
        body=redact_expr(pl.col("body")),
        message=redact_expr(pl.col("message")),
    )  # fmt: skip
    states = _gather(read, "states", {**STATE_SCHEMA, **_NAMED})
    facts = _gather(read, "node_facts", {**FACT_SCHEMA, **_NAMED})
    resources = _gather(read, "resources", {**RESOURCE_SCHEMA, **_NAMED})
    observed_at = pl.coalesce("observed_at", "when_known")
    node = pl.coalesce("node", "node_known")
    return QuietFacts(
        conform(records, READ),
        conform(states.with_columns(node=node), STATES),
        conform(resources.with_columns(observed_at=observed_at), RESOURCES),
        conform(facts.with_columns(node=node, observed_at=observed_at), NODE_FACTS),
        conform(_gather(read, "rejects", {**REJECT_SCHEMA, **_NAMED}), REJECTS),
    )


_NAMED = {"src": pl.UInt32, "node_known": pl.String, "pod_known": pl.String, "when_known": UTC_US}


def _gather(read: Sequence[tuple[Piece, RowFacts]], kind: str, schema: dict[str, Any]) -> pl.DataFrame:
    """One frame of all rows of a kind, with what is known of their source beside them."""
    columns: dict[str, list[Any]] = {name: [] for name in schema}
    own = [name for name in schema if name not in _NAMED]
    for piece, facts in read:
        rows = getattr(facts, kind)
        known = (piece.src, piece.node or facts.node, piece.pod or facts.pod, piece.reference)
        for name, value in zip(_NAMED, known, strict=True):
            columns[name] += [value] * len(rows)
        for name in own:
            values = [getattr(row, name) for row in rows]
            if name == "byte_offset":
                values = [value + piece.offset for value in values]
            columns[name] += [_json(value) for value in values] if name == "params" else values
    return pl.DataFrame(columns, schema=schema)


def _json(params: Mapping[str, str]) -> str:
    return json.dumps(dict(params), sort_keys=True, ensure_ascii=False) if params else "{}"


def _read_one(piece: Piece) -> RowFacts:
    data = bytes(piece.data)
    if piece.identity.family == "document":
        return parse_documents(data)
    if piece.identity.family == "config":
        return parse_bird_config(data)
    return parse_console(data, tz=zoneinfo.ZoneInfo(piece.tz), observed_at=piece.reference)
