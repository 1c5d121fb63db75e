"""The driver of a run: reads what must be read in order, hands work items out, takes facts in.

Small sources are collected into items; what is larger than an item is cut up (``large``).
"""

from __future__ import annotations

import io
from dataclasses import replace

from pipeline.engines.content import read_some
from pipeline.engines.desk import Desk
from pipeline.engines.endings import finished, is_fresh
from pipeline.engines.growing import Prior, goes_on
from pipeline.engines.handout import Spool
from pipeline.engines.large import LargeSources
from pipeline.engines.parts import Part
from pipeline.sources.archives import Refusal
from pipeline.sources.discover import FileStatus, Source
from pipeline.sources.identify import SNIFF_BYTES, identify
from pipeline.warehouse.ledger import SourceRow

SPOOL_BYTES = 1 << 20


class Reading:
    """One run over sources; call ``read`` or ``refuse`` for each, then ``finish``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._large = LargeSources(desk)
        self._parts: list[Part] = []
        self._rows: dict[int, SourceRow] = {}
        self._bytes = 0
        self._held = bytearray()
        self._spool: Spool | None = None

    def recall(self, path: str, status: FileStatus) -> bool:
        """Whether the file is unchanged since it was read, and what it holds is in the warehouse."""
        return self._desk.recall(path, status)

    def refuse(self, refusal: Refusal) -> None:
        """Enter input that was not read, once, with its reason."""
        self._desk.refuse(refusal)

    def read(self, source: Source) -> None:
        """Take in a source, unless the same was read before."""
        if source.plain and source.size is not None and source.size > self._desk.settings.item_bytes:
            self._read_large(source, source.stream.read(SNIFF_BYTES))
            return
        if source.plain and source.size is not None:
            whole = self._whole(source, source.size + 1)
            if len(whole) == source.size:
                self._read_small(source, whole)
                return
            data = bytearray(whole)
        else:
            data = bytearray(source.stream.read(SNIFF_BYTES))
        while len(data) <= self._desk.settings.item_bytes:
            more = read_some(source)
            if not more:
                self._read_small(source, memoryview(data))
                return
            data += more
        self._read_large(source, bytes(data))

    def _whole(self, source: Source, size: int) -> memoryview:
        """Up to ``size`` bytes; the next call overwrites them. Memory that was used before is the fastest."""
        if len(self._held) < size:
            self._held = bytearray(max(size, SPOOL_BYTES))
        view, read = memoryview(self._held)[:size], 0
        while some := source.stream.readinto(view[read:]):  # type: ignore[attr-defined]  # a file's stream has it
            read += some
        return view[:read]

    def finish(self) -> None:
        """Wait for everything that was handed out."""
        try:
            self._flush()
            self._desk.handout.drain()
        finally:
            self._large.close()
            self._desk.handout.close()

    def _read_large(self, source: Source, head: bytes) -> None:
        self._flush()
        self._large.read(source, head)

    def _read_small(self, source: Source, data: memoryview) -> None:
        if not self._desk.tell_damage(source):
            return
        size, read = len(data), self._finished(source, data)
        digest = self._desk.new_digest()
        digest.update(data[:read])
        part = self._desk.part(source)
        identity = self._desk.identity(part.names, digest.digest())
        if not source.damage and read == size:
            self._desk.memory.note(source.path, source.file, digest.digest())
        data, head = data[:read], bytes(data[: min(read, SNIFF_BYTES)])
        self._large.settle(part.path, head)
        if identity in self._desk.known or self._desk.growth.outgrown(part.path, head, read, digest.digest()):
            self._desk.summary.files_known += 1
            self._desk.growth.seen(identity, source)
            return
        if not data and read < size:
            return
        begin = 0
        prior = self._desk.growth.before(part.path, head, data)
        if prior is not None:
            kind, whole = identify(head), bytes(data)
            if goes_on(kind, whole, prior.end):
                # what was read of a line that has gone on since is read again, whole
                begin = whole.rfind(b"\n", 0, prior.end) + 1
                part = replace(part, identity=kind, offset=begin, begin=begin)
        self._desk.known.add(identity)
        self._desk.note_stream(source, head, prior if begin else None, Prior(read, identity, identity, part.path))
        if self._desk.options.overlap == "dedupe" and (kind := identify(head)).family == "log":
            new = self._desk.new_pieces(replace(part, identity=kind), io.BytesIO(data), begin, len(data))
            pieces = [self._carried(piece, memoryview(piece.data or b"")) for piece in new]
        else:
            pieces = [self._carried(part, data[begin:])]
        read = sum(piece.held for piece in pieces)
        self._rows[part.src] = self._desk.row(part, identity, read)
        self._parts += pieces
        self._bytes += self._rows[part.src].bytes_read
        if self._bytes >= self._desk.handout.item_bytes or len(self._rows) >= self._desk.settings.batch_files:
            self._flush()

    def _carried(self, part: Part, data: memoryview) -> Part:
        """The part with its bytes; what is long goes to another process through a file, cheaper than a pipe."""
        if len(data) < SPOOL_BYTES:
            return replace(part, data=bytes(data))
        if self._spool is None:
            self._spool = self._desk.handout.spool()
        return self._spool.add(part, data)

    def _finished(self, source: Source, data: memoryview) -> int:
        """How much of a small source is read now: a last line that is not finished waits."""
        if bytes(data[-1:]) == b"\n" or not is_fresh(source, self._desk.settings):
            return len(data)
        if identify(bytes(data[:SNIFF_BYTES])).family != "log":
            return len(data)
        return self._desk.waits(finished(bytes(data)), len(data))

    def _flush(self) -> None:
        """Hand out the small sources collected so far."""
        if not self._parts:
            return
        rows, parts, size = self._rows, self._parts, self._bytes
        self._parts, self._rows, self._bytes, self._spool = [], {}, 0, None
        self._desk.handout.submit(parts, size, lambda parsed: self._desk.collector.add_small(parsed, rows))
