"""The log explorer: find records, filter by clicking values, see what stands around one."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from app import charts, filters, lines, linked, show, store, times
from app.queries import logs
from app.queries.base import Query, Scope
from app.safe import code
from app.texts import t, word

PAGE = 100
BUCKETS = 60
"""Buckets of the picture: as many as can be told apart in it."""

WORDS = ("category", "severity")
"""Facets whose values are words of the vocabulary."""

LONGEST = 120
"""Characters of a value on a button."""

COLUMNS = {
    "ts": 150, "node": 105, "message": 440, "category": 190, "severity": 75, "component": 90, "peer": 110, "cluster": 130,
}  # fmt: skip
"""Columns of the records and their widths: a browser that need not find them out is faster."""


def render(scope: Scope) -> None:
    """The page."""
    show.title("logs")
    extent = filters.extent(scope)
    step = times.step_for(*extent, BUCKETS) if extent else 86400
    wanted = _wanted()
    counted = store.frame(logs.summary(scope, wanted, step), 20_000)
    with st.expander(t("logs.filter"), icon=":material/filter_alt:", expanded=True):
        for facet in logs.FACETS:
            _facet(facet, counted.filter(pl.col("facet") == facet), wanted)
    by_time = counted.filter(pl.col("facet") == "moment")
    total = int(by_time["events"].sum())
    _picture(logs.over_time(scope, wanted, step), by_time.drop_nulls("moment"))
    # Only the tab that is open asks its question.
    records, patterns = st.tabs(
        [t("logs.records", n=f"{total:,}"), t("logs.patterns")], key="log-tabs", on_change="rerun"
    )
    if records.open:
        with records:
            _records(scope, wanted, total)
    if patterns.open:
        with patterns:
            st.caption(t("logs.patterns_about"))
            show.table(logs.patterns(scope, wanted), "log-patterns", none=t("logs.none"))


def _wanted() -> logs.Wanted:
    text = st.text_input(
        t("logs.text"), key="text", bind="query-params", placeholder=t("logs.text_hint"), max_chars=300
    )
    template = st.query_params.get("template")
    if template:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(t("logs.of_template"))
            st.code(code(template), language=None)
            show.link(t("logs.any_template"), "logs", icon=":material/close:", template=None)
    # What is chosen now decides the numbers; the widgets are drawn after it with the values they offer.
    return logs.Wanted((text or "").strip() or None, _chosen("f_"), _chosen("x_"), template)


def _chosen(prefix: str) -> dict[str, list[str]]:
    """Values chosen for each facet: what the widgets hold, before they are drawn for the first time the address."""
    chosen = {}
    for facet in logs.FACETS:
        linked.seed(prefix + facet, [], str, many=True)
        chosen[facet] = list(st.session_state[prefix + facet] or [])
    return {facet: values for facet, values in chosen.items() if values}


def _facet(facet: str, offered: pl.DataFrame, wanted: logs.Wanted) -> None:
    counts = {row["value"]: row["events"] for row in offered.iter_rows(named=True) if row["value"] is not None}
    keep = [value for value in wanted.only.get(facet, []) if value not in counts]
    drop = [value for value in wanted.without.get(facet, []) if value not in counts]
    values = [*counts, *keep]
    if not values and not drop:
        return
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        linked.pills(
            t(f"col.{facet}"),
            values,
            f"f_{facet}",
            format_func=lambda value: _label(facet, value, counts),
            wrap=True,
        )
    without = len(wanted.without.get(facet, []))
    label = t("logs.not", facet=t(f"col.{facet}"))
    # Drawn in the browser only when it is opened, which most of the time nobody does.
    with right, st.popover(f"{label} ({without})" if without else label, key=f"not-{facet}", type="tertiary"):
        linked.several(
            label,
            [*counts, *drop],
            f"x_{facet}",
            placeholder=t("logs.not_hint"),
            format_func=lambda value: _named(facet, value),
        )


def _named(facet: str, value: str) -> str:
    return word(facet, value) if facet in WORDS else value[:LONGEST]


def _label(facet: str, value: str, counts: dict[str, int]) -> str:
    shown = show.place(_named(facet, value))
    return f"{shown} ({counts[value]:,})" if value in counts else shown


def _picture(query: Query, by_time: pl.DataFrame) -> None:
    """The buckets of the summary; ``query`` gives the same by itself."""
    if not by_time.is_empty():
        frame = times.axis(by_time.select("moment", "events", category="value"))
        st.caption(t("logs.over_time"))
        chart = charts.bars_over_time(frame, "moment", "category", "events", height=300)
        show.picture(chart, query, "log-time", t("logs.over_time"), brush=True)


def _records(scope: Scope, wanted: logs.Wanted, total: int) -> None:
    if not total:
        show.empty(t("logs.none"))
        show.sql_of(logs.records(scope, wanted), "log-records")
        return
    pages = min(-(-total // PAGE), 500)
    table, after = st.container(), st.container()
    number = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    with table:
        chosen = _page(logs.records(scope, wanted).page(PAGE, number), number)
        show.foot(logs.records(scope, wanted), "log-records", export=True)
    if chosen:
        with after:
            record(chosen)


def _page(query: Any, number: int) -> dict[str, Any] | None:
    st.caption(t("logs.pick"))
    return show.plain_table(
        query,
        f"log-page-{number}",
        order=list(COLUMNS),
        widths=COLUMNS,
    )


def record(row: dict[str, Any]) -> None:
    """A record in full, with its neighbours and ways to go on."""
    st.subheader(t("logs.record"), anchor=False)
    show.log_text(row["message"] or "")
    with st.container(horizontal=True):
        if row["ts"] is not None:
            show.link(t("logs.around"), "logs", icon=":material/schedule:", range="around", at=row["ts"], span=1)
        if row["node"]:
            show.link(t("logs.this_node"), "logs", icon=":material/dns:", q=row["node"])
        if row["template_id"]:
            show.link(t("logs.same_template"), "logs", icon=":material/segment:", template=row["template_id"])
        show.link(
            t("logs.explain"),
            "explain",
            icon=":material/search_insights:",
            in_=row["cluster"],
            source=row["source_path"],
            offset=row["byte_offset"],
        )
    lines.context(row["cluster"], row["source_path"], row["byte_offset"], around=10)


render(st.session_state["scope"])
