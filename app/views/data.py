"""Data: what was read and when, whether it adds up, what was refused, what nobody collected, how to schedule."""

from __future__ import annotations

import streamlit as st

from app import show, store, times
from app.queries import data
from app.queries.base import Scope
from app.texts import t

SCHEDULE = """# cron: every ten minutes; a run that finds the warehouse busy ends with 4 and the next one reads the rest
*/10 * * * * peerscope --warehouse /var/lib/peerscope run --cluster prod /var/log/collected

# after a run: page when something is broken
peerscope --warehouse /var/lib/peerscope report --fail-on error"""


def render(scope: Scope) -> None:
    """The page."""
    show.title("data")
    _ledger(scope)
    parts = {
        "loads": _loads,
        "sources": _sources,
        "coverage": _coverage,
        "rejected": _rejected,
        "unknown": _unknown,
        "schedule": _schedule,
    }
    # Only the tab that is open asks its question.
    tabs = st.tabs([t(f"data.{name}") for name in parts], key="data-tabs", on_change="rerun")
    for tab, draw in zip(tabs, parts.values(), strict=True):
        if tab.open:
            with tab:
                draw(scope)


def _loads(scope: Scope) -> None:
    show.table(data.loads(scope), "data-loads")


def _sources(scope: Scope) -> None:
    show.table(data.sources(scope), "data-sources")


def _coverage(scope: Scope) -> None:
    st.caption(t("data.coverage_about"))
    show.table(data.coverage(scope), "data-coverage")
    st.subheader(t("data.unseen"), anchor=False)
    show.table(data.unseen(scope), "data-unseen", none=t("data.all_seen"))


def _rejected(scope: Scope) -> None:
    show.table(data.rejected(scope), "data-rejected", none=t("data.none_rejected"))


def _unknown(scope: Scope) -> None:
    st.caption(t("data.unknown_about"))
    show.table(data.unknown(scope), "data-unknown", none=t("data.none_unknown"))


def _schedule(_: Scope) -> None:
    st.write(t("data.schedule_about"))
    st.code(SCHEDULE, language=None, wrap_lines=True)


def _ledger(scope: Scope) -> None:
    query = data.ledger(Scope(scope.cluster))
    sums = store.one(query)
    if not sums["loads"]:
        show.empty(t("state.no_data"))
        return
    with st.container(horizontal=True, gap="small"):
        for name in ("loads", "files_read", "lines_read", "lines_parsed", "lines_unparsed", "lines_rejected"):
            st.metric(t(f"col.{name}"), f"{sums[name]:,}", border=True, width=138)
    adds_up = sums["lines_read"] == sums["lines_parsed"] + sums["lines_unparsed"] + sums["lines_rejected"]
    counted = sums["counted"] == sums["lines_parsed"] + sums["lines_unparsed"]
    if adds_up and counted:
        st.success(t("data.adds_up"), icon=":material/check_circle:")
    else:
        st.error(t("data.does_not_add_up"), icon=":material/error:")
    st.caption(t("data.last_load", at=times.shown(sums["last_at"])))
    show.sql_of(query, "data-ledger")


render(st.session_state["scope"])
