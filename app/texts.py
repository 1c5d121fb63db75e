"""Interface texts: one catalogue for each language in ``i18n/``, the same keys in all of them."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

LANGUAGES = {"en": "English", "zh": "中文"}
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
    return catalogue(language()).get(f"{table}.{name}", name.replace("_", " "))
