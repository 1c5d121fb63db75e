"""Searching a size: what is found, what is not, and the same answer every time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.effects import scores
from pipeline.effects.thresholds import (
    HINGE,
    STEP,
    candidates,
    covariate,
    fit_weighted,
    judge_threshold,
    search,
)
from tests.effects.worlds import LIMIT, World, growth, step


def test_a_step_is_found_where_it_is() -> None:
    panel = World(groups=40, size_effect=step(8.0), spread=0.2).panel(np.random.default_rng(1))
    found = search(panel, 499)
    assert found is not None
    assert found.form == STEP
    assert found.p < 0.01
    assert found.low <= LIMIT <= found.high
    assert found.ratio == pytest.approx(8.0, rel=0.5)
    assert judge_threshold(found, found.p, 40, 1000).word == "supported"


def test_smooth_growth_is_not_called_a_threshold() -> None:
    words = []
    for seed in range(10):
        panel = World(groups=60, size_effect=growth(0.8), spread=0.2).panel(np.random.default_rng(seed))
        found = search(panel, 499, 50)
        words.append(judge_threshold(found, found.p if found else 1.0, 60, 1000).word)
    assert words.count("supported") <= 2


def test_nothing_at_all_below_a_size_is_sharp() -> None:
    panel = World(groups=40).panel(np.random.default_rng(8))
    surplus = replace(panel, failures=np.maximum(panel.size - LIMIT, 0.0))
    found = search(surplus, 999)
    assert found is not None
    assert (found.form, found.sharp) == (STEP, True)
    assert found.low <= LIMIT <= found.high
    word = judge_threshold(found, found.p, 40, int(surplus.failures.sum()))
    assert word.word == "supported"
    assert "not one failure" in word.rule


def test_the_same_data_give_the_same_answer() -> None:
    panel = World(groups=30).panel(np.random.default_rng(3))
    assert search(panel, 499, 100) == search(panel, 499, 100)


def test_candidates_leave_groups_on_both_sides() -> None:
    panel = World(groups=12).panel(np.random.default_rng(4))
    sizes = candidates(panel)
    assert len(sizes) > 0
    assert all((panel.size > k).sum() >= 3 and (panel.size <= k).sum() >= 3 for k in sizes)


def test_few_groups_or_failures_are_not_enough() -> None:
    tiny = World(groups=5).panel(np.random.default_rng(5))
    assert search(tiny) is None
    assert judge_threshold(None, 1.0, 5, 100).word == "not_enough_data"


def test_forms() -> None:
    sizes = np.array([50.0, 100.0, 200.0])
    assert covariate(sizes, 100, STEP).tolist() == [0, 0, 1]
    assert covariate(sizes, 100, HINGE).tolist() == [0, 0, 1]


def test_the_weighted_fit_is_that_of_a_library() -> None:
    import statsmodels.api as sm

    panel = World(groups=30).panel(np.random.default_rng(6))
    weight = np.random.default_rng(7).uniform(0.1, 1, 30)
    design = scores.design(panel, np.log2(panel.size))
    _, beta = fit_weighted(design, panel.failures, panel.hours, weight)
    library = sm.GLM(
        panel.failures, design, family=sm.families.Poisson(), exposure=panel.hours, var_weights=weight
    ).fit()
    assert beta == pytest.approx(library.params, rel=1e-5)
