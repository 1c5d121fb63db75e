"""Files that grow: what was read of them before is told by their bytes, and only the rest is read.

A file goes on with what was read when it begins with exactly those bytes, whatever it is called by now: a log that
was renamed or packed since is continued as well, and one that was cut off and begun anew is a new one. To find out
costs a hash at each length that files with the same first line had when they were read.
"""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from typing import BinaryIO

import duckdb

from pipeline.engines.content import Digest, NewDigest, digests_at
from pipeline.errors import MissingInputError
from pipeline.settings import Settings
from pipeline.sources.discover import Source, walk_sources
from pipeline.sources.identify import SNIFF_BYTES, Identity, identify
from pipeline.sources.remote import is_url
from pipeline.warehouse.files import FileMemory

HEAD_BYTES = 4096
_BLOCK = 1 << 20
_HELD = 16 << 20
_TIME = re.compile(rb"\d\d:\d\d:\d\d")
_STREAMS = """
SELECT t.head, t.end_at, t.content_id, t.stream_id, s.source_path
FROM streams AS t LEFT JOIN sources AS s ON s.content_id = t.content_id
"""
# Sources that were read before streams were written down are found by their path.
_OLDER = """
SELECT source_path, bytes_read, content_id FROM sources
WHERE kind LIKE 'log:%' AND bytes_read > 0 AND content_id NOT IN (SELECT content_id FROM streams)
"""
Identify = Callable[[str, bytes], str]


@dataclass(frozen=True)
class Prior:
    """What was read of a stream: its bytes up to ``end``, whose content id is ``content``.

    ``stream`` is the content id of what was read first; empty for sources older than the table of streams.
    """

    end: int
    content: str
    stream: str
    path: str | None = None


def first_line(data: bytes) -> bytes:
    """The first line with its end, which does not change while a file grows."""
    end = data.find(b"\n", 0, HEAD_BYTES)
    return data[: HEAD_BYTES if end < 0 else end + 1]


class Growth:
    """What the warehouse, and this run so far, know of the beginnings of streams.

    ``identify`` gives the content id for a path and the hash of bytes read under it.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        memory: FileMemory,
        settings: Settings,
        identify: Identify,
        new_digest: NewDigest,
        node_given: bool = False,
    ) -> None:
        self._new_digest = new_digest
        self._memory = memory
        self._settings = settings
        self._identify = identify
        self._nowhere = None if node_given else identify("", b"")
        self._by_head: dict[int, list[Prior]] = defaultdict(list)
        self._by_path: dict[str, list[Prior]] = defaultdict(list)
        self._places: dict[str, str] = {}
        self._remembered: dict[str, str] | None = None
        for head, *told in con.sql(_STREAMS).fetchall():
            self._by_head[head].append(Prior(*told))
        for path, end, content in con.sql(_OLDER).fetchall():
            self._by_path[path].append(Prior(end, content, "", path))

    def key(self, path: str, head: bytes) -> int:
        """Hash of the first line and of what the path says: the same for all states of a file that grows."""
        key = self._identify(path, b"").encode() + first_line(head)
        return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")

    def note(self, prior: Prior, key: int, whole_file: bool) -> None:
        """Remember a stream that this run read, up to where; ``whole_file``: its path holds nothing else."""
        self._by_head[key].append(prior)
        if whole_file and prior.path:
            self._places[prior.content] = prior.path

    def seen(self, content: str, source: Source) -> None:
        """A file that holds what is known lies here now: a shorter state of it may be held against it."""
        if source.file is not None:
            self._places[content] = source.path

    def candidates(self, path: str, head: bytes) -> list[Prior]:
        """Streams of the same place that begin with the same line, shortest first.

        Lines without a time, from nobody knows which node, are not taken for those of another file.
        """
        found = self._by_head.get(self.key(path, head), []) + self._by_path.get(path, [])
        if found and not _TIME.search(head, 0, HEAD_BYTES) and self._identify(path, b"") == self._nowhere:
            found = [prior for prior in found if prior.path == path]
        return sorted(found, key=lambda prior: prior.end)

    def before(self, path: str, head: bytes, data: memoryview) -> Prior | None:
        """The longest stream that ``data``, which begins with ``head``, begins with."""
        known = [prior for prior in self.candidates(path, head) if 0 < prior.end <= len(data)]
        if not known:
            return None
        marks = digests_at(iter((data,)), [prior.end for prior in known], self._new_digest)
        return self.longest(path, head, known, marks)

    def longest(self, path: str, head: bytes, known: Sequence[Prior], digests: dict[int, bytes]) -> Prior | None:
        """The longest of the streams whose bytes have the digest that the file has at that length."""
        for prior in reversed(known):
            digest = digests.get(prior.end)
            if digest is not None and self._identify(path, digest) == prior.content and _was_text(head, prior.end):
                return prior
        return None

    def skip(
        self, path: str, head: bytes, read: Callable[[], bytes], digest: Digest
    ) -> tuple[Prior | None, Callable[[], bytes]]:
        """Read past what is known of a stream; the function returned reads the rest, ``digest`` follows it.

        ``read`` gives the bytes after ``head``. What is not known is held on disk until no longer candidate is left.
        """
        held = tempfile.SpooledTemporaryFile(_HELD)  # noqa: SIM115 - read by what is returned
        prior, at, block = None, 0, head
        for candidate in self.candidates(path, head):
            while at < candidate.end and (block := block or read()):
                piece, block = block[: candidate.end - at], block[candidate.end - at :]
                digest.update(piece)
                held.write(piece)
                at += len(piece)
            same = at == candidate.end > 0 and self._identify(path, digest.digest()) == candidate.content
            if same and _was_text(head, at):
                prior = candidate
                held.seek(0)
                held.truncate()
        held.seek(0)

        def rest() -> bytes:
            nonlocal block
            if data := held.read(_BLOCK):
                return data
            data, block = block or read(), b""
            digest.update(data)
            return data

        return prior, rest

    def outgrown(self, path: str, head: bytes, size: int, digest: bytes) -> bool:
        """Whether the source is an earlier, shorter state of a stream that was read since.

        That can only be seen where the longer one still lies: its first bytes are read again.
        """
        for prior in self.candidates(path, head):
            place = self._place(prior.content) if prior.end > size else None
            # two nodes may begin alike: the content id also holds what the paths say
            same = place and self._identify(path, digest) == self._identify(place, digest)
            if place and same and self._beginning(place, size) == digest:
                return True
        return False

    def _place(self, content: str) -> str | None:
        if content in self._places:
            return self._places[content]
        if self._remembered is None:
            self._remembered = {self._identify(path, digest): path for path, digest in self._memory.digests()}
        return self._remembered.get(content)

    def _beginning(self, place: str, size: int) -> bytes | None:
        if not is_url(place) and not Path(place).is_file():
            return None
        with suppress(MissingInputError):
            for source in walk_sources([place], self._settings):
                if isinstance(source, Source) and source.path == place:
                    return digests_at(_blocks(source.stream), [size], self._new_digest).get(size)
        return None


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(_BLOCK):
        yield block


def _was_text(head: bytes, end: int) -> bool:
    """Whether what was read then was read line by line; what was refused, or read as one, is read anew."""
    return end >= SNIFF_BYTES or identify(head[:end]).family in ("log", "console")


def goes_on(identity: Identity, data: bytes, end: int) -> bool:
    """Whether what stands after ``end`` can be read by itself.

    A log can. What commands printed can when it begins like the whole: the same command once more, and not a table
    with another row. A document or an export that grew is another one.
    """
    if identity.family == "console":
        return _form(data) == _form(data[end : end + HEAD_BYTES])
    return identity.family == "log"


def _form(data: bytes) -> str:
    """The first line that says something, with runs of digits, small and capital letters as one sign each."""
    line = next((line for line in data[:HEAD_BYTES].splitlines() if line.strip()), b"").decode("utf-8", "replace")
    signs = ("0" if char.isdigit() else "A" if char.isupper() else "a" if char.isalpha() else char for char in line)
    return "".join(sign for sign, _ in groupby(signs))
