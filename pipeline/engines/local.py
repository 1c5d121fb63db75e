"""The local engine: sources of one run, parsed in batches and loaded in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import polars as pl

from pipeline.engines.facts import Facts
from pipeline.engines.parse import Piece, parse
from pipeline.errors import MissingInputError
from pipeline.grammar import Ruleset, load_ruleset
from pipeline.redact import redact
from pipeline.settings import Settings
from pipeline.sources.archives import Refusal
from pipeline.sources.discover import Source, walk_sources
from pipeline.sources.identify import SNIFF_BYTES, Identity, identify
from pipeline.sources.paths import names_in_path
from pipeline.warehouse.load import Load, SourceRow
from pipeline.warehouse.writer import Warehouse

Progress = Callable[[str], None]
WHOLE_FAMILIES = ("document", "console", "config", "export")
DETAIL_CHARS = 200
_BLOCK = 1 << 20


@dataclass(frozen=True)
class InputOptions:
    """What the command line says of the input; ``node`` is for files that do not name theirs."""

    cluster: str = "default"
    node: str | None = None
    tz: str = "UTC"


@dataclass
class Summary:
    """What one ingest did; ``load_id`` is None when nothing new was found."""

    load_id: int | None = None
    files_read: int = 0
    files_known: int = 0
    bytes_read: int = 0
    lines_read: int = 0
    lines_parsed: int = 0
    lines_unparsed: int = 0
    lines_rejected: int = 0
    refused: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True)
class Content:
    """All bytes of a source, in pieces cut at line ends; ``damage`` says why the rest could not be read."""

    identity: Identity
    pieces: list[tuple[int, bytes]]
    digest: bytes
    size: int
    damage: str | None


def read_content(source: Source, settings: Settings) -> Content:
    """Read a source to its end, or to where it is damaged."""
    head = source.stream.read(SNIFF_BYTES)
    identity = identify(head)
    size = settings.document_bytes if identity.family in WHOLE_FAMILIES else settings.item_bytes
    digest = blake2b(head, digest_size=16)
    pieces: list[tuple[int, bytes]] = []
    rest, offset, ended = head, 0, False
    while not ended:
        block = bytearray(rest)
        while len(block) < size:
            more = _read_some(source)
            if not more:
                ended = True
                break
            digest.update(more)
            block += more
        cut = len(block) if ended else block.rfind(b"\n") + 1 or len(block)
        if cut:
            pieces.append((offset, bytes(block[:cut])))
        rest, offset = bytes(block[cut:]), offset + cut
    return Content(identity, pieces, digest.digest(), offset, source.damage[0] if source.damage else None)


def _read_some(source: Source) -> bytes:
    """Some bytes, as they come: a damaged stream still gives what stands before the damage."""
    read1 = getattr(source.stream, "read1", source.stream.read)
    return bytes(read1(_BLOCK))


def content_id(*parts: str | None, digest: bytes = b"") -> str:
    """Identity of what was read: its bytes, and the cluster, node, pod and time that only its name tells.

    Two nodes may print the same three lines, so the bytes alone do not name an observation.
    """
    return blake2b("\x1f".join(part or "" for part in parts).encode() + digest, digest_size=16).hexdigest()


def ingest(
    warehouse: Warehouse,
    paths: Sequence[str],
    options: InputOptions,
    settings: Settings,
    progress: Progress = lambda _: None,
) -> Summary:
    """Read the paths into the warehouse: all of it in one transaction, known contents skipped.

    Raises:
        MissingInputError: nothing could be read at all.
    """
    summary = Summary()
    ruleset = load_ruleset()
    load = warehouse.load(
        cluster=options.cluster,
        engine="local",
        ruleset_version=ruleset.version,
        examples=settings.template_examples,
    )
    with load:
        batch = Batch(load, warehouse.known_content_ids(), ruleset, options, settings, summary)
        for item in walk_sources(paths, settings):
            if isinstance(item, Refusal):
                batch.refuse(item)
                continue
            progress(item.path)
            batch.read(item)
        batch.flush()
        load.add_known(summary.files_known)
    summary.load_id = load.load_id if load.committed else None
    if not summary.files_read and not summary.files_known:
        why = "; ".join(f"{refusal.path}: {refusal.reason}" for refusal in summary.refused[:3])
        raise MissingInputError(f"nothing readable in {', '.join(paths)}" + (f" ({why})" if why else ""))
    return summary


class Batch:
    """Collects small sources and parses them together when enough bytes or files are there."""

    def __init__(
        self,
        load: Load,
        known: Iterable[str],
        ruleset: Ruleset,
        options: InputOptions,
        settings: Settings,
        summary: Summary,
    ) -> None:
        self._load = load
        self._known = set(known)
        self._ruleset = ruleset
        self._options = options
        self._settings = settings
        self._summary = summary
        self._pieces: list[Piece] = []
        self._rows: dict[int, SourceRow] = {}
        self._bytes = 0

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
        """Take a source into the batch, unless the same was read before."""
        content = read_content(source, self._settings)
        if content.damage:
            self.refuse(Refusal(source.path, "damaged input", content.damage))
        if content.identity.family == "binary":
            self.refuse(Refusal(source.path, "binary file", content.identity.why))
            return
        names = names_in_path(source.path)
        node = names.node or self._options.node
        stamp = names.stamp.isoformat() if names.stamp else None
        identity = content_id(self._options.cluster, node, names.pod, stamp, digest=content.digest)
        if identity in self._known:
            self._summary.files_known += 1
            return
        self._known.add(identity)
        src = len(self._rows)
        self._rows[src] = SourceRow(
            source.path, identity, content.identity.kind, content.size, 0, 0, 0, 0,
            envelope="+".join(content.identity.chain) or None, node=node, pod=names.pod, container=names.container,
        )  # fmt: skip
        for offset, data in content.pieces or [(0, b"")]:
            self._pieces.append(
                Piece(
                    src, source.path, content.identity, data, offset, node, names.pod, names.container,
                    names.service, self._options.tz, names.stamp or source.mtime,
                )
            )  # fmt: skip
            self._bytes += len(data)
        if self._bytes >= self._settings.item_bytes or len(self._rows) >= self._settings.batch_files:
            self.flush()

    def flush(self) -> None:
        """Parse what is there and hand the facts to the load."""
        if not self._pieces:
            return
        facts = parse(self._pieces, self._ruleset, self._settings)
        load_facts(self._load, facts, self._rows)
        for name in ("lines_read", "lines_parsed", "lines_unparsed", "lines_rejected"):
            setattr(self._summary, name, getattr(self._summary, name) + int(facts.tally[name].sum()))
        self._summary.files_read += len(self._rows)
        self._summary.bytes_read += self._bytes
        self._pieces, self._rows, self._bytes = [], {}, 0


def load_facts(load: Load, facts: Facts, rows: Mapping[int, SourceRow]) -> None:
    """Hand the facts of a batch to a load; ``rows`` describe its sources by index."""
    paths = pl.DataFrame(
        {"src": list(rows), "source_path": [row.source_path for row in rows.values()]},
        schema={"src": pl.UInt32, "source_path": pl.String},
    )

    def placed(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.join(paths, on="src", how="left", maintain_order="left").drop("src")

    times = facts.observed.group_by("src").agg(pl.col("first_ts").min(), pl.col("last_ts").max())
    for row in facts.tally.join(times, on="src", how="left").iter_rows(named=True):
        src = row.pop("src")
        row = {name: value for name, value in row.items() if value is not None or name.endswith("_ts")}
        load.add_source(replace(rows[src], **row))
    load.add_records(placed(facts.records))
    load.add_counts(facts.counts.drop("src"))
    load.add_shapes(_shapes(facts))
    load.add_states(placed(facts.states))
    load.add_resources(placed(facts.resources))
    load.add_node_facts(placed(facts.node_facts))
    load.add_rejects(placed(facts.rejects))
    load.add_observed(placed(facts.observed))


def _shapes(facts: Facts) -> pl.DataFrame:
    """Distinct shapes of the batch, each with one record as example (the smallest, so that order is nothing)."""
    keys = ["component", "rule", "shape"]
    examples = facts.records.group_by(keys).agg(example=pl.col("message").min())
    distinct = facts.counts.select(*keys, "category", "severity").unique()
    return distinct.join(examples, on=keys, how="left", nulls_equal=True)
