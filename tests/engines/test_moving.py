"""A large file is rotated, cut or removed while its ranges are read: the next run has every line once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest

from pipeline.engines.local import InputOptions, Summary, ingest_with
from pipeline.engines.parts import Parsed, Part
from pipeline.engines.workers import Workers
from pipeline.warehouse.writer import Warehouse
from tests.engines.test_growing import LARGE, POD, lines, read, same, write

Change = Callable[[Path], None]


def rename(path: Path) -> None:
    path.rename(path.with_name("0.log.20241218-080000"))


def rotate(path: Path) -> None:
    rename(path)
    write(path, lines(400, 410))


def copy_and_cut(path: Path) -> None:
    write(path.with_name("0.log.1"), path.read_bytes())
    with path.open("r+b") as file:
        file.truncate()
        file.write(lines(400, 410))


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(lines(400, 410))


class Moving:
    """Workers before whose third item the file changes."""

    def __init__(self, change: Change, path: Path) -> None:
        self._workers = Workers(1, LARGE)
        self.count, self.first_bytes = self._workers.count, Workers.first_bytes
        self._change, self._path, self._items = change, path, 0

    def submit(self, parts: Sequence[Part], size: int) -> Future[Parsed]:
        self._items += 1
        if self._items == 3:
            self._change(self._path)
        return self._workers.submit(parts, size)

    def close(self) -> None:
        self._workers.close()


def read_moving(warehouse: Path, folder: Path, path: Path, change: Change) -> Summary:
    with Warehouse.open(warehouse) as opened:
        return ingest_with(opened, [str(folder)], InputOptions(cluster="c"), LARGE, Moving(change, path), "local")


@pytest.mark.parametrize("change", [rename, rotate, copy_and_cut, grow])
def test_a_file_that_moves_while_it_is_read(tmp_path: Path, change: Change) -> None:
    folder = tmp_path / "logs"
    write(folder / POD / "other.log", lines(0, 3, node=7))
    path = write(folder / POD / "0.log", lines(0, 400))
    first = read_moving(tmp_path / "w", folder, path, change)
    told = [refusal.reason for refusal in first.refused]
    assert told == ([] if change is grow else ["changed while it was read"])
    read(tmp_path / "w", folder, LARGE)
    read(tmp_path / "plain", folder, LARGE)
    same(tmp_path / "w", tmp_path / "plain")
