"""Crude beside adjusted, against formulas and libraries."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.effects.adjust import common_ground, compare_size, compare_version, mantel_haenszel
from pipeline.effects.panel import Panel
from pipeline.effects.within import before_after, judge_change
from tests.effects.worlds import World, step


def test_simpson_crude_and_adjusted() -> None:
    panel = World(groups=80, version_ratio=4.0, large_run_new=0.8, spread=0.1).panel(np.random.default_rng(1))
    size, version = compare_size(panel, 499), compare_version(panel, 1, 0, None, 499)
    assert size.crude.low > 1
    assert size.adjusted.low < 1 < size.adjusted.high
    assert version.adjusted.ratio == pytest.approx(4.0, rel=0.25)
    assert size.p_crude < 0.01 < 0.05 < size.p_adjusted
    assert version.stratified is not None
    assert version.stratified.low < 4.0 < version.stratified.high


def test_mantel_haenszel_is_that_of_rates() -> None:
    exposed = np.array([True, False, True, False])
    strata = np.array([0, 0, 1, 1])
    hours, failures = np.array([1e5, 2e5, 3e5, 1e5]), np.array([30.0, 30.0, 60.0, 10.0])
    panel = Panel(np.arange(4), np.full(4, 50.0), strata, hours, failures, ("a", "b"), tuple("wxyz"), ("c",) * 4)
    found = mantel_haenszel(panel, exposed, strata)
    above = sum(failures[i] * hours[i + 1] / (hours[i] + hours[i + 1]) for i in (0, 2))
    below = sum(failures[i + 1] * hours[i] / (hours[i] + hours[i + 1]) for i in (0, 2))
    assert found is not None
    assert found.ratio == pytest.approx(above / below, rel=0.01)
    assert found.p_homogeneity > 0.5


def test_strata_that_disagree_are_told() -> None:
    exposed, strata = np.array([True, False] * 2), np.array([0, 0, 1, 1])
    hours, failures = np.full(4, 1e5), np.array([400.0, 100.0, 110.0, 400.0])
    panel = Panel(np.arange(4), np.full(4, 50.0), strata, hours, failures, ("a", "b"), tuple("wxyz"), ("c",) * 4)
    found = mantel_haenszel(panel, exposed, strata)
    assert found is not None
    assert found.p_homogeneity < 0.001


def test_no_stratum_with_both_sides_gives_no_ratio() -> None:
    panel = World(groups=4).panel(np.random.default_rng(1))
    exposed = np.array([True, True, False, False])
    assert mantel_haenszel(panel, exposed, exposed.astype(np.int64)) is None


def test_common_ground() -> None:
    panel = World(groups=10).panel(np.random.default_rng(2))
    large = panel.size > np.median(panel.size)
    assert common_ground(panel, large) == 0
    assert common_ground(panel, np.arange(10) % 2 == 0) >= 3


def test_clusters_with_one_version_each_are_compared_as_clusters() -> None:
    world = World(groups=60, clusters=10, version_by_cluster=True, version_ratio=3.0)
    assert compare_version(world.panel(np.random.default_rng(3)), 1, 0, None, 99).groups == 10


def upgraded(after: list[float], before: list[float], clusters: tuple[str, ...]) -> Panel:
    count = len(after)
    failures = np.column_stack([before, after]).ravel()
    return Panel(
        np.repeat(np.arange(count), 2), np.full(2 * count, 80.0), np.tile([0, 1], count), np.full(2 * count, 100.0),
        failures, ("v1", "v2"), tuple(str(n) for n in range(count)), clusters,
    )  # fmt: skip


def test_one_group_that_changed_is_exact_and_never_supported() -> None:
    found = before_after(upgraded([20.0], [5.0], ("c",)), 1, 0)
    assert found is not None
    assert found.estimate.method == "exact conditional binomial"
    assert found.estimate.ratio == pytest.approx(4.0)
    assert found.p == pytest.approx(0.00408, rel=0.01)
    assert judge_change(found, found.p).word == "suggestive"


def test_groups_whose_counts_are_equal_count() -> None:
    panel = upgraded([10.0, 10, 10, 10, 10, 30], [10.0, 10, 10, 10, 10, 10], tuple("aabbcc"))
    found = before_after(panel, 1, 0)
    assert found is not None
    assert found.estimate.ratio == pytest.approx(80 / 60, rel=1e-6)


def test_before_and_after_in_several_clusters() -> None:
    world = World(groups=12, clusters=3, upgrades=True, version_ratio=4.0, size_effect=step(5.0))
    found = before_after(world.panel(np.random.default_rng(3)), 1, 0)
    assert found is not None
    assert found.estimate.low < 4.0 < found.estimate.high
    assert judge_change(found, found.p).word == "supported"
    assert (found.groups, found.clusters) == (12, 3)


def test_nobody_changed() -> None:
    assert before_after(World(groups=10).panel(np.random.default_rng(1)), 1, 0) is None
