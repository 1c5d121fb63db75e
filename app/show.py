"""What pages are made of: links, tables with their SQL and exports, log text, states of nothing and of failure."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import polars as pl
import streamlit as st

from app import filters, store, times
from app.queries.base import Query
from app.safe import code, md
from app.texts import catalogue, language, t, words
from pipeline.errors import PeerscopeError
from pipeline.text import printable
from pipeline.warehouse.output import write_result
from pipeline.warehouse.reader import Result

PAGES = {
    name: f"views/{name}.py"
    for name in (
        "overview",
        "incidents",
        "sessions",
        "logs",
        "templates",
        "groups",
        "versions",
        "sql",
        "explain",
        "data",
    )
}
"""Pages in the order of the menu."""

FORMATS = {"csv": "text/csv", "json": "application/json", "parquet": "application/vnd.apache.parquet"}
TIME_FORMAT = "YYYY-MM-DD HH:mm:ss"


def link(label: str, page: str, icon: str | None = None, key_help: str | None = None, **params: Any) -> None:
    """A link to another view; the shared filters go along, changed by ``params``."""
    st.page_link(PAGES[page], label=label, icon=icon, help=key_help, query_params=filters.params(**params))


def go(page: str, **params: Any) -> None:
    """Open another view now."""
    st.switch_page(PAGES[page], query_params=filters.params(**params))


def title(page: str) -> None:
    """Heading of a page and one sentence about what it answers."""
    st.header(t(f"{page}.title"), anchor=False)
    st.caption(t(f"{page}.about"))


def empty(text: str) -> None:
    """Nothing to show: says so, and what to do."""
    st.info(text, icon=":material/info:")


@contextmanager
def failures() -> Iterator[None]:
    """Errors raised on purpose become a message with the remedy; the rest of the page stays."""
    try:
        yield
    except PeerscopeError as exc:
        st.error(t("state.failed"), icon=":material/error:")
        log_text(str(exc))


def log_text(text: str, height: int | None = None) -> None:
    """Text from outside, as it was written, to read and to copy."""
    st.code(code(text), language=None, wrap_lines=True, height=height or "content")


def table(
    query: Query,
    key: str,
    *,
    limit: int = store.PAGE_ROWS,
    columns: Mapping[str, Any] | None = None,
    order: Sequence[str] | None = None,
    select: bool = False,
    none: str | None = None,
    height: int | str = "auto",
) -> dict[str, Any] | None:
    """Rows of a query with its SQL and exports; returns the selected row when ``select``."""
    result = store.rows(query, limit)
    if result.frame.is_empty():
        empty(none or t("state.empty"))
        sql_of(query, key)
        return None
    chosen = _draw(result.frame, key, columns or {}, order, select, height)
    foot(query, key, result)
    return result.frame.row(chosen, named=True) if chosen is not None and chosen < result.frame.height else None


def _draw(
    frame: pl.DataFrame, key: str, columns: Mapping[str, Any], order: Sequence[str] | None, select: bool, height: Any
) -> int | None:
    # Columns that are not shown are for links: the browser has no use for them.
    shown = presentable(words(frame.select(name for name in order if name in frame.columns) if order else frame))
    config = {name: _column(name, shown.schema[name]) for name in shown.columns} | dict(columns)
    if not select:
        st.dataframe(
            shown, hide_index=True, column_config=config, column_order=order, key=key, height=height, placeholder="–"
        )
        return None
    event = st.dataframe(
        shown,
        hide_index=True,
        column_config=config,
        column_order=order,
        key=key,
        height=height,
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
    )
    picked = event.selection.rows
    return picked[0] if picked else None


def presentable(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame as tables show it: local times, texts without control characters, maps as text."""
    text = [name for name, kind in frame.schema.items() if kind == pl.String]
    nested = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List | pl.Struct)]
    return times.local(frame).with_columns(
        *(pl.col(name).map_elements(printable, return_dtype=pl.String) for name in text),
        *(pl.col(name).map_elements(lambda value: printable(_flat(value)), return_dtype=pl.String) for name in nested),
    )


def _flat(value: Any) -> str:
    items = value.to_list() if isinstance(value, pl.Series) else value
    if isinstance(items, list):
        pairs = [
            f"{item['key']}={item['value']}" if isinstance(item, dict) and "key" in item else str(item)
            for item in items
        ]
        return ", ".join(pairs)
    return str(items)


def _column(name: str, kind: pl.DataType, width: int | None = None) -> Any:
    label = catalogue(language()).get(f"col.{name}", name)
    if isinstance(kind, pl.Datetime):
        return st.column_config.DatetimeColumn(label, format=TIME_FORMAT, width=width)
    if kind.is_numeric():
        return st.column_config.NumberColumn(label, format="%.3g" if kind.is_float() else "localized", width=width)
    return st.column_config.Column(label, width=width)


def foot(query: Query, key: str, result: Result | None = None, export: bool = False) -> None:
    """Below a table or picture: how many rows, whether that is all, export, and the SQL behind it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if result is not None and result.truncated:
            total = store.one(query.counted())["n"]
            st.caption(t("table.cut", shown=f"{result.frame.height:,}", total=f"{total:,}"))
        elif result is not None:
            st.caption(rows_said(result.frame.height))
        if result is not None or export:
            exports(lambda: store.full(query), key)
        sql_of(query, key)


def rows_said(rows: int) -> str:
    """How many rows."""
    return t("table.row") if rows == 1 else t("table.rows", n=f"{rows:,}")


def exports(rows: Callable[[], Result], key: str) -> None:
    """Download as CSV, JSON or Parquet; the rows are read when asked for."""
    with st.popover(t("table.export"), icon=":material/download:", key=f"export-{key}", type="tertiary"):
        for form, mime in FORMATS.items():
            st.download_button(
                form.upper() if form != "parquet" else "Parquet",
                data=_maker(rows, form),
                file_name=f"peerscope-{key}.{form}",
                mime=mime,
                key=f"{key}-{form}",
                on_click="ignore",
                width="stretch",
            )
        st.caption(t("table.export_limit", n=f"{store.settings().sql_rows:,}"))


def _maker(rows: Callable[[], Result], form: str) -> Callable[[], bytes]:
    return lambda: rendered(rows(), form)


def rendered(result: Result, form: str) -> bytes:
    """A result as a file; formulas in CSV are defused, a cut is said in the last row of CSV."""
    if form == "parquet":
        buffer = io.BytesIO()
        result.frame.with_columns(pl.col(pl.Null).cast(pl.String)).write_parquet(buffer)
        return buffer.getvalue()
    text = io.StringIO()
    write_result(result, form, text)
    return text.getvalue().encode()


def sql_of(query: Query, key: str) -> None:
    """The SQL behind something: to copy, or to open in the console."""
    with st.popover("SQL", icon=":material/database:", key=f"sql-{key}", type="tertiary"):
        text = query.literal()
        st.code(text, language="sql", wrap_lines=True)
        link(t("table.console"), "sql", icon=":material/terminal:", sql=text)


def picture(chart: Any, query: Query, key: str, alt: str, brush: bool = False, click: bool = False) -> None:
    """A chart with its SQL; brushing it sets the time range of all pages, clicking a field their cluster and search."""
    if brush:
        st.altair_chart(_quiet(chart), key=key, on_select=lambda: _selected(key, click), alt=alt)
    else:
        plot(chart, alt)
    foot(query, key)


def plot(chart: Any, alt: str) -> None:
    """A chart alone."""
    st.altair_chart(_quiet(chart), alt=alt)


def _quiet(chart: Any) -> Any:
    """One picture with one description: drawn on a canvas, which is also fast with many marks."""
    return chart.properties(usermeta={"embedOptions": {"renderer": "canvas"}})


def _selected(key: str, click: bool) -> None:
    chosen = st.session_state[key].selection
    span = chosen.get("brush", {})
    edges = next(iter(span.values()), None) if span else None
    if edges and len(edges) == 2 and edges[0] != edges[1]:
        filters.zoom(times.from_wall(min(edges)), times.from_wall(max(edges)))
    elif click and (fields := chosen.get("field")):
        filters.narrow(str(fields[0]["cluster"]), str(fields[0]["node"]))


def when(started: datetime | None, ended: datetime | None) -> str:
    """A stretch of time in words."""
    if started is None:
        return t("word.no_time")
    if ended is None:
        return t("word.since", at=times.shown(started))
    return f"{times.shown(started)} → {times.shown(ended)} ({times.span(ended - started)})"


def place(name: str | None) -> str:
    """A name in a sentence of markdown."""
    return md(name) if name else "–"


def prose(text: str | None) -> None:
    """Sentences from the analysis, which quote log text: a paragraph for each line, marks escaped."""
    st.markdown("\n\n".join(md(line.strip()) for line in (text or "").splitlines() if line.strip()) or "–")


def plain_table(
    query: Query, key: str, *, order: Sequence[str] | None = None, widths: Mapping[str, int] | None = None
) -> dict[str, Any] | None:
    """A page of rows without a foot of its own; returns the selected row."""
    found = store.frame(query)
    columns = {name: _column(name, found.schema[name], width) for name, width in (widths or {}).items()}
    chosen = _draw(found, key, columns, order, True, "auto")
    return found.row(chosen, named=True) if chosen is not None and chosen < found.height else None
