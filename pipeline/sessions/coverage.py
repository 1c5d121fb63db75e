"""When a node's programs were observed. What lies outside is unknown, never healthy.

A log file covers the time from its first to its last line, silence included. A status table covers its moment.
Neighbouring pieces join when the hole between them is no longer than the gap setting of their kind.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from pipeline.sessions.facts import TIME, ClusterFacts
from pipeline.sessions.observations import bird_logs
from pipeline.sessions.settings import DEFAULTS, SessionSettings

COVERAGE_SCHEMA: dict[str, Any] = {
    "cluster": pl.String, "node": pl.String, "component": pl.String, "started_at": TIME, "ended_at": TIME,
}  # fmt: skip
STRETCH_SCHEMA: dict[str, Any] = {"speaker": pl.String, "stretch_start": TIME, "stretch_end": TIME}
_TOOLS = {"show protocols": "birdcl", "node status": "calicoctl", "caliconodestatus": "inventory", "probe": "probe"}


def build_coverage(facts: ClusterFacts, settings: SessionSettings = DEFAULTS) -> pl.DataFrame:
    """Contract table ``coverage``: stretches in which a node's component was observed."""
    logs = facts.observed.filter(pl.col("first_ts").is_not_null()).select(
        "node", "component", start="first_ts", end="last_ts", reach=pl.lit(settings.log_gap)
    )
    tables = facts.states.filter(pl.col("ts").is_not_null() & (pl.col("observed_by") != "log")).select(
        "node", component=pl.col("observed_by").replace_strict(_TOOLS, default="birdcl", return_dtype=pl.String),
        start="ts", end="ts", reach=pl.lit(settings.snapshot_gap),
    ).unique()  # fmt: skip
    merged = _merge(pl.concat([logs, tables], how="vertical_relaxed"), ["node", "component"])
    return merged.select(
        pl.lit(facts.cluster).alias("cluster"), "node", "component", started_at="start", ended_at="end"
    ).sort("node", "component", "started_at", nulls_last=False).cast(pl.Schema(COVERAGE_SCHEMA))  # fmt: skip


def session_stretches(
    facts: ClusterFacts, observations: pl.DataFrame, settings: SessionSettings = DEFAULTS
) -> pl.DataFrame:
    """Columns of ``STRETCH_SCHEMA``: when the state of a speaker's sessions could be seen."""
    logs = bird_logs(facts.observed).select("speaker", start="first_ts", end="last_ts", reach=pl.lit(settings.log_gap))
    seen = observations.filter(pl.col("ts").is_not_null()).select(
        "speaker", start="ts", end="ts",
        reach=pl.when(pl.col("observed_by") == "log").then(settings.log_gap).otherwise(settings.snapshot_gap),
    ).unique()  # fmt: skip
    merged = _merge(pl.concat([logs, seen], how="vertical_relaxed"), ["speaker"])
    return (
        merged.select("speaker", stretch_start="start", stretch_end="end")
        .cast(pl.Schema(STRETCH_SCHEMA))
        .sort("speaker", "stretch_start")
    )


def _merge(pieces: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Join pieces (columns start, end, reach) of one key that touch or lie within reach of one another."""
    ordered = pieces.sort([*keys, "start"], nulls_last=False).with_columns(
        _far=(pl.col("end") + pl.col("reach")).cum_max().over(keys).shift(1).over(keys)
    )
    return (
        ordered.with_columns(_no=(pl.col("start") > pl.col("_far")).fill_null(False).cum_sum().over(keys))
        .group_by([*keys, "_no"], maintain_order=True)
        .agg(pl.col("start").min(), pl.col("end").max())
        .drop("_no")
    )
