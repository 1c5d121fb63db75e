"""The console: one statement on the read-only sandbox, the saved questions, the schema, a chart, exports."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from app import charts, linked, show, store, times
from app.queries import console
from app.queries.base import Query
from app.texts import t
from pipeline.warehouse.library import Parameter, SavedQuery, load_library
from pipeline.warehouse.reader import Result

# Rows drawn; the export has all that the sandbox returns.
SHOWN_ROWS = 5000

LONGEST = 20_000
CHARTS = ("bar", "line", "area", "point")


def render() -> None:
    """The page."""
    show.title("sql")
    left, right = st.columns([3, 1], gap="large")
    with right:
        _schema()
    with left:
        mode = linked.segments(
            t("sql.mode"),
            ["console", "saved"],
            "mode",
            "console",
            format_func=lambda name: t(f"sql.{name}"),
            label_visibility="collapsed",
        )
        if mode == "saved":
            _saved()
        else:
            _typed()


def _typed() -> None:
    with st.form("console", border=False):
        text = st.text_area(
            t("sql.statement"), value=console.FIRST, key="sql", bind="query-params", height=190, max_chars=LONGEST
        )
        limits = store.settings()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.form_submit_button(t("sql.run"), icon=":material/play_arrow:")
            st.caption(t("sql.limits", seconds=f"{limits.sql_seconds:g}", rows=f"{limits.sql_rows:,}"))
    if text and text.strip():
        _answer(Query(text), "console")


def _saved() -> None:
    library = load_library()
    name = linked.select(
        t("sql.question"),
        list(library),
        "question",
        next(iter(library)),
        format_func=lambda each: library[each].question,
    )
    chosen = library[name]
    with st.form(f"saved-{name}", border=False):
        given = _parameters(chosen)
        st.form_submit_button(t("sql.run"), icon=":material/play_arrow:")
    with show.failures():
        sql, values = chosen.bind(given)
        _answer(Query(sql, values), f"saved-{name}")


def _parameters(chosen: SavedQuery) -> dict[str, str]:
    if not chosen.parameters:
        st.caption(t("sql.no_parameters"))
    given = {}
    for parameter in chosen.parameters:
        text = st.text_input(
            f"{parameter.name} ({parameter.kind})",
            value=_default(parameter),
            key=f"p_{parameter.name}",
            bind="query-params",
            help=parameter.meaning,
            max_chars=200,
        )
        given[parameter.name] = (text or "").strip() or parameter.default
    return given


def _default(parameter: Parameter) -> str:
    """The shared filters fill the parameters of the same name."""
    if parameter.name in ("cluster", "group") and (shared := st.session_state.get(parameter.name)):
        return str(shared)
    return parameter.default


def _answer(query: Query, key: str) -> None:
    with show.failures():
        with st.spinner(t("sql.running")):
            result = store.console(query.text, query.params)
        _result(query, key, result)


def _result(query: Query, key: str, result: Result) -> None:
    note = t("sql.done", rows=show.rows_said(result.frame.height), seconds=f"{result.seconds:.2f}")
    st.caption(note)
    if result.truncated:
        st.warning(t("sql.cut", rows=f"{result.frame.height:,}"), icon=":material/content_cut:")
    if result.frame.height > SHOWN_ROWS:
        st.caption(t("sql.drawn", rows=f"{SHOWN_ROWS:,}"))
    if not result.frame.width:
        return
    st.dataframe(show.presentable(result.frame.head(SHOWN_ROWS)), hide_index=True, key=f"{key}-rows")
    with st.container(horizontal=True):
        show.exports(lambda: result, key)
        if query.params:
            show.sql_of(query, key)
    _chart(result.frame.head(SHOWN_ROWS), key)


def _chart(frame: pl.DataFrame, key: str) -> None:
    numbers = [name for name in frame.columns if frame.schema[name].is_numeric()]
    if not numbers or frame.height < 2:
        return
    with st.expander(t("sql.chart"), icon=":material/bar_chart:"):
        with st.container(horizontal=True):
            kind = st.selectbox(
                t("sql.kind"), CHARTS, key=f"{key}-kind", format_func=lambda name: t(f"sql.{name}"), width=160
            )
            flat = [name for name in frame.columns if not isinstance(frame.schema[name], pl.List | pl.Struct)]
            x = st.selectbox("x", flat, key=f"{key}-x", width=220)
            y = st.multiselect("y", numbers, default=[next((n for n in numbers if n != x), numbers[0])], key=f"{key}-y")
        if y and x is not None:
            temporal = isinstance(frame.schema[x], pl.Datetime)
            shown = times.axis(show.presentable(frame))
            show.plot(charts.generic(shown, kind, x, y, temporal), t("sql.chart"))


def _schema() -> None:
    st.subheader(t("sql.schema"), anchor=False)
    tables: list[dict[str, Any]] = store.frame(console.tables()).to_dicts()
    about = {row["table_name"]: row for row in tables}
    name = st.selectbox(t("sql.table"), list(about), label_visibility="collapsed")
    if name is None:
        return
    st.caption(about[name]["about"] or "")
    st.caption(show.rows_said(about[name]["row_count"]))
    st.dataframe(
        show.presentable(store.frame(console.columns(name))),
        hide_index=True,
        column_config={key: st.column_config.Column(t(f"col.{key}")) for key in ("column_name", "data_type", "about")},
    )
    show.link(t("sql.look_into"), "sql", sql=f'FROM "{name}" LIMIT 100')


render()
