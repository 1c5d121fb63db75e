"""Choices that stand in the address by their own name, whatever the language they are shown in.

Streamlit's ``bind="query-params"`` writes the label a person sees, which another language or another count would
not understand; it is used for texts only. Here the value itself is written. An address that changes (a link, the
browser's way back) wins over what was chosen before; an address that is silent changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

_TOLD = "_told"
"""Where the session remembers what it wrote into the address last."""

LONGEST = 300


def seed(name: str, default: Any, known: Callable[[str], Any], many: bool = False) -> None:
    """Take the value of ``name`` from the address when it says something new; ``known`` gives the option or None."""
    said = [word[:LONGEST] for word in st.query_params.get_all(name)]
    told: dict[str, list[str]] = st.session_state.setdefault(_TOLD, {})
    if said and (name not in st.session_state or said != told.get(name)):
        found = [option for word in said if (option := known(word)) is not None]
        if many:
            st.session_state[name] = found
        elif found:
            st.session_state[name] = found[0]
    if name not in st.session_state:
        st.session_state[name] = default


def tell(name: str, default: Any) -> None:
    """Write the value of ``name`` into the address; the default is not written."""
    value = st.session_state.get(name)
    words = (
        [] if value in (default, None) else [str(item) for item in value] if isinstance(value, list) else [str(value)]
    )
    if st.query_params.get_all(name) != words:
        if words:
            st.query_params[name] = words
        else:
            st.query_params.pop(name, None)
    st.session_state.setdefault(_TOLD, {})[name] = words


def select(label: str, options: Sequence[Any], name: str, default: Any, **look: Any) -> Any:
    """A select box; ``default`` None leaves it empty at first."""
    _hold(name, options, default)
    st.selectbox(label, options, index=None if default is None else 0, key=name, **look)
    tell(name, default)
    return st.session_state.get(name)


def segments(label: str, options: Sequence[str], name: str, default: str, **look: Any) -> str:
    """One of a few, side by side."""
    _hold(name, options, default)
    st.segmented_control(label, options, key=name, required=True, **look)
    tell(name, default)
    return str(st.session_state.get(name) or default)


def pill(label: str, options: Sequence[str], name: str, **look: Any) -> str | None:
    """One of a few, or none."""
    _hold(name, options, None)
    st.pills(label, options, key=name, **look)
    tell(name, None)
    value = st.session_state.get(name)
    return None if value is None else str(value)


def pills(label: str, options: Sequence[str], name: str, **look: Any) -> list[str]:
    """Any of a few."""
    seed(name, [], {str(option): option for option in options}.get, many=True)
    st.pills(label, options, selection_mode="multi", key=name, **look)
    tell(name, [])
    return list(st.session_state.get(name) or [])


def several(label: str, options: Sequence[str], name: str, **look: Any) -> list[str]:
    """Any of many, in a box."""
    seed(name, [], {str(option): option for option in options}.get, many=True)
    st.multiselect(label, options, key=name, **look)
    tell(name, [])
    return list(st.session_state.get(name) or [])


def text(label: str, name: str, **look: Any) -> str:
    """A line of text that other pages and pictures may set."""
    seed(name, "", str)
    st.text_input(label, key=name, **look)
    tell(name, "")
    return str(st.session_state.get(name) or "")


def _hold(name: str, options: Sequence[Any], default: Any) -> None:
    """Seed, and let go of what is no option any more."""
    seed(name, default, {str(option): option for option in options}.get)
    if st.session_state[name] is not None and st.session_state[name] not in options:
        st.session_state[name] = default
