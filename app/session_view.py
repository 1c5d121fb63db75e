"""One session: what each of its two ends shows, side by side, and the lines they wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from app import charts, lines, palette, show, store, times
from app.queries import sessions
from app.queries.base import Scope
from app.safe import md
from app.texts import t, word

_UNSEEN = {"no logs": "sessions.other_no_logs", "peer not known": "sessions.other_not_known"}
"""What to say of an end that nobody saw, by the reason."""


def address(end: Mapping[str, Any]) -> dict[str, str | None]:
    """What names an end in an address."""
    return {"in_": end["cluster"], "node": end["node"], "peer": end["peer"], "protocol": end["protocol"]}


def render(scope: Scope, cluster: str, node: str, peer: str, protocol: str | None) -> None:
    """Both ends of the session that ``node`` has with ``peer``."""
    show.link(t("sessions.back"), "sessions", icon=":material/arrow_back:")
    found = store.frame(sessions.end(cluster, node, peer, protocol))
    if found.is_empty():
        st.header(t("sessions.title"), anchor=False)
        show.empty(t("sessions.gone"))
        return
    here = found.row(0, named=True)
    protocol = here["protocol"]
    st.header(f"{md(node)} ↔ {md(here['peer_node'] or peer)}", anchor=False)
    st.caption(f"{t('col.cluster')} {show.place(cluster)}")
    other = None
    if here["peer_node"]:
        others = store.frame(sessions.other_end(cluster, node, here["peer_node"], protocol))
        other = others.row(0, named=True) if others.height else None
    drawn = _both(scope, here, other)
    left, right = st.columns(2, gap="large")
    with left:
        _end(scope, here, "here", drawn)
    with right:
        if other is None:
            _unseen(here)
        else:
            _end(scope, other, "there", drawn)


def _both(scope: Scope, here: dict[str, Any], other: dict[str, Any] | None) -> pl.DataFrame:
    """Draw the stretches of both ends and return them."""
    frames = []
    query = None
    for end in (here, other):
        if end is not None:
            asked = sessions.stretches(scope, end["cluster"], end["node"], end["peer"], end["protocol"])
            query = query or asked
            frames.append(store.frame(asked))
    drawn = pl.concat(frames)
    if drawn.is_empty() or query is None:
        show.empty(t("sessions.no_stretch"))
        return drawn
    st.subheader(t("sessions.both"), anchor=False)
    show.picture(charts.stretches(times.axis(drawn)), query, "session-both", t("sessions.both"), brush=True)
    return drawn


def _end(scope: Scope, end: dict[str, Any], key: str, drawn: pl.DataFrame) -> None:
    st.subheader(md(end["node"]), anchor=False)
    health = "up" if end["state"] == "up" else "failing" if end["state"] else "unknown"
    said = end["bgp_state"] or (word("end_state", end["state"]) if end["state"] else "–")
    own = drawn.filter(pl.col("node") == end["node"], pl.col("peer") == end["peer"]) if drawn.height else drawn
    last = own.row(-1, named=True) if own.height else None
    if last is not None and last["health"] == "unknown":
        # What it was seen in last is not what it is.
        health, said = "unknown", word("reason", last["reason"]) if last["reason"] else said
    st.markdown(f"{palette.HEALTH_ICON[health]} **{word('health', health)}** · {md(said)}")
    facts = {
        "protocol": end["protocol"],
        "peer": end["peer"],
        "since": times.shown(end["since"]),
        "observed_at": times.shown(end["observed_at"]),
    }
    st.caption(" · ".join(f"{t(f'col.{name}')} {md(value or '–')}" for name, value in facts.items()))
    st.caption(t("col.last_error"))
    show.log_text(end["last_error"] or t("sessions.no_error"))
    st.caption(t("sessions.observed"))
    query = sessions.observations(scope, end["cluster"], end["node"], end["peer"])
    chosen = show.table(
        query,
        f"observations-{key}",
        select=True,
        height=320,
        order=["ts", "state", "bgp_state", "last_error", "observed_by", "source_path"],
    )
    if chosen:
        lines.context(end["cluster"], chosen["source_path"], chosen["byte_offset"] or 0)


def _unseen(here: dict[str, Any]) -> None:
    st.subheader(md(here["peer_node"] or here["peer"]), anchor=False)
    st.markdown(f"{palette.HEALTH_ICON['unknown']} **{word('health', 'unknown')}**")
    show.empty(t(_UNSEEN.get(here["other_reason"], "sessions.other_unseen")))
