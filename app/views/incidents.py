"""Incidents: the list, or one of them when the address names it."""

from __future__ import annotations

import streamlit as st

from app import cards, incident_view, linked, show, store
from app.queries import incidents
from app.queries.base import Scope
from app.texts import t, word

CARDS_PER_PAGE = 20
SEVERITIES = ["critical", "error", "warning", "info"]


def render(scope: Scope) -> None:
    """The page."""
    chosen = st.query_params.get("incident")
    if chosen:
        incident_view.render(chosen)
        return
    show.title("incidents")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        status = linked.segments(
            t("incidents.status"),
            ["all", "open", "over"],
            "status",
            "all",
            format_func=lambda name: t(f"incidents.{name}"),
        )
        severities = linked.pills(
            t("col.severity"),
            SEVERITIES,
            "severity",
            format_func=lambda name: word("severity", name),
        )
        known = store.frame(incidents.causes(scope))["cause"].to_list()
        cause = linked.select(
            t("col.cause"),
            known,
            "cause",
            None,
            placeholder=t("word.any"),
            width=300,
            format_func=lambda name: word("cause", name),
        )
    _list(scope, severities, status, cause)


def _list(scope: Scope, severities: list[str], status: str, cause: str | None) -> None:
    query = incidents.listed(scope, severities, status, cause)
    total = store.one(query.counted())["n"]
    if not total:
        show.empty(t("incidents.none"))
        show.sql_of(query, "incidents")
        return
    pages = -(-total // CARDS_PER_PAGE)
    shown = st.container()
    number = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    with shown:
        for row in store.frame(query.page(CARDS_PER_PAGE, number)).iter_rows(named=True):
            cards.incident(row)
    with st.expander(t("incidents.as_table"), icon=":material/table:"):
        show.table(query, "incidents")


render(st.session_state["scope"])
