"""The steps after reading, ended in the middle or by an error, and repeated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipeline import steps
from pipeline.effects import estimate
from pipeline.engines.local import InputOptions, ingest
from pipeline.errors import WarehouseError
from pipeline.settings import Settings
from pipeline.warehouse import writer
from pipeline.warehouse.writer import Warehouse

SAMPLES = Path(__file__).parents[1] / "sample_logs"
STATISTICS = ("effects", "exposure", "forecasts", "size_thresholds")


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    """A reading of one recording that is not analysed yet."""
    with Warehouse.open(tmp_path / "w") as held:
        ingest(held, [str(SAMPLES / "hold-timer-loss")], InputOptions("c"), Settings())
        yield held


def stored(warehouse: Warehouse, *names: str) -> dict[str, pl.DataFrame]:
    return {name: warehouse.frame(f"FROM {name} ORDER BY ALL") for name in names}


def test_a_run_that_ended_before_its_statistics_makes_up_for_them(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(estimate, "estimate_tables", ended)
        with pytest.raises(KeyboardInterrupt):
            steps.analyze(warehouse, None)
    assert not stored(warehouse, "incidents")["incidents"].is_empty()
    assert stored(warehouse, "exposure")["exposure"].is_empty()
    steps.analyze(warehouse, None)
    found = stored(warehouse, *STATISTICS)
    assert not found["exposure"].is_empty()
    fresh = {name: pl.concat(rows) for name, rows in _estimated(warehouse).items()}
    for name in STATISTICS:
        assert fresh[name].height == found[name].height, name


def _estimated(warehouse: Warehouse) -> dict[str, list[pl.DataFrame]]:
    parts = estimate.estimate_tables(estimate.inputs(warehouse)).values()
    return {name: [part[name] for part in parts] for name in STATISTICS}


def test_statistics_are_found_once(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    steps.analyze(warehouse, None)
    before = warehouse.change_seq
    monkeypatch.setattr(estimate, "estimate_tables", None)  # whoever asks for it fails
    steps.analyze(warehouse, None)
    assert warehouse.change_seq == before


def test_tables_that_cannot_be_written_meanwhile_are_an_error(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise WarehouseError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(writer, "write", refuse)
        with pytest.raises(WarehouseError, match="the disk is full"):
            steps.analyze(warehouse, None)
    assert all(frame.is_empty() for frame in stored(warehouse, "incidents", *STATISTICS).values())
    steps.analyze(warehouse, None)
    assert not any(frame.is_empty() for frame in stored(warehouse, "incidents", "exposure").values())


def test_a_warehouse_that_never_kept_what_its_statistics_rest_on_gets_it(warehouse: Warehouse) -> None:
    steps.analyze(warehouse, None)
    before = stored(warehouse, *STATISTICS)
    warehouse.connection.execute("DELETE FROM derived_digests WHERE cluster = ''")
    assert warehouse.statistics_are_due()
    steps.analyze(warehouse, None)
    assert not warehouse.statistics_are_due()
    for name, frame in stored(warehouse, *STATISTICS).items():
        assert frame.equals(before[name]), name


def test_what_is_settled_and_a_failed_settling(warehouse: Warehouse) -> None:
    steps.analyze(warehouse, None)
    con = warehouse.connection
    con.execute("UPDATE derived_digests SET digest = 'other' WHERE table_name = 'nodes'")
    assert warehouse.statistics_are_due()
    con.execute("ALTER TABLE derived_digests RENAME TO hidden")
    with pytest.raises(duckdb.Error):
        warehouse.settle_statistics()
    con.execute("ALTER TABLE hidden RENAME TO derived_digests")
    assert warehouse.statistics_are_due()
