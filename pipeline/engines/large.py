"""Large sources: cut into ranges, read by the processes themselves when they lie plain on disk.

What must be unpacked first is spooled to them in windows. A large source is entered when its end is known.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from pipeline.engines.collect import Large, described
from pipeline.engines.content import (
    WHOLE_FAMILIES,
    Digest,
    blocks_of,
    digests_at,
    digests_of_file,
    read_some,
    whole_blocks,
)
from pipeline.engines.desk import Desk
from pipeline.engines.endings import finished_end, finished_size, is_fresh
from pipeline.engines.growing import Prior
from pipeline.engines.parts import Part
from pipeline.engines.ranges import context_bytes
from pipeline.sources.archives import Refusal
from pipeline.sources.discover import Source
from pipeline.sources.identify import SNIFF_BYTES, identify
from pipeline.sources.remote import is_url, open_input, status_now
from pipeline.sources.windows import stream_windows


class LargeSources:
    """Reads sources that are larger than a work item."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sizes = set(desk.sizes)
        self._context = context_bytes(desk.settings.record_bytes, desk.settings.neighbour_bytes)
        self._names: Counter[str] = Counter()
        self._begun: dict[int, Prior | None] = {}
        self._heads: set[int] = set()
        self._hasher = ThreadPoolExecutor(1, thread_name_prefix="peerscope-hash")

    def close(self) -> None:
        """End the thread that hashes."""
        self._hasher.shutdown(wait=False, cancel_futures=True)

    def read(self, source: Source, head: bytes) -> None:
        """Take in a source that begins with ``head``, unless it is known."""
        identity = identify(head[:SNIFF_BYTES])
        if identity.family == "binary":
            self._desk.refuse(Refusal(source.path, "binary file", identity.why))
            return
        self.settle(source.path, head)
        self._heads.add(self._desk.growth.key(source.path, head))
        part = replace(self._desk.part(source), identity=identity)
        if self._desk.options.overlap == "dedupe" and identity.family == "log":
            self._read_new(source, part, head)
            return
        if source.plain and source.size is not None and identity.family not in WHOLE_FAMILIES:
            self._read_ranges(source, part, head)
            return
        hasher = self._desk.new_digest()
        large = self._open(part, 0)
        size = self._hand_out(self._unpacked(source, part, head, hasher), large)
        large.row = replace(large.row, bytes_read=size)
        self._desk.handout.wait(lambda: self._end(source, part, large, hasher.digest(), head))

    def settle(self, path: str, head: bytes) -> None:
        """Wait for large sources that begin like this one: how far they were read must be known first."""
        if self._heads and self._desk.growth.key(path, head) in self._heads:
            self._desk.handout.drain()

    def _read_new(self, source: Source, part: Part, head: bytes) -> None:
        """A large log of which only new lines are wanted: unpacked to disk, since it is read twice."""
        with tempfile.TemporaryFile() as file:
            file.write(head)
            while block := read_some(source):
                file.write(block)
            size = file.tell()
            if is_fresh(source, self._desk.settings):
                size = self._desk.waits(finished_end(file, size, self._desk.settings.item_bytes), size)
            begun = [prior for prior in self._desk.growth.candidates(part.path, head) if 0 < prior.end <= size]
            digests = digests_at(blocks_of(file, size), [*(prior.end for prior in begun), size], self._desk.new_digest)
            if self._desk.identity(part.names, digests[size]) in self._desk.known:
                self._desk.summary.files_known += 1
                return
            prior = self._begun[part.src] = self._desk.growth.longest(part.path, head, begun, digests)
            large = self._open(part, 0)
            pieces = self._desk.new_pieces(part, file, prior.end if prior else 0, size)
            new = self._hand_out(
                ((self._desk.handout.spooled(one, one.data or b""), len(one.data or b"")) for one in pieces), large
            )
        large.row = replace(large.row, bytes_read=new)
        whole = source if size == source.size else replace(source, file=None)
        self._desk.handout.wait(lambda: self._end(whole, part, large, digests[size], head, size))

    def _read_ranges(self, source: Source, part: Part, head: bytes) -> None:
        """A large plain file, read by the processes; hashed meanwhile, or before when it may be known in part."""
        assert source.size is not None
        size = source.size
        if is_fresh(source, self._desk.settings):
            with suppress(OSError):  # what cannot be read is told at its end
                size = self._desk.waits(finished_size(source.path, size, self._desk.settings.item_bytes), size)
        begun = [prior for prior in self._desk.growth.candidates(part.path, head) if 0 < prior.end <= size]
        ends = [prior.end for prior in begun]
        hashed = self._hasher.submit(digests_of_file, _again(source), ends, size, self._desk.new_digest)
        whole = _digests(hashed).get(size) if size in self._sizes else None
        if whole is not None and self._desk.identity(part.names, whole) in self._desk.known:
            self._desk.summary.files_known += 1
            if size == source.size:
                self._desk.memory.note(source.path, source.file, whole)
            return
        self._sizes.add(size)
        prior = self._desk.growth.longest(part.path, head, begun, _digests(hashed)) if begun else None
        begin = prior.end if prior else 0
        self._begun[part.src] = prior
        large = self._open(part, size - begin)
        self._hand_out(self._ranges(part, begin, size), large)
        self._desk.handout.wait(lambda: self._end_ranges(source, part, large, _digests(hashed).get(size), head, size))

    def _end_ranges(
        self, source: Source, part: Part, large: Large, digest: bytes | None, head: bytes, size: int
    ) -> None:
        """The end of a file whose ranges were read by its name: it must still be the file it was."""
        still = _is_still(source, size)
        if still and large.unread is None and digest is not None:
            self._end(source if size == source.size else replace(source, file=None), part, large, digest, head)
            return
        self._begun.pop(part.src, None)
        self._forget(large)
        if still:
            why = large.unread or "it could not be read to its end"
            self._desk.refuse(Refusal(source.path, "unreadable file", why))
        else:
            self._desk.refuse(
                Refusal(source.path, "changed while it was read", "rotated or cut; the next run reads what is there")
            )

    def _forget(self, large: Large) -> None:
        self._desk.collector.forget(large)
        if self._desk.archive is not None:
            self._desk.archive.forget(large.row.source_path)

    def _open(self, part: Part, size: int) -> Large:
        """A large source under a name of its own: an archive may hold two members of one name."""
        self._names[part.path] += 1
        count = self._names[part.path]
        assert part.identity is not None
        row = described(self._desk.row(part, "", size), part.identity)
        return Large(row if count == 1 else replace(row, source_path=f"{part.path}#{count}"))

    def _hand_out(self, parts: Iterator[tuple[Part, int]], large: Large) -> int:
        total = 0
        for part, size in parts:
            total += size
            path = part.path if part.data is None and part.spool is None else large.row.source_path
            self._desk.handout.submit(
                [replace(part, path=path)], size, lambda parsed: self._desk.collector.add_part(parsed, large)
            )
        return total

    def _ranges(self, part: Part, first: int, size: int) -> Iterator[tuple[Part, int]]:
        """Ranges of a plain file from ``first`` on, for the processes to read."""
        begin = first
        while begin < size:
            end = min(begin + self._desk.handout.item_bytes, size)
            yield replace(part, begin=begin, end=end, size=size, floor=first), end - begin
            begin = end

    def _unpacked(self, source: Source, part: Part, head: bytes, digest: Digest) -> Iterator[tuple[Part, int]]:
        """Parts of what must be unpacked here, spooled; a document comes whole."""
        assert part.identity is not None
        settings = self._desk.settings
        if part.identity.family in WHOLE_FAMILIES:
            digest.update(head)
            for offset, data in whole_blocks(source, head, settings, digest):
                yield self._desk.handout.spooled(replace(part, offset=offset, begin=offset), data), len(data)
            return

        prior, read = self._desk.growth.skip(part.path, head, lambda: read_some(source), digest)
        self._begun[part.src] = prior
        base = prior.end if prior else 0
        handout = self._desk.handout
        for window in stream_windows(read, b"", lambda: handout.item_bytes, self._context, settings.line_bytes):
            size = (window.end or window.offset + len(window.data) + window.tail) - window.begin
            end = None if window.end is None else base + window.end
            offset, begin = base + window.offset, base + window.begin
            placed = replace(part, offset=offset, begin=begin, end=end, tail=window.tail)
            yield self._desk.handout.spooled(placed, window.data), size

    def _end(self, source: Source, part: Part, large: Large, digest: bytes, head: bytes, size: int = 0) -> None:
        if not self._desk.tell_damage(source):
            self._begun.pop(part.src, None)
            self._forget(large)
            return
        if not source.damage:
            self._desk.memory.note(source.path, source.file, digest)
        identity = self._desk.identity(part.names, digest)
        prior = self._begun.pop(part.src, None)
        end = size or large.row.bytes_read + (prior.end if prior else 0)
        if identity in self._desk.known or self._desk.growth.outgrown(part.path, head, end, digest):
            self._desk.growth.seen(identity, source)
            self._forget(large)
            self._desk.summary.files_known += 1
            return
        self._desk.known.add(identity)
        self._desk.note_stream(source, head, prior, Prior(end, identity, identity, part.path))
        self._desk.collector.add_large(large, identity)


def _again(source: Source) -> BinaryIO:
    """The file that was opened, whatever its name stands for by now; an object is asked whether it is still that."""
    if is_url(source.path):
        assert source.size is not None
        return open_input(source.path, source.size)
    return os.fdopen(os.dup(source.stream.fileno()), "rb", buffering=0)


def _digests(hashed: Future[dict[int, bytes]]) -> dict[int, bytes]:
    """The digests of a file; none when it could not be read to its end."""
    try:
        return hashed.result()
    except OSError:
        return {}


def _is_still(source: Source, size: int) -> bool:
    """Whether the name of a source still stands for the file that was opened, which has only grown, if anything."""
    try:
        if is_url(source.path):
            return source.file is None or status_now(source.path) == source.file
        now = Path(source.path).stat()
    except OSError:
        return False
    same = source.file is None or (now.st_dev, now.st_ino) == (source.file.st_dev, source.file.st_ino)
    return same and now.st_size >= size
