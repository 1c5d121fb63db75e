"""When a node's programs were observed. What lies outside is unknown, never healthy.

A log file covers the time from its first to its last line, silence included. A status table covers its moment.
Neighbouring pieces join when the hole between them is no longer than the gap setting of their kind.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
    seen = observations.select(
        "speaker", "ts", start="ts", end="ts",
        reach=pl.when(pl.col("observed_by") == "log").then(settings.log_gap).otherwise(settings.snapshot_gap),
    )  # fmt: skip
    recorded = _stretches(logs)
    place = stretch_of(seen, recorded)
    # What lies within a log adds nothing to it: few observations are left to be put in order.
    known = pl.Series(place).set(pl.Series(place < 0), None)
    until = recorded["stretch_end"].gather(known)
    adds = ((pl.col("ts") <= until) & (pl.col("end") + pl.col("reach") <= until + settings.log_gap)).fill_null(False)
    more = seen.filter(pl.col("ts").is_not_null() & ~adds).drop("ts").unique()
    return _stretches(pl.concat([logs, more], how="vertical_relaxed"))


def _stretches(pieces: pl.DataFrame) -> pl.DataFrame:
    return (
        _merge(pieces, ["speaker"]).select("speaker", stretch_start="start", stretch_end="end")
        .cast(pl.Schema(STRETCH_SCHEMA)).sort("speaker", "stretch_start")
    )  # fmt: skip


def stretch_of(observations: pl.DataFrame, stretches: pl.DataFrame) -> NDArray[np.int64]:
    """For each observation the row of its speaker's last stretch that began by then; -1 for none.

    ``stretches`` are in order of speaker and start. Observations keep their order, which a join by time would not.
    """
    speakers = pl.Enum(stretches["speaker"].unique().sort())
    codes = observations["speaker"].cast(speakers, strict=False).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    begins = stretches["stretch_start"].to_numpy().astype("datetime64[us]").astype(np.int64)
    moments, rank = np.unique(begins, return_inverse=True)
    ts = observations["ts"].to_numpy().astype("datetime64[us]").astype(np.int64)
    width = len(moments) + 1
    keys = stretches["speaker"].cast(speakers).to_physical().cast(pl.Int64).to_numpy() * width + rank + 1
    sought = codes * width + np.searchsorted(moments, ts, side="right")
    found = np.searchsorted(keys, sought, side="right") - 1
    same = (found >= 0) & (codes >= 0) & (keys[found] >= codes * width) if len(keys) else np.zeros(len(ts), np.bool_)
    return np.where(same & observations["ts"].is_not_null().to_numpy(), found, -1)


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
