"""Every record stays as Parquet when asked for, once, whatever interrupts the run."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline import steps
from pipeline.engines import archive
from pipeline.engines.local import InputOptions, ingest
from pipeline.engines.parse import Piece, understand_pieces
from pipeline.engines.reading import Reading
from pipeline.grammar import load_ruleset
from pipeline.settings import Settings
from pipeline.sources.identify import identify
from pipeline.warehouse.reader import open_snapshot
from pipeline.warehouse.writer import Warehouse
from tests.engines.corpus import container_log

KEPT = InputOptions(cluster="a/b", archive=True)
ROWS = "SELECT cluster, source_path, byte_offset, message FROM archive ORDER BY ALL"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "logs" / "worker-1" / "calico-node-x.log"
    path.parent.mkdir(parents=True)
    path.write_bytes(container_log(3, 200).decode("utf-8", "replace").encode())
    return path


def load(folder: Path, log: Path, options: InputOptions = KEPT, **changed: Any) -> list[tuple[Any, ...]]:
    """Rows of the archive, asked in the sandbox, after a run."""
    chosen = replace(Settings(), **{"processes": 1, **changed})
    with Warehouse.open(folder) as warehouse:
        ingest(warehouse, [str(log)], options, chosen)
        steps.mine(warehouse, chosen)
        steps.publish(warehouse, chosen)
    with open_snapshot(folder) as snapshot:
        return snapshot.frame(ROWS).rows()


def test_all_records_are_kept_however_they_were_cut(log: Path, tmp_path: Path) -> None:
    whole = load(tmp_path / "one", log)
    data = log.read_bytes()
    read = understand_pieces([Piece(0, str(log), identify(data), data)], load_ruleset(), Settings()).spoken
    assert sorted(row[3] for row in whole) == sorted(read["message"].to_list())
    assert {row[0] for row in whole} == {"a/b"}
    assert load(tmp_path / "two", log, item_bytes=4096, processes=2) == whole


def test_the_same_bytes_are_archived_once(log: Path, tmp_path: Path) -> None:
    whole = load(tmp_path / "one", log)
    copy = log.with_name("copy-of-calico-node-x.log")
    copy.write_bytes(log.read_bytes())
    assert load(tmp_path / "one", copy) == whole
    assert load(tmp_path / "one", copy, item_bytes=4096) == whole


@pytest.mark.parametrize("committed", [True, False])
def test_a_run_that_ended_early_is_finished_or_removed(
    committed: bool, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load(tmp_path / "other", log)

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(archive.Archive, "settle", die) if committed else patch.setattr(Reading, "finish", die)
        with pytest.raises(Killed):
            load(tmp_path / "one", log)
    assert not list((tmp_path / "one" / "archive").glob("cluster=*"))
    assert load(tmp_path / "one", log) == whole
    assert not list((tmp_path / "one" / "archive").glob(".load-*"))


def test_old_days_go(tmp_path: Path) -> None:
    for day in ("2024-01-01", "2024-01-30", "unknown"):
        records = pl.DataFrame({name: [None] for name in archive.COLUMNS}).with_columns(
            ts=pl.lit(
                None if day == "unknown" else datetime.fromisoformat(f"{day}T00:00:00Z"), pl.Datetime("us", "UTC")
            )
        )
        archive.write_records(records, tmp_path / "archive" / "cluster=a", "x", "0")
    assert archive.prune(tmp_path, 0, date(2024, 2, 1)) == []
    assert len(archive.prune(tmp_path, 10, date(2024, 2, 1), dry_run=True)) == 1
    assert len(archive.prune(tmp_path, 10, date(2024, 2, 1))) == 1
    assert sorted(path.name for path in (tmp_path / "archive" / "cluster=a").iterdir()) == [
        "date=2024-01-30",
        "date=unknown",
    ]


def test_without_the_option_nothing_is_archived(log: Path, tmp_path: Path) -> None:
    with Warehouse.open(tmp_path / "one") as warehouse:
        ingest(warehouse, [str(log)], InputOptions(), replace(Settings(), processes=1))
    assert not (tmp_path / "one" / "archive").exists()
