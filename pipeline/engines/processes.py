"""Parsing processes as such: how they are started, spoken to and ended.

Each runs ``python -m pipeline.engines.worker`` and is spoken to over its pipes. They are plain child processes and not
``multiprocessing`` ones: nothing of the caller's program is imported again, so a script needs no guard. No library is
imported here, so that they can be started before the caller has loaded its own.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
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

Process = subprocess.Popen[bytes]


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


def start(settings: Settings) -> Process:
    """Start a parsing process."""
    # one thread each: the processes are the parallelism, and more threads only take memory and turns
    environment = {
        **os.environ,
        **REUSED,  # Polars has set the last one for this process
        "POLARS_MAX_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
    }
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "pipeline.engines.worker"],  # not what lies in the current folder
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert process.stdin is not None and process.stdout is not None
    with suppress(AttributeError, OSError):  # answers of megabytes come in fewer pieces, where the system allows it
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    send(process.stdin, settings)
    return process


def end(processes: Iterable[Process]) -> None:
    """End processes and wait until they are gone."""
    processes = list(processes)
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


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
                self._ready += [start(settings) for _ in range(count)]

    def take(self) -> Process | None:
        """One of them, to be ended by the caller; None when there is none left."""
        return self._ready.pop() if self._ready else None

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._ready)
