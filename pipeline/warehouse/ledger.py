"""What a load read, source by source, and whether every line of it is accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

from pipeline.errors import ReconcileError, WarehouseError

TALLIES = ("bytes_read", "lines_read", "lines_parsed", "lines_unparsed", "lines_rejected")


@dataclass(frozen=True)
class SourceRow:
    """A file or archive member that was read; ``content_id`` is the hash of its decompressed content."""

    source_path: str
    content_id: str
    kind: str | None
    bytes_read: int
    lines_read: int
    lines_parsed: int
    lines_unparsed: int
    lines_rejected: int
    envelope: str | None = None
    node: str | None = None
    pod: str | None = None
    container: str | None = None
    first_ts: datetime | None = None
    last_ts: datetime | None = None


class Ledger:
    """The sources of one load; ``known`` are the contents of the warehouse."""

    def __init__(self, known: set[str]) -> None:
        self.sources: dict[str, SourceRow] = {}
        self._known = known

    def add(self, source: SourceRow) -> None:
        """Enter a file that was read.

        Raises:
            WarehouseError: the same content is in the warehouse or in this load already.
            ReconcileError: its counts do not add up.
        """
        if source.content_id in self._known or source.content_id in self.sources:
            raise WarehouseError(f"{source.source_path}: the same bytes were read before; skip known content")
        told = source.lines_parsed + source.lines_unparsed + source.lines_rejected
        if source.lines_read != told:
            raise ReconcileError(
                f"{source.source_path}: {source.lines_read} lines read, but {source.lines_parsed} parsed, "
                f"{source.lines_unparsed} unparsed and {source.lines_rejected} rejected are {told}; "
                "nothing was written"
            )
        self.sources[source.content_id] = source

    def settle(self) -> None:
        """The load was committed: its contents are known from now on."""
        self._known.update(self.sources)

    def frame(self) -> pl.DataFrame:
        """The rows of the table ``sources``."""
        return pl.DataFrame([vars(row) for row in self.sources.values()], infer_schema_length=None)

    def totals(self) -> dict[str, int]:
        """What all sources have together."""
        return {name: sum(getattr(row, name) for row in self.sources.values()) for name in TALLIES}

    def reconcile(self, con: duckdb.DuckDBPyConnection, load_id: int) -> None:
        """Every line must be counted, under a shape that is there.

        Raises:
            ReconcileError: it is not so.
        """
        totals = self.totals()
        parsed, unparsed = totals["lines_parsed"], totals["lines_unparsed"]
        counted, unnamed = con.sql(
            "SELECT coalesce(sum(c.events), 0)::UBIGINT, count(*) FILTER (s.shape_id IS NULL) "
            "FROM minute_counts AS c LEFT JOIN shapes AS s ON s.shape_id = c.shape_id "
            "WHERE c.load_id = $load",
            params={"load": load_id},
        ).fetchall()[0]
        if counted != parsed + unparsed:
            raise ReconcileError(
                f"load of {len(self.sources)} files: {parsed} parsed + {unparsed} unparsed lines, but "
                f"{counted} were counted; nothing was written"
            )
        if unnamed:
            raise ReconcileError(f"load: {unnamed} counts of shapes that were not added; nothing was written")
