"""The filters that all pages share: in the sidebar, in the address, and as a ``Scope``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import streamlit as st

from app import linked, store, times
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
        cluster = linked.select(
            t("filter.cluster"), clusters, "cluster", _ALL, format_func=_named("filter.all_clusters")
        )
        groups = [_ALL, *store.frame(overview.groups(None if cluster == _ALL else cluster))["group_name"].to_list()]
        group = linked.select(t("filter.group"), groups, "group", _ALL, format_func=_named("filter.all_groups"))
        start, end = _time_range(cluster)
        search = linked.text(t("filter.search"), "q", placeholder=t("filter.search_hint"), max_chars=200)
        _display()
    return Scope(_chosen(cluster), _chosen(group), (search or "").strip() or None, start, end)


def params(**more: Any) -> dict[str, str]:
    """The shared filters of this session as they stand in an address, changed by ``more`` (None removes)."""
    kept = {name: str(st.session_state[name]) for name in SHARED if st.session_state.get(name)}
    kept = {name: value for name, value in kept.items() if (name, value) not in _DEFAULTS}
    for given, value in more.items():
        name = given.rstrip("_")
        kept.pop(name, None)
        if value is not None:
            kept[name] = times.iso(value) if isinstance(value, datetime) else str(value)
        elif name in _CLEARED:
            # An address that is silent changes nothing: to clear a filter it must say so.
            kept[name] = _CLEARED[name]
    return kept


def zoom(start: datetime, end: datetime) -> None:
    """Set the time range; for callbacks, before the filters are drawn."""
    st.session_state["range"] = "absolute"
    st.session_state["from"], st.session_state["to"] = times.iso(start), times.iso(end)


def narrow(cluster: str, search: str) -> None:
    """Set cluster and search; for callbacks, before the filters are drawn."""
    st.session_state["cluster"], st.session_state["q"] = cluster, search


def extent(scope: Scope) -> tuple[datetime, datetime] | None:
    """The range that a picture covers: the chosen one within what was observed; None without any data."""
    found = store.one(overview.extent(scope.cluster))
    if found["first_at"] is None:
        return None
    first, last = found["first_at"], found["last_at"] + timedelta(seconds=1)
    start, end = max(scope.start or first, first), min(scope.end or last, last)
    return (start, end) if start < end else None


_CLEARED = {"cluster": _ALL, "group": _ALL, "range": "all"}
_DEFAULTS = {*_CLEARED.items(), ("tz", "UTC"), ("span", "5")}


def _chosen(name: str | None) -> str | None:
    return None if name in (None, _ALL) else name


def _named(key: str) -> Any:
    return lambda name: t(key) if name == _ALL else name


def _time_range(cluster: str | None) -> tuple[datetime | None, datetime | None]:
    kind = linked.select(t("filter.time"), _RANGES, "range", "all", format_func=_range_name)
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
        minutes = linked.select(t("filter.span"), (1, 5, 15, 60, 360), "span", 5)
        return (at - timedelta(minutes=minutes), at + timedelta(minutes=minutes)) if at else (None, None)
    return None, None


def _moment(key: str, label: str) -> datetime | None:
    text = linked.text(t(label), key, placeholder="2024-12-18 07:00", max_chars=40)
    moment = times.read(text)
    if text and moment is None:
        st.warning(t("filter.no_time"))
    return moment


def _range_name(kind: str) -> str:
    return t("filter.last", span=kind) if kind in PRESETS else t(f"filter.{kind}")


def language_first() -> None:
    """Take language and zone from the address before anything is drawn with them."""
    linked.seed("lang", preferred(), {name: name for name in LANGUAGES}.get)
    linked.seed("tz", "UTC", lambda name: name if times.known_zone(name) else None)


def _display() -> None:
    with st.expander(t("filter.display"), icon=":material/tune:"):
        linked.select(t("filter.language"), list(LANGUAGES), "lang", preferred(), format_func=LANGUAGES.__getitem__)
        more = [name for name in (st.context.timezone, st.session_state.get("tz")) if name]
        zones = list(dict.fromkeys([*times.ZONES, *more]))
        linked.select(t("filter.zone"), zones, "tz", "UTC", accept_new_options=True)
        if times.known_zone(st.session_state["tz"]) is None:
            st.warning(t("filter.no_zone"))
