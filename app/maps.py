"""Pictures of fields: node × time and version × size."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from app import charts
from app.texts import t

FIELD = "field"
"""Name of the selection of a field that was clicked."""


def heat(frame: pl.DataFrame, with_cluster: bool) -> Any:
    """Node × time: how much of the observed session time was not up (cluster, node, moment, until, failing_percent).

    A field that is clicked names its node (selection ``FIELD``).
    """
    name = pl.concat_str("cluster", pl.lit(" / "), "node") if with_cluster else pl.col("node")
    data = joined(frame).select("cluster", "node", "moment", "until", "failing_percent", name.alias("end"))
    rows = data["end"].n_unique()
    return (
        alt.Chart(data)
        .mark_rect(cursor="pointer")
        .encode(
            x=charts.time_axis("moment", charts.span(frame, "moment", "until")),
            x2="until:T",
            y=alt.Y(
                "end:N", title=None, sort=None, axis=alt.Axis(labelLimit=210, labelOverlap=False, labelFlush=False)
            ),
            color=alt.Color(
                "failing_percent:Q",
                title=t("sessions.failing_percent"),
                scale=alt.Scale(domain=[0, 100], range=["#a6cee3", "#f0a860", "#8c2d04"], interpolate="rgb"),
                legend=alt.Legend(orient="top", gradientLength=130),
            ),
            tooltip=[
                alt.Tooltip("end:N", title=t("col.node")),
                charts.clock("moment", t("col.started_at")),
                charts.clock("until", t("col.ended_at")),
                alt.Tooltip("failing_percent:Q", title=t("sessions.failing_percent")),
            ],
        )
        .properties(height=130 + 15 * rows)
        .add_params(
            alt.selection_interval(name=charts.BRUSH, encodings=["x"]),
            alt.selection_point(name=FIELD, fields=["cluster", "node"], on="click", clear=False, toggle=False),
        )
    )


def joined(frame: pl.DataFrame) -> pl.DataFrame:
    """Neighbouring fields of a node that say the same become one: fewer to send and to draw."""
    changes = (pl.col("failing_percent") != pl.col("failing_percent").shift()) | (
        pl.col("moment") != pl.col("until").shift()
    )
    return (
        frame.with_columns(run=changes.fill_null(True).cum_sum().over("cluster", "node"))
        .group_by("cluster", "node", "run", maintain_order=True)
        .agg(pl.col("moment").first(), pl.col("until").last(), pl.col("failing_percent").first())
        .drop("run")
    )


def exposure(frame: pl.DataFrame) -> Any:
    """Version × size class: rate of failures as colour, session-hours as number; an empty field was never observed."""
    in_order = frame.sort("size_class", nulls_last=True)["peers_from"].unique(maintain_order=True).to_list()
    base = alt.Chart(frame).encode(
        x=alt.X("peers_from:N", title=t("groups.size"), sort=in_order, axis=alt.Axis(labelAngle=0)),
        y=alt.Y("calico_version:N", title=None),
    )
    fields = base.mark_rect().encode(
        color=alt.Color(
            "rate:Q",
            title=t("groups.rate"),
            scale=alt.Scale(range=["#deebf7", "#f0a860"], domainMin=0, interpolate="rgb"),
        ),
        tooltip=[
            alt.Tooltip(f"{name}:N", title=t(f"col.{name}"))
            for name in ("calico_version", "peers_from", "session_hours", "failures", "rate", "groups")
        ],
    )
    numbers = base.mark_text(color="#000000").encode(text=alt.Text("session_hours:Q", format=",.2~f"))
    return (fields + numbers).properties(height=max(90, 46 * frame["calico_version"].n_unique() + 60))
