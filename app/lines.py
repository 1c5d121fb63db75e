"""Raw records with what stands around them."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import show, store, times
from app.queries import incidents
from app.safe import code
from app.texts import t


def context(cluster: str, source_path: str, byte_offset: int, around: int = 5) -> None:
    """The record at a place and its neighbours, the record itself marked; the place is given in full."""
    query = incidents.context(cluster, source_path, byte_offset, around)
    found = store.frame(query, 200).to_dicts()
    st.caption(t("lines.place"))
    show.log_text(f"{source_path} : {byte_offset}")
    if not any(row["here"] for row in found):
        show.empty(t("lines.not_kept"))
    if found:
        st.code(
            "\n".join(_line(row) for row in found),
            language=None,
            wrap_lines=True,
            height=min(420, 60 + 30 * len(found)),
        )
    show.sql_of(query, f"context-{byte_offset}")


def _line(row: dict[str, Any]) -> str:
    mark = "▶" if row["here"] else " "
    return f"{mark} {times.shown(row['ts'])} {row['component'] or '-':<10} {code(row['message'] or '')}"
