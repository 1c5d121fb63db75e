"""Times for people: kept in UTC, shown in the chosen zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

ZONES = (
    "UTC",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "Europe/London",
    "Europe/Berlin",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
)
"""Offered; any other name of a zone can be typed."""


def zone() -> ZoneInfo:
    """Zone of this session."""
    return known_zone(st.session_state.get("tz")) or ZoneInfo("UTC")


def known_zone(name: str | None) -> ZoneInfo | None:
    """The zone of that name; None where this machine knows none."""
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None


def shown(moment: datetime | None, seconds: bool = True) -> str:
    """A time in the chosen zone; a dash for none."""
    if moment is None:
        return "–"
    return moment.astimezone(zone()).strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def iso(moment: datetime) -> str:
    """A time for a link: UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(text: str | None) -> datetime | None:
    """A time that a person or a link gave; without an offset it is in the chosen zone. None when it is no time."""
    try:
        moment = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone())).astimezone(UTC)


def span(delta: timedelta) -> str:
    """A length of time in its two largest units."""
    seconds = int(abs(delta.total_seconds()))
    for size, unit, small, less in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= size:
            rest = seconds % size // small
            return f"{seconds // size} {unit} {rest} {less}" if rest else f"{seconds // size} {unit}"
    return f"{seconds} s"


def local(frame: pl.DataFrame) -> pl.DataFrame:
    """All times of a frame as wall-clock times of the chosen zone, without a zone: what tables and charts show."""
    name = str(zone())
    return frame.with_columns(
        pl.col(column).dt.convert_time_zone(name).dt.replace_time_zone(None)
        for column, kind in frame.schema.items()
        if isinstance(kind, pl.Datetime) and kind.time_zone
    )


def axis(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame for a chart: times as milliseconds of the chosen zone's wall clock, which a UTC axis shows as they are.

    A chart would shift every other form of them into the browser's zone.
    """
    wall = local(frame)
    return wall.with_columns(
        pl.col(column).dt.epoch("ms") for column, kind in wall.schema.items() if isinstance(kind, pl.Datetime)
    )


def from_wall(milliseconds: float) -> datetime:
    """The time meant by a place on a chart's time axis (wall clock of the chosen zone as epoch milliseconds)."""
    wall = datetime.fromtimestamp(milliseconds / 1000, UTC).replace(tzinfo=None)
    return wall.replace(tzinfo=zone()).astimezone(UTC)


def step_for(start: datetime, end: datetime, buckets: int = 120) -> int:
    """Seconds of a bucket so that the range has about ``buckets`` of them; a round number."""
    wanted = max(1.0, (end - start).total_seconds() / buckets)
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
    return next((step for step in steps if step >= wanted), 86400 * (int(wanted // 86400) + 1))
