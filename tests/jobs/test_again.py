"""Runs over the same input again: what the command says of files that grew, and of dumps that overlap."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Peerscope = Callable[..., tuple[int, str, str]]


def lines(first: int, last: int) -> str:
    return "".join(
        f"2024-12-18T07:{n:02}:00.000000000Z stdout F bird: Node_10_0_0_9: Error: Hold timer expired\n"
        for n in range(first, last)
    )


def run(peerscope: Peerscope, folder: Path, *words: str) -> dict[str, Any]:
    code, out, err = peerscope("--warehouse", str(folder / "w"), "run", "--format", "json", *words)
    assert code == 0, err
    told: dict[str, Any] = json.loads(out)
    return told


def test_a_growing_file_and_its_unfinished_line(peerscope: Peerscope, tmp_path: Path) -> None:
    log = tmp_path / "bird.log"
    log.write_text(lines(0, 3)[:-9])
    told = run(peerscope, tmp_path, str(log))
    assert (told["lines_read"], told["lines_waiting"]) == (2, 1)
    log.write_text(lines(0, 5))
    told = run(peerscope, tmp_path, str(log))
    assert (told["lines_read"], told["lines_waiting"]) == (3, 0)
    where = ("--warehouse", str(tmp_path / "w"))
    _, out, _ = peerscope(*where, "sql", "select count(*) from log_events", "--format", "csv")
    assert out.split()[1] == "5"
    assert json.loads(peerscope(*where, "status", "--format", "json")[1])["reconciles"]


def test_a_waiting_line_is_told_and_may_be_read_at_once(peerscope: Peerscope, tmp_path: Path) -> None:
    log = tmp_path / "bird.log"
    log.write_text(lines(0, 2)[:-9])
    code, _, err = peerscope("--warehouse", str(tmp_path / "w"), "ingest", str(log))
    assert (code, "1 last lines are not finished yet" in err) == (0, True)
    config = tmp_path / "peerscope.toml"
    config.write_text("unfinished_seconds = 0\n")
    _, _, err = peerscope("--config", str(config), "--warehouse", str(tmp_path / "w2"), "ingest", str(log))
    assert "2 lines read" in err


def test_overlapping_dumps(peerscope: Peerscope, tmp_path: Path) -> None:
    for number, (first, last) in enumerate(((0, 20), (10, 30))):
        (tmp_path / f"since-{number}.log").write_text(lines(first, last))
    dumps = [str(tmp_path / f"since-{number}.log") for number in range(2)]
    told = run(peerscope, tmp_path, "--node", "n1", "--overlap", "dedupe", *dumps)
    assert (told["lines_read"], told["lines_known"]) == (30, 10)
    assert run(peerscope, tmp_path / "kept", "--node", "n1", *dumps)["lines_read"] == 40
    assert peerscope("run", "--overlap", "sometimes", *dumps)[0] == 2


def test_help_loads_no_heavy_library() -> None:
    """It must be quick; time depends on the machine, so what is loaded is looked at."""
    program = (
        "import sys; from jobs.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted({'polars', 'duckdb', 'pandas', 'pyarrow', 'numpy', 'streamlit'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ})
    assert done.stderr.strip() == "[]"


def test_no_memory_is_no_internal_error(peerscope: Peerscope, monkeypatch: Any, tmp_path: Path) -> None:
    class PanicException(BaseException):
        """As libraries in Rust raise it."""

    no_thread = PanicException('Os { code: 11, kind: WouldBlock, message: "Resource temporarily unavailable" }')
    no_pool = PanicException("could not spawn threads")
    for error, code in ((MemoryError(), 3), (no_pool, 3), (no_thread, 3), (PanicException("?"), 5)):

        def fail(*_: Any, error: BaseException = error, **__: Any) -> None:
            raise error

        monkeypatch.setattr("jobs.steps.run", fail)
        assert peerscope("--warehouse", str(tmp_path), "run", str(tmp_path))[0] == code
