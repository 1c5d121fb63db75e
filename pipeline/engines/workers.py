"""Processes that parse. Each runs ``python -m pipeline.engines.worker`` and is spoken to over its pipes.

They are plain child processes and not ``multiprocessing`` ones: nothing of the caller's program is imported again,
so a script needs no guard. A process that dies is replaced and its item given to the next, once.
"""

from __future__ import annotations

import os
import pickle
import queue
import struct
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any

from pipeline.engines.items import Parsed, Part, run_item
from pipeline.errors import PeerscopeError
from pipeline.grammar import load_ruleset
from pipeline.settings import Settings

_SIZE = struct.Struct(">Q")
# Starting a process costs as much as parsing some megabytes: little input is parsed in this one.
# Columns of a few megabytes come and go: memory given back to the system each time costs a fifth of the run.
_REUSED = {"MALLOC_MMAP_THRESHOLD_": str(256 << 20), "MALLOC_TRIM_THRESHOLD_": str(512 << 20)}
ALONE_BYTES = 4 << 20
ALONE_FILES = 400


def send(pipe: IO[bytes], value: Any) -> None:
    """Write one value to a pipe."""
    data = pickle.dumps(value, protocol=5)
    pipe.write(_SIZE.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read one value that ``send`` wrote by this program; EOFError when the other end is gone."""
    head = pipe.read(_SIZE.size)
    if len(head) < _SIZE.size:
        raise EOFError
    data = pipe.read(_SIZE.unpack(head)[0])
    return pickle.loads(data)  # noqa: S301 - both ends are this program


def processes_of(settings: Settings) -> int:
    """How many processes parse: as set, or one for each core this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return settings.processes or cores or 1


def _much(paths: Sequence[str]) -> bool:
    """Whether the files there hold more than is parsed alone; looks at no more of them than it must."""
    size = 0
    for path in paths:
        for place in (path, *(str(file) for file in islice(Path(path).rglob("*"), ALONE_FILES))):
            with suppress(OSError):
                size += Path(place).stat().st_size
            if size > ALONE_BYTES:
                return True
    return False


class Workers:
    """Parses work items in ``count`` processes; with one, or little to do, in this process."""

    def __init__(self, count: int, settings: Settings) -> None:
        self.count = max(count, 1)
        self._settings = settings
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        self._all: list[subprocess.Popen[bytes]] = []
        self._threads: ThreadPoolExecutor | None = None
        self._bytes = self._files = 0

    def submit(self, parts: Sequence[Part], size: int) -> Future[Parsed]:
        """Parse an item of ``size`` bytes; the answers may be awaited in any order."""
        self._bytes += size
        self._files += len(parts)
        little = self._bytes <= ALONE_BYTES and self._files <= ALONE_FILES
        if self.count == 1 or (self._threads is None and little):
            done: Future[Parsed] = Future()
            done.set_result(run_item(parts, load_ruleset(), self._settings))
            return done
        return self._begun().submit(self._run, parts)

    def expect(self, paths: Sequence[str]) -> None:
        """Start the processes at once when there is much to read: they load their libraries meanwhile."""
        if self.count > 1 and _much(paths):
            self._begun()

    def _begun(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.count, thread_name_prefix="peerscope-item")
            for _ in range(self.count):
                self._idle.put(self._start())
        return self._threads

    def close(self) -> None:
        """End the processes; items that still run are given up."""
        for process in self._all:
            process.kill()
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
        for process in self._all:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        # one thread each: the processes are the parallelism, and more threads only take memory and turns
        environment = {
            **_REUSED,
            **os.environ,
            "POLARS_MAX_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.engines.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._all.append(process)
        assert process.stdin is not None
        send(process.stdin, self._settings)
        return process

    def _run(self, parts: Sequence[Part]) -> Parsed:
        for last_try in (False, True):
            process = self._idle.get()
            try:
                answer = self._ask(process, parts)
            except (OSError, EOFError, pickle.UnpicklingError) as exc:
                self._idle.put(self._start())
                if last_try:
                    place = f"{parts[0].path} at byte {parts[0].begin}"
                    raise PeerscopeError(
                        f"{place}: the process that parsed it died twice (exit {process.poll()}); nothing was written. "
                        "Was memory short? Lower item_bytes or processes, see `peerscope config`"
                    ) from exc
                continue
            self._idle.put(process)
            if isinstance(answer, BaseException):
                raise answer
            return Parsed.unpacked(answer)
        raise AssertionError

    @staticmethod
    def _ask(process: subprocess.Popen[bytes], parts: Sequence[Part]) -> Any:
        assert process.stdin is not None and process.stdout is not None
        send(process.stdin, parts)
        return receive(process.stdout)
