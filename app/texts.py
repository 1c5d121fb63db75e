"""Interface texts: one catalogue for each language in ``i18n/``, the same keys in all of them."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import streamlit as st

LANGUAGES = {"en": "English", "zh": "中文"}
VOCABULARY = {
    "category": "category",
    "cause": "cause",
    "severity": "severity",
    "worst": "severity",
    "health": "health",
    "state": "end_state",
    "other_state": "end_state",
    "how_started": "how",
    "how_ended": "how",
    "reason": "reason",
    "other_reason": "reason",
    "verdict": "verdict",
    "kind": "kind",
    "observed_by": "observed_by",
    "limit_name": "limit",
    "explained_by": "limit",
    "outcome": "outcome",
    "adjusted_for": "factor",
    "level": "level",
    "reference": "level",
    "method": "method",
    "model": "model",
}
"""Columns that hold words of the vocabulary, and the table of the catalogue that has them."""

EXCEPT = "any except "
"""How an estimate names all categories but one."""

_FOLDER = Path(__file__).parent / "i18n"


@cache
def catalogue(language: str) -> dict[str, str]:
    """All texts of a language by key (``table.key``)."""
    data = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return {f"{table}.{key}": text for table, entries in data.items() for key, text in entries.items()}


def language() -> str:
    """Language of this session: chosen, else the browser's, else English."""
    chosen = st.session_state.get("lang")
    return chosen if chosen in LANGUAGES else preferred()


def preferred() -> str:
    """The browser's language where there is a catalogue for it."""
    return "zh" if (st.context.locale or "").lower().startswith("zh") else "en"


def t(key: str, **fields: Any) -> str:
    """The text ``key`` in the session's language, with ``fields`` filled in."""
    text = catalogue(language())[key]
    return text.format(**fields) if fields else text


def word(table: str, name: str | None) -> str:
    """A word of the vocabulary (state, severity, cause…); one without a text stands for itself."""
    if name is None:
        return t("word.none")
    if table == "category" and name.startswith(EXCEPT):
        return t("category.any_except", category=word(table, name.removeprefix(EXCEPT)))
    return catalogue(language()).get(f"{table}.{name}", name.replace("_", " "))


def words(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the words of the vocabulary as people read them; what has no text stays as it is."""
    told = {name: VOCABULARY[name] for name, kind in frame.schema.items() if name in VOCABULARY and kind == pl.String}
    return frame.with_columns(
        pl.col(name).replace({value: _told(table, value) for value in frame[name].unique().drop_nulls()})
        for name, table in told.items()
    )


def _told(table: str, value: str) -> str:
    known = f"{table}.{value}" in catalogue(language()) or (table == "category" and value.startswith(EXCEPT))
    return word(table, value) if known else value
