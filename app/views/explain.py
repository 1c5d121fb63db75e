"""Explain a line: every stage a line goes through and what each made of it; nothing is stored."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import show, store
from app.queries import logs
from app.safe import code
from app.texts import catalogue, language, t, word
from pipeline.engines.explain import explain_bytes

LONGEST = 200_000
MOST = 50
"""Records explained at once."""

EXAMPLE = "2024-12-18T07:00:41.559360Z stdout F bird: Node_10_0_0_165: Socket error: TCP_MD5SIG: Cannot allocate memory"
STAGES = {
    "explain.source": ("read_as", "because", "envelope", "place"),
    "explain.context": ("time", "time_from", "node", "pod", "component", "level"),
    "explain.shape": ("family", "masked", "template"),
    "explain.meaning": ("rule", "meaning", "category", "severity"),
    "explain.fields": ("protocol", "peer", "peers", "params"),
}


def render() -> None:
    """The page."""
    show.title("explain")
    with st.form("explain", border=False):
        text = st.text_area(t("explain.lines"), value=_given() or EXAMPLE, height=140, max_chars=LONGEST)
        st.form_submit_button(t("explain.run"), icon=":material/search_insights:")
    st.caption(t("explain.private"))
    if not text.strip():
        return
    with show.failures():
        rows = explain_bytes(text.encode(), "-", store.settings())
        for row in rows[:MOST]:
            _record(row)
        if len(rows) > MOST:
            st.caption(t("explain.more", n=len(rows) - MOST))


def _given() -> str | None:
    """The record that the address names, when another page led here."""
    cluster, source, offset = (st.query_params.get(name) for name in ("in", "source", "offset"))
    if not (cluster and source and offset and offset.isdecimal()):
        return None
    found = store.frame(logs.record(cluster, source, int(offset)))
    if found.is_empty():
        return None
    row = found.row(0, named=True)
    return f"{row['component']}: {row['message']}" if row["component"] else str(row["message"])


def _record(row: dict[str, Any]) -> None:
    with st.container(border=True):
        show.log_text(row["message"])
        for heading, names in STAGES.items():
            facts = {name: row[name] for name in names if row.get(name) not in (None, "", [], {})}
            if facts:
                st.caption(t(heading))
                st.code(
                    "\n".join(f"{_padded(_name(name))} {code(_told(name, value))}" for name, value in facts.items()),
                    language=None,
                    wrap_lines=True,
                )


def _name(name: str) -> str:
    return catalogue(language()).get(f"col.{name}", name)


def _padded(name: str) -> str:
    """Names that stand in a column: Chinese ones are filled up with blanks of their own width."""
    return f"{name:<12}" if name.isascii() else name + "\u3000" * (6 - len(name))


def _told(name: str, value: Any) -> str:
    """The word for a value, and the identifier it stands for."""
    if name in ("category", "severity") and word(name, value) != value:
        return f"{word(name, value)} ({value})"
    return _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={item}" for name, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


render()
