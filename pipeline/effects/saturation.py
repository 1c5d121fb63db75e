"""The mark of a hard limit: established sessions never exceed a number while configured ones grow.

A limit does not make failures more frequent, it makes the surplus impossible. So it is sought in counts of
sessions and not in rates, and one group that grew past it shows it. Model: of ``n`` configured sessions at most
``K`` can be established, and of those that can each is down for other reasons with a small probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.effects.panel import Floats, orders
from pipeline.effects.scores import PERMUTATIONS
from pipeline.effects.verdicts import ALPHA, INDISTINCT, SUGGESTIVE, SUPPORTED, TOO_LITTLE, Verdict

MD5_LIMIT = "md5_key_limit"
MIN_SURPLUS = 2
"""One session that is down is a session that is down."""
MIN_GROUPS_BEYOND = 3
MIN_SIZES_BEYOND = 2
NARROW = 0.04
"""An interval wider than this part of the limit is no plateau."""
_DROP = 1.92
_SEARCHED = 400


@dataclass(frozen=True)
class Course:
    """What one group showed: for each configured size the usual number established, and its computed limit."""

    cluster: str
    group: str
    configured: Floats
    established: Floats
    peak: float
    limit: float | None

    @property
    def size(self) -> float:
        """The largest size that was configured."""
        return float(self.configured[-1])


@dataclass(frozen=True)
class Plateau:
    """A number of sessions that was not exceeded, with the groups that were configured beyond it."""

    at: float
    low: float
    high: float
    p: float
    beyond: tuple[Course, ...]
    groups: int
    sizes_beyond: int

    @property
    def explained(self) -> bool:
        """Whether a limit that was computed for these groups lies in the interval."""
        limits = [course.limit for course in self.beyond]
        return bool(limits) and all(limit is not None and self.low <= limit <= self.high for limit in limits)

    @property
    def narrow(self) -> bool:
        """Whether the interval is that of a plateau and not of a broad loss."""
        return self.high - self.low <= max(2.0, NARROW * self.at)


def courses(sizes: pl.DataFrame) -> list[Course]:
    """Courses of all groups from ``group_sizes``: of each group the reflector that was configured largest."""
    hub = ["cluster", "group_name", "reflector"]
    seen = (pl.col("configured_peers") > 0) & pl.col("established_peers").is_not_null()
    counted = sizes.filter(seen).sort(*hub, "ts", nulls_last=False)
    by_size = counted.group_by([*hub, "configured_peers"], maintain_order=True).agg(
        usual=pl.col("established_peers").median(), peak=pl.col("established_peers").max(),
        limit=pl.col("md5_key_limit").filter(pl.col("md5_peers") > 0).last(),
    ).sort(*hub, "configured_peers")  # fmt: skip
    found = [
        Course(
            str(cluster), str(group), part["configured_peers"].cast(pl.Float64).to_numpy(),
            part["usual"].cast(pl.Float64).to_numpy(), float(part["peak"].max()), _number(part["limit"].max()),  # type: ignore[arg-type]
        )
        for (cluster, group, _), part in by_size.group_by(hub, maintain_order=True)
    ]  # fmt: skip
    largest: dict[tuple[str, str], Course] = {}
    for course in found:
        key = (course.cluster, course.group)
        if key not in largest or course.size > largest[key].size:
            largest[key] = course
    return list(largest.values())


def _number(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]


def plateau(found: Sequence[Course], permutations: int = PERMUTATIONS, seed: int = 0) -> Plateau | None:
    """The common plateau of the groups; None where no group was configured beyond what any group established.

    ``p`` is from giving groups each other's share of failed sessions; it is not a number for fewer than
    ``MIN_GROUPS_BEYOND`` groups beyond the plateau, whose counts over time are no independent witnesses.
    """
    if not found:
        return None
    top = max(course.peak for course in found)
    beyond = tuple(c for c in found if c.size >= top + MIN_SURPLUS and c.size - c.established[-1] >= MIN_SURPLUS)
    if not beyond:
        return None
    n = np.concatenate([c.configured for c in found])
    e = np.concatenate([c.established for c in found])
    tried = np.arange(top, min(float(n.max()), top + _SEARCHED) + 1)
    likelihood = np.array([_likelihood(n, np.minimum(e, k), k) for k in tried])
    inside = tried[likelihood >= likelihood.max() - _DROP]
    p = _p(found, permutations, seed) if len(beyond) >= MIN_GROUPS_BEYOND else float("nan")
    sizes = {float(s) for c in beyond for s in c.configured if s > top}
    return Plateau(top, top, float(inside[-1]), p, beyond, len(found), len(sizes))


def _likelihood(n: Floats, e: Floats, limit: float) -> float:
    """Binomial likelihood of the counts, given the limit, with the chance of other losses at its best value."""
    from scipy.special import gammaln

    can = np.minimum(n, limit)
    down = float((can - e).sum())
    share = np.clip((down + 0.5) / (can.sum() + 1.0), 1e-9, 1 - 1e-9)
    ways = gammaln(can + 1) - gammaln(e + 1) - gammaln(can - e + 1)
    return float((ways + e * np.log1p(-share) + (can - e) * np.log(share)).sum())


def _p(found: Sequence[Course], permutations: int, seed: int) -> float:
    """How often groups that take each other's share of failed sessions look as much like a limit."""
    n = np.array([c.size for c in found])
    e = np.array([c.established[-1] for c in found])
    moved = orders(len(found), permutations, seed)
    share = 1 - e / n
    shuffled = np.rint(n * (1 - share[moved]))
    shuffled[0] = e
    gains = np.array([_gain(n, row) for row in shuffled])
    return float((gains >= gains[0] - 1e-9).mean())


def _gain(n: Floats, e: Floats) -> float:
    top = float(e.max())
    return _likelihood(n, e, top) - _likelihood(n, e, float(n.max())) if n.max() > top else 0.0


def separate(found: Sequence[Course], permutations: int = PERMUTATIONS) -> list[tuple[str, list[Course], Plateau]]:
    """Plateaus with their scope: one over all groups when these agree, else one for each group that shows it.

    Groups whose computed limits differ cannot share a plateau, so each computed limit is looked at by itself.
    """
    result: list[tuple[str, list[Course], Plateau]] = []
    for limit in sorted({c.limit for c in found}, key=lambda value: (value is None, value or 0.0)):
        same = [c for c in found if c.limit == limit]
        common = plateau(same, permutations)
        if common is None:
            alone = [(c, plateau([c], 1)) for c in same]
            result += [(_only(c), [c], p) for c, p in alone if p is not None]
            continue
        one = len(common.beyond) == 1
        scope = _only(common.beyond[0]) if one else f"configured peers of {len(same)} groups"
        result.append((scope, same, common))
    return result


def _only(course: Course) -> str:
    return f"configured peers of group {course.group} only"


def judge_plateau(found: Plateau, q: float) -> Verdict:
    """The word for a plateau. One group is enough for a limit that was computed before; else it takes several."""
    groups = len(found.beyond)
    told = f"established never exceeded {found.at:.0f} in {groups} of {found.groups} groups configured beyond it"
    if groups == 1:
        told = f"one group only: its established sessions never exceeded {found.at:.0f}"
    if not found.narrow:
        return Verdict(INDISTINCT, f"losses beyond {found.at:.0f} form no plateau")
    if found.explained:
        return Verdict(SUPPORTED, f"{told}; the computed limit lies in the interval")
    if groups >= MIN_GROUPS_BEYOND and q <= ALPHA:
        return Verdict(SUPPORTED, f"{told}; q {q:.3f}")
    if found.sizes_beyond >= MIN_SIZES_BEYOND:
        return Verdict(SUGGESTIVE, told)
    return Verdict(TOO_LITTLE, f"{told}, at one size")
