"""From parsed work items to the load: small sources at once, the parts of a large one until its end is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import polars as pl

from pipeline.engines.facts import OBSERVED, TALLY
from pipeline.engines.parts import UNREAD, Parsed
from pipeline.sources.archives import Refusal
from pipeline.sources.identify import Identity
from pipeline.warehouse.ledger import SourceRow
from pipeline.warehouse.load import Load

TALLIED = ("lines_read", "lines_parsed", "lines_unparsed", "lines_rejected")
_PLACED = {
    "records": Load.add_records,
    "states": Load.add_states,
    "resources": Load.add_resources,
    "node_facts": Load.add_node_facts,
    "rejects": Load.add_rejects,
}


@dataclass(frozen=True)
class InputOptions:
    """What the command line says of the input; ``node`` is for files that do not name theirs.

    ``overlap`` is ``keep`` or ``dedupe`` (see ``overlap``).
    """

    cluster: str = "default"
    node: str | None = None
    tz: str = "UTC"
    overlap: str = "keep"
    archive: bool = False


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
    lines_waiting: int = 0
    lines_known: int = 0
    refused: list[Refusal] = field(default_factory=list)

    def add(self, row: SourceRow) -> None:
        """Count a source that was read."""
        self.files_read += 1
        self.bytes_read += row.bytes_read
        for name in TALLIED:
            setattr(self, name, getattr(self, name) + getattr(row, name))


@dataclass
class Large:
    """A source that comes in parts: what can only be entered when all of it was read.

    ``unread`` says why a part could not be had.
    """

    row: SourceRow
    counts: list[pl.DataFrame] = field(default_factory=list)
    observed: list[pl.DataFrame] = field(default_factory=list)
    tallies: list[pl.DataFrame] = field(default_factory=list)
    unread: str | None = None


class Collector:
    """Puts parsed items into a load, in the order in which they are given."""

    def __init__(self, load: Load, summary: Summary, refuse: Callable[[Refusal], None]) -> None:
        self._load = load
        self._summary = summary
        self._refuse = refuse

    def add_small(self, parsed: Parsed, rows: dict[int, SourceRow]) -> None:
        """An item of whole sources; ``rows`` describe them by index."""
        for src, identity in parsed.identities.items():
            if identity.family == "binary":
                self._refuse(Refusal(rows[src].source_path, "binary file", identity.why))
        frames = parsed.frames
        times = _times(frames["observed"])
        for told in frames["tally"].join(times, on="src", how="left").iter_rows(named=True):
            row = described(rows[told["src"]], parsed.identities[told["src"]])
            self._enter(row, told)
        self._add_facts(parsed)
        self._load.add_counts(frames["counts"].drop("src"))
        self._load.add_observed(frames["observed"].drop("src"))

    def add_part(self, parsed: Parsed, large: Large) -> None:
        """A part of a large source: its rows go to the load, what is told of the source as a whole waits."""
        for identity in parsed.identities.values():
            large.unread = identity.why if identity.kind == UNREAD else large.unread
        self._add_facts(parsed)
        large.counts.append(parsed.frames["counts"].drop("src"))
        large.observed.append(parsed.frames["observed"].drop("src"))
        large.tallies.append(parsed.frames["tally"].drop("src"))

    def add_large(self, large: Large, content: str) -> None:
        """The end of a large source, which turned out to be new."""
        observed = pl.concat(large.observed or [OBSERVED.to_frame().drop("src")], how="diagonal")
        if "source_path" in observed.columns:
            observed = observed.group_by("node", "component", "source_path", maintain_order=True).agg(
                pl.col("first_ts").min(), pl.col("last_ts").max(), pl.col("lines").sum()
            )
        tallies = pl.concat(large.tallies or [TALLY.to_frame().drop("src")], how="diagonal")
        told = tallies.select(
            pl.col(TALLIED).sum(), *(pl.col(name).drop_nulls().first() for name in ("node", "pod"))
        ).with_columns(first_ts=observed["first_ts"].min(), last_ts=observed["last_ts"].max())
        self._enter(replace(large.row, content_id=content), told.row(0, named=True))
        for frame in large.counts:
            self._load.add_counts(frame)
        if observed.height:
            self._load.add_observed(observed)

    def forget(self, large: Large) -> None:
        """The end of a large source whose content is known, or was not whole: nothing of it stays."""
        self._load.forget(large.row.source_path)

    def _enter(self, row: SourceRow, told: dict[str, object]) -> None:
        known = {name: value for name, value in told.items() if value is not None or name.endswith("_ts")}
        row = replace(row, **{name: value for name, value in known.items() if name not in ("src", "source_path")})  # type: ignore[arg-type]
        self._load.add_source(row)
        self._summary.add(row)

    def _add_facts(self, parsed: Parsed) -> None:
        for name, add in _PLACED.items():
            if parsed.frames[name].height:
                add(self._load, parsed.frames[name].drop("src"))
        self._load.add_shapes(parsed.frames["shapes"])


def described(row: SourceRow, identity: Identity) -> SourceRow:
    """The row with what the content was recognised as."""
    return replace(row, kind=identity.kind, envelope="+".join(identity.chain) or None)


def _times(observed: pl.DataFrame) -> pl.DataFrame:
    return observed.group_by("src").agg(pl.col("first_ts").min(), pl.col("last_ts").max())
