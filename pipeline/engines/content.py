"""What a source is in bytes: its identity, and its content when that is small enough to be held."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import BinaryIO, Protocol, Self

import duckdb
from blake3 import blake3

from pipeline.settings import Settings
from pipeline.sources.discover import Source
from pipeline.sources.identify import SNIFF_BYTES, Identity, identify

WHOLE_FAMILIES = ("document", "console", "config", "export")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Content:
    """All bytes of a source, in pieces cut at line ends; ``damage`` says why the rest could not be read."""

    identity: Identity
    pieces: list[tuple[int, bytes]]
    digest: bytes
    size: int
    damage: str | None


class Digest(Protocol):
    """A hash under way, of 16 bytes."""

    def update(self, data: bytes | memoryview, /) -> object:
        """Go on with these bytes."""

    def digest(self) -> bytes:
        """The hash of what came so far."""

    def copy(self) -> Self:
        """Another one that goes on from here."""


class Blake3:
    """BLAKE3, cut to 16 bytes; several times as fast as BLAKE2b (https://github.com/BLAKE3-team/BLAKE3-specs)."""

    def __init__(self, begun: blake3 | None = None) -> None:
        self._hash = blake3() if begun is None else begun

    def update(self, data: bytes | memoryview) -> None:
        """See ``Digest``."""
        self._hash.update(data)

    def digest(self) -> bytes:
        """See ``Digest``."""
        return self._hash.digest(length=16)

    def copy(self) -> Self:
        """See ``Digest``."""
        return type(self)(self._hash.copy())


def _blake2b() -> Digest:
    return blake2b(digest_size=16)


NewDigest = Callable[[], Digest]
#: What may identify content, by the name that the warehouse has for it.
HASHES: dict[str, NewDigest] = {"blake3": Blake3, "blake2b": _blake2b}


def hash_of(con: duckdb.DuckDBPyConnection) -> NewDigest:
    """The hash by which a warehouse knows content."""
    return HASHES[con.sql("SELECT name FROM content_hash").fetchall()[0][0]]


def content_id(*parts: str | None, digest: bytes = b"") -> str:
    """Identity of what was read: its bytes, and the cluster, node, pod and time that only its name tells.

    Two nodes may print the same three lines, so the bytes alone do not name an observation.
    """
    return blake2b("\x1f".join(part or "" for part in parts).encode() + digest, digest_size=16).hexdigest()


def read_some(source: Source) -> bytes:
    """Some bytes, as they come: a damaged stream still gives what stands before the damage; b"" at the end."""
    read1 = getattr(source.stream, "read1", source.stream.read)
    return bytes(read1(_BLOCK))


def read_content(source: Source, settings: Settings) -> Content:
    """Read a source to its end, or to where it is damaged; all of it is held in memory."""
    digest = Blake3()
    head = source.stream.read(SNIFF_BYTES)
    digest.update(head)
    identity = identify(head)
    size = settings.document_bytes if identity.family in WHOLE_FAMILIES else settings.item_bytes
    pieces: list[tuple[int, bytes]] = []
    offset = 0
    for data in _blocks(source, head, size, digest):
        pieces.append((offset, data))
        offset += len(data)
    return Content(identity, pieces, digest.digest(), offset, source.damage[0] if source.damage else None)


def _blocks(source: Source, head: bytes, size: int, digest: Digest) -> Iterator[bytes]:
    """The source in blocks of about ``size`` bytes that end with a line."""
    rest, ended = head, False
    while not ended:
        block = bytearray(rest)
        while len(block) < size and not ended:
            more = read_some(source)
            digest.update(more)
            block += more
            ended = not more
        cut = len(block) if ended else block.rfind(b"\n") + 1 or len(block)
        if cut:
            yield bytes(block[:cut])
        rest = bytes(block[cut:])


def whole_blocks(source: Source, head: bytes, settings: Settings, digest: Digest) -> Iterator[tuple[int, bytes]]:
    """Blocks of a source that is read as a whole (a document), with their places; more than one only at the cap."""
    offset = 0
    for data in _blocks(source, head, settings.document_bytes, digest):
        yield offset, data
        offset += len(data)


def blocks_of(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """The first ``size`` bytes of a file, in blocks."""
    stream.seek(0)
    while size > 0 and (block := stream.read(min(_BLOCK, size))):
        size -= len(block)
        yield block


def digests_at(
    blocks: Iterator[bytes] | Iterator[memoryview], ends: Sequence[int], new_digest: NewDigest
) -> dict[int, bytes]:
    """Digests of the first so many bytes for each of ``ends``; lengths that are not reached are left out."""
    found: dict[int, bytes] = {}
    wanted = sorted(set(ends))
    digest, at = new_digest(), 0
    for block in blocks:
        view, used = memoryview(block), 0
        while wanted and wanted[0] <= at + len(block):
            stop = wanted.pop(0) - at
            digest.update(view[used:stop])
            used = stop
            found[at + stop] = digest.copy().digest()
        digest.update(view[used:])
        at += len(block)
        if not wanted:
            break
    return found


def digests_of_file(stream: BinaryIO, ends: Sequence[int], size: int, new_digest: NewDigest) -> dict[int, bytes]:
    """Digests of a file, which is closed then, at each of ``ends`` and at ``size``, unless it is shorter by now."""
    with stream:
        return digests_at(blocks_of(stream, size), [*ends, size], new_digest)
