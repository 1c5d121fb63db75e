"""Overview: is anything wrong, what, since when, and how much of it was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from app import cards, charts, filters, palette, show, store, times
from app.queries import incidents, overview, sessions
from app.queries.base import Scope
from app.texts import t, word

CARDS = 6

STALE = timedelta(hours=1)
"""Newest data older than this say nothing about the state of now: jobs run every few minutes."""


def render(scope: Scope) -> None:
    """The page."""
    show.title("overview")
    _freshness()
    _numbers(scope)
    _open_incidents(scope)
    _over_time(scope)
    left, right = st.columns(2, gap="large")
    with left:
        _limits(scope)
    with right:
        _clusters(scope)


def _freshness() -> None:
    fresh = store.one(overview.freshness())
    newest = fresh["newest_at"]
    if newest is None:
        show.empty(t("state.no_data"))
        return
    age = datetime.now(UTC) - newest
    st.caption(
        t(
            "overview.fresh",
            newest=times.shown(newest),
            zone=str(times.zone()),
            age=times.span(age),
            loaded=times.shown(fresh["loaded_at"]),
        )
    )
    if age > STALE:
        st.warning(t("overview.stale", age=times.span(age)), icon=":material/history:")


def _numbers(scope: Scope) -> None:
    found = {row["health"]: row["ends"] for row in store.frame(overview.health(scope)).iter_rows(named=True)}
    severities = store.frame(incidents.by_severity(scope)).to_dicts()
    seen = store.one(overview.coverage(scope))
    total = sum(found.values())
    with st.container(horizontal=True, gap="small"):
        for name in ("up", "failing", "unknown"):
            number = found.get(name, 0)
            share = f"{100 * number / total:.1f} %" if total else None
            st.metric(
                f"{palette.HEALTH_ICON[name]} {word('health', name)}",
                f"{number:,}",
                share,
                delta_color="off",
                delta_arrow="off",
                border=True,
                help=t(f"overview.help_{name}"),
                width=150,
            )
        st.metric(
            t("overview.nodes"),
            f"{seen['observed']:,} / {seen['known']:,}",
            border=True,
            help=t("overview.help_nodes"),
            width=160,
        )
        st.metric(
            t("overview.open"),
            f"{sum(row['still_open'] for row in severities):,}",
            _worst(severities),
            delta_color="off",
            delta_arrow="off",
            border=True,
            width=225,
        )
    show.foot(overview.health(scope), "overview-health")
    if missing := store.one(sessions.missing(scope).counted())["n"]:
        show.link(t("overview.missing", n=f"{missing:,}"), "sessions", icon=":material/link_off:")


def _worst(severities: list[dict[str, Any]]) -> str | None:
    parts = [f"{row['still_open']} {word('severity', row['severity'])}" for row in severities if row["still_open"]]
    return " · ".join(parts) or None


def _open_incidents(scope: Scope) -> None:
    st.subheader(t("overview.incidents"), anchor=False)
    query = incidents.listed(scope, status="open")
    found = store.rows(query, 500).frame
    if found.is_empty():
        show.empty(t("overview.none_open"))
        return
    for row in found.head(CARDS).iter_rows(named=True):
        cards.incident(row)
    if found.height > CARDS:
        show.link(t("overview.all_incidents", n=found.height), "incidents", icon=":material/arrow_forward:")


def _over_time(scope: Scope) -> None:
    st.subheader(t("overview.over_time"), anchor=False)
    extent = filters.extent(scope)
    if extent is None:
        show.empty(t("state.empty"))
        return
    query = overview.over_time(scope, *extent, times.step_for(*extent))
    chart = charts.health_area(times.axis(store.frame(query)))
    show.picture(chart, query, "overview-time", t("overview.over_time"), brush=True)
    st.caption(t("table.brush"))


def _limits(scope: Scope) -> None:
    st.subheader(t("overview.limits"), anchor=False)
    bar = st.column_config.ProgressColumn(t("col.used_percent"), min_value=0, max_value=100, format="%d %%")
    show.table(
        overview.limits(scope),
        "overview-limits",
        columns={"used_percent": bar},
        none=t("groups.none"),
        order=[
            "used_percent",
            *([] if scope.cluster else ["cluster"]),
            "reflector",
            "md5_peers",
            "md5_key_limit",
            "configured",
            "failed",
            "group_name",
            "counted_at",
        ],
    )


def _clusters(scope: Scope) -> None:
    st.subheader(t("overview.clusters"), anchor=False)
    show.table(overview.clusters_state(scope), "overview-clusters")


render(st.session_state["scope"])
