"""Dumps of one container that overlap: together they count as one run over all of its log would."""

from __future__ import annotations

import gzip
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.engines.local import InputOptions, Summary, ingest
from pipeline.settings import Settings
from pipeline.warehouse.retention import expire
from pipeline.warehouse.writer import Warehouse
from tests.chaos.check import contents, reconciles
from tests.engines.test_growing import LARGE, SMALL, lines, settings, write

__all__ = ["settings"]


def dedupe(warehouse: Path, folder: Path, settings: Settings = SMALL, node: str | None = None) -> Summary:
    with Warehouse.open(warehouse) as opened:
        return ingest(opened, [str(folder)], InputOptions(cluster="c", node=node, overlap="dedupe"), settings)


def dumps(folder: Path, cuts: Sequence[tuple[int, int]]) -> list[Path]:
    return [
        write(folder / f"{number}/node-1/calico-node-abcde.log", lines(first, last))
        for number, (first, last) in enumerate(cuts)
    ]


def alike(one: Path, other: Path) -> None:
    """Both warehouses hold the same rows, wherever in which dump these stood."""
    left, right = contents(one), contents(other)
    for table in ("records", "state_observations"):
        without = [Counter[tuple[Any, ...]](), Counter[tuple[Any, ...]]()]
        for counter, rows in zip(without, (left[table], right[table]), strict=True):
            for row, times in rows.items():
                counter[row[:-1]] += times
        assert without[0] == without[1], table
    assert left["minute_counts"] == right["minute_counts"]
    assert reconciles(other)


CUTS = [(0, 60), (40, 100), (90, 140), (20, 70)]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)], ids=str)
def test_only_what_is_new_is_added_in_whatever_order(
    tmp_path: Path, settings: Settings, order: tuple[int, ...]
) -> None:
    paths = dumps(tmp_path / "dumps", CUTS)
    read = [dedupe(tmp_path / "w", paths[number], settings) for number in order]
    assert sum(summary.lines_read for summary in read) == 140
    assert sum(summary.lines_known for summary in read) == 220 - 140
    write(tmp_path / "whole.log", lines(0, 140))
    dedupe(tmp_path / "once", tmp_path / "whole.log", settings)
    alike(tmp_path / "once", tmp_path / "w")


def test_in_one_run_as_well(tmp_path: Path, settings: Settings) -> None:
    dumps(tmp_path / "dumps", CUTS)
    assert dedupe(tmp_path / "w", tmp_path / "dumps", settings).lines_read == 140
    assert dedupe(tmp_path / "w", tmp_path / "dumps", settings).lines_read == 0


def test_what_lies_before_and_between_is_new(tmp_path: Path, settings: Settings) -> None:
    for number, data in enumerate((lines(30, 40) + lines(60, 70), lines(0, 100))):
        write(tmp_path / f"dumps/{number}.log", data)
    assert dedupe(tmp_path / "w", tmp_path / "dumps", settings).lines_read == 100


def test_without_the_option_every_line_counts(tmp_path: Path) -> None:
    dumps(tmp_path / "dumps", CUTS[:2])
    with Warehouse.open(tmp_path / "w") as opened:
        summary = ingest(opened, [str(tmp_path / "dumps")], InputOptions(cluster="c"), SMALL)
    assert (summary.lines_read, summary.lines_known) == (120, 0)


def test_lines_that_are_equal_stay_as_often_as_the_richest_dump_has_them(tmp_path: Path, settings: Settings) -> None:
    line = b"2024-12-18 07:19:36.000 bird: Node_10_0_0_1: Error: Hold timer expired\n"
    for number, times in enumerate((2, 3, 1)):
        write(tmp_path / f"dumps/{number}.log", lines(number, number + 1) + line * times)
    assert dedupe(tmp_path / "w", tmp_path / "dumps", settings).lines_read == 3 + 3


def test_lines_without_a_time_go_with_the_one_above(tmp_path: Path, settings: Settings) -> None:
    trace = b"goroutine 1 [running]:\n\tmain.go:3 +0x1\n"
    write(tmp_path / "dumps/0.log", b"bird: Started\n" + lines(0, 30) + trace)
    write(tmp_path / "dumps/1.log", b"bird: Started\n" + lines(20, 30) + trace + lines(30, 35) + trace)
    # the first line has nothing above it that tells when it was
    assert dedupe(tmp_path / "w", tmp_path / "dumps", settings).lines_read == 33 + 1 + 5 + 2


def test_another_node_loses_nothing(tmp_path: Path, settings: Settings) -> None:
    paths = dumps(tmp_path / "dumps", CUTS[:2])
    assert dedupe(tmp_path / "w", paths[0], settings, node="node-1").lines_read == 60
    assert dedupe(tmp_path / "w", paths[1], settings, node="node-2").lines_read == 60
    assert dedupe(tmp_path / "w", tmp_path / "dumps", settings, node="node-3").lines_read == 100


def test_a_packed_dump_and_one_that_grew(tmp_path: Path, settings: Settings) -> None:
    path = write(tmp_path / "dumps/a.log", lines(0, 60))
    dedupe(tmp_path / "w", tmp_path / "dumps", settings)
    path.unlink()
    write(tmp_path / "dumps/a.log.gz", gzip.compress(lines(0, 70), mtime=0))
    write(tmp_path / "dumps/b.log", lines(50, 90))
    assert dedupe(tmp_path / "w", tmp_path / "dumps", settings).lines_read == 30


@pytest.mark.parametrize("seed", range(3))
def test_any_dumps_that_cover_a_log_are_that_log(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    edges = sorted({0, 200, *(chance.randrange(200) for _ in range(6))})
    cuts = [
        (max(a - chance.randrange(40), 0), min(b + chance.randrange(40), 200)) for a, b in itertools.pairwise(edges)
    ]
    chance.shuffle(cuts)
    dumps(tmp_path / "dumps", cuts)
    size = replace(LARGE, item_bytes=chance.choice((500, 3000, 50_000)))
    assert dedupe(tmp_path / "w", tmp_path / "dumps", size).lines_read == 200
    write(tmp_path / "whole.log", lines(0, 200))
    dedupe(tmp_path / "once", tmp_path / "whole.log")
    alike(tmp_path / "once", tmp_path / "w")


def test_a_failed_load_remembers_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = dumps(tmp_path / "dumps", CUTS[:1])
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.warehouse.ledger.Ledger.reconcile", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            dedupe(tmp_path / "w", paths[0])
    assert dedupe(tmp_path / "w", paths[0]).lines_read == 60


def test_age_takes_the_marks_with_the_records(tmp_path: Path) -> None:
    dedupe(tmp_path / "w", dumps(tmp_path / "dumps", CUTS[:1])[0])
    with Warehouse.open(tmp_path / "w") as opened:
        expire(opened.connection, datetime.now(UTC) + timedelta(days=100), 90, 730)
        assert opened.frame("SELECT count(*) AS n FROM line_marks")["n"].item() == 0
