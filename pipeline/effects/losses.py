"""Losses of sessions from the published intervals: one row for what both ends show of one loss.

Left out of the count: the time a session needs to come up at first, and losses whose start nobody saw (they
belong to the unobserved time, which is not in the denominator either). Planned work is marked, so that it can
leave numerator and denominator together.
"""

from __future__ import annotations

import polars as pl

from pipeline.findings.failures import ENDS_TOLERANCE, PATIENCE, SETTLING, STARTUP
from pipeline.sessions.facts import TIME
from pipeline.sessions.reasons import BARE, SOFT

PLANNED_CAUSES = ("planned_restart", "peer_deconfigured", "startup_transient")
"""Causes of incidents that somebody meant, or that are the normal course of a start."""
PAIR = ["cluster", "pair"]
UP, DOWN = "up", "down"
_SEPARATOR = "\x1f"


def observed_stretches(intervals: pl.DataFrame) -> pl.DataFrame:
    """Known stretches of sessions: cluster, pair, near, far, state, category, how_started, how_ended, start, end.

    A stretch without an end lasts until the end of its cluster's data. Ends that name no other end, and
    stretches without a time, cannot be counted. Time that only a later table tells of was not observed: nobody
    tells of the sessions that failed meanwhile.
    """
    latest = pl.max_horizontal("started_at", "ended_at").max().over("cluster")
    far = pl.coalesce("peer_node", "peer")
    return (
        _observed(intervals).with_columns(end=pl.coalesce("ended_at", latest), far=far, last=latest)
        .filter(
            pl.col("state").is_in([UP, DOWN]) & pl.col("started_at").is_not_null() & pl.col("node").is_not_null()
            & pl.col("far").is_not_null()
        )
        .select(
            "cluster", pl.concat_list("node", "far").list.sort().list.join(_SEPARATOR).alias("pair"),
            near="node", far="far", state="state", category="category", how_started="how_started",
            how_ended="how_ended", start="started_at", end="end", last="last",
        )
    )  # fmt: skip


def _observed(intervals: pl.DataFrame) -> pl.DataFrame:
    """Intervals as they would be without what tables say of the time before them."""
    told = (pl.col("how_started") == "since").fill_null(False)
    if not intervals.select(told.any()).item():
        return intervals
    end = ["cluster", "node", "protocol", "peer"]
    first = pl.col("started_at").min()
    ends = intervals.filter(told).select(end).unique()
    begins = intervals.join(ends, on=end, how="semi", nulls_equal=True).group_by(end).agg(first.alias("_first"))
    looked = pl.col("seen_from").is_null() | (pl.col("started_at") == pl.col("_first")).fill_null(False)
    how = pl.when(looked).then(pl.lit("snapshot")).otherwise(pl.lit("unobserved"))
    return (
        intervals.join(begins, on=end, how="left", nulls_equal=True, maintain_order="left")
        .with_columns(
            how_started=pl.when(told).then(how).otherwise("how_started"),
            started_at=pl.max_horizontal("started_at", "seen_from"),
        )
        .filter((pl.col("ended_at") > pl.col("seen_from")).fill_null(True))
        .drop("_first")
    )  # fmt: skip


def merged(pieces: pl.DataFrame, keys: list[str], slack: pl.Expr | None = None) -> pl.DataFrame:
    """Join pieces (start, end: not null) of one key that touch or lie within ``slack``; adds their number ``run``."""
    ordered = pieces.sort([*keys, "start", "end"])
    # ends as ranks above those of the keys before: one pass for all keys, where a window for each would take seconds
    begins = pl.struct(keys) != pl.struct(keys).shift(1)
    ranked = ordered.select("start", begins.fill_null(True).cum_sum().cast(pl.Int64).alias("key"),
                            rank=pl.col("end").rank("dense").cast(pl.Int64).fill_null(0))  # fmt: skip
    above = pl.col("key") * (ordered.height + 1)
    reach = ((above + pl.col("rank")).cum_max().shift(1) - above).alias("rank")
    ends = ordered.select(pl.col("end").drop_nulls().unique().sort()).with_row_index("rank", 1).cast({"rank": pl.Int64})
    reached = ranked.select("start", "key", reach).join(ends, on="rank", how="left", maintain_order="left")
    apart = pl.col("start") > (pl.col("end") if slack is None else pl.col("end") + slack)
    runs = reached.select("key", total=apart.fill_null(False).cum_sum().cast(pl.Int64))
    first = pl.when(pl.col("key") != pl.col("key").shift(1).fill_null(0)).then("total").forward_fill()
    return ordered.with_columns(runs.select((pl.col("total") - first).cast(pl.UInt32).alias("run")).to_series())


def losses_of(stretches: pl.DataFrame) -> pl.DataFrame:
    """Losses: cluster, pair, start, end (null while it lasts), until, category; see the module for what is out."""
    if stretches.is_empty():
        return _empty()
    first = stretches.group_by([*PAIR, "near"]).agg(pl.col("start").min())
    both = first.group_by(PAIR).agg(both_since=pl.col("start").max())
    risen = stretches.filter(pl.col("state") == UP).group_by(PAIR).agg(first_up=pl.col("start").min())
    rank = pl.when(pl.col("category") == BARE).then(2).when(pl.col("category").is_in(list(SOFT))).then(1).otherwise(0)
    down = merged(stretches.filter(pl.col("state") == DOWN), PAIR, pl.lit(ENDS_TOLERANCE)).with_columns(rank=rank)
    open_end = pl.col("how_ended").is_in(["end of data", "unobserved"])
    found = (
        down.sort([*PAIR, "run", "start", "rank", "category"])
        .group_by([*PAIR, "run"], maintain_order=True)
        .agg(
            pl.col("start").min(), until=pl.col("end").max(), last=pl.col("last").max(),
            category=pl.col("category").sort_by("rank", maintain_order=True).first(),
            is_open=open_end.sort_by("end").last(), seen=(pl.col("how_started") != "unobserved").any(),
        )
        .join(both, on=PAIR, how="left").join(risen, on=PAIR, how="left")
    )  # fmt: skip
    return found.filter(pl.col("seen") & ~_startup()).select(
        *PAIR, "start", pl.when(~pl.col("is_open")).then("until").alias("end"), "until",
        pl.col("category").fill_null(BARE),
    )  # fmt: skip


def _startup() -> pl.Expr:
    had_been_up = (pl.col("first_up") < pl.col("start")).fill_null(False)
    later = had_been_up & (pl.col("start") - pl.col("both_since") > SETTLING)
    begun = pl.max_horizontal("start", "both_since")
    quick = ~pl.col("is_open") & (pl.col("until") - begun <= STARTUP)
    unfinished = pl.col("is_open") & ~had_been_up & (pl.col("last") - begun <= PATIENCE)
    return ~later & (quick | unfinished)


def with_incidents(losses: pl.DataFrame, incidents: pl.DataFrame) -> pl.DataFrame:
    """Add ``incident`` and ``planned``; losses need cluster, pair, group_name, start and category.

    A loss belongs to the incident of its group that covers its start: one of the same category first, then one
    that nobody planned, then the one that began last. A loss of no incident stands for itself.
    """
    numbered = losses.with_row_index("loss")
    candidates = (
        _covered(numbered.select("loss", "cluster", "group_name", "start", "category"), incidents)
        .filter(pl.col("of_group").is_null() | (pl.col("of_group") == pl.col("group_name")))
        .with_columns(other=pl.col("kind") != pl.col("category"), planned=pl.col("cause").is_in(list(PLANNED_CAUSES)))
        .sort("loss", "other", "planned", "started_at", "incident_id", descending=[False, False, False, True, False])
        .group_by("loss", maintain_order=True)
        .agg(pl.col("incident_id", "planned").first())
    )
    alone = pl.concat_str(pl.lit("alone "), pl.col("loss").cast(pl.String))
    return (
        numbered.join(candidates, on="loss", how="left", maintain_order="left")
        .with_columns(incident=pl.coalesce("incident_id", alone), planned=pl.col("planned").fill_null(False))
        .drop("loss", "incident_id")
    )


def _covered(losses: pl.DataFrame, incidents: pl.DataFrame) -> pl.DataFrame:
    """Each loss beside each incident of its cluster that covers its start; a join by range, not of all with all."""
    slack = pl.lit(ENDS_TOLERANCE)
    known = incidents.filter(pl.col("started_at").is_not_null()).select(
        "incident_id", "cause", "started_at", of_cluster="cluster", of_group="group_name", kind="category",
        begins=pl.col("started_at") - slack,
        over=pl.col("ended_at").fill_null(pl.lit(losses["start"].max(), TIME)) + slack,
    )  # fmt: skip
    parts = [
        part.join_where(
            known.filter(pl.col("of_cluster") == cluster),
            pl.col("start") >= pl.col("begins"), pl.col("start") <= pl.col("over"),
        )
        for (cluster,), part in losses.partition_by("cluster", as_dict=True).items()
    ]  # fmt: skip
    return pl.concat(parts or [losses.join(known, how="cross")])


def _empty() -> pl.DataFrame:
    text = dict.fromkeys(PAIR, pl.String)
    return pl.DataFrame(schema={**text, "start": TIME, "end": TIME, "until": TIME, "category": pl.String})
