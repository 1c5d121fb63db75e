"""What a source is in bytes: its identity, and its content when that is small enough to be held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import BinaryIO

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


def new_digest() -> blake2b:
    """The hash that identifies content, empty."""
    return blake2b(digest_size=16)


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
    digest = new_digest()
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


def _blocks(source: Source, head: bytes, size: int, digest: blake2b) -> Iterator[bytes]:
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


def whole_blocks(source: Source, head: bytes, settings: Settings, digest: blake2b) -> Iterator[tuple[int, bytes]]:
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


def digests_at(blocks: Iterator[bytes | memoryview], ends: Sequence[int]) -> dict[int, bytes]:
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


def digests_of_file(stream: BinaryIO, ends: Sequence[int], size: int) -> dict[int, bytes]:
    """Digests of a file, which is closed then, at each of ``ends`` and at ``size``, unless it is shorter by now."""
    with stream:
        return digests_at(blocks_of(stream, size), [*ends, size])
