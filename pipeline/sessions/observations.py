"""One row for each time that somebody saw one end of a session.

Witnesses at the same moment are ranked: show protocols > CalicoNodeStatus > node status > log > probe.
A log transition is exact, so within ``stamp_skew`` of a table's rounded stamp it wins over the table; a probe
only counts where no better witness of that end spoke nearby, because it is late and names no reason.

What a table says of the time before it (``since``) is the weakest: it holds only back to the observation of that
end before the table, whatever that was made by.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from pipeline.sessions.addresses import AddressBook
from pipeline.sessions.facts import TIME, ClusterFacts
from pipeline.sessions.pooled import NAME, as_names, in_order, named, telling
from pipeline.sessions.reasons import BARE, with_category
from pipeline.sessions.settings import DEFAULTS, SessionSettings

RANKS = {"show protocols": 5, "caliconodestatus": 4, "node status": 3, "log": 2, "probe": 1}
UP, DOWN, GONE = "up", "down", "gone"
SNAPSHOTS = ("show protocols", "caliconodestatus", "node status")
END = ["speaker", "end"]
KEY = "key"
"""A number for each end, in the order of speaker and end: numbers are sorted and compared faster than two texts."""

_NOT_BGP = r"^((device|direct|kernel|static|pipe|bfd|krt|kif)\w*|BGP)$"
"""Protocols of the daemon's own, and the name under which it speaks of all its BGP sessions at once."""
_REMOVING = "Removing protocol "
REMOVING = rf"^{_REMOVING}(\S+)"
_HARMLESS = r"TCP_MD5SIG: No such file|collision"
"""Deleting a key that is already gone, and the losing one of two parallel connections, end no session."""

SCHEMA: dict[str, Any] = {
    "key": pl.UInt32, "speaker": NAME, "end": NAME, "node": NAME, "protocol": NAME, "peer": NAME, "peer_node": NAME,
    "ts": TIME, "status": NAME, "state": NAME, "bgp_state": NAME, "error": NAME, "since": TIME, "category": NAME,
    "observed_by": NAME, "rank": pl.Int8, "source_path": NAME, "byte_offset": pl.UInt64,
}  # fmt: skip


def build_observations(facts: ClusterFacts, book: AddressBook, settings: SessionSettings = DEFAULTS) -> pl.DataFrame:
    """Observations of every end, in order of end, time and rank (columns: ``SCHEMA``)."""
    raw = pl.concat([_from_states(facts), _from_probes(facts), _from_removals(facts)], how="diagonal_relaxed")
    if raw.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    placed = _with_ends(raw, book)
    del raw
    full = pl.concat([placed, _disappearances(placed)], how="diagonal_relaxed")
    del placed
    keys = full.select(END).unique().sort(END).with_row_index(KEY)
    # Only what is looked up is joined: a join makes a copy of each column.
    full = full.with_columns(full.select(END).join(keys, on=END, how="left", maintain_order="left")[KEY])
    full = with_category(full).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    return _reconciled(in_order(full, _ORDER), log_ends(facts), settings)


_ORDER = [KEY, "ts", "source_path", "byte_offset", "rank"]


def _from_states(facts: ClusterFacts) -> pl.DataFrame:
    """Rows of session_states that speak of a BGP session."""
    others, harmless = telling(facts.states["protocol"], _NOT_BGP), telling(facts.states["last_error"], _HARMLESS)
    states = facts.states.filter(
        ~pl.col("protocol").is_in(others).fill_null(False) & ~pl.col("last_error").is_in(harmless).fill_null(False)
        & (pl.col("peer").is_not_null() | pl.col("protocol").is_not_null())
    )  # fmt: skip
    up = (pl.col("bgp_state") == "Established") | (
        (pl.col("state") == "up") & (pl.col("bgp_state").is_null()) & pl.col("last_error").is_null()
    )
    return states.select(
        "ts", "node", "protocol", "peer", "state", "bgp_state", "observed_by", "source_path", "byte_offset",
        "since",
        status=pl.when(up).then(named(UP)).otherwise(named(DOWN)),
        error=pl.when(up).then(None).otherwise(pl.col("last_error")),
    )  # fmt: skip


def session_records(records: pl.DataFrame) -> pl.DataFrame:
    """The records that sessions are made of, as far as they are: readiness verdicts and removals."""
    probes = (pl.col("category") == BARE) & (pl.col("peers").list.len() > 0)
    removals = pl.col("message").str.starts_with(_REMOVING)
    return records.lazy().filter(probes | removals).select(
        "ts", "node", "message", "category", "peer", "peers", "source_path", "byte_offset"
    ).collect()  # fmt: skip


def _from_probes(facts: ClusterFacts) -> pl.DataFrame:
    """One row for each address that a readiness verdict lists, unless the states hold it already."""
    lists = facts.records.filter((pl.col("category") == BARE) & (pl.col("peers").list.len() > 0))
    rows = lists.explode("peers").select(
        "ts", "node", peer="peers", source_path="source_path", byte_offset="byte_offset",
        observed_by=named("probe"), status=named(DOWN),
    )  # fmt: skip
    known = facts.states.filter(pl.col("observed_by") == "probe").select("source_path", "byte_offset", "ts", "peer")
    return rows.join(known, on=["source_path", "byte_offset", "ts", "peer"], how="anti", nulls_equal=True)


def _from_removals(facts: ClusterFacts) -> pl.DataFrame:
    """A protocol that its own daemon removed at a reconfiguration is no longer expected there."""
    removed = facts.records.select(
        "ts", "node", "peer", "source_path", "byte_offset",
        protocol=pl.col("message").str.extract(REMOVING, 1).cast(NAME),
    ).filter(pl.col("protocol").is_not_null())  # fmt: skip
    return removed.with_columns(observed_by=named("log"), status=named(GONE))


def _with_ends(raw: pl.DataFrame, book: AddressBook) -> pl.DataFrame:
    """Name the speaker and the end; a file that names no node speaks for itself alone."""
    peers = as_names(book.frame()).rename({"address": "peer", "node": "peer_node"})
    told = raw.with_columns(
        speaker=speaker_of(raw),
        rank=pl.col("observed_by").replace_strict(RANKS, default=0, return_dtype=pl.Int8),
    )
    filled = _with_names(told) if told["peer"].has_nulls() or told["protocol"].has_nulls() else told
    far = filled.select("peer").join(peers, on="peer", how="left", maintain_order="left")["peer_node"]
    return filled.with_columns(far, end=pl.coalesce("protocol", "peer"))


def _with_names(told: pl.DataFrame) -> pl.DataFrame:
    """Fill in the peer of a protocol, and the protocol of a peer that has one, as the speaker names them elsewhere."""
    known = (
        told.filter(pl.col("protocol").is_not_null() & pl.col("peer").is_not_null())
        .select("speaker", "protocol", "peer").unique()
    )  # fmt: skip
    only_peer = known.group_by("speaker", "protocol").agg(pl.col("peer").first().alias("_peer"))
    only_protocol = known.group_by("speaker", "peer").agg(
        pl.when(pl.col("protocol").n_unique() == 1).then(pl.col("protocol").first()).alias("_protocol")
    )
    return (
        told.join(only_peer, on=["speaker", "protocol"], how="left", maintain_order="left")
        .with_columns(peer=pl.coalesce("peer", "_peer"))
        .join(only_protocol, on=["speaker", "peer"], how="left", maintain_order="left")
        .with_columns(protocol=pl.coalesce("protocol", "_protocol"))
    )


def _disappearances(placed: pl.DataFrame) -> pl.DataFrame:
    """An end that a later full table of the same daemon no longer lists was removed before that table.

    A table with less than half the rows of the largest one is a question about single protocols and says
    nothing about the others.
    """
    tables = placed.filter(pl.col("observed_by").is_in(SNAPSHOTS) & pl.col("ts").is_not_null())
    if tables.is_empty():
        return tables.clear()
    sizes = tables.group_by("speaker", "observed_by", "ts").agg(
        rows=pl.col("end").n_unique(), source_path=pl.col("source_path").first(),
        byte_offset=pl.col("byte_offset").min(),
    )  # fmt: skip
    full = sizes.filter(pl.col("rows") * 2 >= pl.col("rows").max().over("speaker", "observed_by"))
    last = tables.group_by(*END, "observed_by").agg(
        pl.col("ts").max().alias("_last"), pl.col("node", "protocol", "peer", "peer_node").last()
    )
    latest = placed.group_by(END).agg(pl.col("ts").max().alias("_latest"))
    missing = (
        last.join(full, on=["speaker", "observed_by"], how="inner")
        .filter(pl.col("ts") > pl.col("_last"))
        .sort("ts").group_by(*END, "observed_by", maintain_order=True).first()
        .join(latest, on=END, how="left").filter(pl.col("ts") > pl.col("_latest"))
    )  # fmt: skip
    return missing.with_columns(
        status=named(GONE), rank=pl.col("observed_by").replace_strict(RANKS, return_dtype=pl.Int8)
    ).drop("rows", "_last", "_latest")


def log_ends(facts: ClusterFacts) -> pl.DataFrame:
    """Columns speaker, log_end: when the last log that carries a speaker's BIRD lines stops."""
    logs = bird_logs(facts.observed)
    return logs.group_by("speaker").agg(pl.col("last_ts").max().alias("log_end"))


def bird_logs(observed: pl.DataFrame) -> pl.DataFrame:
    """The rows of ``observed`` whose file carries BIRD lines, with the speaker.

    BIRD is silent while nothing happens, so the other programs in the same stream show that it was recorded.
    """
    carries = pl.col("component").is_in(["bird", "bird6"]).any().over("source_path")
    return observed.filter(carries & pl.col("first_ts").is_not_null()).with_columns(speaker=speaker_of(observed))


def speaker_of(frame: pl.DataFrame) -> pl.Expr:
    """Who speaks in each row: its node; a file that names no node is a speaker itself."""
    node = pl.col("node").cast(NAME)
    if not frame["node"].has_nulls():
        return node
    file = pl.lit("?") + pl.col("source_path").cast(pl.String).fill_null("")
    return pl.coalesce(node, file.cast(NAME))


def _reconciled(ordered: pl.DataFrame, ends: pl.DataFrame, settings: SessionSettings) -> pl.DataFrame:
    """Apply the order of precedence: same moment, stamp skew, probes last; undated rows only where alone.

    The order of end and time is kept throughout, so that nothing is sorted twice.
    """
    dated = ordered.filter(pl.col("ts").is_not_null())
    undated = ordered.filter(pl.col("ts").is_null()).join(dated.select(KEY).unique(), on=KEY, how="anti")
    if dated["rank"].n_unique() > 1:
        dated = dated.filter(pl.col("rank") == pl.col("rank").max().over(KEY, "ts"))
    kept = _without_late_probes(_without_skewed_tables(dated, settings), ends, settings)
    found = _without_last_steps(_without_collisions(kept, settings))
    if undated.is_empty():
        return found
    return pl.concat([undated, found]).sort([KEY, "ts"], nulls_last=False, maintain_order=True)


def _without_last_steps(dated: pl.DataFrame) -> pl.DataFrame:
    """A removed protocol still says that it stops and is down: it stays gone until it starts again."""
    if not dated["status"].is_in([GONE]).any():
        return dated
    closing = pl.col("state").is_in(["stop", "down", "flush"]) & (pl.col("observed_by") == "log")
    step = pl.when(pl.col("status") == GONE).then(named(GONE)).when(~closing.fill_null(False)).then(named("other"))
    ordered = dated.with_columns(_step=step.forward_fill().over(KEY))
    gone = (pl.col("_step") == GONE).fill_null(False)
    return ordered.with_columns(status=pl.when(gone).then(named(GONE)).otherwise("status")).drop("_step")


def _without_collisions(dated: pl.DataFrame, settings: SessionSettings) -> pl.DataFrame:
    """Both ends dial at once; the connection that loses is up for milliseconds. That was no session."""
    lost = (
        (pl.col("status") == UP)
        & (pl.col(KEY).shift(-1) == pl.col(KEY))
        & (pl.col("status").shift(-1) == DOWN)
        & (pl.col("ts").shift(-1) - pl.col("ts") < settings.least_up)
    ).fill_null(False)
    return dated.with_columns(status=pl.when(lost).then(named(DOWN)).otherwise("status"))


def _near(frame: pl.DataFrame, marker: pl.Expr, columns: list[str]) -> pl.DataFrame:
    """For each row, the given columns of the marked row before it and after it at the same end."""
    carried = [pl.when(marker).then(pl.col(name)).alias(name) for name in columns]
    before = [expr.forward_fill().over(KEY).name.prefix("_before_") for expr in carried]
    after = [expr.backward_fill().over(KEY).name.prefix("_after_") for expr in carried]
    return frame.with_columns(*before, *after)


def _without_skewed_tables(dated: pl.DataFrame, settings: SessionSettings) -> pl.DataFrame:
    if not dated["observed_by"].is_in(SNAPSHOTS).any():
        return dated
    is_log = pl.col("observed_by") == "log"
    near = _near(dated, is_log, ["ts", "status"])
    skew = settings.stamp_skew
    close = ((pl.col("ts") - pl.col("_before_ts")) <= skew).fill_null(False) | (
        (pl.col("_after_ts") - pl.col("ts")) <= skew
    ).fill_null(False)
    said = pl.when((pl.col("ts") - pl.col("_before_ts")) <= skew).then("_before_status").otherwise("_after_status")
    wrong = pl.col("observed_by").is_in(SNAPSHOTS) & close & (said != pl.col("status")) & (pl.col("status") != GONE)
    return near.filter(~wrong.fill_null(False)).select(list(SCHEMA))


def _without_late_probes(dated: pl.DataFrame, ends: pl.DataFrame, settings: SessionSettings) -> pl.DataFrame:
    """Drop probe rows near a better witness, and those made while the end's own log was still being recorded."""
    if not dated["observed_by"].is_in(["probe"]).any():
        return dated
    better = pl.col("observed_by") != "probe"
    near = _near(dated, better, ["ts", "observed_by"]).join(ends, on="speaker", how="left", maintain_order="left")
    close = ((pl.col("ts") - pl.col("_before_ts")) <= settings.probe_reach).fill_null(False) | (
        (pl.col("_after_ts") - pl.col("ts")) <= settings.probe_reach
    ).fill_null(False)
    recorded = (pl.col("ts") <= pl.col("log_end") + settings.log_gap).fill_null(False)
    followed = (pl.col("_before_observed_by") == "log").fill_null(False) & recorded
    drop = ~better & (close | followed)
    return near.filter(~drop).select(list(SCHEMA))
