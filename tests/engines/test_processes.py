"""Processes started ahead: who has them, and that none outlives a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.engines.parts import Parsed, Part
from pipeline.engines.processes import ALONE_BYTES, Ahead, end, send, start
from pipeline.engines.workers import Workers
from pipeline.settings import Settings
from pipeline.sources.paths import names_in_path

TWO = Settings(processes=2)
LINE = b"2024-12-18T07:00:00.034480232Z stdout F bird: Mesh_10_128_1_1: State changed to start\n"


@pytest.fixture
def much(tmp_path: Path) -> list[str]:
    log = tmp_path / "large.log"
    log.write_bytes(LINE * 60_000)
    return [str(log)]


def test_processes_that_nobody_takes_are_ended(much: list[str], tmp_path: Path) -> None:
    with Ahead(TWO, much, tmp_path / "new") as ahead:
        left = list(ahead._ready)
        assert len(left) == 2
    assert all(process.program.poll() is not None and process.answers.closed for process in left)


def test_processes_that_were_taken_are_the_takers(much: list[str], tmp_path: Path) -> None:
    with Ahead(TWO, much, tmp_path / "new") as ahead:
        taken = ahead.take()
        assert len(taken) == 2 and not ahead.take()
    assert all(process.program.poll() is None for process in taken)
    end(taken)
    assert all(process.program.poll() is not None for process in taken)


def test_none_are_started_where_they_may_not_be_needed(much: list[str], tmp_path: Path) -> None:
    used = tmp_path / "used"
    used.mkdir()
    (used / "peerscope.duckdb").touch()
    little = tmp_path / "little.log"
    little.write_bytes(LINE)
    for settings, paths, warehouse in (
        (TWO, much, used),
        (TWO, [str(little)], tmp_path / "new"),
        (Settings(processes=1), much, tmp_path / "new"),
        (TWO, [], tmp_path / "new"),
    ):
        with Ahead(settings, paths, warehouse) as ahead:
            assert not ahead.take()


def test_items_are_parsed_by_processes_started_ahead(much: list[str], tmp_path: Path) -> None:
    part = Part(1, "/logs/node-1/calico-node.log", names_in_path("/logs/node-1/calico-node.log"), data=LINE * 50)
    with Ahead(TWO, much, tmp_path / "new") as ahead:
        ready = list(ahead._ready)
        workers = Workers(2, TWO, ahead)
        try:
            parsed = workers.submit([part], ALONE_BYTES + 1).result()
            assert workers._all == ready
        finally:
            workers.close()
    assert parsed.frames["states"].height == 50
    assert all(process.program.poll() is not None for process in workers._all)


def test_what_lies_in_the_current_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engines = tmp_path / "pipeline" / "engines"
    engines.mkdir(parents=True)
    for folder in (engines, engines.parent):
        (folder / "__init__.py").touch()
    (engines / "worker.py").write_text("raise SystemExit('not this one')\n")
    monkeypatch.chdir(tmp_path)
    workers = Workers(2, TWO)
    try:
        parsed = workers.submit([Part(1, "/logs/a.log", names_in_path("/logs/a.log"), data=LINE)], ALONE_BYTES + 1)
        assert parsed.result().frames["states"].height == 1
    finally:
        workers.close()


def test_an_item_of_a_process_that_dies_is_given_to_another(much: list[str], tmp_path: Path) -> None:
    part = Part(1, "/logs/a.log", names_in_path("/logs/a.log"), data=LINE * 50)
    workers = Workers(2, TWO)
    try:
        assert workers.submit([part], ALONE_BYTES + 1).result().frames["states"].height == 50
        forked = _children(workers._all[0].program.pid)
        assert len(forked) == (1 if sys.platform == "linux" else 0)
        for pid in (*forked, workers._all[0].program.pid):
            os.kill(pid, signal.SIGKILL)
            answers = [workers.submit([part], ALONE_BYTES + 1) for _ in range(4)]
            assert [answer.result().frames["states"].height for answer in answers] == [50] * 4
    finally:
        workers.close()
    assert not any(_is_alive(pid) for pid in forked)


def test_forked_processes_end_with_their_program() -> None:
    processes = start(TWO, 2)
    for process in processes:
        send(process.requests, [Part(1, "/logs/a.log", names_in_path("/logs/a.log"), data=LINE)])
        assert isinstance(Parsed.read(process.answers), Parsed)
    forked = _children(processes[0].program.pid)
    assert len(forked) == (1 if sys.platform == "linux" else 0)
    processes[0].kill()
    processes[1].kill()
    assert [process.answers.read() for process in processes] == [b"", b""]  # both ends are closed when both are gone
    end(processes)
    assert not any(_is_alive(pid) for pid in forked)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_what_is_loaded_before_the_fork_asks_polars_nothing() -> None:
    """The threads of Polars' pool would be missing in those that are forked, which would wait for them for ever."""
    code = (
        "from pathlib import Path\nimport pipeline.engines.worker as worker\nworker.load_ruleset()\n"
        "names = {task.joinpath('comm').read_text().strip() for task in Path('/proc/self/task').iterdir()}\n"
        "import polars\npolars.DataFrame({'a': [2, 1]}).sort('a').filter(polars.col('a') > 1)\n"
        "after = {task.joinpath('comm').read_text().strip() for task in Path('/proc/self/task').iterdir()}\n"
        "print(*sorted(after - names))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "polars-0" in done.stdout.split()
