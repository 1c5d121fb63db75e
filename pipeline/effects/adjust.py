"""Effect of one factor with the other held fixed, beside the crude one.

Three estimates for each question: a crude and an adjusted regression of counts with exposure, whose standard
errors let the failures of a group depend on each other, and Mantel and Haenszel's ratio over strata with a
test that the strata agree. The p-value of all is a permutation of groups (``scores``).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.effects import scores, verdicts
from pipeline.effects.panel import Floats, Ints, Panel, by_cluster
from pipeline.effects.scores import PERMUTATIONS

SIZE, VERSION = "size", "version"
_RARE = 0.01
_LEAST_FREEDOM = 3
_ABSURD = 15.0
_Z = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A rate ratio with a 95 % interval."""

    method: str
    ratio: float
    low: float
    high: float
    p_homogeneity: float = float("nan")


@dataclass(frozen=True)
class Comparison:
    """Everything estimated for one question; ``p_crude`` and ``p_adjusted`` permute groups."""

    factor: str
    level: str
    reference: str
    crude: Estimate
    adjusted: Estimate
    stratified: Estimate | None
    p_crude: float
    p_adjusted: float
    inflation: float
    groups: int
    smaller_side: int
    failures: int
    hours: float
    overlap: int


def compare_size(panel: Panel, permutations: int = PERMUTATIONS, seed: int = 0) -> Comparison:
    """Rate ratio for a doubling of the group, crude and with the version held fixed."""
    size = np.log2(panel.size)
    middle = float(np.median(panel.totals(size * panel.hours) / panel.totals(panel.hours)))
    large = size > middle
    names = (SIZE, "doubling", "same size")
    held = scores.version_columns(panel)
    return _compare(panel, size, held, large, panel.version, names, (permutations, seed))


def compare_version(
    panel: Panel,
    level: int,
    reference: int,
    threshold: float | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Comparison:
    """Rate ratio of one version against another, crude and with size held fixed.

    Where clusters run one version each, clusters and not groups are compared.

    Size is held fixed as its logarithm and, when one was found, as a step at ``threshold``: a straight line
    alone would leave the rest of a sharp effect of size to the version.
    """
    pair = panel.only((panel.version == level) | (panel.version == reference))
    if pair.blocks is not None and not _mixed(pair, level):
        pair = by_cluster(pair)
    size = np.log2(pair.size)
    covariates = [size] if threshold is None else [size, (pair.size > threshold).astype(np.float64)]
    strata = np.searchsorted(np.quantile(pair.size, [0.25, 0.5, 0.75]), pair.size)
    names = (VERSION, panel.versions[level], panel.versions[reference])
    return _compare(
        pair, (pair.version == level).astype(np.float64), covariates, pair.version == level, strata.astype(np.int64),
        names, (permutations, seed),
    )  # fmt: skip


def common_ground(panel: Panel, exposed: NDArray[np.bool_]) -> int:
    """How many groups of either side lie in the range of sizes that both sides share; the fewer of the two."""
    if not exposed.any() or exposed.all():
        return 0
    low = max(panel.size[exposed].min(), panel.size[~exposed].min())
    high = min(panel.size[exposed].max(), panel.size[~exposed].max())
    shared = (panel.size >= low) & (panel.size <= high)
    return min(len(np.unique(panel.group[shared & side])) for side in (exposed, ~exposed))


def _mixed(panel: Panel, level: int) -> bool:
    """Whether at least half of the clusters ran both versions."""
    blocks = panel.blocks
    assert blocks is not None
    here, there = (set(blocks[panel.group[side]].tolist()) for side in (panel.version == level, panel.version != level))
    return len(here & there) * 2 >= int(blocks.max()) + 1


def _compare(
    panel: Panel,
    covariate: Floats,
    held: Sequence[Floats],
    exposed: NDArray[np.bool_],
    strata: Ints,
    names: tuple[str, str, str],
    chance: tuple[int, int],
) -> Comparison:
    clusters = scores.cluster_columns(panel)
    alone, full = scores.design(panel, *clusters), scores.design(panel, *clusters, *held)
    null, given = scores.fit_null(panel, alone), scores.fit_null(panel, full)
    sides = [len(np.unique(panel.group[side])) for side in (exposed, ~exposed)]
    enough = verdicts.lacking(int(panel.failures.sum()), panel.groups, min(sides)) is None
    p_crude, p_adjusted = (
        _permuted(panel, covariate, fit, chance) if enough else float("nan") for fit in (null, given)
    )
    return Comparison(
        *names,
        crude=regression(panel, alone, covariate, null.phi), adjusted=regression(panel, full, covariate, given.phi),
        stratified=mantel_haenszel(panel, exposed, strata) if enough else None,
        p_crude=p_crude, p_adjusted=p_adjusted, inflation=scores.inflation(given, covariate), groups=panel.groups,
        smaller_side=min(sides), failures=int(panel.failures.sum()), hours=float(panel.hours.sum()),
        overlap=min(sides) if names[0] == SIZE else common_ground(panel, exposed),
    )  # fmt: skip


def _permuted(panel: Panel, covariate: Floats, null: scores.NullFit, chance: tuple[int, int]) -> float:
    def far(order: Ints) -> Floats:
        return np.abs(scores.scores(null, panel.permuted(covariate, order)))

    return scores.permutation_p(far, panel, *chance)


def regression(panel: Panel, design: Floats, covariate: Floats, phi: float) -> Estimate:
    """Regression of counts with exposure: Poisson, or negative binomial where groups differ (``phi`` > 0).

    Standard errors are robust and clustered by group; the interval uses Student's t with as many degrees of
    freedom as groups less parameters, which keeps it honest for few groups.
    """
    freedom = panel.groups - design.shape[1] - 1
    nothing = Estimate("", float("nan"), 0.0, float("inf"))
    whole = np.column_stack([design, covariate])
    if freedom < _LEAST_FREEDOM or panel.failures.sum() == 0 or np.linalg.matrix_rank(whole) < whole.shape[1]:
        return nothing
    # Imported where used: together they take a second, and most small runs ask nothing of them.
    import statsmodels.api as sm
    from scipy.stats import t as student

    family = sm.families.NegativeBinomial(alpha=phi) if phi > 0 else sm.families.Poisson()
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            # Failures on one side only: the interval is unbounded, and is said to be so below.
            warnings.simplefilter("ignore")
            fit = sm.GLM(panel.failures, whole, family=family, exposure=panel.hours).fit(
                cov_type="cluster", cov_kwds={"groups": panel.group}, maxiter=50
            )
    except (np.linalg.LinAlgError, ValueError):
        return nothing
    value, error = float(fit.params[-1]), float(fit.bse[-1])
    name = "negative binomial regression" if phi > 0 else "poisson regression"
    if not np.isfinite(error) or error == 0 or abs(value) + error > _ABSURD:
        return Estimate(name, float("nan"), 0.0, float("inf"))
    wide = float(student.ppf(0.975, freedom)) * error
    return Estimate(name, *(float(np.exp(v)) for v in (value, value - wide, value + wide)))


def mantel_haenszel(panel: Panel, exposed: NDArray[np.bool_], strata: Ints) -> Estimate | None:
    """Mantel and Haenszel's ratio over strata in which both sides were observed; None where none is such.

    Time is counted in units so short that a unit holds at most one failure in a hundred; the odds ratio of
    units with and without failure is then the rate ratio. The interval and the test of homogeneity are widened
    by the overdispersion among groups.
    """
    used = [s for s in np.unique(strata) if len({*exposed[strata == s]}) == 2]
    scale = max(1.0, float((panel.failures.sum() + 1) / panel.hours.sum() / _RARE))
    tables = []
    for stratum in used:
        rows = []
        for side in (exposed, ~exposed):
            cell = (strata == stratum) & side
            events = panel.failures[cell].sum()
            rows.append([events, max(panel.hours[cell].sum() * scale - events, 0.5)])
        if rows[0][0] + rows[1][0] > 0:
            tables.append(np.asarray(rows))
    if not tables:
        return None
    from scipy.stats import chi2
    from statsmodels.stats.contingency_tables import StratifiedTable

    with np.errstate(all="ignore"):
        pooled = StratifiedTable(tables)
        log_ratio, error = float(pooled.logodds_pooled), float(pooled.logodds_pooled_se)
        spread = _spread(panel, exposed, strata)
        together = float("nan")
        if len(tables) > 1:
            test = pooled.test_equal_odds()
            together = float(chi2.sf(test.statistic / spread, len(tables) - 1))
    if not np.isfinite(log_ratio) or not np.isfinite(error):
        return None
    wide = _Z * error * float(np.sqrt(spread))
    ratio, low, high = (float(np.exp(v)) for v in (log_ratio, log_ratio - wide, log_ratio + wide))
    return Estimate("mantel-haenszel", ratio, low, high, together)


def _spread(panel: Panel, exposed: NDArray[np.bool_], strata: Ints) -> float:
    """Pearson's overdispersion of the groups around the rates of stratum and side, at least 1."""
    mean = np.zeros(len(panel.group))
    parameters = 0
    for stratum in np.unique(strata):
        for side in (exposed, ~exposed):
            cell = (strata == stratum) & side
            if cell.any():
                mean[cell] = panel.hours[cell] * (panel.failures[cell].sum() / panel.hours[cell].sum())
                parameters += 1
    counts, means = panel.totals(panel.failures), panel.totals(mean)
    seen = means > 0
    freedom = max(int(seen.sum()) - parameters, 1)
    return max(1.0, float(((counts[seen] - means[seen]) ** 2 / means[seen]).sum()) / freedom)
