"""Work items handed out to those who parse, a few ahead of the facts that come back.

Facts are taken in the order in which items were handed out, so nothing depends on which process was faster.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pipeline.engines.items import Parsed, Part

# Items that may wait for each process: enough that none is idle, few enough that memory is bounded.
AHEAD = 2
_SHARED = Path("/dev/shm")  # noqa: S108 - spool files are made there with names of their own


class Parsers(Protocol):
    """Who parses work items: processes of this machine, or a cluster; about ``count`` of them at a time."""

    count: int

    def submit(self, parts: Sequence[Part], size: int) -> Future[Parsed]:
        """Parse an item of ``size`` bytes."""

    def close(self) -> None:
        """End what was started."""


class Handout:
    """The items under way, and the files through which long ones go to another process."""

    def __init__(self, workers: Parsers) -> None:
        self._workers = workers
        self._waiting: deque[Callable[[], None]] = deque()
        self._spool = tempfile.TemporaryDirectory(
            prefix="peerscope-", dir=_SHARED if os.access(_SHARED, os.W_OK) else None
        )
        # files are used again: to overwrite memory takes a fraction of the time that getting it takes
        self._free: list[str] = []
        self._files = 0

    def submit(self, parts: Sequence[Part], size: int, take: Callable[[Parsed], None]) -> None:
        """Have an item of ``size`` bytes parsed; ``take`` is given its facts when their turn comes."""
        future = self._workers.submit(parts, size)

        def step() -> None:
            parsed = future.result()
            self._free += sorted({part.spool for part in parts if part.spool is not None})
            take(parsed)

        self.wait(step)

    def wait(self, step: Callable[[], None]) -> None:
        """Queue a step on facts to come; the oldest ones are taken first when too many wait."""
        self._waiting.append(step)
        while len(self._waiting) > self._workers.count * AHEAD:
            self._waiting.popleft()()

    def drain(self) -> None:
        """Take everything that was handed out."""
        while self._waiting:
            self._waiting.popleft()()

    def spooled(self, part: Part, data: bytes | memoryview, beside: Part | None = None) -> Part:
        """The part with its bytes in a file, cheaper than through a pipe; behind those of another part of the item."""
        if beside is not None and beside.spool is not None:
            path, place = beside.spool, beside.spool_at + beside.spool_bytes
        else:
            path, place = self._free.pop() if self._free else self._new_file(), 0
        with Path(path).open("r+b", buffering=0) as file:
            file.seek(place)
            size = file.write(data)
        return replace(part, data=None, spool=path, spool_at=place, spool_bytes=size)

    def _new_file(self) -> str:
        self._files += 1
        path = Path(self._spool.name, str(self._files))
        path.touch()
        return str(path)

    def close(self) -> None:
        """Remove what was spooled."""
        self._spool.cleanup()
