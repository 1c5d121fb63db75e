"""Observations become stretches of time in which one end was up, down, or not observed.

A stretch lasts until the same end is seen otherwise. Where the speaker's coverage has a hole, the stretch ends
with the coverage and an ``unknown`` one fills the hole: nobody saw what happened in it. A down stretch takes
its category from the last telling error text seen in it (a closed connection only counts where nothing else was
said); without any text it is ``bgp_not_established``.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from pipeline.sessions.coverage import session_stretches
from pipeline.sessions.facts import TIME, ClusterFacts
from pipeline.sessions.observations import DOWN, END, GONE, KEY, UP
from pipeline.sessions.reasons import BARE, HEALTHY, SOFT
from pipeline.sessions.settings import DEFAULTS, SessionSettings

UNKNOWN = "unknown"
SCHEMA: dict[str, Any] = {
    "cluster": pl.String, "speaker": pl.String, "end": pl.String, "node": pl.String, "protocol": pl.String,
    "peer": pl.String, "peer_node": pl.String, "state": pl.String, "category": pl.String,
    "started_at": TIME, "ended_at": TIME, "how_started": pl.String, "how_ended": pl.String,
    "first_error": pl.String, "last_error": pl.String, "errors": pl.List(pl.String),
    "bgp_state": pl.String, "observed_by": pl.String, "observations": pl.UInt32,
    "is_first": pl.Boolean, "source_path": pl.String, "byte_offset": pl.UInt64,
}  # fmt: skip
_HOW = {"log": "log", "probe": "probe"}


def build_intervals(
    facts: ClusterFacts, observations: pl.DataFrame, settings: SessionSettings = DEFAULTS
) -> pl.DataFrame:
    """Stretches of every end, in order (columns: ``SCHEMA``, the contract's ``session_intervals`` and more).

    ``started_at`` is null for ends of which no observation has a time. ``how_ended`` is 'end of data' for what
    was still so when the data ends; its ``ended_at`` is the last moment at which the end could be seen.
    """
    if observations.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    stretches = session_stretches(facts, observations, settings)
    runs = _runs(_in_stretches(observations, stretches))
    closed = _closed(runs, _data_end(stretches), settings)
    whole = pl.concat([closed, _holes(closed)], how="diagonal_relaxed").filter(pl.col("state") != GONE)
    return (
        whole.with_columns(cluster=pl.lit(facts.cluster))
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .sort([*END, "started_at"], nulls_last=False)
    )


def _data_end(stretches: pl.DataFrame) -> object:
    return stretches.get_column("stretch_end").max()


def _in_stretches(observations: pl.DataFrame, stretches: pl.DataFrame) -> pl.DataFrame:
    """Add the start and end of the coverage stretch that each dated observation lies in."""
    dated = observations.filter(pl.col("ts").is_not_null()).sort("ts", maintain_order=True)
    joined = dated.join_asof(
        stretches.sort("stretch_start"), left_on="ts", right_on="stretch_start", by="speaker", strategy="backward",
        check_sortedness=False,
    )  # fmt: skip
    undated = observations.filter(pl.col("ts").is_null())
    return pl.concat([undated, joined], how="diagonal_relaxed").sort([KEY, "ts"], nulls_last=False, maintain_order=True)


def _runs(observations: pl.DataFrame) -> pl.DataFrame:
    """Neighbouring observations of one end with the same status and stretch, as one row each."""
    changed = (pl.col("status") != pl.col("status").shift(1).over(KEY)).fill_null(True) | (
        pl.col("stretch_start").ne_missing(pl.col("stretch_start").shift(1).over(KEY))
    )
    error = pl.col("error").drop_nulls()
    explained = pl.col("error").is_not_null()
    witness = (
        pl.coalesce(pl.col("byte_offset").filter(explained).first(), pl.col("byte_offset").first()),
        pl.coalesce(pl.col("source_path").filter(explained).first(), pl.col("source_path").first()),
    )
    return (
        observations.with_columns(_run=changed.cum_sum().over(KEY))
        .group_by([KEY, "_run"], maintain_order=True)
        .agg(
            pl.col(*END).first(), pl.col("node", "peer", "peer_node", "protocol").drop_nulls().first(),
            state=pl.col("status").first(), started_at=pl.col("ts").first(), last_seen=pl.col("ts").last(),
            stretch_end=pl.col("stretch_end").last(), stretch_start=pl.col("stretch_start").last(),
            how=pl.col("observed_by").first(), first_error=error.first(), last_error=error.last(),
            errors=error.unique(maintain_order=True),
            bgp_state=pl.col("bgp_state").drop_nulls().last(),
            observed_by=pl.col("observed_by").filter(pl.col("rank") == pl.col("rank").max()).first(),
            observations=pl.len(),
            _reason=pl.col("category").filter(~pl.col("category").is_in(SOFT)).last(),
            _soft=pl.col("category").filter(pl.col("category") != BARE).last(),
            source_path=witness[1], byte_offset=witness[0],
        )
        .with_columns(
            category=pl.when(pl.col("state") == UP).then(pl.lit(HEALTHY))
            .when(pl.col("state") == DOWN).then(pl.coalesce("_reason", "_soft", pl.lit(BARE))),
            how=pl.col("how").replace_strict(_HOW, default="snapshot", return_dtype=pl.String),
            is_first=pl.int_range(pl.len()).over(KEY) == 0,
        )
    )  # fmt: skip


def _closed(runs: pl.DataFrame, data_end: object, settings: SessionSettings) -> pl.DataFrame:
    """Give each run its end: the next run of the end, the end of coverage, or the end of the data."""

    def after(name: str) -> pl.Expr:
        return pl.col(name).shift(-1).over(KEY)

    same = (after("stretch_start") == pl.col("stretch_start")).fill_null(False)
    is_last = after("state").is_null()
    hole = after("started_at").is_not_null() & ~same
    lost = is_last & (pl.lit(data_end, dtype=TIME) - pl.col("stretch_end") > settings.snapshot_gap).fill_null(False)
    before_same = (pl.col("stretch_start").shift(1).over(KEY) == pl.col("stretch_start")).fill_null(False)
    return runs.with_columns(
        ended_at=pl.when(same).then(after("started_at")).otherwise(pl.col("stretch_end")),
        how_ended=pl.when(same).then(after("how")).when(hole | lost).then(pl.lit("unobserved"))
        .otherwise(pl.lit("end of data")),
        how_started=pl.when(pl.col("is_first") | before_same).then(pl.col("how")).otherwise(pl.lit("unobserved")),
        _hole_to=pl.when(hole).then(after("started_at")).when(lost).then(pl.lit(data_end, dtype=TIME)),
        _hole_how=pl.when(hole).then(after("how")).when(lost).then(pl.lit("end of data")),
    )  # fmt: skip


def _holes(closed: pl.DataFrame) -> pl.DataFrame:
    """The unknown stretches between what was observed; none shorter than a microsecond."""
    return closed.filter(
        pl.col("_hole_to").is_not_null() & (pl.col("_hole_to") > pl.col("ended_at")) & (pl.col("state") != GONE)
    ).select(
        *END, "node", "protocol", "peer", "peer_node",
        state=pl.lit(UNKNOWN), started_at="ended_at", ended_at="_hole_to", how_started=pl.lit("unobserved"),
        how_ended="_hole_how", observations=pl.lit(0), is_first=pl.lit(False),
    )  # fmt: skip
