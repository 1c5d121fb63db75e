"""One writer at a time, across processes, and the loser is told who holds the warehouse."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import LockedError, WarehouseError
from pipeline.warehouse.lock import holder_pid
from pipeline.warehouse.writer import DATABASE_NAME, Warehouse

ROOT = Path(__file__).parents[2]


@contextmanager
def held_by_another(directory: Path, code: str = "") -> Iterator[int]:
    """Another process that holds the warehouse; its number."""
    code = code or f"from pipeline.warehouse.writer import Warehouse; w = Warehouse.open({str(directory)!r})"
    script = f"{code}\nprint('held', flush=True)\nimport sys; sys.stdin.read()"
    job = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert job.stdout is not None
    assert job.stdin is not None
    try:
        assert job.stdout.readline() == b"held\n"
        yield job.pid
    finally:
        job.kill()
        job.wait()
        job.stdin.close()
        job.stdout.close()


def test_another_process_is_named(tmp_path: Path) -> None:
    with held_by_another(tmp_path) as pid:
        assert holder_pid(tmp_path) == pid
        with pytest.raises(LockedError, match=f"process {pid} holds it") as caught:
            Warehouse.open(tmp_path)
    assert caught.value.exit_code == 4
    Warehouse.open(tmp_path).close()
    assert holder_pid(tmp_path) is None


def test_a_plain_duckdb_client_is_named(tmp_path: Path) -> None:
    Warehouse.open(tmp_path).close()
    code = f"import duckdb; c = duckdb.connect({str(tmp_path / DATABASE_NAME)!r})"
    with held_by_another(tmp_path, code) as pid, pytest.raises(LockedError, match=f"process {pid}"):
        Warehouse.open(tmp_path)
    Warehouse.open(tmp_path).close()


def test_the_same_process_cannot_open_it_twice(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path), pytest.raises(LockedError, match=f"process {os.getpid()}"):
        Warehouse.open(tmp_path)


def test_waiting_gets_it_when_the_other_is_done(tmp_path: Path) -> None:
    first = Warehouse.open(tmp_path)
    threading.Timer(0.5, first.close).start()
    started = time.monotonic()
    Warehouse.open(tmp_path, wait_seconds=20).close()
    assert 0.4 < time.monotonic() - started < 15


def test_a_forked_child_does_not_keep_the_lock(tmp_path: Path) -> None:
    warehouse = Warehouse.open(tmp_path)
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    child.start()
    try:
        warehouse.close()
        Warehouse.open(tmp_path).close()
    finally:
        child.kill()
        child.join()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WarehouseError, match="file/warehouse"):
        Warehouse.open(tmp_path / "file" / "warehouse")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(b"not a database " * 1000)
    with pytest.raises(WarehouseError, match=DATABASE_NAME):
        Warehouse.open(tmp_path)
    assert holder_pid(tmp_path) is None


def test_a_database_of_something_else_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / DATABASE_NAME
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE loads (x INTEGER)")
    with pytest.raises(WarehouseError, match="as it was"):
        Warehouse.open(tmp_path)
    with duckdb.connect(str(path)) as con:
        assert con.sql("SELECT column_name FROM duckdb_columns() WHERE table_name = 'loads'").fetchall() == [("x",)]
