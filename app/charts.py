"""Pictures. Each takes a frame whose times are wall-clock milliseconds (``times.axis``) and returns a chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import polars as pl

from app import times
from app.palette import HEALTH, SERIES
from app.texts import t, word, words

NARROW_LABEL = 150
"""Pixels of a label of which two stand side by side on a phone."""

BRUSH = "brush"
"""Name of the selection that sets the time range."""

DAY_MS = 86_400_000


def time_axis(field: str, span: float) -> alt.X:
    """A time axis for milliseconds of wall-clock time; ``span`` is how many of them it covers."""
    form = "%Y-%m-%d" if span > 3 * DAY_MS else "%m-%d %H:%M" if span > DAY_MS / 6 else "%H:%M:%S"
    axis = alt.Axis(
        title=str(times.zone()),
        labelOverlap=True,
        labelFlush=30,
        labelFlushOffset=-4,
        format=form,
        labelAngle=0,
        tickCount=6,
    )
    return alt.X(_field(field, "T"), axis=axis, scale=alt.Scale(type="utc"))


def span(frame: pl.DataFrame, *columns: str) -> float:
    """Milliseconds from the earliest to the latest time of the columns."""
    values = pl.concat([frame[column].cast(pl.Float64).drop_nulls() for column in columns])
    low, high = values.min(), values.max()
    return float(high) - float(low) if isinstance(low, float) and isinstance(high, float) else 0.0


def clock(field: str, title: str) -> alt.Tooltip:
    return alt.Tooltip(
        _field(field, "T"), title=title, timeUnit="utcyearmonthdatehoursminutesseconds", format="%Y-%m-%d %H:%M:%S"
    )


def health_area(frame: pl.DataFrame) -> Any:
    """Ends up, failing and unknown over time (columns at, health, ends)."""
    names = {key: word("health", key) for key in HEALTH}
    data = frame.with_columns(pl.col("health").replace_strict(names, default=None))
    order = ["failing", "unknown", "up"]
    brush = alt.selection_interval(name=BRUSH, encodings=["x"])
    return (
        alt.Chart(data)
        .mark_area(interpolate="step-after", line=False, opacity=0.85)
        .encode(
            x=time_axis("moment", span(frame, "moment")),
            y=alt.Y("ends:Q", title=t("overview.ends"), stack="zero"),
            color=alt.Color(
                "health:N",
                title=None,
                sort=[names[key] for key in order],
                scale=alt.Scale(domain=[names[key] for key in order], range=[HEALTH[key] for key in order]),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=[
                clock("moment", t("col.ts")),
                alt.Tooltip("health:N", title=t("col.health")),
                alt.Tooltip("ends:Q", title=t("overview.ends")),
            ],
        )
        .properties(height=230)
        .add_params(brush)
    )


def stretches(frame: pl.DataFrame, row: str = "end") -> Any:
    """Bars of state over time, a line for each end (``row``, health, started_at, ended_at, state, category)."""
    names = {key: word("health", key) for key in HEALTH}
    # Twice the words of health would be words of words.
    data = words(frame.drop("health")).with_columns(frame["health"].replace_strict(names, default=None))
    lines = frame[row].n_unique()
    return (
        alt.Chart(data)
        .mark_bar(height=max(4, min(14, 420 // max(1, lines))))
        .encode(
            x=time_axis("started_at", span(frame, "started_at", "ended_at")),
            x2="ended_at:T",
            y=alt.Y(
                f"{row}:N", title=None, sort=None, axis=alt.Axis(labelLimit=190, labelOverlap=False, labelFlush=False)
            ),
            color=alt.Color(
                "health:N",
                title=None,
                scale=alt.Scale(domain=list(names.values()), range=list(HEALTH.values())),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=[
                alt.Tooltip(f"{row}:N", title=t("col.end")),
                alt.Tooltip("state:N", title=t("col.state")),
                alt.Tooltip("category:N", title=t("col.category")),
                clock("started_at", t("col.started_at")),
                clock("ended_at", t("col.ended_at")),
                *(
                    alt.Tooltip(f"{name}:N", title=t(f"col.{name}"))
                    for name in ("how_started", "how_ended", "reason")
                    if name in frame.columns
                ),
            ],
        )
        .properties(height=160 + 18 * lines)
        .add_params(alt.selection_interval(name=BRUSH, encodings=["x"]))
    )


def bars_over_time(frame: pl.DataFrame, at: str, kind: str, value: str, height: int = 260, brush: bool = True) -> Any:
    """Counts over time, stacked by kind; the eight largest kinds have a colour, the rest is one."""
    frame = words(frame)
    ranked = frame.group_by(kind).agg(pl.col(value).sum()).sort(value, kind, descending=[True, False])[kind].to_list()
    data = frame
    if len(ranked) > len(SERIES):
        kept = ranked[: len(SERIES) - 1]
        data = frame.with_columns(
            pl.when(pl.col(kind).is_in(kept)).then(pl.col(kind)).otherwise(pl.lit(t("word.other"))).alias(kind)
        )
        ranked = [*kept, t("word.other")]
    chart = (
        alt.Chart(data)
        .mark_bar(binSpacing=0)
        .encode(
            x=time_axis(at, span(frame, at)),
            y=alt.Y(f"sum({value}):Q", title=t(f"col.{value}")),
            color=alt.Color(
                f"{kind}:N",
                title=None,
                scale=alt.Scale(domain=ranked, range=SERIES),
                legend=alt.Legend(orient="top", labelLimit=NARROW_LABEL, columns=2),
            ),
            tooltip=[
                clock(at, t("col.ts")),
                alt.Tooltip(f"{kind}:N", title=t(f"col.{kind}")),
                alt.Tooltip(f"sum({value}):Q", title=t("col.events")),
            ],
        )
        .properties(height=height)
    )
    return chart.add_params(alt.selection_interval(name=BRUSH, encodings=["x"])) if brush else chart


def generic(frame: pl.DataFrame, kind: str, x: str, y: Sequence[str], temporal: bool) -> Any:
    """Columns of any result: line, bar, area or points over ``x``."""
    names = [column for column in y if column != x]
    long = frame.select([x, *names]).unpivot(names, index=x, variable_name="_column", value_name="_value")
    base = alt.Chart(long).properties(height=320)
    marks = {"line": base.mark_line(point=True), "bar": base.mark_bar(), "area": base.mark_area(opacity=0.7)}
    if temporal:
        across, label = time_axis(x, span(frame, x)), clock(x, x)
    else:
        across = alt.X(_field(x, "Q" if frame.schema[x].is_numeric() else "N"), title=x, sort=None)
        label = alt.Tooltip(_field(x, "N"), title=x)
    return marks.get(kind, base.mark_point()).encode(
        x=across,
        y=alt.Y("_value:Q", title=None),
        color=alt.Color("_column:N", title=None, scale=alt.Scale(range=SERIES), legend=alt.Legend(orient="top")),
        tooltip=[label, alt.Tooltip("_column:N", title=" "), alt.Tooltip("_value:Q", title=" ")],
    )


def _field(name: str, kind: str) -> str:
    """A field by its name as it is: dots, brackets and colons in it have a meaning of their own otherwise."""
    return "".join("\\" + char if char in ".[]:\\'\"" else char for char in name) + f":{kind}"


def sizes(frame: pl.DataFrame) -> Any:
    """Configured, established and failed peers over time, and the key limit as a dashed line."""
    names = {name: t(f"col.{name}") for name in ("configured", "established", "failed", "md5_key_limit")}
    long = (
        frame.select("moment", *names)
        .unpivot(list(names), index="moment", variable_name="kind", value_name="peers")
        # A gap in what a status table would tell stays a gap.
        .filter(pl.col("peers").is_not_null() | pl.col("kind").is_in(["established", "failed"]))
        .with_columns(pl.col("kind").replace_strict(names, default=None))
    )
    shown = list(names.values())
    return (
        alt.Chart(long)
        .mark_line(interpolate="step-after", strokeWidth=2.5, point=alt.OverlayMarkDef(size=18))
        .encode(
            x=time_axis("moment", span(frame, "moment")),
            y=alt.Y("peers:Q", title=t("groups.peers")),
            color=alt.Color(
                "kind:N",
                title=None,
                scale=alt.Scale(domain=shown, range=["#0072B2", "#009E73", "#D55E00", "#CC79A7"]),
                legend=alt.Legend(orient="top", columns=2, symbolType="stroke", symbolStrokeWidth=3),
            ),
            strokeDash=alt.StrokeDash(
                "kind:N", scale=alt.Scale(domain=shown, range=[[1, 0], [6, 2], [2, 2], [8, 4]]), legend=None
            ),
            tooltip=[
                clock("moment", t("col.ts")),
                alt.Tooltip("kind:N", title=" "),
                alt.Tooltip("peers:Q", title=" "),
            ],
        )
        .properties(height=320)
        .add_params(alt.selection_interval(name=BRUSH, encodings=["x"]))
    )


def rates(frame: pl.DataFrame, x: str, title: str) -> Any:
    """Failures per session-hour with their intervals over size classes or versions."""
    base = alt.Chart(frame).encode(x=alt.X(f"{x}:N", title=title, sort=None, axis=alt.Axis(labelAngle=0)))
    tip = [
        alt.Tooltip(f"{name}:N", title=t(f"col.{name}"))
        for name in (x, "rate", "rate_low", "rate_high", "failures", "session_hours")
    ]
    bars = base.mark_rule(strokeWidth=2, color="#8A8A8A").encode(
        y=alt.Y("rate_low:Q", title=t("groups.rate")), y2="rate_high:Q", tooltip=tip
    )
    points = base.mark_point(filled=True, size=90, color="#0072B2", opacity=1).encode(y="rate:Q", tooltip=tip)
    return (bars + points).properties(height=260)
