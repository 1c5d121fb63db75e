"""The driver of a run: reads what must be read in order, hands work items out, takes facts in.

Small sources are collected into items; a large log is cut into ranges, read by the processes themselves when it lies
plain on disk and spooled to them when it must be unpacked first. Items are handed out a few ahead of the facts
that come back, and facts are loaded in the order of the input, so nothing depends on which process was faster.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import polars as pl

from pipeline.engines.collect import Collector, InputOptions, Large, Summary, described
from pipeline.engines.content import WHOLE_FAMILIES, content_id, digest_file, new_digest, read_some, whole_blocks
from pipeline.engines.items import Parsed, Part
from pipeline.engines.ranges import context_bytes
from pipeline.redact import redact
from pipeline.settings import Settings
from pipeline.sources.archives import Refusal
from pipeline.sources.discover import Source
from pipeline.sources.identify import SNIFF_BYTES, identify
from pipeline.sources.paths import Names, names_in_path
from pipeline.sources.windows import stream_windows
from pipeline.warehouse.files import FileMemory
from pipeline.warehouse.load import Load, SourceRow

DETAIL_CHARS = 200
# Items that may wait for each process: enough that none is idle, few enough that memory is bounded.
AHEAD = 2
_SHARED = Path("/dev/shm")  # noqa: S108 - spool files are made there with names of their own


class Parsers(Protocol):
    """Who parses work items: processes of this machine, or a cluster; about ``count`` of them at a time."""

    count: int

    def submit(self, parts: Sequence[Part], size: int) -> Future[Parsed]:
        """Parse an item of ``size`` bytes."""

    def close(self) -> None:
        """End what was started."""


class Reading:
    """One run over sources; call ``read`` or ``refuse`` for each, then ``finish``."""

    def __init__(
        self,
        load: Load,
        known: Mapping[str, int],
        memory: FileMemory,
        workers: Parsers,
        options: InputOptions,
        settings: Settings,
        summary: Summary,
    ) -> None:
        self._load = load
        self._known = set(known)
        self._sizes = set(known.values())
        self._memory = memory
        self._workers = workers
        self._options = options
        self._settings = settings
        self._summary = summary
        self._collector = Collector(load, summary, self.refuse)
        self._context = context_bytes(settings.record_bytes, settings.neighbour_bytes)
        self._waiting: deque[Callable[[], None]] = deque()
        self._parts: list[Part] = []
        self._rows: dict[int, SourceRow] = {}
        self._bytes = self._next = 0
        self._names: Counter[str] = Counter()
        self._hasher = ThreadPoolExecutor(1, thread_name_prefix="peerscope-hash")
        self._spool = tempfile.TemporaryDirectory(
            prefix="peerscope-", dir=_SHARED if os.access(_SHARED, os.W_OK) else None
        )

    def recall(self, path: str, status: os.stat_result) -> bool:
        """Whether the file is unchanged since it was read, and what it holds is in the warehouse."""
        digest = self._memory.digest(path, status)
        return digest is not None and self._identity(names_in_path(path), digest) in self._known

    def refuse(self, refusal: Refusal) -> None:
        """Enter input that was not read, once, with its reason."""
        self._summary.refused.append(refusal)
        identity = content_id("refused", self._options.cluster, refusal.path, refusal.reason, refusal.detail)
        if identity in self._known:
            self._summary.files_known += 1
            return
        self._known.add(identity)
        self._load.add_source(SourceRow(refusal.path, identity, "refused", 0, 0, 0, 0, 0))
        row = {"byte_offset": [0], "byte_length": [0], "lines": [0], "reason": [refusal.reason]}
        detail = redact(refusal.detail)[:DETAIL_CHARS]
        self._load.add_rejects(pl.DataFrame({**row, "detail": [detail]}), refusal.path)

    def read(self, source: Source) -> None:
        """Take in a source, unless the same was read before."""
        if source.plain and source.size is not None and source.size > self._settings.item_bytes:
            self._read_large(source, source.stream.read(SNIFF_BYTES))
            return
        data = bytearray(source.stream.read(SNIFF_BYTES))
        while len(data) <= self._settings.item_bytes:
            more = read_some(source)
            if not more:
                self._read_small(source, bytes(data))
                return
            data += more
        self._read_large(source, bytes(data))

    def finish(self) -> None:
        """Wait for everything that was handed out."""
        try:
            self._flush()
            while self._waiting:
                self._waiting.popleft()()
        finally:
            self._hasher.shutdown(wait=False, cancel_futures=True)
            self._spool.cleanup()

    def _identity(self, names: Names, digest: bytes) -> str:
        stamp = names.stamp.isoformat() if names.stamp else None
        return content_id(self._options.cluster, names.node or self._options.node, names.pod, stamp, digest=digest)

    def _part(self, source: Source) -> Part:
        names = names_in_path(source.path)
        self._next += 1
        return Part(
            self._next,
            source.path,
            replace(names, node=names.node or self._options.node),
            self._options.tz,
            names.stamp or source.mtime,
        )

    def _row(self, part: Part, identity: str, size: int) -> SourceRow:
        names = part.names
        return SourceRow(
            part.path, identity, None, size, 0, 0, 0, 0, node=names.node, pod=names.pod, container=names.container
        )

    def _told_damage(self, source: Source) -> None:
        if source.damage:
            self.refuse(Refusal(source.path, "damaged input", source.damage[0]))

    def _read_small(self, source: Source, data: bytes) -> None:
        self._told_damage(source)
        digest = new_digest()
        digest.update(data)
        part = self._part(source)
        identity = self._identity(part.names, digest.digest())
        if not source.damage:
            self._memory.note(source.path, source.file, digest.digest())
        if identity in self._known:
            self._summary.files_known += 1
            return
        self._known.add(identity)
        self._parts.append(replace(part, data=data))
        self._rows[part.src] = self._row(part, identity, len(data))
        self._bytes += len(data)
        if self._bytes >= self._settings.item_bytes or len(self._rows) >= self._settings.batch_files:
            self._flush()

    def _flush(self) -> None:
        """Hand out the small sources collected so far."""
        if not self._parts:
            return
        rows, parts, size = self._rows, self._parts, self._bytes
        self._parts, self._rows, self._bytes = [], {}, 0
        future = self._workers.submit(parts, size)
        self._wait(lambda: self._collector.add_small(future.result(), rows))

    def _wait(self, step: Callable[[], None]) -> None:
        """Queue a step on facts to come; the oldest ones are taken first when too many wait."""
        self._waiting.append(step)
        while len(self._waiting) > self._workers.count * AHEAD:
            self._waiting.popleft()()

    def _read_large(self, source: Source, head: bytes) -> None:
        identity = identify(head[:SNIFF_BYTES])
        if identity.family == "binary":
            self.refuse(Refusal(source.path, "binary file", identity.why))
            return
        self._flush()
        part = replace(self._part(source), identity=identity)
        digest: Callable[[], bytes]
        if source.plain and source.size is not None and identity.family not in WHOLE_FAMILIES:
            hashed = self._hasher.submit(digest_file, source.path, source.size)
            if source.size in self._sizes and self._identity(part.names, hashed.result()) in self._known:
                self._summary.files_known += 1
                self._memory.note(source.path, source.file, hashed.result())
                return
            self._sizes.add(source.size)
            digest, parts, size = hashed.result, self._ranges(source, part), source.size
            large = self._open(part, size)
            self._hand_out(parts, large)
        else:
            hasher = new_digest()
            large = self._open(part, 0)
            size = self._hand_out(self._unpacked(source, part, head, hasher), large)
            large.row = replace(large.row, bytes_read=size)
            digest = hasher.digest
        self._wait(lambda: self._end(source, part, large, digest()))

    def _open(self, part: Part, size: int) -> Large:
        """A large source under a name of its own: an archive may hold two members of one name."""
        self._names[part.path] += 1
        count = self._names[part.path]
        assert part.identity is not None
        row = described(self._row(part, "", size), part.identity)
        return Large(row if count == 1 else replace(row, source_path=f"{part.path}#{count}"))

    def _hand_out(self, parts: Iterator[tuple[Part, int]], large: Large) -> int:
        total = 0
        for part, size in parts:
            total += size
            path = part.path if part.data is None and part.spool is None else large.row.source_path
            future = self._workers.submit([replace(part, path=path)], size)
            self._wait(lambda future=future, part=part: self._take(future, part, large))  # type: ignore[misc]
        return total

    def _take(self, future: Future[Parsed], part: Part, large: Large) -> None:
        parsed = future.result()
        if part.spool is not None:
            with suppress(FileNotFoundError):
                Path(part.spool).unlink()
        self._collector.add_part(parsed, large)

    def _ranges(self, source: Source, part: Part) -> Iterator[tuple[Part, int]]:
        """Ranges of a plain file, for the processes to read."""
        assert source.size is not None
        step = self._settings.item_bytes
        for begin in range(0, source.size, step):
            end = min(begin + step, source.size)
            yield replace(part, begin=begin, end=end, size=source.size), end - begin

    def _unpacked(self, source: Source, part: Part, head: bytes, digest: object) -> Iterator[tuple[Part, int]]:
        """Parts of what must be unpacked here, spooled; a document comes whole."""
        assert part.identity is not None
        settings = self._settings
        if part.identity.family in WHOLE_FAMILIES:
            digest.update(head)  # type: ignore[attr-defined]
            for offset, data in whole_blocks(source, head, settings, digest):  # type: ignore[arg-type]
                yield self._spooled(replace(part, offset=offset, begin=offset), data), len(data)
            return

        def read() -> bytes:
            data = read_some(source)
            digest.update(data)  # type: ignore[attr-defined]
            return data

        digest.update(head)  # type: ignore[attr-defined]
        total = 0
        for window in stream_windows(read, head, settings.item_bytes, self._context, settings.line_bytes):
            size = (window.end or window.offset + len(window.data) + window.tail) - window.begin
            total += size
            placed = replace(part, offset=window.offset, begin=window.begin, end=window.end, tail=window.tail)
            yield self._spooled(placed, window.data), size

    def _spooled(self, part: Part, data: bytes) -> Part:
        path = Path(self._spool.name, f"{part.src}-{part.offset}")
        path.write_bytes(data)
        return replace(part, spool=str(path))

    def _end(self, source: Source, part: Part, large: Large, digest: bytes) -> None:
        self._told_damage(source)
        if not source.damage:
            self._memory.note(source.path, source.file, digest)
        identity = self._identity(part.names, digest)
        if identity in self._known:
            self._collector.forget(large)
            return
        self._known.add(identity)
        self._collector.add_large(large, identity)
