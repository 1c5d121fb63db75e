"""A size above which failures are more frequent: step and hinge, with a test that pays for the search.

The size is searched by profile likelihood. Its significance comes from giving groups each other's sizes and
searching again each time: a table of chi-square is wrong for a place that was searched (Davies, Biometrika
74:33, 1987; forms as in Fong et al., BMC Bioinformatics 18:454, 2017, "chngpt"). The interval resamples groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.effects import scores
from pipeline.effects.panel import Floats, Ints, Panel
from pipeline.effects.scores import PERMUTATIONS
from pipeline.effects.verdicts import (
    ALPHA,
    INDISTINCT,
    MIN_FAILURES,
    MIN_GROUPS_SIDE,
    MIN_GROUPS_SIZE,
    SUGGESTIVE,
    SUPPORTED,
    TOO_LITTLE,
    Verdict,
)

STEP, HINGE, SMOOTH, NONE = "step", "hinge", "smooth growth", "none"
RESAMPLES = 400
MAX_CANDIDATES = 60
"""Sizes tried in each permutation; the estimate itself tries all."""
CLEARLY = 2.0
"""Difference of AIC from which one form fits better than another (Burnham and Anderson 2002)."""
_PROFILE_DROP = 1.92
_TAIL = 0.01
"""Resampled places of a step crowd together: 1 % on each side covers as often as 2.5 % should (simulated)."""


@dataclass(frozen=True)
class Threshold:
    """The largest size that is still fine, by the form that fits best; ``aic`` of each form, the best is 0."""

    form: str
    size: float
    low: float
    high: float
    ratio: float
    p: float
    aic: dict[str, float]
    groups: int
    groups_above: int
    failures: int
    sharp: bool


def candidates(panel: Panel, least: int = MIN_GROUPS_SIDE) -> Floats:
    """Sizes with at least ``least`` groups that were larger and as many that were not."""
    largest = np.array([panel.size[panel.group == g].max() for g in range(panel.groups)])
    smallest = np.array([panel.size[panel.group == g].min() for g in range(panel.groups)])
    sizes = np.unique(panel.size)[:-1]
    above = (largest[None, :] > sizes[:, None]).sum(axis=1)
    below = (smallest[None, :] <= sizes[:, None]).sum(axis=1)
    fit: Floats = sizes[(above >= least) & (below >= least)]
    return fit


def covariate(size: Floats, at: float, form: str) -> Floats:
    """What a form adds above ``at``: 1, or the number of doublings beyond."""
    if form == STEP:
        return (size > at).astype(np.float64)
    return np.maximum(np.log2(size / at), 0.0)


def search(
    panel: Panel, permutations: int = PERMUTATIONS, resamples: int = RESAMPLES, seed: int = 0
) -> Threshold | None:
    """Look for a threshold with versions held fixed; None where no size has enough groups on both sides."""
    sizes = candidates(panel)
    if len(sizes) == 0 or panel.failures.sum() == 0:
        return None
    held = scores.design(panel, *scores.cluster_columns(panel), *scores.version_columns(panel))
    null = scores.fit_null(panel, held)
    p = _searched_p(panel, null, sizes, permutations, seed)
    observed = {
        form: [float(scores.scores(null, covariate(panel.size, k, form)[None, :])[0]) for k in sizes]
        for form in (STEP, HINGE)
    }
    start = max(observed, key=lambda form: max(observed[form]))
    first = float(sizes[int(np.argmax(observed[start]))])
    column = covariate(panel.size, first, start)
    weight = scores.fit_null(panel, scores.design(panel, *held.T[1:], column)).shrink
    _, beta = fit_weighted(np.column_stack([held, column]), panel.failures, panel.hours, weight)
    hours = panel.hours * np.exp(held[:, 1:] @ beta[1:-1])
    forms = {form: _profiled(panel, held, hours, weight, sizes, form) for form in (STEP, HINGE)}
    aic = _aic(panel, held, weight, {form: best for form, (best, _, _) in forms.items()})
    sharp = _is_sharp(panel, sizes)
    form = STEP if sharp else min((STEP, HINGE), key=lambda name: aic[name])
    _, size, slope = forms[form]
    low, high = _interval(panel, hours, weight, sizes, form, resamples, seed)
    return Threshold(
        form, size, low, high, float(np.exp(slope)), p, aic, panel.groups,
        len(np.unique(panel.group[panel.size > size])), int(panel.failures.sum()),
        sharp,
    )  # fmt: skip


def _is_sharp(panel: Panel, sizes: Floats) -> bool:
    """Whether nothing fails up to a size below which failures were to be expected: then no bend is needed."""
    first = float(panel.size[panel.failures > 0].min())
    fine = panel.size < first
    if not (sizes < first).any():
        return False
    return float(panel.failures.sum() * panel.hours[fine].sum() / panel.hours.sum()) >= MIN_FAILURES


def _searched_p(panel: Panel, null: scores.NullFit, sizes: Floats, permutations: int, seed: int) -> float:
    tried = sizes if len(sizes) <= MAX_CANDIDATES else np.quantile(
        sizes, np.linspace(0, 1, MAX_CANDIDATES), method="nearest"
    )  # fmt: skip

    def largest(order: Ints) -> Floats:
        moved = panel.permuted(panel.size, order)
        logs, best = np.log2(moved), np.full(len(order), -np.inf)
        for k in np.unique(tried):
            best = np.maximum(best, scores.scores(null, (moved > k).astype(np.float64)))
            best = np.maximum(best, scores.scores(null, np.maximum(logs - np.log2(k), 0.0)))
        return best

    return scores.permutation_p(largest, panel, permutations, seed)


def fit_weighted(design: Floats, y: Floats, hours: Floats, weight: Floats) -> tuple[float, Floats]:
    """Quasi-likelihood of counts with exposure, each cell with a weight; returns its value and the parameters."""
    beta = np.zeros(design.shape[1])
    beta[0] = np.log(max((y * weight).sum(), 1e-9) / (hours * weight).sum())
    for _ in range(25):
        mean = hours * np.exp(np.clip(design @ beta, -scores.ETA, scores.ETA))
        inner = design.T @ (design * (mean * weight)[:, None]) + 1e-8 * np.eye(len(beta))
        step = np.linalg.solve(inner, design.T @ ((y - mean) * weight))
        beta = np.clip(beta + np.clip(step, -2.0, 2.0), -scores.ETA, scores.ETA)
        if np.abs(step).max() < 1e-6:
            break
    eta = np.clip(design @ beta, -scores.ETA, scores.ETA)
    return float((weight * (y * eta - hours * np.exp(eta))).sum()), beta


def _profiled(
    panel: Panel, held: Floats, hours: Floats, weight: Floats, sizes: Floats, form: str
) -> tuple[float, float, float]:
    """The size with the best quasi-likelihood, that value, and the log ratio: (value, size, log ratio)."""
    best = float(sizes[int(np.argmax(_profiles(panel, hours, weight[None, :], sizes, form)[:, 0]))])
    column = covariate(panel.size, best, form)
    value, beta = fit_weighted(np.column_stack([held, column]), panel.failures, panel.hours, weight)
    return value, best, float(beta[-1])


def _aic(panel: Panel, held: Floats, weight: Floats, found: dict[str, float]) -> dict[str, float]:
    """AIC of each form, less that of the best; a threshold pays for its place as well."""

    def value(*columns: Floats) -> float:
        return fit_weighted(np.column_stack([held, *columns]), panel.failures, panel.hours, weight)[0]

    plain = {NONE: -2 * value(), SMOOTH: -2 * value(np.log2(panel.size)) + 2}
    plain.update({form: -2 * best + 4 for form, best in found.items()})
    least = min(plain.values())
    return {form: aic - least for form, aic in plain.items()}


def _interval(
    panel: Panel, hours: Floats, weight: Floats, sizes: Floats, form: str, resamples: int, seed: int
) -> tuple[float, float]:
    """Group bootstrap together with the profile of the observed data.

    A step between two neighbouring sizes may lie anywhere between them, so the upper end is the next size seen.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(panel.groups, np.full(panel.groups, 1 / panel.groups), size=resamples)
    weights = np.vstack([np.ones(len(panel.group)), drawn[:, panel.group]]) * weight
    profile = _profiles(panel, hours, weights, sizes, form)
    place = np.argmax(profile, axis=0)
    inside = np.flatnonzero(profile[:, 0] >= profile[:, 0].max() - _PROFILE_DROP)
    low = min(float(np.quantile(sizes[place[1:]], _TAIL, method="lower")), float(sizes[inside[0]]))
    last = max(float(np.quantile(sizes[place[1:]], 1 - _TAIL, method="higher")), float(sizes[inside[-1]]))
    every = np.unique(panel.size)
    after = every[every > last]
    return low, float(after[0]) if form == STEP and len(after) else last


def _profiles(panel: Panel, hours: Floats, weights: Floats, sizes: Floats, form: str) -> Floats:
    """Quasi-likelihood for each size and resample, (K, B)."""
    y = panel.failures
    if form == STEP:
        above = (panel.size[None, :] > sizes[:, None]).astype(np.float64)
        y1, h1 = above @ (weights * y).T, above @ (weights * hours).T
        y0, h0 = (weights * y).sum(axis=1) - y1, (weights * hours).sum(axis=1) - h1
        value = _part(y1, h1) + _part(y0, h0)
        rises = (h1 > 0) & (h0 > 0) & (y1 * h0 > y0 * h1)
        return np.where(rises, value, _part(y1 + y0, h1 + h0))
    return np.vstack([_hinge(covariate(panel.size, float(k), form), y, hours, weights) for k in sizes])


def _part(y: Floats, hours: Floats) -> Floats:
    safe = np.maximum(y, 1e-12)
    return np.where(y > 0, y * np.log(safe / np.maximum(hours, 1e-12)), 0.0)


def _hinge(x: Floats, y: Floats, hours: Floats, weights: Floats) -> Floats:
    """Profile over level and slope of one hinge for all resamples at once, (B,)."""
    wy, wh = weights * y, weights * hours
    level, slope = np.log(np.maximum(wy.sum(axis=1), 1e-9) / wh.sum(axis=1)), np.zeros(len(weights))
    for _ in range(8):
        mean = wh * np.exp(np.clip(slope[:, None] * x, -scores.ETA, scores.ETA))
        total, first, second = mean.sum(axis=1), mean @ x, mean @ (x * x)
        share = first / total
        gradient = wy @ x - wy.sum(axis=1) * share
        curve = wy.sum(axis=1) * (second / total - share**2)
        slope = np.clip(slope + np.clip(gradient / np.maximum(curve, 1e-9), -1, 1), 0.0, 10.0)
    total = (wh * np.exp(np.clip(slope[:, None] * x, -scores.ETA, scores.ETA))).sum(axis=1)
    level = np.log(np.maximum(wy.sum(axis=1), 1e-9) / total)
    value: Floats = level * wy.sum(axis=1) + slope * (wy @ x)
    return value


def judge_threshold(found: Threshold | None, q: float, groups: int, failures: int) -> Verdict:
    """The word for a threshold."""
    if failures < MIN_FAILURES or groups < MIN_GROUPS_SIZE or found is None:
        least = f"{MIN_FAILURES} failures and {MIN_GROUPS_SIZE} groups, {MIN_GROUPS_SIDE} on either side of a size"
        return Verdict(TOO_LITTLE, f"{failures} failures in {groups} groups; needed are {least}")
    gain = found.aic[SMOOTH] - found.aic[found.form]
    if found.p > ALPHA:
        return Verdict(INDISTINCT, f"p {found.p:.2f} after paying for the search")
    if q > ALPHA:
        return Verdict(SUGGESTIVE, f"p {found.p:.3f} but q {q:.3f} in the family")
    if found.sharp:
        return Verdict(
            SUPPORTED, f"q {q:.3f} after paying for the search; not one failure at or below {found.size:.0f}"
        )
    if found.aic[NONE] - found.aic[found.form] < CLEARLY:
        return Verdict(SUGGESTIVE, f"p {found.p:.3f}, but no form fits clearly better than none")
    if gain < CLEARLY:
        return Verdict(SUGGESTIVE, f"p {found.p:.3f}, but growth without a threshold fits as well (AIC {gain:+.1f})")
    return Verdict(SUPPORTED, f"q {q:.3f} after paying for the search; {gain:.1f} AIC better than smooth growth")
