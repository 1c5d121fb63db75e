"""Work items handed out to those who parse, a few ahead of the facts that come back.

Facts are taken in the order in which items were handed out, so nothing depends on which process was faster.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
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

    def submit(self, parts: Sequence[Part], size: int, take: Callable[[Parsed], None]) -> None:
        """Have an item of ``size`` bytes parsed; ``take`` is given its facts when their turn comes."""
        future = self._workers.submit(parts, size)

        def step() -> None:
            parsed = future.result()
            for part in parts:
                if part.spool is not None:
                    with suppress(FileNotFoundError):
                        Path(part.spool).unlink()
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

    def spooled(self, part: Part, data: bytes) -> Part:
        """The part with its bytes in a file: cheaper than through a pipe."""
        path = Path(self._spool.name, f"{part.src}-{part.offset}")
        path.write_bytes(data)
        return replace(part, data=None, spool=str(path))

    def close(self) -> None:
        """Remove what was spooled."""
        self._spool.cleanup()
