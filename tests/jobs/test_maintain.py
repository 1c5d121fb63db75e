"""The command line of maintenance: what it says it does, and that the published data follows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.build import build, contents


def call(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    env = {f"PEERSCOPE_{name.upper()}": value for name, value in settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "jobs", *words], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"} | env
    )


@pytest.fixture
def warehouse(tmp_path: Path) -> str:
    return str(build(tmp_path / "w"))


def maintain(warehouse: str, *words: str, **settings: str) -> dict[str, Any]:
    done = call("--warehouse", warehouse, "maintain", "--format", "json", *words, free_bytes="0", **settings)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    return told


def test_a_young_warehouse_is_left_alone(warehouse: str) -> None:
    before = contents(Path(warehouse))
    assert maintain(warehouse, "--dry-run")["changes"] == []
    assert contents(Path(warehouse)) == before


def test_age_takes_records_and_readers_see_it(warehouse: str) -> None:
    told = maintain(warehouse, record_days="0")
    assert "records" in {change["table"] for change in told["changes"]}
    rows = call("--warehouse", warehouse, "sql", "--format", "csv", "select count(*) from log_events")
    assert rows.stdout.splitlines()[-1] == "0"
    state = json.loads(call("--warehouse", warehouse, "status", "--format", "json").stdout)
    assert state["reconciles"] is True
    assert state["ledger"]["lines_read"] == 9


def test_compaction_is_said(warehouse: str) -> None:
    told = maintain(warehouse, "--compact")
    assert told["compacted"]["after"] <= told["compacted"]["before"]


def test_a_full_disk_stops_with_what_to_do(warehouse: str, tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("2024-12-18T07:19:36.1Z stdout F bird: Mesh_10_0_0_12: State changed to up\n")
    done = call("--warehouse", warehouse, "run", str(log), free_bytes=str(1 << 60))
    assert done.returncode == 3
    assert "must stay free (free_bytes)" in done.stderr
    assert "peerscope maintain" in done.stderr
