"""One incident: what happened, why, what to do, what speaks for and against it, and the lines themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import streamlit as st

from app import cards, charts, lines, palette, session_view, show, store, times
from app.queries import incidents
from app.safe import md
from app.texts import t, word

LOSSES = 100
"""Rows of a page of lost ends."""

LOSS_COLUMNS = ("node", "peer_node", "category", "last_error", "started_at", "ended_at", "peer", "protocol")

RULED_OUT = 0.1
"""A claim less likely than this is told only with the facts against it."""


def render(incident_id: str) -> None:
    """The incident of that id, or word that there is none."""
    show.link(t("incidents.back"), "incidents", icon=":material/arrow_back:", incident=None)
    found = store.frame(incidents.incident(incident_id))
    if found.is_empty():
        st.header(t("incidents.title"), anchor=False)
        show.empty(t("incidents.gone"))
        return
    row = found.row(0, named=True)
    claims = store.frame(incidents.claims(incident_id)).to_dicts()
    _head(row, claims)
    if claims:
        _claim(row, claims[0])
    _losses(row)
    _timeline(row)
    if len(claims) > 1:
        _others(claims[1:])
    _concerned(row)
    _go_on(row)


def _head(row: dict[str, Any], claims: list[dict[str, Any]]) -> None:
    st.header(md(cards.title(row["cause"], claims[0]["title"] if claims else None)), anchor=False)
    with st.container(horizontal=True, gap="small"):
        st.badge(
            word("severity", row["severity"]),
            icon=palette.SEVERITY_ICON.get(row["severity"]),
            color=palette.SEVERITY_BADGE.get(row["severity"], "gray"),  # type: ignore[arg-type]
        )
        st.badge(t("incidents.open") if row["ended_at"] is None else t("incidents.over"), color="gray")
        if row["planned"]:
            st.badge(t("incidents.planned"), icon=":material/event_available:", color="gray")
        st.badge(t("incidents.confidence", percent=round(100 * (row["confidence"] or 0))), color="gray")
    facts = [
        f"{t('col.cluster')} {show.place(row['cluster'])}",
        f"{t('col.group_name')} {show.place(row['group_name'])}",
        f"{md(show.when(row['started_at'], row['ended_at']))} ({md(str(times.zone()))})",
        cards.sizes(row),
    ]
    st.caption(" · ".join(facts))


def _claim(row: dict[str, Any], claim: dict[str, Any]) -> None:
    left, right = st.columns([5, 4], gap="large")
    with left:
        st.subheader(t("incidents.why"), anchor=False)
        show.prose(claim["summary"])
    with right:
        st.subheader(t("incidents.do"), anchor=False)
        remedy(claim["remedy"])
        if claim["refuted_by"]:
            st.caption(t("incidents.refuted_by"))
            show.prose(claim["refuted_by"])
    _evidence(row, claim)


def remedy(text: str | None) -> None:
    """Steps as text, commands as blocks to copy."""
    for kind, part in remedy_parts(text or ""):
        if kind == "command":
            st.code(part, language=None, wrap_lines=True)
        else:
            show.prose(part)


def remedy_parts(text: str) -> Iterator[tuple[str, str]]:
    """Pieces of a remedy: lines that begin with ``$`` are commands, those in a row make one piece."""
    kind = ""
    held: list[str] = []
    for line in text.splitlines():
        now = "command" if line.startswith("$ ") else "text"
        if now != kind and held:
            yield kind, "\n".join(held)
            held = []
        kind = now
        held.append(line[2:] if now == "command" else line)
    if held:
        yield kind, "\n".join(held)


def _evidence(row: dict[str, Any], claim: dict[str, Any]) -> None:
    st.subheader(t("incidents.evidence"), anchor=False)
    counts = {
        fact["role"]: fact["facts"]
        for fact in store.frame(incidents.evidence_counts(row["incident_id"])).iter_rows(named=True)
        if fact["diagnosis_id"] == claim["diagnosis_id"]
    }
    roles = ("supports", "contradicts", "missing")
    for role, tab in zip(
        roles, st.tabs([f"{t(f'incidents.{role}')} ({counts.get(role, 0)})" for role in roles]), strict=True
    ):
        with tab:
            _facts(row, claim["diagnosis_id"], role)


def _facts(row: dict[str, Any], diagnosis_id: str, role: str) -> None:
    chosen = show.table(
        incidents.evidence(diagnosis_id, role),
        f"evidence-{role}-{diagnosis_id}",
        select=role != "missing",
        none=t(f"incidents.no_{role}"),
        order=["ts", "node", "text", "peer", "source_path", "byte_offset"],
        columns={"text": st.column_config.TextColumn(t("col.text"), width="large")},
    )
    if chosen and chosen["source_path"]:
        lines.context(row["cluster"], chosen["source_path"], chosen["byte_offset"] or 0)
    elif role == "supports":
        st.caption(t("incidents.pick"))


def _losses(row: dict[str, Any]) -> None:
    """Which ends were lost, what each of them says, and the way to the session and to the line."""
    st.subheader(t("incidents.losses"), anchor=False)
    query = incidents.losses(row["cluster"], row["incident_id"])
    total = store.one(query.counted())["n"]
    if not total:
        show.empty(t("incidents.no_losses"))
        show.sql_of(query, "incident-losses")
        return
    st.caption(t("incidents.losses_about"))
    table, after = st.container(), st.container()
    pages = -(-total // LOSSES)
    number = st.pagination(pages, key="losses", bind="query-params") if pages > 1 else 1
    with table:
        chosen = show.plain_table(query.page(LOSSES, number), f"incident-losses-{number}", order=LOSS_COLUMNS)
        show.foot(query, "incident-losses", export=True)
    if chosen:
        with after:
            _loss(row, chosen)


def _loss(row: dict[str, Any], chosen: dict[str, Any]) -> None:
    if chosen["node"] and chosen["peer"]:
        show.link(
            t(
                "incidents.to_session",
                node=show.place(chosen["node"]),
                peer=show.place(chosen["peer_node"] or chosen["peer"]),
            ),
            "sessions",
            icon=":material/sync_alt:",
            incident=None,
            **session_view.address(chosen),
        )
    if chosen["source_path"]:
        lines.context(row["cluster"], chosen["source_path"], chosen["byte_offset"] or 0)


def _timeline(row: dict[str, Any]) -> None:
    st.subheader(t("incidents.timeline"), anchor=False)
    if row["started_at"] is None:
        show.empty(t("incidents.no_timeline"))
        return
    query = incidents.concerned(row["cluster"], row["incident_id"], row["started_at"], row["ended_at"])
    found = store.frame(query, 5000)
    if found.is_empty():
        show.empty(t("incidents.no_timeline"))
        return
    named = times.axis(found).with_columns(pl.concat_str("node", pl.lit(" → "), "other").alias("end"))
    show.picture(charts.stretches(named), query, "incident-timeline", t("incidents.timeline"), brush=True)
    signs = incidents.signs(row["cluster"], row["started_at"], row["ended_at"])
    counted = store.frame(signs, 5000)
    if not counted.is_empty():
        st.caption(t("incidents.signs"))
        show.picture(
            charts.bars_over_time(times.axis(counted), "moment", "category", "events", brush=False),
            signs,
            "incident-signs",
            t("incidents.signs"),
        )


def _others(claims: list[dict[str, Any]]) -> None:
    st.subheader(t("incidents.ruled_out"), anchor=False)
    st.caption(t("incidents.ruled_out_about"))
    for claim in claims:
        percent = round(100 * (claim["confidence"] or 0))
        mark = t("incidents.out") if (claim["confidence"] or 0) < RULED_OUT else t("incidents.possible")
        with st.expander(f"{md(cards.title(claim['cause'], claim['title']))} · {mark} · {percent} %"):
            against = store.frame(incidents.evidence(claim["diagnosis_id"], "contradicts"))
            for fact in against["text"].unique(maintain_order=True).to_list()[:5]:
                show.log_text(fact)
            if against.is_empty():
                st.caption(t("incidents.no_contradicts"))
            if (claim["confidence"] or 0) >= RULED_OUT:
                remedy(claim["remedy"])
            show.sql_of(incidents.evidence(claim["diagnosis_id"], "contradicts"), f"out-{claim['diagnosis_id']}")


def _concerned(row: dict[str, Any]) -> None:
    st.subheader(t("incidents.nodes"), anchor=False)
    query = incidents.affected_nodes(row["cluster"], row["incident_id"])
    chosen = show.table(query, "incident-nodes", select=True, none=t("incidents.no_losses"))
    if chosen:
        show.link(
            t("sessions.of_node", node=show.place(chosen["node"])),
            "sessions",
            cluster=row["cluster"],
            q=chosen["node"],
            incident=None,
        )


def _go_on(row: dict[str, Any]) -> None:
    st.subheader(t("incidents.go_on"), anchor=False)
    shared = {"cluster": row["cluster"], "incident": None}
    if row["started_at"] is not None:
        shared |= {"range": "around", "at": row["started_at"]}
    with st.container(horizontal=True):
        show.link(t("incidents.to_logs"), "logs", icon=":material/notes:", **shared)
        show.link(
            t("incidents.to_sessions"), "sessions", icon=":material/sync_alt:", cluster=row["cluster"], incident=None
        )
        show.link(
            t("incidents.to_groups"),
            "groups",
            icon=":material/hub:",
            cluster=row["cluster"],
            group=row["group_name"],
            incident=None,
        )
