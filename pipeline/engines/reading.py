"""The driver of a run: reads what must be read in order, hands work items out, takes facts in.

Small sources are collected into items; a large log is cut into ranges, read by the processes themselves when it lies
plain on disk and spooled to them when it must be unpacked first. Items are handed out a few ahead of the facts
that come back, and facts are loaded in the order of the input, so nothing depends on which process was faster.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Protocol

import polars as pl

from pipeline.engines.archive import Archive
from pipeline.engines.collect import Collector, InputOptions, Large, Summary, described
from pipeline.engines.content import WHOLE_FAMILIES, content_id, new_digest, read_some, whole_blocks
from pipeline.engines.growing import (
    Growth,
    Prior,
    blocks_of,
    digests_at,
    digests_of_file,
    finished,
    finished_end,
    finished_size,
    goes_on,
    is_fresh,
)
from pipeline.engines.items import Parsed, Part
from pipeline.engines.overlap import new_stretches, pieces_of
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
SPOOL_BYTES = 1 << 20
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
        archive: Archive | None = None,
    ) -> None:
        self._load = load
        self._archive = archive
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
        self._growth = Growth(load.connection, memory, settings, self._identity_of, options.node is not None)
        self._begun: dict[int, Prior | None] = {}
        self._large_heads: set[int] = set()
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
        if source.plain and source.size is not None:
            whole = source.stream.read(source.size + 1)
            if len(whole) == source.size:
                self._read_small(source, whole)
                return
            data = bytearray(whole)
        else:
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
            archive=str(self._archive.staging.absolute()) if self._archive else None,
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
        size, read = len(data), self._finished(source, data)
        digest = new_digest()
        digest.update(data[:read])
        part = self._part(source)
        identity = self._identity(part.names, digest.digest())
        if not source.damage and read == size:
            self._memory.note(source.path, source.file, digest.digest())
        data = data[:read]
        self._settle(part.path, data)
        if identity in self._known or self._growth.outgrown(part.path, data, read, digest.digest()):
            self._summary.files_known += 1
            self._growth.seen(identity, source)
            return
        if not data and read < size:
            return
        begin = 0
        prior = self._growth.before(part.path, data)
        if prior is not None:
            kind = identify(data[:SNIFF_BYTES])
            if goes_on(kind, data, prior.end):
                # what was read of a line that has gone on since is read again, whole
                begin = data.rfind(b"\n", 0, prior.end) + 1
                part = replace(part, identity=kind, offset=begin, begin=begin)
        self._known.add(identity)
        self._note_stream(source, data, prior if begin else None, Prior(read, identity, identity, part.path))
        if self._options.overlap == "dedupe" and (kind := identify(data[:SNIFF_BYTES])).family == "log":
            pieces = list(self._new_pieces(replace(part, identity=kind), io.BytesIO(data), begin, len(data)))
        else:
            pieces = [replace(part, data=data[begin:])]
        read = sum(len(piece.data or b"") for piece in pieces)
        self._rows[part.src] = self._row(part, identity, read)
        # what is long goes to another process through a file: cheaper than through a pipe
        self._parts += [self._spooled(p, p.data) if p.data and len(p.data) >= SPOOL_BYTES else p for p in pieces]
        self._bytes += self._rows[part.src].bytes_read
        if self._bytes >= self._settings.item_bytes or len(self._rows) >= self._settings.batch_files:
            self._flush()

    def _new_pieces(self, part: Part, file: BinaryIO, begin: int, end: int) -> Iterator[Part]:
        """What dumps of the same container had not (see ``overlap``); one empty piece when they had all of it."""
        names = part.names
        container = content_id(self._options.cluster, names.node, names.pod, names.container, names.service)
        stretches, known = new_stretches(self._load.connection, self._load.load_id, container, file, begin, end)
        self._summary.lines_known += known
        if not stretches:
            yield replace(part, data=b"", offset=end, begin=end)
        for at, data in pieces_of(file, stretches, self._settings.item_bytes):
            yield replace(part, data=data, offset=at, begin=at)

    def _settle(self, path: str, head: bytes) -> None:
        """Wait for large sources that begin like this one: how far they were read must be known first."""
        if self._large_heads and self._growth.key(path, head) in self._large_heads:
            while self._waiting:
                self._waiting.popleft()()

    def _finished(self, source: Source, data: bytes) -> int:
        """How much of a small source is read now: a last line that is not finished waits."""
        if data.endswith(b"\n") or not is_fresh(source, self._settings):
            return len(data)
        if identify(data[:SNIFF_BYTES]).family != "log":
            return len(data)
        return self._waits(finished(data), len(data))

    def _waits(self, read: int, size: int) -> int:
        if read < size:
            self._summary.lines_waiting += 1
        return read

    def _note_stream(self, source: Source, head: bytes, prior: Prior | None, read: Prior) -> None:
        """Enter how far a source was read, so that it can be continued there."""
        key = self._growth.key(source.path, head)
        if prior is not None:
            if not prior.stream:
                self._load.add_stream(prior.content, prior.content, key, prior.end)
            read = replace(read, stream=prior.stream or prior.content)
        self._load.add_stream(read.content, read.stream, key, read.end)
        self._growth.note(read, key, source.file is not None)

    def _identity_of(self, path: str, digest: bytes) -> str:
        return self._identity(names_in_path(path), digest)

    def _flush(self) -> None:
        """Hand out the small sources collected so far."""
        if not self._parts:
            return
        rows, parts, size = self._rows, self._parts, self._bytes
        self._parts, self._rows, self._bytes = [], {}, 0
        future = self._workers.submit(parts, size)
        self._wait(lambda: self._take_small(future, parts, rows))

    def _take_small(self, future: Future[Parsed], parts: Sequence[Part], rows: dict[int, SourceRow]) -> None:
        parsed = future.result()
        for part in parts:
            _remove_spool(part)
        self._collector.add_small(parsed, rows)

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
        self._settle(source.path, head)
        self._large_heads.add(self._growth.key(source.path, head))
        part = replace(self._part(source), identity=identity)
        if self._options.overlap == "dedupe" and identity.family == "log":
            self._read_new(source, part, head)
            return
        if source.plain and source.size is not None and identity.family not in WHOLE_FAMILIES:
            self._read_ranges(source, part, head)
            return
        hasher = new_digest()
        large = self._open(part, 0)
        size = self._hand_out(self._unpacked(source, part, head, hasher), large)
        large.row = replace(large.row, bytes_read=size)
        self._wait(lambda: self._end(source, part, large, hasher.digest(), head))

    def _read_new(self, source: Source, part: Part, head: bytes) -> None:
        """A large log of which only new lines are wanted: unpacked to disk, since it is read twice."""
        with tempfile.TemporaryFile() as file:
            file.write(head)
            while block := read_some(source):
                file.write(block)
            size = file.tell()
            if is_fresh(source, self._settings):
                size = self._waits(finished_end(file, size, self._settings.item_bytes), size)
            begun = [prior for prior in self._growth.candidates(part.path, head) if 0 < prior.end <= size]
            digests = digests_at(blocks_of(file, size), [*(prior.end for prior in begun), size])
            if self._identity(part.names, digests[size]) in self._known:
                self._summary.files_known += 1
                return
            prior = self._begun[part.src] = self._growth.longest(part.path, head, begun, digests)
            large = self._open(part, 0)
            pieces = self._new_pieces(part, file, prior.end if prior else 0, size)
            new = self._hand_out(((self._spooled(one, one.data or b""), len(one.data or b"")) for one in pieces), large)
        large.row = replace(large.row, bytes_read=new)
        whole = source if size == source.size else replace(source, file=None)
        self._wait(lambda: self._end(whole, part, large, digests[size], head, size))

    def _read_ranges(self, source: Source, part: Part, head: bytes) -> None:
        """A large plain file, read by the processes; hashed meanwhile, or before when it may be known in part."""
        assert source.size is not None
        size = source.size
        if is_fresh(source, self._settings):
            size = self._waits(finished_size(source.path, size, self._settings.item_bytes), size)
        begun = [prior for prior in self._growth.candidates(part.path, head) if 0 < prior.end <= size]
        # the file that was opened, whatever its name stands for by now
        same = os.fdopen(os.dup(source.stream.fileno()), "rb", buffering=0)
        hashed = self._hasher.submit(digests_of_file, same, [prior.end for prior in begun], size)
        whole = hashed.result().get(size) if size in self._sizes else None
        if whole is not None and self._identity(part.names, whole) in self._known:
            self._summary.files_known += 1
            if size == source.size:
                self._memory.note(source.path, source.file, whole)
            return
        self._sizes.add(size)
        prior = self._growth.longest(part.path, head, begun, hashed.result()) if begun else None
        begin = prior.end if prior else 0
        self._begun[part.src] = prior
        large = self._open(part, size - begin)
        self._hand_out(self._ranges(part, begin, size), large)
        self._wait(lambda: self._end_ranges(source, part, large, hashed.result().get(size), head, size))

    def _end_ranges(
        self, source: Source, part: Part, large: Large, digest: bytes | None, head: bytes, size: int
    ) -> None:
        """The end of a file whose ranges were read by its name: it must still be the file it was."""
        if digest is not None and _is_still(source, size):
            self._end(source if size == source.size else replace(source, file=None), part, large, digest, head)
            return
        self._begun.pop(part.src, None)
        self._forget(large)
        self.refuse(
            Refusal(source.path, "changed while it was read", "rotated or cut; the next run reads what is there")
        )

    def _forget(self, large: Large) -> None:
        self._collector.forget(large)
        if self._archive is not None:
            self._archive.forget(large.row.source_path)

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
        _remove_spool(part)
        self._collector.add_part(parsed, large)

    def _ranges(self, part: Part, first: int, size: int) -> Iterator[tuple[Part, int]]:
        """Ranges of a plain file from ``first`` on, for the processes to read."""
        step = self._settings.item_bytes
        for begin in range(first, size, step):
            end = min(begin + step, size)
            yield replace(part, begin=begin, end=end, size=size, floor=first), end - begin

    def _unpacked(self, source: Source, part: Part, head: bytes, digest: object) -> Iterator[tuple[Part, int]]:
        """Parts of what must be unpacked here, spooled; a document comes whole."""
        assert part.identity is not None
        settings = self._settings
        if part.identity.family in WHOLE_FAMILIES:
            digest.update(head)  # type: ignore[attr-defined]
            for offset, data in whole_blocks(source, head, settings, digest):  # type: ignore[arg-type]
                yield self._spooled(replace(part, offset=offset, begin=offset), data), len(data)
            return

        prior, read = self._growth.skip(part.path, head, lambda: read_some(source), digest)  # type: ignore[arg-type]
        self._begun[part.src] = prior
        base = prior.end if prior else 0
        for window in stream_windows(read, b"", settings.item_bytes, self._context, settings.line_bytes):
            size = (window.end or window.offset + len(window.data) + window.tail) - window.begin
            end = None if window.end is None else base + window.end
            offset, begin = base + window.offset, base + window.begin
            placed = replace(part, offset=offset, begin=begin, end=end, tail=window.tail)
            yield self._spooled(placed, window.data), size

    def _spooled(self, part: Part, data: bytes) -> Part:
        path = Path(self._spool.name, f"{part.src}-{part.offset}")
        path.write_bytes(data)
        return replace(part, data=None, spool=str(path))

    def _end(self, source: Source, part: Part, large: Large, digest: bytes, head: bytes, size: int = 0) -> None:
        self._told_damage(source)
        if not source.damage:
            self._memory.note(source.path, source.file, digest)
        identity = self._identity(part.names, digest)
        prior = self._begun.pop(part.src, None)
        end = size or large.row.bytes_read + (prior.end if prior else 0)
        if identity in self._known or self._growth.outgrown(part.path, head, end, digest):
            self._growth.seen(identity, source)
            self._forget(large)
            self._summary.files_known += 1
            return
        self._known.add(identity)
        self._note_stream(source, head, prior, Prior(end, identity, identity, part.path))
        self._collector.add_large(large, identity)


def _is_still(source: Source, size: int) -> bool:
    """Whether the name of a source still stands for the file that was opened, which has only grown, if anything."""
    try:
        now = Path(source.path).stat()
    except OSError:
        return False
    same = source.file is None or (now.st_dev, now.st_ino) == (source.file.st_dev, source.file.st_ino)
    return same and now.st_size >= size


def _remove_spool(part: Part) -> None:
    if part.spool is not None:
        with suppress(FileNotFoundError):
            Path(part.spool).unlink()
