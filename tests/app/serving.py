"""The app as people start it: the real command in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEALTH = "/_stcore/health"
START_SECONDS = 120
"""Starting is slow on a machine with other work; one that does not start at all is told after this."""


@dataclass(frozen=True)
class Server:
    """A running app."""

    address: str
    pid: int

    def cpu_seconds(self) -> float:
        """CPU time it has used so far, its threads together."""
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serve(
    warehouse: Path, extra: Mapping[str, str] | None = None, folder: Path = ROOT, port: int | None = None
) -> Iterator[Server]:
    """Serve a published warehouse, on a free port when none is given.

    ``extra`` goes into the environment, ``folder`` is where it is started.
    """
    port = port or free_port()
    words = [sys.executable, "-m", "jobs", "--warehouse", str(warehouse), "app", "--port", str(port)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **(extra or {})}
    process = subprocess.Popen(words, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, f"http://localhost:{port}{HEALTH}")
        yield Server(f"http://localhost:{port}", process.pid)
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the app ended with {process.returncode} before it answered")
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(url)
