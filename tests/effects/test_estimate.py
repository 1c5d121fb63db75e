"""All statistics of derived tables, and that they fit the warehouse."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.effects.estimate import EFFECTS, THRESHOLDS, estimate_tables, inputs
from pipeline.effects.exposure import INPUTS
from pipeline.effects.summary import picture, summarise
from pipeline.warehouse.writer import Warehouse
from tests.effects.tables import stretch, tables
from tests.warehouse.build import build


def two_clusters() -> dict[str, pl.DataFrame]:
    """One group each, far too little for anything."""
    given = [stretch("1", "up", 0, 2), stretch("1", "down", 2, 3), stretch("1", "up", 3, 10)]
    parts = [tables(given, [(0, 10)], cluster=name) for name in ("a", "b")]
    return {name: pl.concat([part[name] for part in parts]) for name in INPUTS}


def test_every_cluster_and_all_together_have_rows() -> None:
    found = estimate_tables(two_clusters())
    assert list(found) == ["a", "b", "all"]
    assert set(found["a"]) == {"exposure", "effects", "size_thresholds", "forecasts"}
    assert found["all"]["effects"]["groups"].to_list() == [2] * found["all"]["effects"].height
    assert set(found["all"]["effects"]["verdict"]) == {"not_enough_data"}


def test_columns_are_those_of_the_schema() -> None:
    found = estimate_tables(two_clusters())["a"]
    assert found["effects"].schema == pl.Schema(EFFECTS)
    assert found["size_thresholds"].schema == pl.Schema(THRESHOLDS)


def test_one_cluster_needs_no_row_for_all() -> None:
    found = estimate_tables(tables([stretch("1", "up", 0, 2)], [(0, 10)]))
    assert found["all"]["effects"].is_empty()
    assert found["c"]["effects"].height > 0


def test_a_cluster_that_is_called_all_is_a_cluster() -> None:
    parts = [tables([stretch("1", "up", 0, 2)], [(0, 10)], cluster=name) for name in ("all", "b")]
    found = estimate_tables({name: pl.concat([part[name] for part in parts]) for name in INPUTS})
    assert list(found) == ["all", "b"]
    assert found["all"]["exposure"].height == 1


def test_the_rows_fit_the_warehouse_and_the_same_again_changes_nothing(tmp_path: Path) -> None:
    with Warehouse.open(build(tmp_path)) as warehouse:
        for cluster, found in estimate_tables(inputs(warehouse)).items():
            warehouse.replace_derived(cluster, found)
        assert warehouse.frame("FROM exposure").height > 0
        limits = warehouse.frame("FROM size_thresholds").to_dicts()
        assert all(row["rule"] for row in limits)
        before = warehouse.change_seq
        for cluster, found in estimate_tables(inputs(warehouse)).items():
            warehouse.replace_derived(cluster, found)
        assert warehouse.change_seq == before


def test_nothing_at_all() -> None:
    empty = {name: frame.clear() for name, frame in two_clusters().items()}
    assert estimate_tables(empty)["all"]["effects"].is_empty()


def test_five_sentences_even_without_answers() -> None:
    found = estimate_tables(two_clusters())
    merged = {name: pl.concat([part[name] for part in found.values()]) for name in found["a"]}
    said = summarise(merged["effects"], merged["size_thresholds"], merged["forecasts"])
    assert len(said) == 5
    assert all(sentence.endswith(".") for sentence in said)
    assert "cannot be told" in said[1]
    assert "No limit could be computed" in said[3]
    assert len(summarise(merged["effects"].clear(), merged["size_thresholds"].clear())) == 5


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("supported", "2.0 times as often"), ("suggestive", "signs"), ("confounded", "cannot separate"),
     ("not_distinguishable", "do not lose sessions more often")],
)  # fmt: skip
def test_the_words_for_size(verdict: str, words: str) -> None:
    row = dict.fromkeys(EFFECTS) | {
        "cluster": "c", "category": "any", "outcome": "failures", "factor": "size", "adjusted_for": "version",
        "estimate": 2.0, "ci_low": 1.2, "ci_high": 3.1, "verdict": verdict, "p_value": 0.01,
    }  # fmt: skip
    effects = pl.DataFrame([row], schema=EFFECTS)
    assert words in summarise(effects, pl.DataFrame(schema=THRESHOLDS))[1]


def test_the_picture_has_hollow_points_where_little_is_known() -> None:
    exposure = estimate_tables(two_clusters())["a"]["exposure"]
    points = picture(exposure).to_dicts()
    assert [(p["size_class"], p["size"], p["failures"], p["enough"]) for p in points] == [("1-25", 10.0, 1, False)]
    assert points[0]["rate_low"] < points[0]["rate"] < points[0]["rate_high"]
