"""The filters that all pages share: in the sidebar, in the address, and as a ``Scope``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from app import store, times
from app.queries import overview
from app.queries.base import Scope
from app.texts import LANGUAGES, preferred, t

PRESETS = {"15m": 15, "1h": 60, "6h": 360, "24h": 1440, "7d": 10080, "30d": 43200}
"""Minutes before the newest data."""

SHARED = ("range", "from", "to", "at", "span", "cluster", "group", "q", "tz", "lang")
"""Names of the shared filters in an address."""

_RANGES = ("all", *PRESETS, "absolute", "around")
_ALL = "*"


def sidebar() -> Scope:
    """Draw the filters and return what they mean."""
    with st.sidebar:
        clusters = [_ALL, *store.frame(overview.clusters())["cluster"].to_list()]
        cluster = st.selectbox(
            t("filter.cluster"), clusters, key="cluster", bind="query-params", format_func=_named("filter.all_clusters")
        )
        groups = [_ALL, *store.frame(overview.groups(None if cluster == _ALL else cluster))["group_name"].to_list()]
        group = st.selectbox(
            t("filter.group"), groups, key="group", bind="query-params", format_func=_named("filter.all_groups")
        )
        start, end = _time_range(cluster)
        search = st.text_input(
            t("filter.search"), key="q", bind="query-params", placeholder=t("filter.search_hint"), max_chars=200
        )
        _display()
    return Scope(_chosen(cluster), _chosen(group), (search or "").strip() or None, start, end)


def params(**more: Any) -> dict[str, str]:
    """The shared filters of this session as they stand in an address, changed by ``more`` (None removes)."""
    kept = {name: str(st.session_state[name]) for name in SHARED if st.session_state.get(name)}
    for name, value in more.items():
        kept.pop(name.rstrip("_"), None)
        if value is not None:
            kept[name.rstrip("_")] = times.iso(value) if isinstance(value, datetime) else str(value)
    return {name: value for name, value in kept.items() if (name, value) not in _DEFAULTS}


def zoom(start: datetime, end: datetime) -> None:
    """Set the time range; for callbacks, before the filters are drawn."""
    st.session_state["range"] = "absolute"
    st.session_state["from"], st.session_state["to"] = times.iso(start), times.iso(end)


def extent(scope: Scope) -> tuple[datetime, datetime] | None:
    """The range that a picture covers: the chosen one within what was observed; None without any data."""
    found = store.one(overview.extent(scope.cluster))
    if found["first_at"] is None:
        return None
    first, last = found["first_at"], found["last_at"] + timedelta(seconds=1)
    start, end = max(scope.start or first, first), min(scope.end or last, last)
    return (start, end) if start < end else None


_DEFAULTS = {("range", "all"), ("cluster", _ALL), ("group", _ALL), ("tz", "UTC"), ("span", "5")}


def _chosen(name: str | None) -> str | None:
    return None if name in (None, _ALL) else name


def _named(key: str) -> Any:
    return lambda name: t(key) if name == _ALL else name


def _time_range(cluster: str | None) -> tuple[datetime | None, datetime | None]:
    kind = st.selectbox(t("filter.time"), _RANGES, key="range", bind="query-params", format_func=_range_name)
    if kind in PRESETS:
        last = store.one(overview.extent(_chosen(cluster)))["last_at"]
        return (last - timedelta(minutes=PRESETS[kind]), None) if last else (None, None)
    if kind == "absolute":
        start, end = _moment("from", "filter.from"), _moment("to", "filter.to")
        if start and end and start >= end:
            st.warning(t("filter.backwards"))
        return start, end
    if kind == "around":
        at = _moment("at", "filter.at")
        minutes = st.selectbox(t("filter.span"), (1, 5, 15, 60, 360), index=1, key="span", bind="query-params")
        return (at - timedelta(minutes=minutes), at + timedelta(minutes=minutes)) if at else (None, None)
    return None, None


def _moment(key: str, label: str) -> datetime | None:
    text = st.text_input(t(label), key=key, bind="query-params", placeholder="2024-12-18 07:00", max_chars=40)
    moment = times.read(text)
    if text and moment is None:
        st.warning(t("filter.no_time"))
    return moment


def _range_name(kind: str) -> str:
    return t("filter.last", span=kind) if kind in PRESETS else t(f"filter.{kind}")


def _display() -> None:
    with st.expander(t("filter.display"), icon=":material/tune:"):
        names = list(LANGUAGES)
        st.selectbox(
            t("filter.language"), names, names.index(preferred()), key="lang", bind="query-params",
            format_func=LANGUAGES.__getitem__,
        )  # fmt: skip
        mine = st.context.timezone
        zones = [*times.ZONES, *([mine] if mine and mine not in times.ZONES else [])]
        chosen = st.selectbox(t("filter.zone"), zones, key="tz", bind="query-params", accept_new_options=True)
        if times.known_zone(chosen) is None:
            st.warning(t("filter.no_zone"))
