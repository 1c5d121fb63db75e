"""Work items handed out to those who parse, a few ahead of the facts that come back.

Facts are taken in the order in which items were handed out, so nothing depends on which process was faster.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from pipeline.engines.parts import Parsed, Part
from pipeline.errors import SpaceError

# Items that may wait for each process: enough that none is idle, few enough that memory is bounded.
AHEAD = 2
# The facts of a fleet in a storm take three times as much memory as its lines, those of a quiet one an eighth: an item
# is no larger than its facts may be.
FACTS_BYTES = 12 << 20
LEAST_BYTES = 2 << 20
_SHARED = Path("/dev/shm")  # noqa: S108 - spool files are made there with names of their own
LINE_END = b"\n"


class Parsers(Protocol):
    """Who parses work items: processes of this machine, or a cluster; about ``count`` of them at a time.

    ``first_bytes`` is how large an item may be as long as nothing is known of the facts to come.
    """

    count: int
    first_bytes: int

    def submit(self, parts: Sequence[Part], size: int) -> Future[Parsed]:
        """Parse an item of ``size`` bytes."""

    def close(self) -> None:
        """End what was started."""


class Spool:
    """A file through which the long parts of one item go, cheaper than a pipe.

    Each ends with an end of line there, so they can be read as one text.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._end = 0

    def add(self, part: Part, data: bytes | memoryview) -> Part:
        """The part with its bytes in the file; SpaceError when they find no room."""
        place, size = self._end, len(data)
        try:
            with Path(self.path).open("r+b", buffering=0) as file:
                file.seek(place)
                written = 0
                while written < size:
                    written += file.write(data[written:])
                self._end += size
                if data[-1:] != LINE_END:
                    self._end += file.write(LINE_END)
        except OSError as exc:
            raise SpaceError(
                f"{self.path}: {exc.strerror or exc}, while {part.path} was handed to a parsing process; nothing was "
                "written. Set TMPDIR to a folder with some hundred megabytes free, or lower item_bytes"
            ) from exc
        return replace(part, data=None, spool=self.path, spool_at=place, spool_bytes=size)


class Handout:
    """The items under way, and the files through which long ones are handed out.

    ``item_bytes`` is what the next item should hold, at most what was given.
    """

    def __init__(self, workers: Parsers, item_bytes: int) -> None:
        self.item_bytes = min(item_bytes, workers.first_bytes)
        self._most = item_bytes
        self._fitting: deque[int] = deque(maxlen=workers.count * AHEAD + 1)
        self._workers = workers
        self._waiting: deque[Callable[[], None]] = deque()
        folder = _spool_folder((workers.count * AHEAD + 1) * item_bytes)
        self._spool = tempfile.TemporaryDirectory(prefix="peerscope-", dir=folder)
        # files are used again: to overwrite memory takes a fraction of the time that getting it takes
        self._free: list[str] = []
        self._files = 0

    def submit(self, parts: Sequence[Part], size: int, take: Callable[[Parsed], None]) -> None:
        """Have an item of ``size`` bytes parsed; ``take`` is given its facts when their turn comes."""
        future = self._workers.submit(parts, size)

        def step() -> None:
            parsed = future.result()
            self._learn(size, parsed)
            self._free += sorted({part.spool for part in parts if part.spool is not None})
            take(parsed)

        self.wait(step)

    def _learn(self, size: int, parsed: Parsed) -> None:
        """Items like the last ones, with the largest facts among them, should fit. Facts come in the order of items, so
        the same input is always cut in the same way."""
        facts = sum(frame.estimated_size() for frame in parsed.frames.values())
        self._fitting.append(size * FACTS_BYTES // max(int(facts), 1))
        self.item_bytes = min(self._most, max(LEAST_BYTES, min(self._fitting)))

    def wait(self, step: Callable[[], None]) -> None:
        """Queue a step on facts to come; the oldest ones are taken first when too many wait."""
        self._waiting.append(step)
        # the first items are small, which costs more for each byte: no more of them than keep everybody busy
        most = self._workers.count * (AHEAD if self._fitting else 1)
        while len(self._waiting) > most:
            self._waiting.popleft()()

    def drain(self) -> None:
        """Take everything that was handed out."""
        while self._waiting:
            self._waiting.popleft()()

    def spool(self) -> Spool:
        """A file for the parts of one item."""
        return Spool(self._free.pop() if self._free else self._new_file())

    def spooled(self, part: Part, data: bytes) -> Part:
        """A part that is an item of its own, with its bytes in a file."""
        return self.spool().add(part, data)

    def _new_file(self) -> str:
        self._files += 1
        path = Path(self._spool.name, str(self._files))
        path.touch()
        return str(path)

    def close(self) -> None:
        """Remove what was spooled."""
        self._spool.cleanup()


def _spool_folder(size: int) -> Path | None:
    """Where spool files lie: in memory when there is room for twice as much, as items may be larger than is asked.

    A container often has 64 MB there; None stands for the usual folder of temporary files.
    """
    try:
        return _SHARED if shutil.disk_usage(_SHARED).free >= 2 * size and os.access(_SHARED, os.W_OK) else None
    except OSError:
        return None
