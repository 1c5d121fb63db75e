"""Where a file that is still written to ends for now.

A last line that lacks its end waits while its writer may still be at it; so do pieces of a line that the container
runtime has split, until the last of them is there.
"""

from __future__ import annotations

import re
import time
from typing import BinaryIO

from pipeline.settings import Settings
from pipeline.sources.discover import Source
from pipeline.sources.remote import open_input

_PIECE = re.compile(rb"\S+ (?:stdout|stderr) P ")


def is_fresh(source: Source, settings: Settings) -> bool:
    """Whether the file was written to a moment ago, so that its last line may still be going on.

    A file from the future, by a clock that is off, is not waited for.
    """
    if not source.plain or source.file is None:
        return False
    return abs(time.time_ns() - source.file.st_mtime_ns) < settings.unfinished_seconds * 1e9


def finished(data: bytes) -> int:
    """Length of what is finished: up to the last line end, without pieces whose last one is still to come."""
    end = data.rfind(b"\n") + 1
    while end:
        start = data.rfind(b"\n", 0, end - 1) + 1
        if not _PIECE.match(data, start, end):
            break
        end = start
    return end


def finished_end(stream: BinaryIO, size: int, room: int) -> int:
    """The same for the first ``size`` bytes of a file, of which the last ``room`` are looked at."""
    start = max(size - room, 0)
    stream.seek(start)
    end = finished(stream.read(size - start))
    return start + end if end or not start else size


def finished_size(path: str, size: int, room: int) -> int:
    """The same for a file by its path."""
    with open_input(path, size) as stream:
        return finished_end(stream, size, room)
