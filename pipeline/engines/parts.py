"""What goes between the driver and those who parse: parts of sources one way, facts the other.

Nothing that parses is imported here: the driver of a run needs none of it.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow.ipc

from pipeline.engines.processes import receive, send
from pipeline.sources.identify import Identity
from pipeline.sources.paths import Names

UNREAD = "unread"
_SIZE = struct.Struct(">Q")


@dataclass(frozen=True)
class Part:
    """Some bytes of a source: ``data``, or a place in a ``spool`` file, or a range of the plain file ``path``.

    ``identity`` None: it is read from the data, which is then the whole source. ``size`` is that of the plain file;
    what stands before ``floor`` in it was read by an earlier run.
    """

    src: int
    path: str
    names: Names
    tz: str = "UTC"
    reference: datetime | None = None
    identity: Identity | None = None
    data: bytes | None = None
    spool: str | None = None
    spool_at: int = 0
    spool_bytes: int = 0
    offset: int = 0
    begin: int = 0
    end: int | None = None
    tail: int = 0
    size: int = 0
    floor: int = 0
    archive: str | None = None

    @property
    def held(self) -> int:
        """Bytes that come with the part."""
        return len(self.data) if self.data is not None else self.spool_bytes


@dataclass(frozen=True)
class Parsed:
    """Frames by name, with ``source_path`` and ``shape_id`` filled; and what each whole source was read as."""

    frames: dict[str, pl.DataFrame]
    identities: dict[int, Identity]

    def write(self, pipe: IO[bytes]) -> None:
        """Write to another process: the frames follow as Arrow streams, one at a time."""
        send(pipe, (self.identities, list(self.frames)))
        for frame in self.frames.values():
            stream = _Pieces()
            frame.write_ipc_stream(stream, compression="uncompressed")
            pipe.write(_SIZE.pack(sum(map(len, stream.pieces))))
            pipe.writelines(stream.pieces)
        pipe.flush()

    @classmethod
    def read(cls, pipe: IO[bytes]) -> Parsed | Exception:
        """What another process wrote, or the exception that it sent instead.

        Raises:
            EOFError, pickle.UnpicklingError: it died before it had written all.
        """
        answer = receive(pipe)
        if isinstance(answer, Exception):
            return answer
        identities, names = answer
        return cls({name: _frame(_exactly(pipe, _SIZE.unpack(_exactly(pipe, 8))[0])) for name in names}, identities)


class _Pieces(io.BytesIO):
    """What was written, as it came: a buffer that grows would be copied again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: Any) -> int:
        self.pieces.append(data)
        return len(data)


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _frame(data: bytes) -> pl.DataFrame:
    """The frame over the bytes as they are; Polars itself would copy every column."""
    frame = pl.from_arrow(pyarrow.ipc.open_stream(data).read_all())
    assert isinstance(frame, pl.DataFrame)
    return frame


def spooled_bytes(part: Part) -> bytes:
    """The bytes that lie in the part's spool file."""
    with Path(part.spool or "").open("rb", buffering=0) as file:
        file.seek(part.spool_at)
        return file.read(part.spool_bytes)
