"""One call of the command line in a process of its own, forked from a server that has everything imported.

A fresh interpreter takes a second; hundreds of faults need less. What the process does is the same.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.chaos.job", "jobs.steps", "jobs.maintain", "jobs.show"])

# What a job may leave with: done, could not go on (and said why), another job holds the warehouse.
FAIR = (0, 3, 4)


@dataclass
class Job:
    """A running job. ``limits`` are resource limits by name (``FSIZE``, ``AS``)."""

    words: Sequence[str]
    log: Path
    limits: Mapping[str, int] = field(default_factory=dict)

    def start(self) -> Job:
        """Start it; use ``wait`` or ``kill`` afterwards."""
        self.process = _CONTEXT.Process(target=_child, args=(list(self.words), str(self.log), dict(self.limits)))
        self.process.start()
        return self

    def wait(self, seconds: float = 120.0) -> int:
        """Its exit code; negative when a signal ended it."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
            raise AssertionError(f"a job hung: {' '.join(self.words)}")
        return self.process.exitcode

    def kill(self, after: float) -> int:
        """SIGKILL after so many seconds, unless it was done before; its exit code."""
        self.process.join(after)
        if self.process.exitcode is None:
            self.process.kill()
        return self.wait()

    @property
    def said(self) -> str:
        """What it wrote."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def run(words: Sequence[str], log: Path) -> Job:
    """Run a job to its end."""
    job = Job(words, log).start()
    job.code = job.wait()  # type: ignore[attr-defined]
    return job


def _child(words: list[str], log: str, limits: dict[str, int]) -> None:
    from jobs.cli import main

    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream in (1, 2):
        os.dup2(fd, stream)
    sys.stdout, sys.stderr = (os.fdopen(stream, "w", buffering=1) for stream in (1, 2))
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
    main(words)
