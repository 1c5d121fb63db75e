"""Before and after an upgrade inside the same groups: the strongest evidence about a version.

Each group is its own control: size, reflectors, network and habits stay as they are. What else changed on the
day of the upgrade is not told apart, so one cluster alone never makes a finding.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from pipeline.effects.adjust import Estimate
from pipeline.effects.panel import Floats, Panel
from pipeline.effects.scores import PERMUTATIONS
from pipeline.effects.verdicts import ALPHA, INDISTINCT, MIN_FAILURES, SUGGESTIVE, SUPPORTED, TOO_LITTLE, Verdict

MIN_CHANGED = 6
"""Six groups give 64 assignments of signs, the least with which p can fall below 5 % on two sides."""
_ENUMERATED = 11


@dataclass(frozen=True)
class BeforeAfter:
    """Ratio of the rates of a version against another inside the groups that ran both."""

    level: str
    reference: str
    estimate: Estimate
    p: float
    groups: int
    clusters: int
    failures: int
    hours: float

    @property
    def name(self) -> str:
        """The version's name, for messages."""
        return f"{self.level} against {self.reference}"


def before_after(
    panel: Panel, level: int, reference: int, permutations: int = PERMUTATIONS, seed: int = 0
) -> BeforeAfter | None:
    """Compare two versions inside the groups that were observed with both; None where there is no such group."""
    pair = panel.only((panel.version == level) | (panel.version == reference))
    after, hours_after = (pair.totals(np.where(pair.version == level, v, 0.0)) for v in (pair.failures, pair.hours))
    total, hours_total = pair.totals(pair.failures), pair.totals(pair.hours)
    both = (hours_after > 0) & (hours_after < hours_total)
    if not both.any():
        return None
    telling = both & (total > 0)
    clusters = {cluster for cluster, used in zip(pair.clusters, both, strict=False) if used}
    y, n, share = after[telling], total[telling], (hours_after / hours_total)[telling]
    return BeforeAfter(
        panel.versions[level], panel.versions[reference], _estimate(y, n, share), _p(y, n, share, permutations, seed),
        int(both.sum()), max(len(clusters), 1), int(n.sum()), float(hours_total[both].sum()),
    )  # fmt: skip


def _estimate(after: Floats, total: Floats, share: Floats) -> Estimate:
    """Conditional Poisson for several groups, exact conditional binomial for one.

    Given a group's total, its count after the change is binomial, so the conditional model is a binomial
    regression with the log odds of the exposure as offset. (``ConditionalPoisson`` of statsmodels leaves out groups
    whose two counts are equal, which draws the ratio away from 1.)
    """
    nothing = Estimate("before and after", float("nan"), 0.0, float("inf"))
    if total.sum() == 0:
        return nothing
    if len(total) == 1:
        return _exact(after[0], total[0], share[0])
    if after.sum() in (0, total.sum()):
        return nothing
    import statsmodels.api as sm
    from scipy.stats import t as student

    model = sm.GLM(
        np.column_stack([after, total - after]), np.ones((len(total), 1)), family=sm.families.Binomial(),
        offset=np.log(share / (1 - share)),
    )  # fmt: skip
    fit = model.fit(cov_type="HC1")
    value, error = float(fit.params[0]), float(fit.bse[0])
    wide = float(student.ppf(0.975, len(total) - 1)) * error
    ratio, low, high = (float(np.exp(v)) for v in (value, value - wide, value + wide))
    return Estimate("conditional poisson", ratio, low, high)


def _exact(after: float, total: float, share: float) -> Estimate:
    from scipy.stats import binomtest

    found = binomtest(int(after), int(total), share)
    bounds = found.proportion_ci(0.95, "exact")
    before = share / (1 - share)
    low, high = (p / (1 - p) / before if p < 1 else float("inf") for p in (bounds.low, bounds.high))
    ratio = after / (total - after) / before if total > after else float("inf")
    return Estimate("exact conditional binomial", float(ratio), float(low), float(high))


def _p(after: Floats, total: Floats, share: Floats, permutations: int, seed: int) -> float:
    """Flip the sign of each group's score (Hemerik, Goeman and Finos 2020, JRSSB 82:841); one group: binomial."""
    if len(total) == 0:
        return float("nan")
    if len(total) == 1:
        from scipy.stats import binomtest

        return float(binomtest(int(after[0]), int(total[0]), share[0]).pvalue)
    score = after - total * share
    if len(score) <= _ENUMERATED:
        signs = np.array(list(product([1.0, -1.0], repeat=len(score))))
    else:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], (permutations, len(score)))
        signs[0] = 1.0
    statistic = np.abs(signs @ score)
    return float((statistic >= statistic[0] - 1e-9).mean())


def judge_change(found: BeforeAfter, q: float) -> Verdict:
    """The word for a comparison before and after."""
    estimate = found.estimate
    where = f"{found.groups} groups in {found.clusters} clusters changed"
    if found.failures < MIN_FAILURES:
        return Verdict(TOO_LITTLE, f"{found.failures} of at least {MIN_FAILURES} failures where the version changed")
    clear = estimate.low > 1 or estimate.high < 1
    if found.groups < MIN_CHANGED or found.clusters < 2:
        word = SUGGESTIVE if clear and found.p <= ALPHA else INDISTINCT if found.p > ALPHA else TOO_LITTLE
        return Verdict(word, f"{where}: whatever else changed there then would look the same")
    if q <= ALPHA and clear:
        return Verdict(SUPPORTED, f"q {q:.3f}, {where}")
    if found.p <= ALPHA:
        return Verdict(SUGGESTIVE, f"p {found.p:.3f} but q {q:.3f}, {where}")
    return Verdict(INDISTINCT, f"p {found.p:.2f}, {where}")
