"""What reading small and large sources has in common: what is known, where facts go, how a source is named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO

import polars as pl

from pipeline.engines.archive import Archive
from pipeline.engines.collect import Collector, InputOptions, Summary
from pipeline.engines.content import content_id, hash_of
from pipeline.engines.growing import Growth, Prior
from pipeline.engines.handout import Handout, Parsers
from pipeline.engines.overlap import new_stretches, pieces_of
from pipeline.engines.parts import Part
from pipeline.redact import redact
from pipeline.settings import Settings
from pipeline.sources.archives import Refusal
from pipeline.sources.discover import FileStatus, Source
from pipeline.sources.paths import Names, names_in_path
from pipeline.sources.remote import is_unfetched
from pipeline.warehouse.files import FileMemory
from pipeline.warehouse.ledger import SourceRow
from pipeline.warehouse.load import Load

DETAIL_CHARS = 200


class Desk:
    """The state of one run over sources; ``known`` has the sizes of the contents in the warehouse, by identity."""

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
        self.load, self.memory, self.archive = load, memory, archive
        self.options, self.settings, self.summary = options, settings, summary
        self.known, self.sizes = set(known), set(known.values())
        self.handout = Handout(workers, settings.item_bytes)
        self.collector = Collector(load, summary, self.refuse)
        self.new_digest = hash_of(load.connection)
        given = options.node is not None
        self.growth = Growth(load.connection, memory, settings, self._identity_of, self.new_digest, given)
        self._next = 0

    def recall(self, path: str, status: FileStatus) -> bool:
        """Whether the file is unchanged since it was read, and what it holds is in the warehouse."""
        digest = self.memory.digest(path, status)
        return digest is not None and self.identity(names_in_path(path), digest) in self.known

    def refuse(self, refusal: Refusal) -> None:
        """Enter input that was not read, once, with its reason."""
        self.summary.refused.append(refusal)
        identity = content_id("refused", self.options.cluster, refusal.path, refusal.reason, refusal.detail)
        if identity in self.known:
            self.summary.files_known += 1
            return
        self.known.add(identity)
        self.load.add_source(SourceRow(refusal.path, identity, "refused", 0, 0, 0, 0, 0))
        row = {"byte_offset": [0], "byte_length": [0], "lines": [0], "reason": [refusal.reason]}
        detail = redact(refusal.detail)[:DETAIL_CHARS]
        self.load.add_rejects(pl.DataFrame({**row, "detail": [detail]}), refusal.path)

    def identity(self, names: Names, digest: bytes) -> str:
        """The name of a content: its digest, and where it came from."""
        stamp = names.stamp.isoformat() if names.stamp else None
        return content_id(self.options.cluster, names.node or self.options.node, names.pod, stamp, digest=digest)

    def _identity_of(self, path: str, digest: bytes) -> str:
        return self.identity(names_in_path(path), digest)

    def part(self, source: Source) -> Part:
        """A work item's part for the whole of a source."""
        names = names_in_path(source.path)
        self._next += 1
        return Part(
            self._next,
            source.path,
            replace(names, node=names.node or self.options.node),
            self.options.tz,
            names.stamp or source.mtime,
            archive=str(self.archive.staging.absolute()) if self.archive else None,
        )

    def row(self, part: Part, identity: str, size: int) -> SourceRow:
        """What the warehouse keeps of a source."""
        names = part.names
        return SourceRow(
            part.path, identity, None, size, 0, 0, 0, 0, node=names.node, pod=names.pod, container=names.container
        )

    def tell_damage(self, source: Source) -> bool:
        """Say that a source ended early, and whether what was read of it counts: what its store did not give may come
        the next time."""
        if is_unfetched(source.damage):
            self.refuse(Refusal(source.path, "unreadable file", source.damage[0]))
            return False
        if source.damage:
            self.refuse(Refusal(source.path, "damaged input", source.damage[0]))
        return True

    def waits(self, read: int, size: int) -> int:
        """Count a last line that is left to the next run, of a source of which less than ``size`` is read."""
        if read < size:
            self.summary.lines_waiting += 1
        return read

    def new_pieces(self, part: Part, file: BinaryIO, begin: int, end: int) -> Iterator[Part]:
        """What dumps of the same container had not (see ``overlap``); one empty piece when they had all of it."""
        names = part.names
        container = content_id(self.options.cluster, names.node, names.pod, names.container, names.service)
        stretches, known = new_stretches(self.load.connection, self.load.load_id, container, file, begin, end)
        self.summary.lines_known += known
        if not stretches:
            yield replace(part, data=b"", offset=end, begin=end)
        for at, data in pieces_of(file, stretches, self.settings.item_bytes):
            yield replace(part, data=data, offset=at, begin=at)

    def note_stream(self, source: Source, head: bytes, prior: Prior | None, read: Prior) -> None:
        """Enter how far a source was read, so that it can be continued there."""
        key = self.growth.key(source.path, head)
        if prior is not None:
            if not prior.stream:
                self.load.add_stream(prior.content, prior.content, key, prior.end)
            read = replace(read, stream=prior.stream or prior.content)
        self.load.add_stream(read.content, read.stream, key, read.end)
        self.growth.note(read, key, source.file is not None)
