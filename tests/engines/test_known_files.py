"""Files that did not change are not opened; everything else is read and judged by its content."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.engines import reading
from pipeline.engines.local import InputOptions, Summary, ingest
from pipeline.settings import Settings
from pipeline.warehouse import files as remembered
from pipeline.warehouse.writer import Warehouse

LINE = "2024-12-18T07:19:36.000000000Z stdout F bird: Node_10_0_0_{n}: State changed to up\n"
LONG_AGO = 1_700_000_000


def write(folder: Path, name: str, text: str, moment: float = LONG_AGO) -> Path:
    path = folder / name
    path.write_text(text)
    os.utime(path, (moment, moment))
    return path


def read(warehouse: Path, folder: Path) -> Summary:
    with Warehouse.open(warehouse) as open_warehouse:
        return ingest(open_warehouse, [str(folder)], InputOptions(cluster="c"), replace(Settings(), processes=1))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for n in range(3):
        write(folder, f"{n}.log", LINE.format(n=n))
    return folder


def test_an_unchanged_file_is_not_opened(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read(tmp_path / "w", files).files_read == 3
    monkeypatch.setattr(reading.Reading, "read", lambda *_: pytest.fail("opened"))
    summary = read(tmp_path / "w", files)
    assert (summary.files_known, summary.files_read, summary.load_id) == (3, 0, None)


def test_the_same_size_and_time_with_another_inode_is_read(files: Path, tmp_path: Path) -> None:
    read(tmp_path / "w", files)
    other = write(files, "new", LINE.format(n=7))
    other.rename(files / "0.log")
    assert read(tmp_path / "w", files).files_read == 1


def test_a_changed_time_alone_reads_nothing_new(files: Path, tmp_path: Path) -> None:
    read(tmp_path / "w", files)
    os.utime(files / "0.log", (LONG_AGO + 9, LONG_AGO + 9))
    summary = read(tmp_path / "w", files)
    assert (summary.files_read, summary.files_known) == (0, 3)


def test_a_file_that_is_just_being_written_is_not_trusted(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "SETTLED_NS", 10**13)
    fresh = files / "fresh.log"
    fresh.write_text(LINE.format(n=1) * 2)
    read(tmp_path / "w", files)
    status = fresh.stat()
    fresh.write_text(LINE.format(n=2) * 2)
    os.utime(fresh, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert read(tmp_path / "w", files).files_read == 1


def test_another_cluster_reads_them_again(files: Path, tmp_path: Path) -> None:
    read(tmp_path / "w", files)
    with Warehouse.open(tmp_path / "w") as warehouse:
        assert ingest(warehouse, [str(files)], InputOptions(cluster="d"), Settings()).files_read == 3
