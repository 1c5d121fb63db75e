"""Versions: does failing go with the version, size held apart, and what is known to be fixed in a later one."""

from __future__ import annotations

import streamlit as st

from app import charts, fixes, linked, maps, show, store
from app.queries import groups, versions
from app.queries.base import Scope
from app.texts import t, word


def render(scope: Scope) -> None:
    """The page."""
    show.title("versions")
    show.table(versions.running(scope), "versions-running", none=t("versions.none"))
    _fixes(scope)
    st.subheader(t("versions.adjusted"), anchor=False)
    st.caption(t("versions.adjusted_about"))
    show.table(groups.effects(scope, "version"), "versions-effects", none=t("versions.no_effects"))
    _exposure(scope)
    _crude(scope)


def _fixes(scope: Scope) -> None:
    st.subheader(t("versions.fixes"), anchor=False)
    found = store.frame(versions.running(scope))["calico_version"].drop_nulls().to_list()
    rows = fixes.open_in(found)
    if rows.is_empty():
        show.empty(t("versions.no_fixes"))
        return
    st.caption(t("versions.fixes_about"))
    st.dataframe(
        rows,
        hide_index=True,
        column_config={
            name: st.column_config.TextColumn(t(f"col.{name}"), width="large" if name == "what" else None)
            for name in rows.columns
        },
    )


def _exposure(scope: Scope) -> None:
    st.subheader(t("versions.exposure"), anchor=False)
    st.caption(t("versions.exposure_about"))
    query = versions.exposure(scope)
    found = store.frame(query)
    if found.is_empty():
        show.empty(t("versions.no_exposure"))
        return
    show.picture(maps.exposure(found), query, "versions-exposure", t("versions.exposure"))


def _crude(scope: Scope) -> None:
    st.subheader(t("versions.crude"), anchor=False)
    st.caption(t("versions.crude_about"))
    known = store.frame(groups.categories(scope))["category"].to_list()
    if not known:
        show.empty(t("groups.no_rates"))
        return
    category = linked.select(
        t("col.category"),
        known,
        "kind",
        known[0],
        width=420,
        format_func=lambda name: word("category", name),
    )
    query = versions.crude(scope, category)
    found = store.frame(query)
    if found.height:
        show.plot(charts.rates(found, "calico_version", t("col.calico_version")), t("versions.crude"))
    show.table(query, "versions-crude")


render(st.session_state["scope"])
