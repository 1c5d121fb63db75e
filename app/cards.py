"""Frames that stand on more than one page."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import palette, show
from app.safe import md
from app.texts import catalogue, language, t, word


def title(cause: str | None, written: str | None) -> str:
    """What a claim is called: as the analysis wrote it, which is English, else by its cause where that has a text."""
    told = catalogue(language()).get(f"cause.{cause}")
    if written and (language() == "en" or told is None):
        return written
    return word("cause", cause) if cause else "–"


def sizes(row: dict[str, Any]) -> str:
    """How many sessions and nodes an incident concerns."""
    return ", ".join(
        t(f"incidents.n_{name}" if row[f"{name}s"] == 1 else f"incidents.n_{name}s", n=f"{row[f'{name}s'] or 0:,}")
        for name in ("session", "node")
    )


def incident(row: dict[str, Any]) -> None:
    """One incident in a frame: how bad, what, where, since when; the title leads to it."""
    with st.container(border=True, gap="xxsmall"):
        show.link(
            f"**{md(title(row['cause'], row['title']))}**",
            "incidents",
            icon=palette.SEVERITY_ICON.get(row["severity"]),
            incident=row["incident_id"],
        )
        facts = [
            word("severity", row["severity"]),
            *([t("incidents.planned")] if row["planned"] else []),
            md(row["cluster"]),
            *([md(row["group_name"])] if row["group_name"] else []),
            sizes(row),
            md(show.when(row["started_at"], row["ended_at"])),
            t("incidents.confidence", percent=round(100 * (row["confidence"] or 0))),
        ]
        st.caption(" · ".join(facts))
