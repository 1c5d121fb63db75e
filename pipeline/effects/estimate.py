"""All statistics of a warehouse: exposure, effects, thresholds and forecasts, as frames of the derived tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pipeline.effects import saturation
from pipeline.effects.adjust import SIZE, VERSION, Comparison, Estimate, compare_size, compare_version
from pipeline.effects.exposure import (
    ANY,
    EXCEPT_LIMIT,
    INPUTS,
    INTERVAL_COLUMNS,
    INTERVALS,
    LIMIT_CATEGORY,
    Tables,
    build_exposure,
    cells,
)
from pipeline.effects.forecast import forecast
from pipeline.effects.panel import UNKNOWN_VERSION, Panel, panel_of
from pipeline.effects.scores import PERMUTATIONS
from pipeline.effects.thresholds import Threshold, judge_threshold, search
from pipeline.effects.verdicts import (
    MIN_FAILURES,
    SUGGESTIVE,
    SUPPORTED,
    Finding,
    Verdict,
    judge,
    judge_crude,
    lacking,
    q_values,
)
from pipeline.effects.within import BeforeAfter, before_after, judge_change
from pipeline.sessions.facts import slices
from pipeline.sessions.pooled import Pool
from pipeline.warehouse.derived import Replacement
from pipeline.warehouse.memory import let_go
from pipeline.warehouse.writer import Warehouse

ALL = "all"
"""Name under which rows about all clusters together are stored."""
OUTCOMES = ("failures", "incidents")
MAX_VERSIONS = 8
"""Versions compared with the reference, those with the most hours first."""
WIDE_USE = 0.25
"""A version is in wide use with at least this part of the hours of the most used one."""
_TEXT, _REAL, _COUNT = pl.String, pl.Float64, pl.UInt64
EFFECTS: dict[str, Any] = {
    "cluster": _TEXT, "category": _TEXT, "factor": _TEXT, "level": _TEXT, "reference": _TEXT, "adjusted_for": _TEXT,
    "method": _TEXT, "estimate": _REAL, "ci_low": _REAL, "ci_high": _REAL, "p_value": _REAL, "q_value": _REAL,
    "groups": pl.UInt32, "failures": _COUNT, "session_hours": _REAL, "verdict": _TEXT, "outcome": _TEXT,
    "rule": _TEXT, "homogeneity_p": _REAL, "family_size": pl.UInt32,
}  # fmt: skip
THRESHOLDS: dict[str, Any] = {
    "cluster": _TEXT, "category": _TEXT, "scope": _TEXT, "threshold": _REAL, "ci_low": _REAL, "ci_high": _REAL,
    "p_value": _REAL, "model": _TEXT, "verdict": _TEXT, "explained_by": _TEXT, "q_value": _REAL, "rule": _TEXT,
    "groups": pl.UInt32, "ratio": _REAL, "family_size": pl.UInt32,
}  # fmt: skip


@dataclass(frozen=True)
class _Where:
    cluster: str
    category: str
    outcome: str


@dataclass(frozen=True)
class _Question:
    """One member of the family: where it was asked and what was found."""

    where: _Where
    found: Comparison | BeforeAfter | Threshold | saturation.Plateau | None
    p: float
    panel: Panel | None = None
    scope: str = ""


def inputs(warehouse: Warehouse, fresh: Replacement | None = None) -> dict[str, pl.DataFrame]:
    """What the statistics rest on: ``fresh`` tables of one cluster that need not be written yet, others as stored."""
    found = {name: _read(warehouse, name, fresh.cluster if fresh else None) for name in INPUTS}
    let_go(warehouse.connection)
    if fresh is not None:
        for name, stored in found.items():
            columns = [column for column in stored.columns if column in fresh.tables[name].columns]
            found[name] = pl.concat([stored, fresh.tables[name].select(columns)], how="diagonal_relaxed")
    return found


def _read(warehouse: Warehouse, name: str, but: str | None) -> pl.DataFrame:
    others = "cluster IS DISTINCT FROM $but"
    if name != INTERVALS:
        return warehouse.frame(f"SELECT * FROM {name} WHERE {others}", {"but": but})
    query = f"SELECT {', '.join(INTERVAL_COLUMNS)} FROM {name} WHERE {others}"
    pool = Pool(INTERVAL_COLUMNS)
    pool.add(slices(warehouse.connection.sql(query, params={"but": but}), INTERVAL_COLUMNS))
    return pool.ordered(())


def estimate_tables(tables: Tables, permutations: int = PERMUTATIONS) -> dict[str, dict[str, pl.DataFrame]]:
    """Statistics of every cluster, and under ``all`` those of all together, from the derived tables.

    By cluster, then table name (exposure, effects, size_thresholds, forecasts), ready for ``replace_derived``.
    """
    exposure = build_exposure(tables)
    named = sorted({*tables["bgp_groups"]["cluster"], *tables["nodes"]["cluster"], *exposure["cluster"]})
    pooled = len(named) > 1 and ALL not in named
    questions: list[_Question] = []
    for cluster in [*named, *([ALL] if pooled else [])]:
        part = exposure if cluster == ALL and pooled else exposure.filter(pl.col("cluster") == cluster)
        sizes = tables["group_sizes"]
        counted = sizes if cluster == ALL and pooled else sizes.filter(pl.col("cluster") == cluster)
        questions += _questions(cluster, part, counted, permutations)
    family = q_values([question.p for question in questions])
    number = int(np.isfinite(family).sum())
    effects = _effect_rows(questions, family, number)
    thresholds = _threshold_rows(questions, family, number)
    forecasts = forecast(tables["group_sizes"], tables["bgp_groups"], thresholds)
    every = {"exposure": exposure, "effects": effects, "size_thresholds": thresholds, "forecasts": forecasts}
    names = named if ALL in named else [*named, ALL]
    return {
        cluster: {table: frame.filter(pl.col("cluster") == cluster) for table, frame in every.items()}
        for cluster in names
    }


def _questions(cluster: str, exposure: pl.DataFrame, sizes: pl.DataFrame, permutations: int) -> Iterator[_Question]:
    plateaus = saturation.separate(saturation.courses(sizes), permutations)
    counted = exposure.group_by("category").agg(pl.col("failures").sum()).sort("category")
    enough = counted.filter(pl.col("failures") >= MIN_FAILURES)["category"].to_list()
    if any(found.explained for _, _, found in plateaus) and LIMIT_CATEGORY in enough:
        enough.append(EXCEPT_LIMIT)
    for category in dict.fromkeys([ANY, *enough]):
        rows = cells(exposure, category)
        for outcome in OUTCOMES:
            panel = panel_of(rows, outcome)
            lacks = lacking(int(panel.failures.sum()), panel.groups, panel.groups)
            # What cannot be answered is said once for each cluster, not for each kind of failure.
            if panel.groups and (lacks is None or category == ANY):
                yield from _of_panel(_Where(cluster, category, outcome), panel, permutations)
    for scope, _, found in plateaus:
        yield _Question(_Where(cluster, ANY, "sessions"), found, found.p, scope=scope)


def _of_panel(where: _Where, panel: Panel, permutations: int) -> Iterator[_Question]:
    enough = lacking(int(panel.failures.sum()), panel.groups, panel.groups) is None
    found = search(panel, permutations) if enough else None
    yield _Question(where, found, found.p if found else float("nan"), panel)
    by_size = compare_size(panel, permutations)
    yield _Question(where, by_size, by_size.p_adjusted, panel)
    reference, levels = _versions(panel)
    at = found.size if found and found.p <= 0.1 else None
    for level in levels:
        between = compare_version(panel, level, reference, at, permutations)
        yield _Question(where, between, between.p_adjusted, panel)
        change = before_after(panel, level, reference, permutations)
        if change is not None:
            yield _Question(where, change, change.p, panel)


def _versions(panel: Panel) -> tuple[int, list[int]]:
    """The version that others are compared with, the oldest of those in wide use, and the others by hours."""
    hours = np.bincount(panel.version, weights=panel.hours, minlength=len(panel.versions))
    known = [n for n in np.flatnonzero(hours) if panel.versions[n] != UNKNOWN_VERSION]
    if len(known) < 2:
        return -1, []
    reference = next(n for n in known if hours[n] >= WIDE_USE * hours[known].max())
    others = sorted((n for n in known if n != reference), key=lambda n: (-hours[n], n))
    return int(reference), [int(n) for n in others[:MAX_VERSIONS]]


def _effect_rows(questions: Sequence[_Question], family: Sequence[float], number: int) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for question, q in zip(questions, family, strict=True):
        common = {"cluster": question.where.cluster, "category": question.where.category,
                  "outcome": question.where.outcome, "family_size": number}  # fmt: skip
        if isinstance(question.found, Comparison):
            rows += [{**common, **row} for row in _comparison_rows(question.found, q)]
        elif isinstance(question.found, BeforeAfter):
            found = question.found
            word = judge_change(found, q)
            rows.append({
                **common, **_row(found.estimate, word, found.p, q), "factor": VERSION, "level": found.level,
                "reference": found.reference, "adjusted_for": "group (before and after)", "groups": found.groups,
                "failures": found.failures, "session_hours": found.hours,
            })  # fmt: skip
    filled = [{name: row.get(name) for name in EFFECTS} for row in rows]
    return pl.DataFrame(filled, schema=EFFECTS, orient="row")


def _comparison_rows(found: Comparison, q: float) -> Iterator[dict[str, Any]]:
    other = VERSION if found.factor == SIZE else SIZE
    word = judge(Finding(
        found.failures, found.groups, found.smaller_side, found.p_crude, found.p_adjusted, q,
        found.adjusted.low, found.adjusted.high, found.inflation, found.overlap, other,
    ))  # fmt: skip
    common = {"factor": found.factor, "level": found.level, "reference": found.reference, "groups": found.groups,
              "failures": found.failures, "session_hours": found.hours}  # fmt: skip
    crude = judge_crude(found.p_crude, word, other)
    yield {**common, **_row(found.crude, crude, found.p_crude, float("nan")), "adjusted_for": None}
    yield {**common, **_row(found.adjusted, word, found.p_adjusted, q), "adjusted_for": other}
    if found.stratified is not None:
        level = {"level": "larger half", "reference": "smaller half"} if found.factor == SIZE else {}
        yield {**common, **level, **_row(found.stratified, word, found.p_adjusted, q), "adjusted_for": other}


def _row(found: Estimate, word: Verdict, p: float, q: float) -> dict[str, Any]:
    low = found.low if np.isfinite(found.ratio) else float("nan")
    return {
        "method": found.method or "none", "estimate": _finite(found.ratio), "ci_low": _finite(low),
        "ci_high": _finite(found.high), "p_value": _finite(p), "q_value": _finite(q), "verdict": word.word,
        "rule": word.rule, "homogeneity_p": _finite(found.p_homogeneity),
    }  # fmt: skip


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _threshold_rows(questions: Sequence[_Question], family: Sequence[float], number: int) -> pl.DataFrame:
    limits = [q.found for q in questions if isinstance(q.found, saturation.Plateau) and q.found.explained]
    rows: list[dict[str, Any]] = []
    for question, q in zip(questions, family, strict=True):
        where, found, panel = question.where, question.found, question.panel
        row: dict[str, Any] = {"cluster": where.cluster, "category": where.category, "p_value": _finite(question.p),
                               "q_value": _finite(q), "family_size": number}  # fmt: skip
        if isinstance(found, saturation.Plateau):
            word = saturation.judge_plateau(found, q if np.isfinite(q) else 1.0)
            row |= {
                "scope": question.scope, "threshold": found.at, "ci_low": found.low, "ci_high": found.high,
                "model": "saturating", "groups": len(found.beyond),
                "explained_by": saturation.MD5_LIMIT if found.explained else None,
            }  # fmt: skip
        elif isinstance(found, Threshold) or (found is None and panel is not None):
            groups, failures = (panel.groups, int(panel.failures.sum())) if panel else (0, 0)
            word = judge_threshold(found, q if np.isfinite(q) else 1.0, groups, failures)
            row |= {"scope": f"configured peers; {where.outcome} per session-hour", "groups": groups, "model": "none"}
            if found is not None:
                row |= {
                    "threshold": found.size, "ci_low": found.low, "ci_high": found.high, "model": found.form,
                    "ratio": found.ratio,
                    "explained_by": _explained(found, limits) if word.word in (SUPPORTED, SUGGESTIVE) else None,
                }  # fmt: skip
        else:
            continue
        rows.append({**row, "verdict": word.word, "rule": word.rule})
    filled = [{name: row.get(name) for name in THRESHOLDS} for row in rows]
    return pl.DataFrame(filled, schema=THRESHOLDS, orient="row")


def _explained(found: Threshold, limits: Sequence[saturation.Plateau]) -> str | None:
    """The computed limit that established sessions ran into, when it lies in the interval of the threshold."""
    inside = any(found.low <= limit.at <= found.high for limit in limits)
    return saturation.MD5_LIMIT if inside else None
