"""Derived tables are replaced per cluster, in one transaction, and only when they differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import WarehouseError
from pipeline.shape_ids import shape_id, with_shape_id
from pipeline.warehouse.tables import digest
from pipeline.warehouse.writer import DERIVED_TABLES, Warehouse
from tests.warehouse.build import CLUSTER, build, contents, derived, mine_by_shape


def test_the_same_result_changes_nothing(tmp_path: Path) -> None:
    with Warehouse.open(build(tmp_path)) as warehouse:
        before = warehouse.change_seq
        assert not warehouse.replace_derived(CLUSTER, derived())
        assert not mine_by_shape(warehouse)
        assert warehouse.change_seq == before


def test_categories_count_by_their_texts() -> None:
    def told(texts: Sequence[str | None], before: Sequence[str]) -> str:
        kind = pl.Categorical(pl.Categories.random())
        pl.Series(before, dtype=kind)  # gives the texts other numbers
        return digest(pl.Series("node", texts, dtype=kind).to_frame())

    assert told(["b", None, "a"], []) == told(["b", None, "a"], ["c", "a"])
    assert len({told(texts, []) for texts in (["b", "a"], ["a", "b"], ["a", None], ["a", "c"])}) == 4


def test_only_the_cluster_named_is_replaced(tmp_path: Path) -> None:
    with Warehouse.open(build(tmp_path)) as warehouse:
        assert warehouse.replace_derived("other", {"coverage": pl.DataFrame({"node": ["x"], "component": ["bird"]})})
        assert warehouse.replace_derived(CLUSTER, {"coverage": pl.DataFrame({"node": ["y"], "component": ["bird"]})})
        rows = warehouse.frame("SELECT cluster, node FROM coverage ORDER BY ALL").rows()
        assert rows == [("other", "x"), (CLUSTER, "y")]
        assert warehouse.frame("SELECT count(*) AS n FROM nodes")["n"].item() == 3


def test_an_empty_frame_empties_the_table(tmp_path: Path) -> None:
    with Warehouse.open(build(tmp_path)) as warehouse:
        assert warehouse.replace_derived(CLUSTER, {"incidents": pl.DataFrame()})
        assert warehouse.frame("FROM incidents").is_empty()


@pytest.mark.parametrize(
    ("table", "frame", "message"),
    [
        ("loads", {"load_id": [1]}, "'loads' is not a derived table"),
        ("coverage", {"nodes": ["x"]}, "no column 'nodes'"),
        ("coverage", {"cluster": ["another"], "node": ["x"]}, "rows of another cluster"),
        ("effects", {"verdict": ["certain"]}, "table effects: rows do not fit"),
    ],
)
def test_what_does_not_fit_is_refused_and_rolled_back(
    tmp_path: Path, table: str, frame: dict[str, list[object]], message: str
) -> None:
    before = contents(build(tmp_path))
    changed = {"nodes": pl.DataFrame({"node": ["new"]}), table: pl.DataFrame(frame)}
    with Warehouse.open(tmp_path) as warehouse, pytest.raises(WarehouseError, match=message):
        warehouse.replace_derived(CLUSTER, changed)
    assert contents(tmp_path) == before


def test_every_derived_table_has_a_cluster(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path) as warehouse:
        for name in DERIVED_TABLES:
            assert "cluster" in warehouse.frame(f'FROM "{name}"').columns


def test_mined_templates_are_replaced_as_a_whole(tmp_path: Path) -> None:
    with Warehouse.open(build(tmp_path)) as warehouse:
        shapes = warehouse.shapes().head(1)
        texts = shapes.select(
            pl.lit("t").alias("template_id"), pl.col("shape").alias("template"), "category", "severity"
        )
        assert warehouse.store_mined(shapes.select("shape_id", pl.lit("t").alias("template_id")), texts)
        assert warehouse.frame("SELECT template_id FROM templates").rows() == [("t",)]
        unmined = warehouse.frame("SELECT sum(events) AS n FROM event_counts WHERE template_id IS NULL")["n"].item()
        assert unmined > 0
        assert warehouse.frame("SELECT sum(events) AS n FROM event_counts")["n"].item() == 8


def test_shape_ids_are_content_hashes() -> None:
    # Stored in warehouses: a change here needs a migration.
    assert shape_id("bird", "bird.x", "a <*>") == 1434462747363650394
    assert len({shape_id(None, None, "s"), shape_id("", None, "s"), shape_id(None, "", "s")}) == 3
    frame = pl.DataFrame({"component": [None, "bird"], "rule": [None, "r"], "shape": ["s", "s"]})
    assert with_shape_id(frame)["shape_id"].to_list() == [shape_id(None, None, "s"), shape_id("bird", "r", "s")]
