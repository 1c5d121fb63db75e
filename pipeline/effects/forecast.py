"""When a growing group meets its nearest limit, and whether a planned group would.

Growth is a random walk with drift: the mean step per day and its spread come from the counts of the inventory.
That leaves two doubts, about the drift and about the steps to come, and both are in the interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from pipeline.effects.exposure import ANY
from pipeline.effects.saturation import MD5_LIMIT
from pipeline.findings.limits import (
    MESH_ADVISED_NODES,
    OPTMEM_NEW_DEFAULT,
    default_optmem_max,
    md5_key_limit,
    optmem_for,
)
from pipeline.sessions.facts import TIME

HORIZON_DAYS = 730
"""Nobody should plan on a trend for longer than this."""
MIN_STEPS = 5
"""Days between counts needed to know the spread of steps."""
MESH_ADVICE, FOUND = "mesh_advice", "size_threshold"
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "cluster": pl.String, "group_name": pl.String, "reflector": pl.String, "as_of": TIME,
    "configured_peers": pl.UInt32, "limit_name": pl.String, "limit_value": pl.Float64, "headroom": pl.Float64,
    "growth_per_day": pl.Float64, "meets_at": TIME, "meets_earliest": TIME, "meets_latest": TIME,
    "verdict": pl.String,
}  # fmt: skip
_HUB = ["cluster", "group_name", "reflector"]


@dataclass(frozen=True)
class Crossing:
    """Days until a limit is met: expected, and the bounds of a 95 % interval; None is beyond the horizon."""

    days: float | None
    earliest: float | None
    latest: float | None


def forecast(
    group_sizes: pl.DataFrame, groups: pl.DataFrame | None = None, thresholds: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Nearest limit of each reflector and when it is met (columns ``SCHEMA``).

    ``verdict`` is 'reached', 'growing', 'not_growing' or 'not_enough_data' (fewer than ``MIN_STEPS`` days of
    counts: headroom is known, growth is not). ``groups`` (``bgp_groups``) tells meshes; ``thresholds``
    (``size_thresholds``) adds sizes that the data support. Times are null beyond two years.
    """
    kinds = {} if groups is None else dict(groups.select("group_name", "kind").iter_rows())
    found = _supported(thresholds)
    rows = []
    ordered = group_sizes.filter(pl.col("ts").is_not_null() & (pl.col("configured_peers") > 0)).sort(*_HUB, "ts")
    for (cluster, group, hub), part in ordered.group_by(_HUB, maintain_order=True):
        name, value = _nearest(part.row(-1, named=True), str(cluster), kinds.get(str(group)), found)
        days, sizes = _daily(part)
        now, size = part["ts"][-1], float(sizes[-1])
        drift, met, verdict = _outlook(days, sizes, value)
        rows.append(
            (
                cluster,
                group,
                hub,
                now,
                int(size),
                name,
                value,
                None if value is None else value - size,
                drift,
                _when(now, met.days),
                _when(now, met.earliest),
                _when(now, met.latest),
                verdict,
            )
        )
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return frame.sort("headroom", "cluster", "group_name", "reflector", nulls_last=True)


def _supported(thresholds: pl.DataFrame | None) -> list[tuple[str, float]]:
    if thresholds is None:
        return []
    kept = thresholds.filter(
        (pl.col("verdict") == "supported") & pl.col("explained_by").is_null() & (pl.col("category") == ANY)
    )
    return list(kept.select("cluster", "threshold").iter_rows())


def _nearest(
    last: dict[str, object], cluster: str, kind: str | None, found: list[tuple[str, float]]
) -> tuple[str | None, float | None]:
    options: list[tuple[float, str]] = [(size, FOUND) for where, size in found if where in (cluster, "all")]
    if last["md5_peers"] and last["md5_key_limit"] is not None:
        options.append((float(last["md5_key_limit"]), MD5_LIMIT))  # type: ignore[arg-type]
    if kind == "mesh":
        options.append((float(MESH_ADVISED_NODES), MESH_ADVICE))
    if not options:
        return None, None
    value, name = min(options)
    return name, value


def _daily(part: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Last count of each day: days since the first, and sizes."""
    daily = part.group_by(pl.col("ts").dt.date().alias("day"), maintain_order=True).agg(
        pl.col("configured_peers").last()
    )
    days = (daily["day"] - daily["day"][0]).dt.total_days().to_numpy().astype(np.float64)
    return days, daily["configured_peers"].cast(pl.Float64).to_numpy()


def _outlook(days: np.ndarray, sizes: np.ndarray, limit: float | None) -> tuple[float | None, Crossing, str]:
    nothing = Crossing(None, None, None)
    span = float(days[-1]) if len(days) else 0.0
    drift = float(sizes[-1] - sizes[0]) / span if span > 0 else None
    if limit is not None and sizes[-1] >= limit:
        return drift, Crossing(0.0, 0.0, 0.0), "reached"
    if len(days) - 1 < MIN_STEPS or drift is None or limit is None:
        return drift, nothing, "not_enough_data"
    gaps, steps = np.diff(days), np.diff(sizes)
    variance = float(((steps - drift * gaps) ** 2 / gaps).sum()) / (len(gaps) - 1)
    return (
        drift,
        crossing(limit - float(sizes[-1]), drift, variance, span, len(gaps) - 1),
        ("growing" if drift > 0 else "not_growing"),
    )


def crossing(room: float, drift: float, variance: float, span: float, freedom: int) -> Crossing:
    """When a walk with ``drift`` per day covers ``room``; ``span`` days were watched.

    The bounds are the days on which the 97.5 % and 2.5 % prediction limits of the size reach the limit.
    """
    from scipy.stats import t as student

    day = np.arange(0.0, HORIZON_DAYS + 1)
    wide = float(student.ppf(0.975, max(freedom, 1))) * np.sqrt(variance * day * (1 + day / span))
    middle, high, low = drift * day, drift * day + wide, drift * day - wide

    def first(values: np.ndarray) -> float | None:
        met = np.flatnonzero(values >= room)
        return float(day[met[0]]) if len(met) else None

    return Crossing(first(middle), first(high), first(low))


def _when(now: datetime, days: float | None) -> datetime | None:
    return None if days is None else now + timedelta(days=days)


@dataclass(frozen=True)
class Plan:
    """Whether a reflector could hold a planned number of peers."""

    peers: int
    md5: bool
    optmem_max: int | None
    limit: int | None
    fits: bool | None
    headroom: int | None
    needed_optmem_max: int | None
    advice: str


def capacity(peers: int, *, md5: bool = False, kernel: str | None = None, optmem_max: int | None = None) -> Plan:
    """Check a plan against the limits that can be computed.

    ``optmem_max`` in bytes; without it the kernel's default counts. ``fits`` is None when neither is known.
    """
    if not md5:
        return Plan(peers, md5, optmem_max, None, True, None, None, "No computed limit applies without a password.")
    optmem = optmem_max if optmem_max is not None else default_optmem_max(kernel)
    needed = optmem_for(peers)
    remedy = f"net.core.optmem_max = {max(needed, OPTMEM_NEW_DEFAULT)} before BIRD starts holds {peers} passwords."
    if optmem is None:
        return Plan(peers, md5, None, None, None, None, needed, f"Kernel and optmem_max are not known. {remedy}")
    limit = md5_key_limit(optmem)
    fits = peers <= limit
    said = f"{optmem} bytes hold {limit} passwords, {peers} are planned."
    advice = said if fits else f"{said} {remedy}"
    return Plan(peers, md5, optmem, limit, fits, limit - peers, None if fits else needed, advice)
