"""What the statistics say, in sentences for people who decide, and the one picture that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from pipeline.effects.adjust import SIZE, VERSION
from pipeline.effects.exposure import ANY, EXCEPT_LIMIT, cells
from pipeline.effects.rates import rate_table, size_class
from pipeline.effects.saturation import MD5_LIMIT
from pipeline.effects.verdicts import CONFOUNDED, INDISTINCT, SUGGESTIVE, SUPPORTED, TOO_LITTLE

ALL = "all"
_ORDER = (SUPPORTED, SUGGESTIVE, CONFOUNDED, INDISTINCT, TOO_LITTLE)
_CAUSES = {MD5_LIMIT: "the kernel's memory for BGP passwords (net.core.optmem_max)"}
_SATURATING = "saturating"


def summarise(
    effects: pl.DataFrame, thresholds: pl.DataFrame, forecasts: pl.DataFrame | None = None, cluster: str | None = None
) -> list[str]:
    """Five sentences: the limit, size, version, what is next, and how far this can be relied upon.

    ``cluster`` narrows to one cluster; without it rows about all clusters together are used where there are any.
    """
    where = cluster or (ALL if ALL in {*effects["cluster"], *thresholds["cluster"]} else None)
    told = effects if where is None else effects.filter(pl.col("cluster") == where)
    limits = thresholds if where is None else thresholds.filter(pl.col("cluster") == where)
    lost = told.filter(pl.col("outcome") == "failures")
    rest = lost.filter(pl.col("category") == EXCEPT_LIMIT)
    rows = lost.filter(pl.col("category") == ANY) if rest.is_empty() else rest
    return [
        _limit(limits), _size(rows, not rest.is_empty()), _version(rows), _next(forecasts), _caution(told, limits),
    ]  # fmt: skip


def _best(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The row with the strongest word, then the smallest p."""
    return min(rows, key=lambda r: (_ORDER.index(r["verdict"]), r["p_value"] if r["p_value"] is not None else 1.0),
               default=None)  # fmt: skip


def _limit(thresholds: pl.DataFrame) -> str:
    hard = _best([r for r in thresholds.to_dicts() if r["model"] == _SATURATING and r["verdict"] in _ORDER[:2]])
    if hard is not None:
        cause = _CAUSES.get(hard["explained_by"] or "", "a limit that is not known yet")
        only = " (seen in one group only)" if hard["groups"] == 1 else f" (seen in {hard['groups']} groups)"
        sure = "hold" if hard["verdict"] == SUPPORTED else "seem to hold"
        return (
            f"Reflectors {sure} at most {hard['threshold']:.0f} sessions{only}: "
            f"every further node stays without routes; it comes from {cause}."
        )
    rates = [r for r in thresholds.to_dicts() if r["model"] in ("step", "hinge") and r["category"] == ANY]
    best = _best(rates)
    if best is not None and best["verdict"] == SUPPORTED:
        return (
            f"Groups fail more often above about {best['threshold']:.0f} configured peers "
            f"(between {best['ci_low']:.0f} and {best['ci_high']:.0f})."
        )
    return "No size was found at which groups begin to fail, neither as a hard limit nor in the rate of failures."


def _size(failures: pl.DataFrame, beside_limit: bool) -> str:
    apart = "Apart from that limit, l" if beside_limit else "L"
    row = _best(failures.filter((pl.col("factor") == SIZE) & (pl.col("adjusted_for") == VERSION)).to_dicts())
    if row is None or row["verdict"] == TOO_LITTLE:
        return "Whether larger groups fail more often cannot be told: too few groups or failures were observed."
    if row["verdict"] == SUPPORTED:
        return (
            f"{apart}arger groups lose sessions {_more(row['estimate'])} with every doubling of the group"
            f"{_range(row)}, whatever version they run."
        )
    if row["verdict"] == CONFOUNDED:
        return "Large groups fail more often, but they also run another version: this data cannot separate the two."
    if row["verdict"] == SUGGESTIVE:
        return f"There are signs that larger groups fail {_more(row['estimate'])} per doubling; it is too early to act."
    return f"{apart}arger groups do not lose sessions more often{_range(row)}, with versions compared like with like."


def _version(failures: pl.DataFrame) -> str:
    rows = failures.filter((pl.col("factor") == VERSION) & pl.col("adjusted_for").is_not_null())
    row = _best(rows.filter(pl.col("adjusted_for") == SIZE).to_dicts())
    change = _best(rows.filter(pl.col("adjusted_for") != SIZE).to_dicts())
    if row is None or (row["verdict"] == TOO_LITTLE and (change is None or change["verdict"] == TOO_LITTLE)):
        return "Whether the version matters cannot be told: too few groups ran another version."
    if change is not None and _ORDER.index(change["verdict"]) < _ORDER.index(row["verdict"]):
        row = change
    names = f"{row['level']} against {row['reference']}"
    if row["verdict"] == SUPPORTED:
        before = change is not None and change["verdict"] == SUPPORTED
        also = "; groups that changed show the same before and after" if before else ""
        return f"The version matters: {names} fails {_more(row['estimate'])}{_range(row)} in groups of like size{also}."
    if row["verdict"] == CONFOUNDED:
        return f"Whether {names} matters cannot be told: it runs in groups of another size, nothing separates the two."
    if row["verdict"] == SUGGESTIVE:
        return f"There are signs that {names} fails {_more(row['estimate'])}; it is too early to act."
    return f"The version is not what decides: no difference was found for {names}{_range(row)}."


def _next(forecasts: pl.DataFrame | None) -> str:
    if forecasts is None or forecasts["limit_value"].drop_nulls().is_empty():
        return "No limit could be computed, so nothing can be said about when a group meets one."
    reached = forecasts.filter(pl.col("verdict") == "reached")["group_name"].n_unique()
    coming = forecasts.filter(pl.col("meets_at").is_not_null() & (pl.col("verdict") == "growing")).sort("meets_at")
    said = "1 group is" if reached == 1 else f"{reached} groups are" if reached else "No group is"
    said += " at or past a limit"
    if coming.is_empty():
        return f"{said}; at its present growth no other will be there within two years."
    row = coming.row(0, named=True)
    bound = "" if row["meets_earliest"] is None else f", at the earliest on {row['meets_earliest']:%Y-%m-%d}"
    return (
        f"{said}; next is {row['group_name']} with {row['configured_peers']} of {row['limit_value']:.0f} peers, "
        f"expected on {row['meets_at']:%Y-%m-%d}{bound}."
    )


def _caution(effects: pl.DataFrame, thresholds: pl.DataFrame) -> str:
    rows = effects.filter((pl.col("category") == ANY) & (pl.col("outcome") == "failures"))
    hours, groups, failures = rows.select(
        pl.col("session_hours", "groups", "failures").max().fill_null(0)
    ).row(0) if rows.height else (0.0, 0, 0)  # fmt: skip
    family = max(int(frame["family_size"].fill_null(0).max() or 0) for frame in (effects, thresholds))  # type: ignore[arg-type]
    return (
        f"This rests on {failures} lost sessions in {hours:,.0f} observed session-hours of {groups} groups; {family} "
        "questions were asked together and the answers corrected for that; time without logs counts for nothing."
    )


def _more(ratio: float | None) -> str:
    if ratio is None:
        return "more often"
    return f"{ratio:.1f} times as often" if ratio >= 1 else f"{1 / ratio:.1f} times less often"


def _range(row: dict[str, Any]) -> str:
    if row["estimate"] is None or row["ci_high"] is None:
        return ""
    return f" (rate ratio {row['estimate']:.2f}, 95 % interval {row['ci_low']:.2f} to {row['ci_high']:.2f})"


def picture(exposure: pl.DataFrame) -> pl.DataFrame:
    """Data of the one picture: failure rates by size class, one line for each version, with exact intervals.

    Columns of ``rates.rate_table`` by calico_version and size_class, and the middle of each class's sizes. Points
    with ``enough`` false are to be drawn hollow: they are there to show what is not known.
    """
    rows = cells(exposure, ANY).with_columns(size_class=size_class(pl.col("size")))
    middle = rows.group_by("size_class").agg(
        size=(pl.col("size") * pl.col("session_hours")).sum() / pl.col("session_hours").sum()
    )
    return rate_table(rows, ["calico_version", "size_class"]).join(middle, on="size_class").sort(
        "calico_version", "size"
    )  # fmt: skip
