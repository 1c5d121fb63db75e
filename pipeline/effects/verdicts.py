"""The five words, and the rule that gave each.

Every question (category x outcome x factor x level, and each threshold) gets one p-value, from moving whole
groups. The p-values of a run form one family; q is Benjamini and Hochberg's. A word is never given by p alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ALPHA = 0.05
WEAK = 0.10
INSEPARABLE = 5.0
"""Variance inflation from which two factors cannot be told apart (the usual rule of thumb for regressions)."""
MIN_FAILURES = 5
MIN_GROUPS_SIZE = 8
"""Orders of fewer groups are too few for a p of 5 % that is worth the name, and one odd group decides."""
MIN_GROUPS_SIDE = 3
"""Groups needed on either side of a comparison."""

SUPPORTED, SUGGESTIVE = "supported", "suggestive"
INDISTINCT, CONFOUNDED, TOO_LITTLE = "not_distinguishable", "confounded", "not_enough_data"
WORDS = (SUPPORTED, SUGGESTIVE, INDISTINCT, CONFOUNDED, TOO_LITTLE)


@dataclass(frozen=True)
class Verdict:
    """A word and the rule that gave it, in words with numbers."""

    word: str
    rule: str


@dataclass(frozen=True)
class Finding:
    """What a verdict on an effect is made from; p-values are those of the permutation tests."""

    failures: int
    groups: int
    smaller_side: int
    p_crude: float
    p_adjusted: float
    q_adjusted: float
    ci_low: float
    ci_high: float
    inflation: float
    overlap: int
    other: str

    @property
    def excludes_one(self) -> bool:
        """Whether the adjusted interval leaves out a ratio of 1."""
        return self.ci_low > 1.0 or self.ci_high < 1.0


def lacking(failures: int, groups: int, smaller_side: int, least_groups: int = MIN_GROUPS_SIZE) -> str | None:
    """What is missing for a comparison; None when there is enough. Questions that lack data leave the family."""
    if failures < MIN_FAILURES:
        return f"{failures} of at least {MIN_FAILURES} failures"
    if groups < least_groups:
        return f"{groups} of at least {least_groups} groups"
    if smaller_side < MIN_GROUPS_SIDE:
        return f"{smaller_side} of at least {MIN_GROUPS_SIDE} groups on the smaller side"
    return None


def judge(finding: Finding, least_groups: int = MIN_GROUPS_SIZE) -> Verdict:
    """The word for an adjusted effect."""
    f = finding
    missing = lacking(f.failures, f.groups, f.smaller_side, least_groups)
    if missing is not None:
        return Verdict(TOO_LITTLE, missing)
    if f.inflation >= INSEPARABLE and min(f.p_crude, f.p_adjusted) <= ALPHA:
        return Verdict(CONFOUNDED, f"moves together with {f.other} (variance inflation {_number(f.inflation)})")
    if f.overlap < MIN_GROUPS_SIDE and min(f.p_crude, f.p_adjusted) <= ALPHA:
        return Verdict(CONFOUNDED, f"only {f.overlap} groups on one side are of a size that the other side has too")
    if f.q_adjusted <= ALPHA and f.excludes_one:
        return Verdict(SUPPORTED, f"q {f.q_adjusted:.3f} with {f.other} held fixed, interval without 1")
    if f.p_adjusted <= WEAK and f.excludes_one:
        return Verdict(SUGGESTIVE, f"p {f.p_adjusted:.3f} but q {f.q_adjusted:.3f} in the family")
    if f.p_adjusted <= ALPHA:
        return Verdict(SUGGESTIVE, f"p {f.p_adjusted:.3f} but the interval holds 1")
    return Verdict(INDISTINCT, f"p {f.p_adjusted:.2f} with {f.other} held fixed")


def judge_crude(p_crude: float, adjusted: Verdict, other: str) -> Verdict:
    """The word for a crude row: what it shows must survive the adjustment."""
    if adjusted.word == INDISTINCT and p_crude <= ALPHA:
        return Verdict(CONFOUNDED, f"crude p {p_crude:.3f} does not outlast holding {other} fixed")
    return adjusted


def _number(value: float) -> str:
    return "without bound" if not np.isfinite(value) else f"{value:.0f}"


def q_values(p_values: Sequence[float]) -> list[float]:
    """Benjamini-Hochberg q-values of a family; not-a-number stays so and does not count."""
    values = np.asarray(p_values, dtype=float)
    known = ~np.isnan(values)
    result = np.full(len(values), np.nan)
    if known.any():
        from scipy.stats import false_discovery_control

        result[known] = false_discovery_control(values[known], method="bh")
    return [float(q) for q in result]
