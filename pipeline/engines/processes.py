"""Parsing processes as such: how they are started, spoken to and ended.

One program, ``python -m pipeline.engines.worker``, loads the libraries and forks the others; each is spoken to over
pipes of its own. They are no ``multiprocessing`` ones: nothing of the caller's program is imported again, so a script
needs no guard. No library is imported here, so that they can be started before the caller has loaded its own.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from pipeline.settings import Settings

PIPE_BYTES = 1 << 20
# Columns of a few megabytes come and go: memory given back to the system each time costs a fifth of the run. The first
# three are of the C library, the last one is of the allocator that Polars brings.
REUSED = {
    "MALLOC_MMAP_THRESHOLD_": str(256 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(512 << 20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:10000,muzzy_decay_ms:10000",
}
# Starting a process costs as much as parsing some megabytes: little input is parsed in this one.
ALONE_BYTES = 4 << 20
ALONE_FILES = 400


@dataclass(frozen=True)
class Process:
    """One that parses: where it is asked, where it answers, and the program with which it ends."""

    requests: IO[bytes]
    answers: IO[bytes]
    program: subprocess.Popen[bytes]

    def kill(self) -> None:
        """End it, and all of its program with it."""
        self.program.kill()


def send(pipe: IO[bytes], value: Any) -> None:
    """Write one value to a pipe."""
    pickle.dump(value, pipe, protocol=5)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read one value that ``send`` wrote by this program; EOFError when the other end is gone."""
    return pickle.load(pipe)  # noqa: S301 - both ends are this program


def processes_of(settings: Settings) -> int:
    """How many processes parse: as set, or one for each core this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return settings.processes or cores or 1


def is_much(paths: Sequence[str]) -> bool:
    """Whether the files there hold more than is parsed alone; looks at no more of them than it must."""
    size = 0
    for path in paths:
        for place in (path, *(str(file) for file in islice(Path(path).rglob("*"), ALONE_FILES))):
            with suppress(OSError):
                size += Path(place).stat().st_size
            if size > ALONE_BYTES:
                return True
    return False


def start(settings: Settings, count: int) -> list[Process]:
    """Start parsing processes; where programs may not go on after a fork, as many programs."""
    if sys.platform != "linux":
        return [_start(settings, 1)[0] for _ in range(count)]
    return _start(settings, count)


def _start(settings: Settings, count: int) -> list[Process]:
    # one thread each: the processes are the parallelism, and more threads only take memory and turns
    environment = {
        **os.environ,
        **REUSED,  # Polars has set the last one for this process
        "POLARS_MAX_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
    }
    asked, told = [os.pipe() for _ in range(count)], [os.pipe() for _ in range(count)]
    theirs = [(request, answer) for (request, _), (_, answer) in zip(asked, told, strict=True)]
    try:
        program = subprocess.Popen(
            # -P: not what lies in the current folder
            [sys.executable, "-P", "-m", "pipeline.engines.worker", *(f"{a},{b}" for a, b in theirs)],
            stdin=subprocess.DEVNULL,
            env=environment,
            pass_fds=[end for pair in theirs for end in pair],
        )
    finally:
        for pair in theirs:
            for end in pair:
                os.close(end)
    processes = [
        Process(os.fdopen(request, "wb"), os.fdopen(answer, "rb"), program)
        for (_, request), (answer, _) in zip(asked, told, strict=True)
    ]
    for process in processes:
        with suppress(AttributeError, OSError):  # answers of megabytes come in fewer pieces, where the system allows it
            fcntl.fcntl(process.answers, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    send(processes[0].requests, settings)
    return processes


def end(processes: Iterable[Process], at_once: bool = True) -> None:
    """End processes and wait until they are gone; those that are idle may end by themselves."""
    processes = list(processes)
    for process in processes:
        if at_once:
            process.kill()
        with suppress(OSError):  # what was not sent yet is for nobody
            process.requests.close()
    for process in processes:
        process.program.wait()
        process.answers.close()


class Ahead:
    """Processes that load their libraries while this one does the same; a context manager.

    They are started where there is much to read and nothing is known of it yet: the ``warehouse`` is new. Those that
    nobody took are ended.
    """

    def __init__(self, settings: Settings, paths: Sequence[str], warehouse: Path) -> None:
        self._ready: list[Process] = []
        count = processes_of(settings)
        with suppress(OSError):  # whoever needs them will be told
            if count > 1 and is_much(paths) and not (warehouse.is_dir() and any(warehouse.iterdir())):
                self._ready = start(settings, count)

    def take(self) -> list[Process]:
        """All of them, to be ended by the caller; none when they were taken, or not needed."""
        taken, self._ready = self._ready, []
        return taken

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._ready)
