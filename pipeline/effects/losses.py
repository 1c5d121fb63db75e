"""Losses of sessions from the published intervals: one row for what both ends show of one loss.

Left out of the count: the time a session needs to come up at first, and losses whose start nobody saw (they
belong to the unobserved time, which is not in the denominator either). Planned work is marked, so that it can
leave numerator and denominator together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from pipeline.findings.columns import NEVER, Ints, coded, micros, numbered, span
from pipeline.findings.failures import ENDS_TOLERANCE, PATIENCE, SETTLING, STARTUP
from pipeline.sessions.facts import TIME
from pipeline.sessions.pooled import NAME, in_order
from pipeline.sessions.reasons import BARE, SOFT

PLANNED_CAUSES = ("planned_restart", "peer_deconfigured", "startup_transient")
"""Causes of incidents that somebody meant, or that are the normal course of a start."""
PAIR = ["pair"]
"""The number of a session among those of all clusters, in order of cluster and names: compared faster than texts."""
UP, DOWN = "up", "down"


def observed_stretches(intervals: pl.DataFrame) -> pl.DataFrame:
    """Known stretches of sessions: cluster, pair, near, far, state, category, how_started, how_ended, start, end.

    A stretch without an end lasts until the end of its cluster's data. Ends that name no other end, and
    stretches without a time, cannot be counted. Time that only a later table tells of was not observed: nobody
    tells of the sessions that failed meanwhile.
    """
    latest = pl.max_horizontal("started_at", "ended_at").max().over("cluster")
    far = pl.coalesce("peer_node", "peer")
    known = (
        _observed(intervals).lazy().with_columns(end=pl.coalesce("ended_at", latest), far=far, last=latest)
        .filter(
            pl.col("state").is_in([UP, DOWN]) & pl.col("started_at").is_not_null() & pl.col("node").is_not_null()
            & pl.col("far").is_not_null()
        )
        .select(
            "cluster", near="node", far="far", state="state", category="category", how_started="how_started",
            how_ended="how_ended", start="started_at", end="end", last="last",
        )
        .collect()
    )  # fmt: skip
    return known.with_columns(pair=pl.Series(_pairs(known), dtype=pl.Int64))


def _pairs(known: pl.DataFrame) -> Ints:
    """For each stretch the number of its session: of the cluster and the two names, in whichever order."""
    clusters, names = coded(known["cluster"]), coded(pl.concat([known["near"], known["far"].rename("near")]))
    near, far = names.codes[: known.height], names.codes[known.height :]
    width = len(names.values)
    return np.unique((clusters.codes.astype(np.int64) * width + np.minimum(near, far)) * width + np.maximum(near, far),
                     return_inverse=True)[1].astype(np.int64)  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Runs:
    """Pieces of time in the order of session and time; those from ``first[k]`` on are one, up to the next."""

    pieces: pl.DataFrame
    start: Ints
    end: Ints
    first: Ints

    @property
    def frame(self) -> pl.DataFrame:
        """Pair, start and end of each run."""
        return pl.DataFrame({
            "pair": self.pieces["pair"].gather(self.first), "start": self.pieces["start"].gather(self.first),
            "end": self.moments(np.maximum.reduceat(self.end, self.first)) if len(self.first) else self.pieces["end"],
        })  # fmt: skip

    @staticmethod
    def moments(times: Ints) -> pl.Series:
        """Microseconds as times."""
        return pl.Series(times, dtype=pl.Int64).cast(TIME)


def merged(pieces: pl.DataFrame, slack: timedelta = timedelta(0)) -> Runs:
    """Join pieces (pair, start, end: not null) of one session that touch or lie within ``slack``."""
    ordered = in_order(pieces, [*PAIR, "start", "end"])
    pair, start, end = ordered["pair"].to_numpy(), micros(ordered["start"]), micros(ordered["end"])
    new = np.r_[True, pair[1:] != pair[:-1]][: len(pair)]
    # ends as ranks above those of the sessions before: one pass for all of them
    moments, rank = np.unique(end, return_inverse=True)
    above = np.cumsum(new) * len(moments)
    reach = np.maximum.accumulate(above + rank)[:-1] - above[1:]
    new[1:] |= start[1:] > moments[np.maximum(reach, 0)] + span(slack)
    return Runs(ordered, start, end, np.flatnonzero(new))


def losses_of(stretches: pl.DataFrame) -> pl.DataFrame:
    """Losses: pair, start, end (null while it lasts), until, category; see the module for what is out."""
    runs = merged(stretches.filter(pl.col("state") == DOWN), ENDS_TOLERANCE)
    if not len(runs.first):
        return _empty()
    since = stretches.group_by([*PAIR, "near"]).agg(pl.col("start").min())
    both = since.group_by(PAIR).agg(both_since=pl.col("start").max())
    risen = stretches.filter(pl.col("state") == UP).group_by(PAIR).agg(first_up=pl.col("start").min())
    seen = (~runs.pieces["how_started"].is_in(["unobserved"])).fill_null(False).to_numpy()
    found = runs.frame.rename({"end": "until"}).with_columns(
        last=runs.moments(np.maximum.reduceat(micros(runs.pieces["last"]), runs.first)),
        seen=pl.Series(np.logical_or.reduceat(seen, runs.first)), **_told(runs),
    ).join(both, on=PAIR, how="left").join(risen, on=PAIR, how="left")  # fmt: skip
    return found.filter(pl.col("seen") & ~_startup()).select(
        *PAIR, "start", pl.when(~pl.col("is_open")).then("until").alias("end"), "until",
        pl.col("category").cast(NAME).fill_null(BARE),
    )  # fmt: skip


def _told(runs: Runs) -> dict[str, pl.Series]:
    """For each run its most telling category, the first of several, and whether what ends last was seen to end."""
    category = coded(runs.pieces["category"])
    rank = np.array([2 if name == BARE else int(name in SOFT) for name in category.values])[category.codes]
    # one number for rank, moment and category: the least of a run is the row that would come first
    moment = np.cumsum(np.r_[0, runs.start[1:] != runs.start[:-1]])
    width = len(category.values)
    first = np.minimum.reduceat((rank * len(moment) + moment) * width + category.codes, runs.first) % width
    lasts = runs.pieces["how_ended"].is_in(["end of data", "unobserved"]).fill_null(False).to_numpy()
    until = np.repeat(np.maximum.reduceat(runs.end, runs.first), np.diff(runs.first, append=len(runs.end)))
    latest = np.where(runs.end == until, (((moment * 3 + rank) * width + category.codes) * 2) + lasts, -1)
    return {
        "category": pl.Series(category.values, dtype=pl.String).gather(first),
        "is_open": pl.Series(np.maximum.reduceat(latest, runs.first) % 2 == 1),
    }


def _startup() -> pl.Expr:
    had_been_up = (pl.col("first_up") < pl.col("start")).fill_null(False)
    later = had_been_up & (pl.col("start") - pl.col("both_since") > SETTLING)
    begun = pl.max_horizontal("start", "both_since")
    quick = ~pl.col("is_open") & (pl.col("until") - begun <= STARTUP)
    unfinished = pl.col("is_open") & ~had_been_up & (pl.col("last") - begun <= PATIENCE)
    return ~later & (quick | unfinished)


def with_incidents(losses: pl.DataFrame, incidents: pl.DataFrame) -> pl.DataFrame:
    """Add ``incident``, a number, and ``planned``; losses need cluster, group_name, start and category.

    A loss belongs to the incident of its group that covers its start: one of the same category first, then one
    that nobody planned, then the one that began last. A loss of no incident stands for itself.
    """
    planned = pl.col("cause").is_in(list(PLANNED_CAUSES))
    ranked = incidents.filter(pl.col("started_at").is_not_null()).with_columns(planned=planned).sort(
        "planned", "started_at", "incident_id", descending=[False, True, False]
    )  # fmt: skip
    chosen = _chosen(losses, ranked)
    alone = ranked.height + np.arange(losses.height)
    meant = np.append(ranked["planned"].fill_null(False).to_numpy(), False)
    return losses.with_columns(
        incident=pl.Series(np.where(chosen < 0, alone, chosen), dtype=pl.Int64),
        planned=pl.Series(meant[chosen], dtype=pl.Boolean),
    )


def _chosen(losses: pl.DataFrame, ranked: pl.DataFrame) -> Ints:
    """For each loss the row of its incident in ``ranked`` (the best first), -1 for none.

    In order of group and time an incident covers neighbours. The worst take theirs first and the better ones
    take from them: never are there more pairs of both than there are losses.
    """
    first, group = numbered(coded(losses["cluster"]), coded(losses["group_name"]))
    start, kinds = micros(losses["start"]), coded(losses["category"])
    order = np.lexsort((start, group))
    start, kind = start[order], kinds.codes[order]
    bounds = np.searchsorted(group[order], np.arange(len(first) + 1))
    groups = [*losses[first].select("cluster", "group_name").iter_rows()]
    rows = [*ranked.select("cluster", "group_name", "category").iter_rows()]
    begins = micros(ranked["started_at"]) - span(ENDS_TOLERANCE)
    ended = micros(ranked["ended_at"])
    over = np.where(ended == NEVER, start.max(initial=NEVER), ended) + span(ENDS_TOLERANCE)

    def covered(number: int) -> Iterator[slice]:
        cluster, name, _ = rows[number]
        for k, (of_cluster, of_group) in enumerate(groups):
            if of_cluster == cluster and name in (None, of_group):
                mine = start[bounds[k] : bounds[k + 1]]
                low = np.searchsorted(mine, begins[number], side="left")
                high = np.searchsorted(mine, over[number], side="right")
                yield slice(int(bounds[k] + low), int(bounds[k] + high))

    found = np.full(losses.height, -1)
    codes = {value: code for code, value in enumerate(kinds.values)}
    for number in reversed(range(len(rows))):
        for part in covered(number):
            found[part] = number
    for number in reversed(range(len(rows))):
        for part in covered(number):
            found[part][kind[part] == codes.get(rows[number][2], -1)] = number
    chosen = np.empty_like(found)
    chosen[order] = found
    return chosen


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema={"pair": pl.Int64, "start": TIME, "end": TIME, "until": TIME, "category": NAME})
