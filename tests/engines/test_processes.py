"""Processes started ahead: who has them, and that none outlives a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.engines.items import Part
from pipeline.engines.processes import ALONE_BYTES, Ahead
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
        taken = ahead.take()
        other = ahead.take()
        assert taken is not None and other is not None and ahead.take() is None
        ahead._ready.append(other)
    assert other.poll() is not None
    assert taken.poll() is None
    taken.kill()
    taken.wait()


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
            assert ahead.take() is None


def test_items_are_parsed_by_processes_started_ahead(much: list[str], tmp_path: Path) -> None:
    part = Part(1, "/logs/node-1/calico-node.log", names_in_path("/logs/node-1/calico-node.log"), data=LINE * 50)
    with Ahead(TWO, much, tmp_path / "new") as ahead:
        ready = {process.pid for process in ahead._ready}
        workers = Workers(2, TWO, ahead)
        try:
            parsed = workers.submit([part], ALONE_BYTES + 1).result()
            assert {process.pid for process in workers._all} == ready
        finally:
            workers.close()
    assert parsed.frames["states"].height == 50
    assert all(process.poll() is not None for process in workers._all)


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
