"""Sessions: the map of nodes over time, the ends, or one session with both its ends when the address names it."""

from __future__ import annotations

import streamlit as st

from app import filters, lines, linked, maps, palette, session_view, show, store, times
from app.queries import sessions
from app.queries.base import Scope
from app.texts import t, word


def render(scope: Scope) -> None:
    """The page."""
    named = {name: st.query_params.get(name) for name in ("in", "node", "peer", "protocol")}
    if named["in"] and named["node"] and named["peer"]:
        session_view.render(scope, named["in"], named["node"], named["peer"], named["protocol"])
        return
    show.title("sessions")
    _map(scope)
    _ends(scope)
    _missing(scope)


def _map(scope: Scope) -> None:
    st.subheader(t("sessions.map"), anchor=False)
    extent = filters.extent(scope)
    if extent is None:
        show.empty(t("state.empty"))
        return
    query = sessions.heat(scope, *extent, times.step_for(*extent, buckets=80))
    found = store.frame(query, 20_000)
    if found.is_empty():
        show.empty(t("sessions.none"))
        show.sql_of(query, "sessions-map")
        return
    st.caption(t("sessions.map_about", n=sessions.MAP_NODES))
    chart = maps.heat(times.axis(found), scope.cluster is None)
    show.picture(chart, query, "sessions-map", t("sessions.map"), brush=True, click=True)


def _ends(scope: Scope) -> None:
    st.subheader(t("sessions.ends"), anchor=False)
    health = linked.pill(
        t("col.health"),
        list(palette.HEALTH),
        "health",
        format_func=lambda name: f"{palette.HEALTH_ICON[name]} {word('health', name)}",
    )
    st.caption(t("sessions.pick"))
    chosen = show.table(
        sessions.ends(scope, health),
        "sessions-ends",
        select=True,
        none=t("sessions.none"),
        order=[
            "health",
            "node",
            "peer_node",
            "peer",
            "bgp_state",
            "last_error",
            "other_state",
            "other_last_error",
            "other_reason",
            "since",
            "category",
            "reason",
            "protocol",
            "cluster",
        ],
    )
    if chosen and chosen["node"] and chosen["peer"]:
        show.go("sessions", **session_view.address(chosen))


def _missing(scope: Scope) -> None:
    """Sessions that should be there, which no state of a session tells of."""
    query = sessions.missing(scope)
    if not store.one(query.counted())["n"]:
        return
    st.subheader(t("sessions.missing"), anchor=False)
    st.caption(t("sessions.missing_about"))
    chosen = show.table(
        query,
        "sessions-missing",
        select=True,
        order=["node", "peer_node", "peer", "reason", "group_name", "made_by", "looked_at", "cluster"],
    )
    if chosen and chosen["source_path"]:
        lines.context(chosen["cluster"], chosen["source_path"], chosen["byte_offset"] or 0)


render(st.session_state["scope"])
