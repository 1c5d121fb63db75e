"""Templates: what the lines say, how often and since when; one of them when the address names it."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from app import charts, filters, linked, show, store, times
from app.queries import logs, templates
from app.queries.base import Scope
from app.texts import t, word

# How often stands before what: of a long text a narrow screen shows nothing else.
ORDER = [
    "events",
    "share_percent",
    "template",
    "trend",
    "first_at",
    "last_at",
    "component",
    "category",
    "severity",
    "rule",
    "template_id",
]


def render(scope: Scope) -> None:
    """The page."""
    chosen = st.query_params.get("template")
    if chosen:
        _one(scope, chosen)
        return
    show.title("templates")
    extent = filters.extent(scope)
    if extent is None:
        show.empty(t("state.empty"))
        return
    _sums(scope)
    view = linked.segments(
        t("templates.view"),
        ["all", "new", "gone"],
        "view",
        "all",
        format_func=lambda name: t(f"templates.{name}"),
        label_visibility="collapsed",
    )
    if view in ("new", "gone"):
        _changed(scope, extent[0], extent[1], view == "new")
    else:
        _list(scope, *extent)


def _sums(scope: Scope) -> None:
    total = store.one(templates.total(scope))
    share = 100 * total["unclassified"] / total["events"] if total["events"] else 0.0
    st.caption(
        t(
            "templates.sums",
            events=f"{total['events']:,}",
            without=f"{total['without_template']:,}",
            share=f"{share:.2f}",
        )
    )


def _columns() -> dict[str, object]:
    return {
        "template": st.column_config.TextColumn(t("col.template"), width="large"),
        "trend": st.column_config.AreaChartColumn(t("col.trend"), y_min=0),
        "share_percent": st.column_config.NumberColumn(t("col.share_percent"), format="%.2f %%"),
    }


def _list(scope: Scope, start: datetime, end: datetime) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(t("templates.text"), key="text", bind="query-params", width=360, max_chars=200)
        benign = st.toggle(t("templates.benign"), key="benign", bind="query-params")
    query = templates.listed(scope, start, end, benign, (text or "").strip().lower() or None)
    st.caption(t("templates.pick"))
    chosen = show.table(query, "templates", select=True, columns=_columns(), order=ORDER, height=460)
    if chosen and chosen["template_id"]:
        show.go("templates", template=chosen["template_id"])


def _changed(scope: Scope, start: datetime, end: datetime, appeared: bool) -> None:
    middle = start + (end - start) / 2
    text = st.text_input(
        t("templates.split"), key="split", bind="query-params", placeholder=times.shown(middle), max_chars=40
    )
    moment = times.read(text) or middle
    st.caption(t("templates.new_about" if appeared else "templates.gone_about", at=times.shown(moment)))
    chosen = show.table(
        templates.changed(scope, moment, appeared),
        "templates-changed",
        select=True,
        columns=_columns(),
        none=t("templates.none"),
    )
    if chosen:
        show.go("templates", template=chosen["template_id"])


def _one(scope: Scope, template_id: str) -> None:
    show.link(t("templates.back"), "templates", icon=":material/arrow_back:")
    found = store.frame(templates.one(template_id))
    if found.is_empty():
        st.header(t("templates.one"), anchor=False)
        show.empty(t("templates.unknown"))
        return
    row = found.row(0, named=True)
    st.header(t("templates.one"), anchor=False)
    show.log_text(row["template"] or "")
    named = row | {name: word(name, row[name]) for name in ("category", "severity")}
    facts = [f"{t(f'col.{name}')} {show.place(named[name])}" for name in ("component", "category", "severity", "rule")]
    facts += [
        f"{t('col.events')} {row['events']:,}",
        f"{t('col.first_seen')} {times.shown(row['first_seen'])}",
        f"{t('col.last_seen')} {times.shown(row['last_seen'])}",
    ]
    st.caption(" · ".join(facts))
    extent = filters.extent(scope)
    if extent is not None:
        query = templates.over_time(scope, template_id, times.step_for(*extent))
        counted = store.frame(query, 20_000)
        if not counted.is_empty():
            st.caption(t("templates.over_time"))
            chart = charts.bars_over_time(times.axis(counted), "moment", "node", "events")
            show.picture(chart, query, "template-time", t("templates.over_time"), brush=True)
    st.subheader(t("templates.values"), anchor=False)
    show.table(templates.values_of(scope, template_id), "template-values", none=t("templates.no_values"), height=280)
    st.subheader(t("templates.examples"), anchor=False)
    _examples(scope, template_id)


def _examples(scope: Scope, template_id: str) -> None:
    examples = store.frame(logs.records(scope, logs.Wanted(template=template_id)).page(5, 1))
    for message in examples["message"].drop_nulls().unique(maintain_order=True).to_list():
        show.log_text(message)
    if examples.is_empty():
        show.empty(t("templates.no_examples"))
    show.link(t("templates.records"), "logs", icon=":material/notes:", template=template_id)


render(st.session_state["scope"])
