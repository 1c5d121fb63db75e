"""When a group meets its limit if it grows as it did: a straight line through the largest count of each day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from app import times
from app.texts import t

LEAST_DAYS = 7
"""Days with counts before a trend is told: less is the noise of one rollout."""

LONGEST = timedelta(days=3 * 365)
"""A date further away than this is not told: nothing grows evenly for so long."""


@dataclass(frozen=True)
class Forecast:
    """``kind``: no_limit, over, short, steady, far or meets; ``at`` is the date for the last."""

    kind: str
    peers: int = 0
    limit: int = 0
    per_day: float = 0.0
    at: datetime | None = None
    days: int = 0


def predict(counts: pl.DataFrame) -> Forecast:
    """What the hourly counts (moment, peers, key_limit) say about the day the limit is met."""
    known = counts.drop_nulls("peers")
    if known.is_empty():
        return Forecast("no_limit")
    last = known.row(known.height - 1, named=True)
    peers, limit = int(last["peers"]), last["key_limit"]
    if limit is None:
        return Forecast("no_limit", peers)
    if peers > limit:
        return Forecast("over", peers, int(limit))
    daily = known.group_by_dynamic("moment", every="1d").agg(pl.col("peers").max())
    if daily.height < LEAST_DAYS:
        return Forecast("short", peers, int(limit), days=daily.height)
    per_day = _slope(daily)
    if per_day <= 0:
        return Forecast("steady", peers, int(limit), per_day)
    ahead = timedelta(days=(limit + 1 - peers) / per_day)
    if ahead > LONGEST:
        return Forecast("far", peers, int(limit), per_day)
    return Forecast("meets", peers, int(limit), per_day, last["moment"] + ahead)


def _slope(daily: pl.DataFrame) -> float:
    """Peers a day by least squares."""
    points = daily.select(
        x=(pl.col("moment") - pl.col("moment").min()).dt.total_seconds() / 86400, y=pl.col("peers").cast(pl.Float64)
    )
    found = points.select(pl.cov("x", "y") / pl.var("x")).item()
    return float(found or 0.0)


def words(told: Forecast) -> str:
    """The forecast as a sentence."""
    return t(
        f"forecast.{told.kind}",
        peers=told.peers,
        limit=told.limit,
        per_day=f"{told.per_day:.2f}",
        days=told.days,
        at=times.shown(told.at, seconds=False),
        least=LEAST_DAYS,
    )
