"""The score test against a library, and permutations that move whole groups."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm

from pipeline.effects import scores
from pipeline.effects.panel import Panel, by_cluster, orders, panel_of
from tests.effects.tables import at
from tests.effects.worlds import World


def test_the_score_is_that_of_a_poisson_regression() -> None:
    panel = World(groups=40, spread=0.0).panel(np.random.default_rng(1))
    design = scores.design(panel, *scores.version_columns(panel))
    null = scores.fit_null(panel, design)
    library = sm.GLM(panel.failures, design, family=sm.families.Poisson(), exposure=panel.hours).fit()
    chi_square = library.score_test(exog_extra=np.log2(panel.size)[:, None])[0]
    found = scores.scores(null, np.log2(panel.size)[None, :])[0] ** 2
    if null.phi == 0:
        assert found == pytest.approx(float(np.squeeze(chi_square)), rel=1e-4)
    else:
        assert found == pytest.approx(float(np.squeeze(chi_square)), rel=0.3)


def test_the_null_model_is_that_of_a_library() -> None:
    panel = World(groups=60, spread=0.5).panel(np.random.default_rng(2))
    design = scores.design(panel, *scores.version_columns(panel))
    null = scores.fit_null(panel, design)
    family = sm.families.NegativeBinomial(alpha=null.phi)
    library = sm.GLM(panel.failures, design, family=family, exposure=panel.hours).fit()
    assert null.mean == pytest.approx(library.mu, rel=1e-3)
    assert 0.2 < null.phi < 1.0


def test_dispersion_is_zero_without_extra_variation_and_grows_with_it() -> None:
    means = np.full(50, 20.0)
    assert scores.dispersion(means, means, 49) == 0.0
    assert scores.dispersion(np.tile([0.0, 40.0], 25), means, 49) == pytest.approx(1.0, abs=0.1)


def test_orders_keep_to_their_blocks_and_begin_as_observed() -> None:
    blocks = np.array([0, 0, 0, 1, 1])
    table = orders(5, 50, 3, blocks)
    assert table[0].tolist() == [0, 1, 2, 3, 4]
    assert (np.sort(table, axis=1) == np.arange(5)).all()
    assert (blocks[table] == blocks).all()


def test_sizes_that_hardly_differ_are_one_cell_of_their_mean() -> None:
    rows = [("c", "g", size, "v1", at(size), hours, 1) for size, hours in ((101, 10.0), (102, 30.0), (155, 5.0))]
    names = ["cluster", "group_name", "size", "calico_version", "started_at", "session_hours", "failures"]
    panel = panel_of(pl.DataFrame(rows, schema=names, orient="row"))
    assert panel.size.tolist() == [101.75, 155.0]
    assert panel.hours.tolist() == [40.0, 5.0]
    assert panel.failures.tolist() == [2.0, 1.0]


def two_groups() -> Panel:
    return Panel(
        np.array([0, 0, 1]), np.array([100.0, 160.0, 50.0]), np.array([0, 1, 0]), np.array([30.0, 10.0, 7.0]),
        np.array([1.0, 2.0, 0.0]), ("a", "b"), ("x", "y"), ("c", "c"),
    )  # fmt: skip


def test_a_group_lends_its_course_over_its_own_time() -> None:
    panel = two_groups()
    assert panel.trajectories(panel.size).tolist() == [[100.0, 160.0, 100.0], [50.0, 50.0, 50.0]]
    assert panel.permuted(panel.size, np.array([[0, 1], [1, 0]])).tolist() == [[100, 160, 50], [50, 50, 100]]


def test_a_panel_of_some_cells_numbers_its_groups_anew() -> None:
    only = two_groups().only(np.array([False, False, True]))
    assert (only.groups, only.names, only.group.tolist()) == (1, ("y",), [0])


def test_clusters_in_place_of_groups() -> None:
    merged = by_cluster(two_groups())
    assert (merged.groups, merged.hours.tolist(), merged.failures.tolist()) == (1, [37.0, 10.0], [1.0, 2.0])


def test_inflation_tells_what_cannot_be_separated() -> None:
    panel = World(groups=30).panel(np.random.default_rng(4))
    size = np.log2(panel.size)
    null = scores.fit_null(panel, scores.design(panel, size))
    rng = np.random.default_rng(5)
    assert scores.inflation(null, rng.normal(size=30)) < 1.5
    assert scores.inflation(null, size + rng.normal(size=30) * 0.01) > 100
    assert scores.inflation(null, size) == float("inf")


def test_columns_that_add_nothing_are_left_out() -> None:
    panel = two_groups()
    assert scores.design(panel, np.ones(3), panel.size, 2 * panel.size).shape == (3, 2)
