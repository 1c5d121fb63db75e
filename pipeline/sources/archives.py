"""Archives and compression, unpacked in memory and bounded.

``open_members`` looks at the first bytes, never at the name: gzip, zstd, xz and bzip2 become streams, tar and
zip are walked member by member, in order, also inside each other up to ``archive_depth``. Caps stop bombs:
members, bytes of a member, and how much a compressed stream may grow. A stream that breaks ends there and says
so in ``Member.damage``, so that everything before the damage is still read.
"""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO, cast

import pyarrow as pa
from isal import isal_zlib

from pipeline.settings import Settings

READ_ERRORS: tuple[type[Exception], ...] = (
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
    cast("type[Exception]", isal_zlib.error),
    pa.ArrowException,
    tarfile.TarError,
    zipfile.BadZipFile,
    RuntimeError,  # what zipfile raises for methods and passwords that it does not know
)
_GZIP, _ZSTD, _XZ, _BZIP2, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\x00", b"BZh", b"PK\x03\x04"
_TAR_MAGIC_AT, _TAR_MAGIC = 257, b"ustar"
_HEAD = 512


@dataclass(frozen=True)
class Member:
    """A stream with its name, modification time and size as stored (packed size for compressed files).

    ``damage`` is filled while the stream is read: each entry says why the rest cannot be had.
    """

    path: str
    stream: BinaryIO
    mtime: datetime | None
    size: int | None
    damage: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Refusal:
    """Input that was not read, and why."""

    path: str
    reason: str
    detail: str


class GuardedReader(io.RawIOBase):
    """Reads a stream up to a limit; where it breaks or grows past the limit it ends, and notes the damage."""

    def __init__(self, inner: BinaryIO, limit: int | None, damage: list[str], expected: int | None = None) -> None:
        whole = isinstance(inner, pa.NativeFile | GzipReader)
        self._read = inner.read if whole else getattr(inner, "read1", inner.read)
        self._limit = limit
        self._damage = damage
        self._expected = expected
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = len(buffer)
        if self._expected is not None:
            wanted = min(wanted, self._expected - self._count)
        if self._damage or not wanted:
            return 0
        try:
            data = self._read(wanted)
        except READ_ERRORS as exc:
            self._damage.append(str(exc) or type(exc).__name__)
            return 0
        self._count += len(data)
        if self._limit is not None and self._count > self._limit:
            self._damage.append(f"grows past {self._limit} bytes")
            return 0
        if not data and self._expected is not None:
            self._damage.append(f"ends after {self._count} of {self._expected} bytes")
        buffer[: len(data)] = data
        return len(data)


class GzipReader:
    """Decompresses gzip members as they come; what was decompressed before a cut is given before the error.

    The file objects of isal and of the standard library hold such data back or are slow.
    """

    _INPUT = 1 << 16
    _GZIP_WINDOW = 31

    def __init__(self, inner: BinaryIO) -> None:
        self._inner = inner
        self._member = isal_zlib.decompressobj(wbits=self._GZIP_WINDOW)
        self._pending = b""
        self._inside = False

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; b"" at the end.

        Raises:
            EOFError: the file ends inside a member.
            zlib.error: the data is damaged.
        """
        while True:
            if not self._pending:
                self._pending = self._inner.read(self._INPUT)
                if not self._pending:
                    if self._inside:
                        raise EOFError("the compressed file ends in the middle")
                    return b""
            if not self._inside and not self._pending.strip(b"\0"):
                self._pending = b""  # padding after the last member
                continue
            self._inside = True
            data = bytes(self._member.decompress(self._pending, size))
            self._pending = self._member.unconsumed_tail
            if self._member.eof:
                self._pending = self._member.unused_data
                self._member = isal_zlib.decompressobj(wbits=self._GZIP_WINDOW)
                self._inside = False
            if data:
                return data


def _guarded(inner: BinaryIO, limit: int | None, damage: list[str], expected: int | None = None) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(GuardedReader(inner, limit, damage, expected), 1 << 16))


def open_members(member: Member, settings: Settings, depth: int = 0) -> Iterator[Member | Refusal]:
    """The sources inside ``member``: itself when it is plain, its decompressed stream, or its members."""
    if not isinstance(member.stream, io.BufferedReader):
        member = Member(
            member.path,
            _guarded(member.stream, None, member.damage),
            member.mtime,
            member.size,
            member.damage,
        )
    head = cast(io.BufferedReader, member.stream).peek(_HEAD)[:_HEAD]
    unpacked = _decompressor(head, member.stream)
    if unpacked is not None:
        limit = max((member.size or 0) * settings.archive_ratio, settings.archive_free_bytes)
        stream = _guarded(unpacked, limit, member.damage)
        yield from open_members(Member(member.path, stream, member.mtime, None, member.damage), settings, depth)
    elif head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == _TAR_MAGIC:
        yield from _walk(member, depth, settings, _tar_members(member, settings))
    elif head.startswith(_ZIP):
        yield from _walk(member, depth, settings, _zip_members(member, settings))
    else:
        yield member


def _walk(
    archive: Member, depth: int, settings: Settings, members: Iterator[Member | Refusal]
) -> Iterator[Member | Refusal]:
    if depth >= settings.archive_depth:
        yield Refusal(
            archive.path, "archive too deep", f"more than {settings.archive_depth} archives inside each other"
        )
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
    except READ_ERRORS as exc:
        archive.damage.append(str(exc) or type(exc).__name__)
    if archive.damage:
        yield Refusal(archive.path, "damaged archive", archive.damage[0])


def _tar_members(archive: Member, settings: Settings) -> Iterator[Member | Refusal]:
    with tarfile.open(fileobj=archive.stream, mode="r|") as tar:
        for info in tar:
            name = f"{archive.path}!{info.name}"
            if info.isdir():
                continue
            if not info.isreg() or info.issparse():
                # links double what they point to; devices and FIFOs are never input
                yield Refusal(name, "not a regular file", "links, devices and sparse members are not read")
                continue
            if info.size > settings.member_bytes:
                yield Refusal(name, "member too large", f"{info.size} bytes; the cap is {settings.member_bytes}")
                continue
            damage: list[str] = []
            # read from the archive's own stream: tarfile's member reader drops data that stands before a cut
            body = _guarded(cast(BinaryIO, tar.fileobj), None, damage, info.size)
            yield Member(name, body, _moment(info.mtime), info.size, damage)


def _zip_members(archive: Member, settings: Settings) -> Iterator[Member | Refusal]:
    # zip keeps its table at the end, so an unseekable one is read whole, under the cap
    stream = archive.stream
    whole = stream if stream.seekable() else io.BytesIO(stream.read(settings.member_bytes))
    with zipfile.ZipFile(whole) as packed:
        for info in packed.infolist():
            name = f"{archive.path}!{info.filename}"
            if info.is_dir():
                continue
            if info.flag_bits & 1:
                yield Refusal(name, "encrypted member", "unpack it yourself and give the files")
                continue
            limit = max(info.compress_size * settings.archive_ratio, settings.archive_free_bytes)
            damage: list[str] = []
            with packed.open(info) as body:
                stream = _guarded(cast(BinaryIO, body), min(limit, settings.member_bytes), damage)
                yield Member(name, stream, datetime(*info.date_time, tzinfo=UTC), info.file_size, damage)


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _decompressor(head: bytes, stream: BinaryIO) -> BinaryIO | None:
    if head.startswith(_GZIP):
        return cast(BinaryIO, GzipReader(stream))
    if head.startswith(_ZSTD):
        # pyarrow's reader is bounded and says when a frame is cut; zstandard's ends there without a word
        return cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd"))
    if head.startswith(_XZ):
        return cast(BinaryIO, lzma.LZMAFile(stream))
    if head.startswith(_BZIP2) and head[3:4].isdigit():
        return cast(BinaryIO, bz2.BZ2File(stream))
    return None
