"""Observations become stretches of time in which one end was up, down, or not observed.

A stretch lasts until the same end is seen otherwise. Where the speaker's coverage has a hole, the stretch ends
with the coverage and an ``unknown`` one fills the hole: nobody saw what happened in it, and ``reason`` says why.
A down stretch takes its category from the last telling error text seen in it (a closed connection only counts
where nothing else was said); without any text it is ``bgp_not_established``.

A status table also says since when it is so. That moves the start of a stretch back as far as nobody had looked
at the end, and fills a hole between two looks that show the same; ``seen_from`` keeps apart what was observed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.sessions.coverage import session_stretches, stretch_of
from pipeline.sessions.facts import TIME, ClusterFacts
from pipeline.sessions.observations import DOWN, END, GONE, KEY, UP, bird_logs, log_ends
from pipeline.sessions.pooled import NAME, in_order, named
from pipeline.sessions.reasons import BARE, HEALTHY, SOFT
from pipeline.sessions.settings import DEFAULTS, SessionSettings

UNKNOWN, SINCE = "unknown", "since"
ROTATED, NO_LOGS = "rotated away", "no logs"
"""Why a state is unknown: a log is missing between two others, or no log of the daemon reaches this time."""
SCHEMA: dict[str, Any] = {
    "cluster": NAME, "speaker": NAME, "end": NAME, "node": NAME, "protocol": NAME,
    "peer": NAME, "peer_node": NAME, "state": NAME, "category": NAME,
    "started_at": TIME, "ended_at": TIME, "how_started": NAME, "how_ended": NAME,
    "reason": NAME, "seen_from": TIME,
    "first_error": NAME, "last_error": NAME, "errors": pl.List(NAME),
    "bgp_state": NAME, "observed_by": NAME, "observations": pl.UInt32,
    "is_first": pl.Boolean, "source_path": NAME, "byte_offset": pl.UInt64,
}  # fmt: skip
_SAME = ("status", "stretch_start")
_NAMED = ("node", "peer", "peer_node", "protocol")
_HOW = {"log": "log", "probe": "probe"}


def build_intervals(
    facts: ClusterFacts,
    observations: pl.DataFrame,
    settings: SessionSettings = DEFAULTS,
    data_end: datetime | None = None,
) -> pl.DataFrame:
    """Stretches of every end, in order (columns: ``SCHEMA``, the contract's ``session_intervals`` and more).

    ``started_at`` is null for ends of which no observation has a time. ``how_ended`` is 'end of data' for what
    was still so when the data ends; its ``ended_at`` is the last moment at which the end could be seen.
    ``data_end`` is when the data of the whole cluster ends, where these are not all of its observations.
    """
    if observations.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    stretches = session_stretches(facts, observations, settings)
    closed = _told(_runs(_in_stretches(observations, stretches)), log_ends(facts))
    closed = _closed(closed, data_end or stretches["stretch_end"].max(), settings)
    holes = _explained(_holes(closed), facts)
    # what only led here is let go of before rows are chosen and put in order: these are copies
    known = closed.select(name for name in (KEY, *SCHEMA) if name in closed.columns)
    del closed
    whole = pl.concat([known, holes], how="diagonal_relaxed")
    del known
    gone = whole["state"].is_in([GONE])
    if gone.any():
        whole = whole.filter(pl.col("state") != GONE)
    return in_order(whole, [KEY, "started_at"]).with_columns(cluster=named(facts.cluster)).select(
        pl.col(name).cast(kind) for name, kind in SCHEMA.items()
    )  # fmt: skip


def _in_stretches(observations: pl.DataFrame, stretches: pl.DataFrame) -> pl.DataFrame:
    """Add the start and end of the coverage stretch that each dated observation lies in."""
    place = stretch_of(observations, stretches)
    known = pl.Series(place).set(pl.Series(place < 0), None)
    return observations.with_columns(stretches[name].gather(known) for name in ("stretch_start", "stretch_end"))


def _runs(observations: pl.DataFrame) -> pl.DataFrame:
    """Neighbouring observations of one end with the same status and stretch, as one row each."""
    changed = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in (KEY, *_SAME))
    begins = observations.select(changed.arg_true()).to_series().to_numpy()
    rows = _Rows(observations, begins.astype(np.int64))
    category, explained = pl.col("category"), pl.col("error").is_not_null()
    best = pl.col("rank") == rows.largest("rank")
    witness, start = rows.first(explained), rows.begins
    return pl.DataFrame({
        **{name: rows.of(name, start) for name in (KEY, *END)},
        **{name: rows.of(name, rows.first(pl.col(name).is_not_null())) for name in _NAMED},
        "state": rows.of("status", start), "started_at": rows.of("ts", start),
        "stretch_end": rows.of("stretch_end", start), "stretch_start": rows.of("stretch_start", start),
        "since": rows.of("since", start), "last_ts": rows.of("ts", rows.ends),
        "logged": rows.first(pl.col("observed_by") == "log").is_not_null(),
        "how": rows.of("observed_by", start), "first_error": rows.of("error", witness),
        "last_error": rows.of("error", rows.last(explained)), "errors": rows.distinct("error"),
        "bgp_state": rows.of("bgp_state", rows.last(pl.col("bgp_state").is_not_null())),
        "observed_by": rows.of("observed_by", rows.first(best)), "observations": rows.counts,
        "_reason": rows.of("category", rows.last(~category.is_in(SOFT))),
        "_soft": rows.of("category", rows.last(category != BARE)),
        "_source": rows.of("source_path", witness), "_offset": rows.of("byte_offset", witness),
        "source_path": rows.of("source_path", start), "byte_offset": rows.of("byte_offset", start),
    }).with_columns(
        category=pl.when(pl.col("state") == UP).then(named(HEALTHY))
        .when(pl.col("state") == DOWN).then(pl.coalesce("_reason", "_soft", named(BARE))),
        how=pl.col("how").replace_strict(_HOW, default="snapshot", return_dtype=NAME),
        is_first=pl.col(KEY).ne_missing(pl.col(KEY).shift(1)),
        source_path=pl.coalesce("_source", "source_path"), byte_offset=pl.coalesce("_offset", "byte_offset"),
    )  # fmt: skip


class _Rows:
    """Runs of neighbouring rows, and which row of each run is wanted: much faster than grouping them."""

    def __init__(self, frame: pl.DataFrame, begins: NDArray[np.int64]) -> None:
        self._frame, self._first = frame, begins
        self._number = np.arange(frame.height)
        self.begins = pl.Series(begins)
        self.counts = pl.Series(np.diff(begins, append=frame.height))
        self.ends = pl.Series(np.append(begins[1:], frame.height) - 1)

    def _mask(self, condition: pl.Expr) -> NDArray[np.bool_]:
        return self._frame.select(condition.fill_null(False)).to_series().to_numpy()

    def first(self, condition: pl.Expr) -> pl.Series:
        """The first row of each run that meets the condition; null where none does."""
        none = self._frame.height
        found = pl.Series(np.minimum.reduceat(np.where(self._mask(condition), self._number, none), self._first))
        return found.set(found == none, None)

    def last(self, condition: pl.Expr) -> pl.Series:
        """The last row of each run that meets the condition; null where none does."""
        found = pl.Series(np.maximum.reduceat(np.where(self._mask(condition), self._number, -1), self._first))
        return found.set(found == -1, None)

    def largest(self, name: str) -> pl.Series:
        """For each row the largest number of its run."""
        numbers = self._frame[name].to_numpy()
        return pl.Series(np.repeat(np.maximum.reduceat(numbers, self._first), self.counts.to_numpy()))

    def of(self, name: str, rows: pl.Series) -> pl.Series:
        """The values of a column in these rows."""
        return self._frame[name].gather(rows)

    def distinct(self, name: str) -> pl.Series:
        """The different values of each run, in order, as a list."""
        run = pl.Series("_run", np.repeat(np.arange(len(self._first)), self.counts.to_numpy()))
        told = pl.DataFrame([run, self._frame[name]]).drop_nulls().unique(maintain_order=True)
        lists = told.group_by("_run", maintain_order=True).agg(name)
        place = np.full(len(self._first), -1)
        place[lists["_run"].to_numpy()] = np.arange(lists.height)
        known = pl.Series(place)
        return lists[name].gather(known.set(known == -1, None)).fill_null([])


def _told(runs: pl.DataFrame, logs: pl.DataFrame) -> pl.DataFrame:
    """Begin runs when the table that shows them first says they began, so far as nothing else was seen by then.

    A log that tells of the end and was recorded at that time would have shown it: then the table is not believed.
    ``seen_from`` is when such a run was first seen, where nobody looked before. A run like the one before the hole
    that says it began before the hole ``bridges`` it.
    """
    known = pl.col("since").is_not_null()
    if not runs.select(known.any()).item():
        return runs.with_columns(seen_from=pl.lit(None, dtype=TIME), bridges=pl.lit(False), told=pl.lit(False))
    follows = pl.col(KEY) == pl.col(KEY).shift(1)
    seen = pl.when(follows).then(pl.col("last_ts").shift(1))
    recorded = pl.col("logged").any().over(KEY) & (pl.col("since") <= pl.col("log_end"))
    denied = follows & recorded & (pl.col("since") <= pl.col("stretch_end").shift(1))
    apart = ~(follows & (pl.col("stretch_start") == pl.col("stretch_start").shift(1))).fill_null(False)
    moved = (pl.col("since") < pl.col("started_at")) & (seen.is_null() | (pl.col("since") > seen))
    moved &= ~denied.fill_null(False)
    bridges = follows & apart & (pl.col("since") <= seen) & (pl.col("state") == pl.col("state").shift(1))
    known_logs = runs.join(logs, on="speaker", how="left", maintain_order="left")
    return known_logs.with_columns(
        told=moved.fill_null(False), bridges=bridges.fill_null(False),
        seen_from=pl.when(((moved & apart) | bridges).fill_null(False)).then("started_at"),
        started_at=pl.when(moved.fill_null(False)).then("since").otherwise("started_at"),
    ).with_columns(how=pl.when("told").then(named(SINCE)).otherwise("how"))  # fmt: skip


def _closed(runs: pl.DataFrame, data_end: object, settings: SessionSettings) -> pl.DataFrame:
    """Give each run its end: the next run of the end, the end of coverage, or the end of the data."""

    # The runs of one end lie beside each other.
    followed = pl.col(KEY) == pl.col(KEY).shift(-1)

    def after(name: str) -> pl.Expr:
        return pl.when(followed).then(pl.col(name).shift(-1))

    within = (after("stretch_start") == pl.col("stretch_start")).fill_null(False)
    # What the next table says may reach back into the time in which others of the speaker's sessions were seen.
    same = within | (after("told") & (after("started_at") <= pl.col("stretch_end"))).fill_null(False)
    is_last = after("state").is_null()
    hole = after("started_at").is_not_null() & ~same
    lost = is_last & (pl.lit(data_end, dtype=TIME) - pl.col("stretch_end") > settings.snapshot_gap).fill_null(False)
    earlier = pl.when(pl.col(KEY) == pl.col(KEY).shift(1)).then(pl.col("stretch_start").shift(1))
    before_same = (earlier == pl.col("stretch_start")).fill_null(False)
    seen = pl.col("is_first") | before_same | pl.col("told")
    return runs.with_columns(
        ended_at=pl.when(same).then(after("started_at")).otherwise(pl.col("stretch_end")),
        how_ended=pl.when(same).then(after("how")).when(hole & after("bridges")).then(named(SINCE))
        .when(hole | lost).then(named("unobserved")).otherwise(named("end of data")),
        how_started=pl.when("bridges").then(named(SINCE)).when(seen).then("how").otherwise(named("unobserved")),
        _hole_to=pl.when(hole).then(after("started_at")).when(lost).then(pl.lit(data_end, dtype=TIME)),
        _hole_how=pl.when(hole).then(after("how")).when(lost).then(named("end of data")),
        _bridged=after("bridges").fill_null(False), _bridged_as=after("category"),
    )  # fmt: skip


def _holes(closed: pl.DataFrame) -> pl.DataFrame:
    """The stretches between what was observed, none shorter than a microsecond: unknown, unless they are bridged."""
    bridged = pl.col("_bridged")
    return closed.filter(
        pl.col("_hole_to").is_not_null() & (pl.col("_hole_to") > pl.col("ended_at")) & (pl.col("state") != GONE)
    ).select(
        KEY, *END, "node", "protocol", "peer", "peer_node",
        state=pl.when(bridged).then("state").otherwise(named(UNKNOWN)), category=pl.when(bridged).then("_bridged_as"),
        started_at="ended_at", ended_at="_hole_to",
        seen_from=pl.when(bridged).then("_hole_to"),
        how_started=pl.when(bridged).then(named(SINCE)).otherwise(named("unobserved")),
        how_ended=pl.when(bridged).then(named(SINCE)).otherwise("_hole_how"),
        errors=pl.lit([], dtype=pl.List(NAME)), observations=pl.lit(0), is_first=pl.lit(False),
        source_path="source_path", byte_offset="byte_offset",
    )  # fmt: skip


def _explained(holes: pl.DataFrame, facts: ClusterFacts) -> pl.DataFrame:
    """Add why nobody saw what happened: the log of the daemon goes on behind the hole, or there is none."""
    logs = bird_logs(facts.observed).group_by("speaker").agg(
        pl.col("first_ts").min().alias("_first"), pl.col("last_ts").max().alias("_last")
    )  # fmt: skip
    around = (pl.col("_first") <= pl.col("started_at")) & (pl.col("_last") >= pl.col("ended_at"))
    return (
        holes.join(logs, on="speaker", how="left", maintain_order="left")
        .with_columns(
            reason=pl.when(pl.col("state") == UNKNOWN).then(
                pl.when(around).then(named(ROTATED)).otherwise(named(NO_LOGS))
            )
        )
        .drop("_first", "_last")
    )
