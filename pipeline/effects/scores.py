"""Permutation score tests for counts with exposure whose rates differ from group to group.

Null model: failures of a cell are Poisson with mean ``hours * exp(Z b)`` times a gamma factor that the cells of
a group share (variance ``phi``). The statistic is the efficient score of one more covariate, divided by its
model standard error; its distribution comes from moving the covariate's course among groups, never from a
table (Rao 1948 for the score; Dean and Lawless 1989, JASA 84:467, for counts with extra variation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.effects.panel import Floats, Ints, Panel, orders

PERMUTATIONS = 4999
"""Enough that the smallest p, 0.0002, is still below 5 % as one of 250 questions."""
MIN_PERMUTATIONS = 499
_ROUNDS = 12
_RIDGE = 1e-8
ETA = 30.0
_CLEAR = 0.1


@dataclass(frozen=True)
class NullFit:
    """A fitted null model: means (C,), group variance phi, residual and weight of each cell."""

    design: Floats
    mean: Floats
    phi: float
    residual: Floats
    weight: Floats
    shrink: Floats


def design(panel: Panel, *columns: Floats) -> Floats:
    """Intercept and covariates side by side, (C, 1 + k); columns that add nothing are left out."""
    kept: list[Floats] = [np.ones(len(panel.group))]
    for column in columns:
        tried = np.column_stack([*kept, column])
        if np.linalg.matrix_rank(tried) > len(kept):
            kept.append(column.astype(np.float64))
    return np.column_stack(kept)


def version_columns(panel: Panel) -> list[Floats]:
    """One indicator for each version but the first."""
    return [(panel.version == number).astype(np.float64) for number in range(1, len(panel.versions))]


def cluster_columns(panel: Panel) -> list[Floats]:
    """One indicator for each cluster but the first, where groups are compared within their cluster."""
    blocks = panel.blocks
    if blocks is None:
        return []
    return [(blocks[panel.group] == number).astype(np.float64) for number in range(1, int(blocks.max()) + 1)]


def fit_null(panel: Panel, covariates: Floats) -> NullFit:
    """Fit the null model by weighted scoring; phi makes Pearson's statistic of the groups equal its freedom."""
    y, hours = panel.failures, panel.hours
    beta = np.zeros(covariates.shape[1])
    beta[0] = np.log(max(y.sum(), 0.5) / hours.sum())
    ridge = _RIDGE * np.eye(len(beta))
    phi, mean, shrink = 0.0, hours * np.exp(beta[0]), np.ones(len(y))
    totals = panel.totals(y)
    freedom = max(panel.groups - covariates.shape[1], 1)
    for _ in range(_ROUNDS):
        shrink = 1.0 / (1.0 + phi * panel.totals(mean)[panel.group])
        weighted = covariates * (mean * shrink)[:, None]
        step = np.linalg.solve(weighted.T @ covariates + ridge, covariates.T @ ((y - mean) * shrink))
        beta = beta + np.clip(step, -3.0, 3.0)
        mean = hours * np.exp(np.clip(covariates @ beta, -ETA, ETA))
        phi = dispersion(totals, panel.totals(mean), freedom)
    shrink = 1.0 / (1.0 + phi * panel.totals(mean)[panel.group])
    return NullFit(covariates, mean, phi, (y - mean) * shrink, mean * shrink, shrink)


def dispersion(counts: Floats, means: Floats, freedom: int) -> float:
    """The variance of the groups' factors, by moments (Breslow 1984): sum (y-m)^2/(m+phi m^2) = freedom."""
    squares = (counts - means) ** 2
    safe = np.maximum(means, 1e-12)
    if float((squares / safe).sum()) <= freedom:
        return 0.0
    low, high = 0.0, 1.0
    while float((squares / (safe * (1 + high * safe))).sum()) > freedom and high < 1e6:
        low, high = high, high * 4
    for _ in range(25):
        middle = (low + high) / 2
        if float((squares / (safe * (1 + middle * safe))).sum()) > freedom:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def scores(null: NullFit, covariate: Floats) -> Floats:
    """Standardised efficient scores of a covariate, (B,) for rows (B, C)."""
    weighted = null.design * null.weight[:, None]
    inner = np.linalg.inv(null.design.T @ weighted + _RIDGE * np.eye(null.design.shape[1]))
    across = covariate @ weighted
    score = covariate @ null.residual - across @ (inner @ (null.design.T @ null.residual))
    information = (covariate * covariate) @ null.weight - np.einsum("bi,ij,bj->b", across, inner, across)
    floor = 1e-9 * float(null.weight.sum())
    return np.where(information > floor, score / np.sqrt(np.maximum(information, floor)), 0.0)


def permutation_p(statistics: Callable[[Ints], Floats], panel: Panel, permutations: int, seed: int) -> float:
    """p of the observed order among ``permutations`` of them; large statistics are far from the null.

    A tenth is tried first, and stands where it shows nothing: precision matters for small p only.
    """
    for count in (max(permutations // 10, MIN_PERMUTATIONS), permutations):
        found = statistics(orders(panel.groups, min(count, permutations), seed, panel.blocks))
        p = float((found >= found[0] - 1e-12).mean())
        if p > _CLEAR:
            break
    return p


def inflation(null: NullFit, covariate: Floats) -> float:
    """By how much the design inflates the covariate's variance: 1 is free of it, 5 and more are inseparable."""
    weighted = null.design * null.weight[:, None]
    inner = np.linalg.inv(null.design.T @ weighted + _RIDGE * np.eye(null.design.shape[1]))
    across = covariate @ weighted
    centre = float(covariate @ null.weight) / float(null.weight.sum())
    alone = float(((covariate - centre) ** 2) @ null.weight)
    left = float((covariate**2) @ null.weight - across @ inner @ across)
    return float("inf") if left <= 1e-9 * max(alone, 1e-12) else alone / left
