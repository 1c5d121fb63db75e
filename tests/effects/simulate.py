"""How often the statistics are right, on made-up clusters with a known truth.

``python -m tests.effects.simulate --runs 1000`` prints the figures of ``docs/statistics.md``; the tests run the
same experiments with fewer runs. Every verdict is given with q = p, as if each were the only question asked: in
a real run the family makes them stricter.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.effects import saturation, within
from pipeline.effects.adjust import Comparison, compare_size, compare_version
from pipeline.effects.forecast import crossing
from pipeline.effects.panel import Panel
from pipeline.effects.thresholds import judge_threshold, search
from pipeline.effects.verdicts import CONFOUNDED, SUPPORTED, TOO_LITTLE, Finding, judge
from tests.effects.worlds import LIMIT, World, courses, growth, step

PERMUTATIONS = 999
Facts = dict[str, bool | float]
Experiment = Callable[[np.random.Generator, int], Facts]


def size_word(panel: Panel, seed: int) -> tuple[str, Comparison]:
    """Verdict on size."""
    found = compare_size(panel, PERMUTATIONS, seed)
    return _word(found), found


def version_word(panel: Panel, seed: int, at: float | None) -> tuple[str, Comparison]:
    """Verdict on the newer version against the older one."""
    found = compare_version(panel, 1, 0, at, PERMUTATIONS, seed)
    return _word(found), found


def _word(f: Comparison) -> str:
    return judge(Finding(
        f.failures, f.groups, f.smaller_side, f.p_crude, f.p_adjusted, f.p_adjusted, f.adjusted.low, f.adjusted.high,
        f.inflation, f.overlap, "other",
    )).word  # fmt: skip


def _width(found: Comparison) -> float:
    """Length of the interval in logarithms; not a number where there is none."""
    low, high = found.adjusted.low, found.adjusted.high
    return float(np.log(high / low)) if low > 0 and np.isfinite(high) else float("nan")


def asked(world: World) -> Experiment:
    """All three questions about a panel of the world."""

    def run(rng: np.random.Generator, seed: int) -> Facts:
        panel = world.panel(rng)
        found = search(panel, PERMUTATIONS, 300, seed)
        p = found.p if found else 1.0
        threshold = judge_threshold(found, p, panel.groups, int(panel.failures.sum())).word
        size, by_size = size_word(panel, seed)
        version, by_version = version_word(panel, seed, found.size if found and found.p <= 0.1 else None)
        return {
            "threshold supported": threshold == SUPPORTED,
            "size supported": size == SUPPORTED,
            "version supported": version == SUPPORTED,
            "size confounded": size == CONFOUNDED,
            "version confounded": version == CONFOUNDED,
            f"threshold interval holds {LIMIT}": found is not None and found.low <= LIMIT <= found.high,
            "threshold supported and holds it": threshold == SUPPORTED and found is not None
            and found.low <= LIMIT <= found.high,
            "size interval holds 1": by_size.adjusted.low <= 1 <= by_size.adjusted.high,
            "version interval holds truth": by_version.adjusted.low <= world.version_ratio <= by_version.adjusted.high,
            "version ratio": by_version.adjusted.ratio,
            "version width": _width(by_version),
            "crude size excludes 1": not by_size.crude.low <= 1 <= by_size.crude.high,
            "crude version excludes 1": not by_version.crude.low <= 1 <= by_version.crude.high,
        }  # fmt: skip

    return run


def limited(groups: int, limit: float | None, told: bool, down: float = 0.01, spread: float = 1.0) -> Experiment:
    """Saturation: groups that grow, with or without a limit, whose computed limit is known or not."""

    def run(rng: np.random.Generator, seed: int) -> Facts:
        found = courses(rng, groups, limit, told, down, spread)
        plateau = saturation.plateau(found, PERMUTATIONS, seed)
        if plateau is None:
            return {"saturation supported": False, f"interval holds {LIMIT}": False}
        word = saturation.judge_plateau(plateau, plateau.p if np.isfinite(plateau.p) else 1.0).word
        return {
            "saturation supported": word == SUPPORTED,
            f"interval holds {LIMIT}": plateau.low <= LIMIT <= plateau.high,
        }

    return run


def one_group(rng: np.random.Generator, seed: int) -> Facts:
    """One group that grew past a limit: its plateau may be told, an effect of size may not."""
    plateau = saturation.plateau(courses(rng, 1, LIMIT, told=True), PERMUTATIONS, seed)
    panel = World(groups=1, smallest=160, largest=300, size_effect=step(5.0)).panel(rng)
    word = "" if plateau is None else saturation.judge_plateau(plateau, 1.0).word
    rule = "" if plateau is None else saturation.judge_plateau(plateau, 1.0).rule
    return {
        "saturation supported": word == SUPPORTED,
        "rule says one group": "one group only" in rule,
        "size not_enough_data": size_word(panel, seed)[0] == TOO_LITTLE,
    }


def changed(ratio: float) -> Experiment:
    """Before and after an upgrade in twelve groups of several clusters, whose halves differ anyway."""

    def run(rng: np.random.Generator, seed: int) -> Facts:
        panel = World(groups=12, clusters=4, upgrades=True, version_ratio=ratio, base=0.0005).panel(rng)
        drift = rng.gamma(10, 0.1, len(panel.failures))
        noisy = Panel(
            panel.group, panel.size, panel.version, panel.hours, rng.poisson(panel.failures * drift).astype(np.float64),
            panel.versions, panel.names, panel.clusters,
        )  # fmt: skip
        found = within.before_after(noisy, 1, 0, PERMUTATIONS, seed)
        if found is None:
            return {"version supported": False, "interval holds truth": False}
        return {
            "version supported": within.judge_change(found, found.p).word == SUPPORTED,
            "interval holds truth": found.estimate.low <= ratio <= found.estimate.high,
        }

    return run


def forecasts(rng: np.random.Generator, _: int) -> Facts:
    """A group that grows by random steps: does the interval hold the day on which it meets its limit?"""
    steps = rng.poisson(rng.uniform(0.3, 1.5), 30 + 400) - rng.binomial(1, 0.1, 430)
    size = 80 + np.cumsum(steps)
    watched, ahead = size[:30], size[30:]
    gaps = np.diff(watched).astype(float)
    drift = float(watched[-1] - watched[0]) / 29
    found = crossing(LIMIT - float(watched[-1]), drift, float(((gaps - drift) ** 2).sum() / 28), 29.0, 28)
    met = np.flatnonzero(ahead >= LIMIT)
    day = float(met[0]) + 1 if len(met) else float("inf")
    early = found.earliest if found.earliest is not None else float("inf")
    late = found.latest if found.latest is not None else float("inf")
    return {"interval holds the day": early <= day <= late}


@dataclass(frozen=True)
class Figures:
    """Shares and means over the runs of one experiment."""

    name: str
    runs: int
    values: dict[str, float]
    seconds: float


EXPERIMENTS: dict[str, Experiment] = {
    "no effect, 60 groups": asked(World()),
    "no effect, 60 groups, failures in bursts": asked(World(bursts=True, spread=0.3)),
    "no effect, 60 groups, versions go with size": asked(World(large_run_new=0.7)),
    "no effect, 16 groups, wide spread": asked(World(groups=16, spread=1.5)),
    "no effect, 10 clusters of 6 groups, one version each": asked(
        World(clusters=10, cluster_spread=0.5, version_by_cluster=True)
    ),
    "limit: rate x10 above 150, 30 groups": asked(World(groups=30, size_effect=step(10.0), spread=0.4)),
    "limit: rate x4 above 150, 60 groups": asked(World(groups=60, size_effect=step(4.0), spread=0.4)),
    "smooth growth with size, 60 groups": asked(World(size_effect=growth(0.7), spread=0.3)),
    "simpson: bad version (x4) on large groups": asked(World(version_ratio=4.0, large_run_new=0.6)),
    "reverse: size (x4 above 150), new version on large groups": asked(
        World(size_effect=step(4.0), large_run_new=0.6)
    ),
    "inseparable: all large groups run the bad version": asked(World(version_ratio=4.0, large_run_new=1.0, groups=30)),
    "version x2, everything observed": asked(World(version_ratio=2.0)),
    "version x2, a quarter observed": asked(World(version_ratio=2.0, observed=0.25)),
    "limit by saturation, 30 groups, not computed": limited(30, LIMIT, told=False),
    "limit by saturation, 30 groups, computed": limited(30, LIMIT, told=True),
    "no limit, 30 groups, not computed": limited(30, None, told=False),
    "no limit, 30 groups, 150 computed": limited(30, None, told=True),
    "no limit, 30 groups, heavy losses": limited(30, None, told=False, down=0.1, spread=3.0),
    "no limit, 30 groups, heavy losses, 150 computed": limited(30, None, told=True, down=0.1, spread=3.0),
    "no limit, one group, 150 computed": limited(1, None, told=True),
    "one group past its limit": one_group,
    "upgrade without effect, 12 groups": changed(1.0),
    "upgrade x3, 12 groups": changed(3.0),
    "forecast": forecasts,
}  # fmt: skip


def simulate(name: str, runs: int, seed: int = 20240501) -> Figures:
    """Run one experiment; the same name, runs and seed give the same figures."""
    started = time.perf_counter()
    seen: dict[str, list[float]] = {}
    for number in range(runs):
        rng = np.random.default_rng([seed, number])
        for fact, value in EXPERIMENTS[name](rng, number).items():
            seen.setdefault(fact, []).append(float(value))
    means = {fact: float(np.nanmean(values)) for fact, values in seen.items()}
    return Figures(name, runs, means, time.perf_counter() - started)


def lines(figures: Figures) -> Iterator[str]:
    """The figures as text, one line each."""
    yield f"{figures.name} ({figures.runs} runs, {figures.seconds:.0f} s)"
    for fact, value in figures.values.items():
        if fact in ("version ratio", "version width"):
            yield f"  {fact:32s} {value:6.2f}"
        else:
            error = (value * (1 - value) / figures.runs) ** 0.5
            yield f"  {fact:32s} {100 * value:5.1f} %  (+- {100 * error:.1f})"


def main() -> None:
    """Print all figures, or those of the experiments whose name holds a text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--only", default="", help="part of an experiment's name")
    options = parser.parse_args()
    for name in EXPERIMENTS:
        if options.only in name:
            for line in lines(simulate(name, options.runs)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
