"""Archives and compression, unpacked in memory and bounded.

``open_members`` looks at the first bytes, never at the name: gzip, zstd, xz and bzip2 become streams, tar and
zip are walked member by member, in order, also inside each other up to ``archive_depth``. Caps stop bombs:
members, bytes of a member, and how much a compressed stream may grow.
"""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, cast

import zstandard
from isal import igzip

from pipeline.settings import Settings

DECOMPRESSION_ERRORS = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
_GZIP, _ZSTD, _XZ, _BZIP2, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh", b"PK\x03\x04"
_TAR_MAGIC_AT, _TAR_MAGIC = 257, b"ustar"
_RATIO_FREE_BYTES = 64 << 20


@dataclass(frozen=True)
class Member:
    """A stream with its name, modification time and size (compressed size for compressed files)."""

    path: str
    stream: BinaryIO
    mtime: datetime | None
    size: int | None


@dataclass(frozen=True)
class Refusal:
    """Input that was not read, and why."""

    path: str
    reason: str
    detail: str


class BombError(OSError):
    """A compressed stream grew past the caps."""


class CappedReader(io.RawIOBase):
    """Reads a decompressed stream and stops it at the caps for size and growth."""

    def __init__(self, inner: BinaryIO, packed: int | None, settings: Settings) -> None:
        self._inner = inner
        self._limit = settings.member_bytes
        if packed is not None:
            self._limit = min(self._limit, max(packed * settings.archive_ratio, _RATIO_FREE_BYTES))
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._inner.read(len(buffer))
        self._count += len(data)
        if self._count > self._limit:
            raise BombError(f"grows past {self._limit} bytes")
        buffer[: len(data)] = data
        return len(data)


def open_members(member: Member, settings: Settings, depth: int = 0) -> Iterator[Member | Refusal]:
    """The sources inside ``member``: itself when it is plain, its decompressed stream, or its members."""
    stream = io.BufferedReader(cast(io.RawIOBase, member.stream)) if not _peekable(member.stream) else member.stream
    head = _peek(stream, 512)
    opened = _decompressor(head, stream)
    if opened is not None:
        capped = cast(BinaryIO, io.BufferedReader(CappedReader(opened, member.size, settings), 1 << 20))
        inner = Member(member.path, capped, member.mtime, None)
        try:
            yield from open_members(inner, settings, depth)
        except DECOMPRESSION_ERRORS as exc:
            yield Refusal(member.path, "damaged archive", _say(exc))
    elif head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == _TAR_MAGIC:
        yield from _walk(member, depth, settings, _tar_members(member, stream, settings))
    elif head.startswith(_ZIP):
        yield from _walk(member, depth, settings, _zip_members(member, stream, settings))
    else:
        yield Member(member.path, cast(BinaryIO, stream), member.mtime, member.size)


def _walk(
    archive: Member, depth: int, settings: Settings, members: Iterator[Member | Refusal]
) -> Iterator[Member | Refusal]:
    if depth >= settings.archive_depth:
        yield Refusal(archive.path, "archive too deep", f"more than {settings.archive_depth} archives inside each other")
        return
    try:
        for number, item in enumerate(members):
            if number >= settings.archive_members:
                yield Refusal(archive.path, "archive too large", f"more than {settings.archive_members} members")
                return
            if isinstance(item, Refusal):
                yield item
            else:
                yield from open_members(item, settings, depth + 1)
    except (tarfile.TarError, zipfile.BadZipFile, *DECOMPRESSION_ERRORS) as exc:
        yield Refusal(archive.path, "damaged archive", _say(exc))


def _tar_members(archive: Member, stream: BinaryIO, settings: Settings) -> Iterator[Member | Refusal]:
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for info in tar:
            name = f"{archive.path}!{info.name}"
            if info.isdir():
                continue
            if not info.isreg():
                # links double what they point to; devices and FIFOs are never input
                yield Refusal(name, "not a regular file", "links and devices in archives are not followed")
                continue
            if info.size > settings.member_bytes:
                yield Refusal(name, "member too large", f"{info.size} bytes; the cap is {settings.member_bytes}")
                continue
            body = tar.extractfile(info)
            if body is not None:
                yield Member(name, cast(BinaryIO, body), datetime.fromtimestamp(info.mtime, UTC), info.size)


def _zip_members(archive: Member, stream: BinaryIO, settings: Settings) -> Iterator[Member | Refusal]:
    # zip keeps its table at the end, so an unseekable one is read whole, under the cap
    whole = stream if stream.seekable() else io.BytesIO(stream.read(settings.member_bytes))
    with zipfile.ZipFile(whole) as packed:
        for info in packed.infolist():
            name = f"{archive.path}!{info.filename}"
            if info.is_dir():
                continue
            if info.flag_bits & 1:
                yield Refusal(name, "encrypted member", "unpack it yourself and give the files")
                continue
            with packed.open(info) as body:
                capped = CappedReader(cast(BinaryIO, body), info.compress_size, settings)
                mtime = datetime(*info.date_time, tzinfo=UTC)
                yield Member(name, cast(BinaryIO, io.BufferedReader(capped)), mtime, info.file_size)


def _decompressor(head: bytes, stream: BinaryIO) -> BinaryIO | None:
    if head.startswith(_GZIP):
        return cast(BinaryIO, igzip.IGzipFile(fileobj=stream, mode="rb"))
    if head.startswith(_ZSTD):
        return zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    if head.startswith(_XZ):
        return cast(BinaryIO, lzma.LZMAFile(stream))
    if head.startswith(_BZIP2) and head[3:4].isdigit():
        return cast(BinaryIO, bz2.BZ2File(stream))
    return None


def _peekable(stream: BinaryIO) -> bool:
    return isinstance(stream, io.BufferedReader)


def _peek(stream: BinaryIO, size: int) -> bytes:
    try:
        return cast(io.BufferedReader, stream).peek(size)[:size]
    except DECOMPRESSION_ERRORS:
        return b""


def _say(exc: BaseException) -> str:
    return str(exc) or type(exc).__name__
