"""What several tests share, and a loud summary of what could not run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from jobs.cli import main

# a test depends neither on how fast the machine is nor on luck; --hypothesis-profile=explore looks further
settings.register_profile("peerscope", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile("peerscope")

SAMPLES = Path(__file__).resolve().parent.parent / "sample_logs"
SMALL = ("healthy-group", "as-mismatch", "port-dropped")


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of the recordings."""
    return SAMPLES


@pytest.fixture(scope="session")
def small_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published warehouse with three small recordings, each a cluster; tests must not write to it."""
    folder = tmp_path_factory.mktemp("small") / "warehouse"
    for name in SMALL:
        bundle = SAMPLES / name / "collected.tar.gz"
        assert leave(["--warehouse", str(folder), "-q", "run", "--cluster", name, str(bundle)]) == 0
    return folder


def leave(words: list[str]) -> int:
    """Run the command line in this process; returns its exit code."""
    with pytest.raises(SystemExit) as left:
        main(words)
    code = left.value.code
    return code if isinstance(code, int) else int(bool(code))


@pytest.fixture
def peerscope(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """``peerscope(*words)`` runs a command and returns exit code, standard output and standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = leave(list(words))
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def store() -> Iterator[Any]:
    """The object store in memory, empty before and after."""
    memory = pytest.importorskip("fsspec", reason="no fsspec here: pip install 'peerscope[remote]'").filesystem(
        "memory"
    )
    memory.store.clear()
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was skipped and why, where nobody can miss it."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason] = reasons.get(reason, 0) + 1
    if reasons:
        terminalreporter.section("NOT RUN", red=True)
        for reason, count in sorted(reasons.items()):
            terminalreporter.write_line(f"{count:4} tests: {reason.removeprefix('Skipped: ')}")
