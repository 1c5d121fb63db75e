"""When a group meets its nearest limit, as the analysis foresees it, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app import times
from app.texts import t, word


def words(told: Mapping[str, Any] | None) -> str:
    """A row of ``forecasts`` as a sentence; None is a group of which nothing was counted."""
    if told is None:
        return t("forecast.no_counts")
    if told["limit_value"] is None:
        return t("forecast.no_limit", peers=told["configured_peers"])
    kind = told["verdict"]
    if kind == "growing" and told["meets_at"] is None:
        kind = "far"
    return t(
        f"forecast.{kind}",
        reflector=told["reflector"] or "–",
        peers=told["configured_peers"],
        limit=f"{told['limit_value']:g}",
        name=word("limit", told["limit_name"]),
        per_day=f"{told['growth_per_day'] or 0:.2f}",
        at=times.shown(told["meets_at"], seconds=False),
        earliest=times.shown(told["meets_earliest"], seconds=False),
        latest=times.shown(told["meets_latest"], seconds=False) if told["meets_latest"] else t("forecast.later"),
    )
