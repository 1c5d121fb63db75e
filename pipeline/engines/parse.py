"""From a work item to facts: the one pure function that every engine calls.

Bytes in, frames out; no clock, no disk, no state. Small sources are parsed together, a large source comes in
several items cut at line ends. Lines that matter are kept whole, all lines are counted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import polars as pl

from pipeline.engines.facts import (
    LOUD,
    NODE_FACTS,
    OBSERVED,
    RECORDS,
    REJECTS,
    RESOURCES,
    STATES,
    TALLY,
    Facts,
)
from pipeline.engines.inferred import with_inferred
from pipeline.engines.readers import BLANK, CONTINUATION, NO_LOGS, UNSAID, QuietFacts, read_console, read_logs
from pipeline.engines.sieve import Sieve
from pipeline.engines.tallies import count, count_silent, lines_of, observed, tally
from pipeline.engines.transcripts import NOTHING_PASTED, take_logs
from pipeline.frames import conform
from pipeline.grammar import KIND, Ruleset
from pipeline.inventory.fingerprints import load_fingerprints
from pipeline.settings import Settings
from pipeline.sources.dumps import split_dump
from pipeline.sources.identify import SNIFF_BYTES, Identity, identify
from pipeline.sources.lines import Bytes

FRAME = "(heading, border or prompt)"
__all__ = ["BLANK", "CONTINUATION", "FRAME", "Piece", "Understood", "parse", "understand_pieces"]
NOTHING = "{}"
NODE_FACT_PARAMS = (
    "calico_version", "bird_version", "node_name", "kernel_version", "typha_version", "cluster_calico_version",
)  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """Bytes of one source and what is known of it; ``offset`` is where the bytes stand in it.

    The records that begin from ``begin`` up to ``end`` are the piece's own; bytes around that range belong to
    other pieces and only tell what these records go on with (see ``ranges``). ``tail`` counts bytes of an
    overlong last line that were left out. ``node`` and ``pod`` come from the path or the command line;
    ``reference`` is the time at which the source was written or collected (its modification time or the stamp in
    its name).
    """

    src: int
    path: str
    identity: Identity
    data: Bytes
    offset: int = 0
    node: str | None = None
    pod: str | None = None
    container: str | None = None
    service: str | None = None
    tz: str = "UTC"
    reference: datetime | None = None
    begin: int = 0
    end: int | None = None
    tail: int = 0


@dataclass(frozen=True)
class Understood:
    """Records with what the grammar says of them, and the rest of what the sources hold."""

    spoken: pl.DataFrame
    silent: pl.DataFrame
    quiet: QuietFacts
    rejects: pl.DataFrame
    counted: pl.DataFrame


def understand_pieces(pieces: Sequence[Piece], ruleset: Ruleset, settings: Settings) -> Understood:
    """Read the pieces and ask the grammar everything; rows keep the order of sources and offsets."""
    read = _judge_pieces(pieces, ruleset, settings)
    return replace(read, spoken=_prefer_reader(ruleset.with_fields(read.spoken)))


def _judge_pieces(
    pieces: Sequence[Piece], ruleset: Ruleset, settings: Settings, sieve: Sieve | None = None
) -> Understood:
    """Read the pieces and ask the grammar what each record is; fields are not taken out yet."""
    pieces = [part for piece in pieces for part in _apart(piece)]
    logs = [piece for piece in pieces if piece.identity.family in ("log", "export")]
    others = [piece for piece in pieces if piece.identity.family in ("console", "document", "config")]
    pasted = take_logs(read_console(others), others, ruleset) if others else NOTHING_PASTED
    logs, quiet = [*logs, *pasted.logs], pasted.quiet
    lines = read_logs(logs, settings, sieve) if logs else NO_LOGS
    records = pasted.with_logs(lines.records) if others else lines.records
    if not others:
        spoken = _with_told(ruleset.judge(records), lines.told)
        return Understood(spoken, lines.unsaid, quiet, lines.rejects, lines.counted)
    framing = lines_of(records.filter(pl.col("silent")))
    silent = pl.concat([lines.unsaid, conform(framing.with_columns(shape=pl.lit(FRAME)), UNSAID)])
    spoken = _with_told(ruleset.judge(records.filter(~pl.col("silent"))), lines.told)
    rejects = pl.concat([lines.rejects, conform(quiet.rejects, REJECTS)])
    return Understood(spoken, silent, quiet, rejects, lines.counted)


def _with_told(judged: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """Both in the order of sources and places, with one numbering of kinds."""
    if told.is_empty():
        return judged
    both = pl.concat([judged, told.select(pl.col(name).cast(kind) for name, kind in judged.schema.items())])
    # a kind is named by its first row
    named = pl.col(KIND).first().over("family", "shape")
    numbered = both.drop(KIND).with_row_index(KIND).select(named if name == KIND else name for name in judged.columns)
    return numbered.sort("src", "offset", maintain_order=True)


def _apart(piece: Piece) -> list[Piece]:
    """A dump of a cluster as its objects and its logs; any other piece as it is."""
    if piece.identity.family != "document":
        return [piece]
    parts = []
    for offset, data, is_log in split_dump(bytes(piece.data)):
        found = identify(data[:SNIFF_BYTES]) if is_log else piece.identity
        identity = found if found.family in ("log", "document") else Identity("log", "log:text", "a log of a dump")
        parts.append(replace(piece, data=data, offset=piece.offset + offset, identity=identity))
    return parts


def parse(pieces: Sequence[Piece], ruleset: Ruleset, settings: Settings) -> Facts:
    """Facts of the pieces: counts of all lines, and whole the records that matter.

    Most lines are benign and only counted, so fields are taken out of the rest alone.
    """
    read = _judge_pieces(pieces, ruleset, settings, _sieve(ruleset, settings.template_examples))
    quiet, counted = read.quiet, _placed(read.counted, pieces)
    kept = _keep(read.spoken, settings.template_examples)
    telling = pl.col("rule").is_in(_telling_rules(ruleset) + load_fingerprints().rules)
    told = _prefer_reader(ruleset.with_fields(read.spoken.with_columns(kept=kept).filter(pl.col("kept") | telling)))
    return Facts(
        records=conform(told.with_columns(byte_offset=pl.col("offset"), byte_length=pl.col("length")), RECORDS).filter(
            told["kept"]
        ),
        counts=pl.concat([count(read.spoken, counted), count_silent(read.silent)]),
        states=pl.concat([conform(_log_states(told), STATES), conform(quiet.states, STATES)]),
        resources=conform(quiet.resources, RESOURCES),
        node_facts=with_inferred(
            pl.concat([conform(_log_facts(told), NODE_FACTS), conform(quiet.node_facts, NODE_FACTS)]), told
        ),
        rejects=read.rejects,
        observed=conform(observed(read.spoken, counted), OBSERVED),
        tally=conform(tally(pieces, read, counted), TALLY),
    )


@lru_cache(maxsize=4)
def _sieve(ruleset: Ruleset, examples: int) -> Sieve:
    """One for each process: it gets faster with what it has seen, and says the same."""
    return Sieve(ruleset, _telling_rules(ruleset), load_fingerprints().rules, examples)


def _placed(counted: pl.DataFrame, pieces: Sequence[Piece]) -> pl.DataFrame:
    """Counts with the node of their source, and as benign ones."""
    nodes = {piece.src: piece.node for piece in pieces}
    about = pl.DataFrame(list(nodes.items()), {"src": pl.UInt32, "node": pl.String}, orient="row")
    return counted.join(about, on="src", how="left").with_columns(category=pl.lit("benign"))


def _telling_rules(ruleset: Ruleset) -> list[str]:
    """Rules whose fields are needed of every record: they speak of sessions, or name a fact of the node."""
    return [
        rule.id
        for rule in ruleset.rules
        if rule.session or rule.id.startswith("probe.") or set(rule.groups) & set(NODE_FACT_PARAMS)
    ]


def _prefer_reader(spoken: pl.DataFrame) -> pl.DataFrame:
    peer = pl.coalesce("read_peer", "peer")
    alone = (pl.col("peers").list.len() == 0) & peer.is_not_null()
    return spoken.with_columns(
        protocol=pl.coalesce("read_protocol", "protocol"),
        peer=peer,
        peers=pl.when(alone).then(pl.concat_list(peer)).otherwise(pl.col("peers"))
        if spoken.select(alone.any()).item()
        else pl.col("peers"),
        params=_merge_params(spoken["read_params"], spoken["params"]),
    )


def _merge_params(read: pl.Series, said: pl.Series) -> pl.Series:
    """JSON objects of both; what the reader of a table knows stands over what the grammar found."""
    known = read.fill_null(NOTHING)
    if not (known != NOTHING).any():
        return said
    merged = [
        b if a == NOTHING else json.dumps({**json.loads(b), **json.loads(a)}, sort_keys=True, ensure_ascii=False)
        for a, b in zip(known.to_list(), said.to_list(), strict=True)
    ]
    return pl.Series("params", merged, dtype=pl.String)


def _keep(spoken: pl.DataFrame, examples: int) -> pl.Series:
    """Records that matter: not benign, or loud, or among the first of their shape in their source."""
    matters = (pl.col("category") != "benign") | pl.col("level").is_in(LOUD).fill_null(False)
    rows = spoken.select("src", "component", "kind", matters=matters).with_row_index("row")
    early = rows.filter(~pl.col("matters")).group_by("src", "component", "kind", maintain_order=True).head(examples)
    return rows["matters"].scatter(early["row"], True)


def _log_states(spoken: pl.DataFrame) -> pl.DataFrame:
    """What log lines say of a session's end; table rows bring their states themselves."""
    told = ~pl.col("tabular") & pl.any_horizontal(
        pl.col("session_state", "session_bgp_state", "session_last_error").is_not_null()
    )
    common = ["src", "ts", "node"]
    # lazy, so that only the columns that are wanted are filtered
    log = (
        spoken.lazy()
        .filter(told)
        .select(
            *common,
            "protocol",
            "peer",
            state=pl.col("session_state"),
            bgp_state=pl.col("session_bgp_state"),
            last_error=pl.col("session_last_error"),
            observed_by=pl.lit("log"),
            byte_offset=pl.col("offset"),
        )
    )
    # a probe names every peer that is not established, and nothing about why
    probes = pl.col("rule").str.starts_with("probe.") & (pl.col("peers").list.len() > 0)
    probe = (
        spoken.lazy()
        .filter(probes)
        .select(*common, "peers", "offset")
        .explode("peers")
        .select(*common, peer=pl.col("peers"), observed_by=pl.lit("probe"), byte_offset=pl.col("offset"))
    )
    said = pl.concat([log, probe], how="diagonal").collect()
    return conform(said, STATES)


def _log_facts(spoken: pl.DataFrame) -> pl.DataFrame:
    """Versions and names that programs print about their own node (rules whose params name a fact)."""
    event = pl.col("rule").str.starts_with("kube-event.")
    named = pl.col("params").str.contains_any([f'"{name}"' for name in NODE_FACT_PARAMS])
    said = spoken.select("src", "ts", "node", "offset", "rule", "params", "tabular").filter(named)
    said = said.filter(pl.col("rule").is_not_null() & (~pl.col("tabular") | event))
    # the line of the start says of which node the log is
    node = pl.coalesce("node", pl.when(pl.col("rule") == "startup.version").then(_param("node_name")))
    place = {"src": pl.col("src"), "node": node, "observed_at": pl.col("ts"), "byte_offset": pl.col("offset")}
    values = [_param(name).alias(name) for name in NODE_FACT_PARAMS]
    facts = said.select(*values, **place).unpivot(NODE_FACT_PARAMS, index=list(place), variable_name="fact")
    return conform(facts.filter(pl.col("value").is_not_null()), NODE_FACTS)


def _param(name: str) -> pl.Expr:
    return pl.col("params").str.json_path_match(f"$.{name}")
