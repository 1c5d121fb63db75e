"""Made-up clusters with a chosen truth, as panels and courses: what the statistics are tried on. Nothing is real.

Rates differ from group to group by a gamma factor (variance ``spread``) and, where asked for, from cluster to
cluster; ``bursts`` makes failures come as incidents that take many sessions of a group at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from pipeline.effects.panel import Floats, Ints, Panel
from pipeline.effects.saturation import Course

LIMIT = 150
VERSIONS = ("v3.22.4", "v3.26.1")


def no_effect(sizes: Floats) -> Floats:
    """Size does nothing."""
    return np.ones_like(sizes)


def step(ratio: float, at: float = LIMIT) -> Callable[[Floats], Floats]:
    """Groups larger than ``at`` fail ``ratio`` times as often."""
    return lambda sizes: np.where(sizes > at, ratio, 1.0)


def growth(power: float) -> Callable[[Floats], Floats]:
    """Failures per session-hour grow with a power of the size, without any threshold."""
    return lambda sizes: (sizes / 60.0) ** power


@dataclass(frozen=True)
class World:
    """The truth of a made-up set of groups."""

    groups: int = 60
    clusters: int = 1
    spread: float = 0.5
    cluster_spread: float = 0.0
    base: float = 0.001
    size_effect: Callable[[Floats], Floats] = field(default=no_effect)
    version_ratio: float = 1.0
    large_run_new: float = 0.0
    version_by_cluster: bool = False
    smallest: int = 20
    largest: int = 400
    bursts: bool = False
    observed: float = 1.0
    upgrades: bool = False

    def panel(self, rng: np.random.Generator) -> Panel:
        """One draw: a cell for each group, or two where groups were upgraded half-way."""
        g = self.groups
        place = np.sort(np.arange(g) % self.clusters)
        sizes = np.rint(np.exp(rng.uniform(np.log(self.smallest), np.log(self.largest), g)))
        new = self._versions(rng, sizes, place)
        factor = _gamma(rng, self.spread, g) * _gamma(rng, self.cluster_spread, self.clusters)[place]
        span = rng.uniform(240, 720, g)
        names = tuple(f"group-{n}" for n in range(g))
        clusters = tuple(f"cluster-{n}" for n in place)
        if self.upgrades:
            group, sizes, span, factor = (np.repeat(v, 2) for v in (np.arange(g), sizes, span / 2, factor))
            new = np.tile([0, 1], g)
        else:
            group = np.arange(g)
        rate = self.base * factor * self.size_effect(sizes) * np.where(new == 1, self.version_ratio, 1.0)
        seen = span * self.observed * rng.uniform(0.6, 1.0, len(span))
        failures = self._failures(rng, rate, sizes, seen)
        return Panel(group, sizes, new, sizes * seen, failures, VERSIONS, names, clusters)

    def _versions(self, rng: np.random.Generator, sizes: Floats, place: Ints) -> Ints:
        if self.version_by_cluster:
            by_cluster: Ints = rng.permutation(np.arange(self.clusters) % 2)[place]
            return by_cluster
        chance = np.where(sizes > np.median(sizes), 0.5 + self.large_run_new / 2, 0.5 - self.large_run_new / 2)
        return (rng.random(self.groups) < chance).astype(np.int64)

    def _failures(self, rng: np.random.Generator, rate: Floats, sizes: Floats, seen: Floats) -> Floats:
        if not self.bursts:
            return rng.poisson(rate * sizes * seen).astype(np.float64)
        mean_share = 0.5
        incidents = rng.poisson(rate * seen / mean_share)
        taken = [rng.binomial(int(n), rng.beta(1, 1, count)).sum() for n, count in zip(sizes, incidents, strict=True)]
        return np.asarray(taken, dtype=np.float64)


def _gamma(rng: np.random.Generator, variance: float, count: int) -> Floats:
    return rng.gamma(1 / variance, variance, count) if variance else np.ones(count)


def courses(
    rng: np.random.Generator,
    groups: int = 30,
    limit: float | None = LIMIT,
    told: bool = False,
    down: float = 0.01,
    spread: float = 1.0,
    grows: int = 4,
) -> list[Course]:
    """Counts of sessions of groups that grow in a few steps; at most ``limit`` can be established.

    ``told`` gives the groups a computed limit of 150; sessions are down for other reasons with probability
    ``down`` times a gamma factor of the group.
    """
    found = []
    for number in range(groups):
        last = np.exp(rng.uniform(np.log(30), np.log(300))) if groups > 1 else rng.uniform(LIMIT + 5, 300)
        sizes = np.unique(np.rint(np.linspace(0.75 * last, last, grows)))
        can = sizes if limit is None else np.minimum(sizes, limit)
        share = min(down * float(_gamma(rng, spread, 1)[0]), 0.9)
        seen = can - rng.binomial(can.astype(int), share, (12, len(sizes)))
        found.append(
            Course(
                "cluster-0", f"group-{number}", sizes, np.median(seen, axis=0), float(seen.max()),
                float(LIMIT) if told else None,
            )
        )  # fmt: skip
    return found
