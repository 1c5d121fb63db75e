"""Running a contestant in a process of its own: wall time, processor time and peak memory of it and its children."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One run; ``peak`` is the largest sum of resident bytes of all its processes, shared pages counted once each (0:
    nobody looked)."""

    wall: float
    cpu: float
    peak: int
    output: str


def children_of(pid: int) -> list[int]:
    """The process and all below it that live."""
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        for tasks in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                queue += [int(child) for child in tasks.read_text().split()]
            except OSError:
                continue
    return found


def resident(pid: int) -> int:
    """Proportional resident bytes of one process; 0 when it is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def run(command: Sequence[str], watched: bool) -> Run:
    """Run a command to its end; raises CalledProcessError when it fails.

    To be ``watched`` costs processes time: one that is measured for its memory is not measured for its speed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.15):
            peak[0] = max(peak[0], sum(resident(pid) for pid in children_of(process.pid)))

    watcher = threading.Thread(target=watch)
    if watched:
        watcher.start()
    output, _ = process.communicate()
    wall = time.perf_counter() - start
    over.set()
    if watched:
        watcher.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, cpu, peak[0], output)


def median(runs: Sequence[Run]) -> Run:
    """Medians of the times of those that nobody watched, the largest peak of the others."""
    timed = [one for one in runs if not one.peak]
    return Run(
        statistics.median(one.wall for one in timed),
        statistics.median(one.cpu for one in timed),
        max(one.peak for one in runs),
        timed[-1].output,
    )


def python(code: str, *arguments: str) -> list[str]:
    """A command that runs code of ``tests.bench.contestants``."""
    return [sys.executable, "-c", f"from tests.bench import contestants; contestants.{code}", *arguments]
