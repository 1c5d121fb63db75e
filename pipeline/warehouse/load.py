"""One load: rows, their sources and the ledger entry in one transaction, or nothing at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

import duckdb
import polars as pl

from pipeline import __version__
from pipeline.errors import ReconcileError
from pipeline.shape_ids import with_shape_id
from pipeline.warehouse.buffers import Buffer
from pipeline.warehouse.examples import Examples, in_order
from pipeline.warehouse.ledger import Ledger, SourceRow
from pipeline.warehouse.shapes import Shapes
from pipeline.warehouse.tables import insert
from pipeline.warehouse.threads import with_threads

# Lines that carry no text of their own are counted under these; they need no rule and no example.
UNTEXTUAL_SHAPES = ("(continuation of the record before)", "(blank line)", "(heading, border or prompt)")
# Tables whose rows name the source they are from.
_OF_SOURCES = ("records", "state_observations", "resources", "node_facts", "rejects", "observed_minutes")
# Between two reads of one file its writer was silent, not unobserved.
_REACH_BACK = """
UPDATE observed_minutes SET first_ts = least(first_ts, before.last_ts) FROM (
  SELECT n.source_path, o.node, o.component, max(o.last_ts) AS last_ts
  FROM streams AS t JOIN sources AS n ON n.content_id = t.content_id AND n.load_id = $load
  JOIN streams AS e ON e.stream_id = t.stream_id AND e.end_at < t.end_at
  JOIN sources AS p ON p.content_id = e.content_id
  JOIN observed_minutes AS o ON o.load_id = p.load_id AND o.source_path = p.source_path
  WHERE t.content_id <> t.stream_id GROUP BY ALL
) AS before
WHERE observed_minutes.load_id = $load AND observed_minutes.source_path = before.source_path
  AND observed_minutes.node IS NOT DISTINCT FROM before.node
  AND observed_minutes.component IS NOT DISTINCT FROM before.component
"""
# A clock that ran ahead proves no coverage: one such line would have a log observed for decades of silence.
AHEAD = timedelta(days=1)
_NOT_AHEAD = """
UPDATE observed_minutes SET first_ts = CASE WHEN first_ts <= CAST($latest AS TIMESTAMPTZ) THEN first_ts END,
  last_ts = CASE WHEN first_ts <= CAST($latest AS TIMESTAMPTZ) THEN first_ts END
WHERE load_id = $load AND last_ts > CAST($latest AS TIMESTAMPTZ)
"""


class Load:
    """Collects the facts of a run; made by ``Warehouse.load``, used as a context manager.

    Frames have the columns of the facts; ``source_path`` may be a column or an argument. Leaving the block
    commits; an exception, also a killed process, leaves the warehouse as it was. A load without sources
    writes nothing.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        known: set[str],
        *,
        cluster: str,
        engine: str,
        ruleset_version: str | None,
        examples: int,
    ) -> None:
        self.cluster = cluster
        self.engine = engine
        self.ruleset_version = ruleset_version
        self.load_id = 0
        self.committed = False
        self.files_known = 0
        self._con = con
        self._started = datetime.now(UTC)
        self._alone = contextlib.ExitStack()
        self._ledger = Ledger(known)
        self._streams: list[tuple[str, str, int, int]] = []
        self._shapes = Shapes()
        self._examples = Examples(examples)
        self._buffers: dict[str, Buffer] = {}

    def __enter__(self) -> Load:
        # Several threads would each gather rows of their own, to be copied into those of the load afterwards.
        self._alone.enter_context(with_threads(self._con, 1))
        self._con.begin()
        self.load_id = self._con.sql("SELECT coalesce(max(load_id), 0) + 1 FROM loads").fetchall()[0][0]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._alone:
            if kind is not None:
                self._roll_back()
                return
            try:
                self._finish()
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        # A database that could not write has ended the transaction by itself.
        with contextlib.suppress(duckdb.Error):
            self._con.rollback()

    def add_known(self, files: int = 1) -> None:
        """Count files that were skipped because the same bytes had been read before."""
        self.files_known += files

    def add_source(self, source: SourceRow) -> None:
        """Enter a file that was read.

        Raises:
            WarehouseError: the same content is in the warehouse or in this load already.
            ReconcileError: its counts do not add up.
        """
        self._ledger.add(source)

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """Where the load is written, for what must be known of earlier ones."""
        return self._con

    def add_stream(self, content_id: str, stream_id: str, head: int, end_at: int) -> None:
        """Enter how far a file was read; ``stream_id`` is the content id of what was read of it first."""
        self._streams.append((content_id, stream_id, head, end_at))

    def add_records(self, frame: pl.DataFrame, source_path: str | None = None) -> None:
        """Records to keep whole, with their ``shape``. Of benign ones only the first few per shape stay."""
        self._add("records", frame, source_path, self._prepare_records)

    def add_counts(self, frame: pl.DataFrame) -> None:
        """All lines, counted: minute, node, component, level, shape, rule, events."""
        self._add("minute_counts", frame, None, self._prepare_counts)

    def add_shapes(self, frame: pl.DataFrame) -> None:
        """Distinct shapes: shape, component, rule, category, severity, example; with ``source_path`` and
        ``byte_offset`` of the example the first one stays, else the smallest."""
        self._shapes.add(frame)

    def add_states(self, frame: pl.DataFrame, source_path: str | None = None) -> None:
        """Observations of ends of sessions."""
        self._add("state_observations", frame, source_path)

    def add_resources(self, frame: pl.DataFrame, source_path: str | None = None) -> None:
        """Kubernetes and Calico resources; ``body`` is JSON text, redacted."""
        self._add("resources", frame, source_path)

    def add_node_facts(self, frame: pl.DataFrame, source_path: str | None = None) -> None:
        """Single facts about nodes."""
        self._add("node_facts", frame, source_path)

    def add_rejects(self, frame: pl.DataFrame, source_path: str | None = None) -> None:
        """Refused input with its reason."""
        self._add("rejects", frame, source_path)

    def add_observed(self, frame: pl.DataFrame, source_path: str | None = None) -> None:
        """Stretches of time for which a source held lines of a component."""
        self._add("observed_minutes", frame, source_path)

    def forget(self, source_path: str) -> None:
        """Take back the rows of a source that turned out to be known once it was read to its end.

        Its counts and its entry must not have been added. Its shapes may stay: they are known as well.
        """
        for table, buffer in self._buffers.items():
            if table in _OF_SOURCES:
                self._flush(table, buffer)
                if table == "records":
                    self._examples.forget(source_path)
                self._con.execute(
                    f'DELETE FROM "{table}" WHERE load_id = $load AND source_path = $path',
                    {"load": self.load_id, "path": source_path},
                )

    def _add(
        self,
        table: str,
        frame: pl.DataFrame,
        source_path: str | None,
        prepare: Callable[[pl.DataFrame], pl.DataFrame] | None = None,
    ) -> None:
        if source_path is not None and "source_path" not in frame.columns:
            frame = frame.with_columns(pl.lit(source_path).alias("source_path"))
        buffer = self._buffers.setdefault(table, Buffer(prepare))
        if buffer.add(frame):
            self._flush(table, buffer)

    def _flush(self, table: str, buffer: Buffer) -> None:
        frame = buffer.take()
        if frame is not None:
            insert(self._con, table, frame, self._keys)

    def _prepare_counts(self, frame: pl.DataFrame) -> pl.DataFrame:
        if "shape" in frame.columns:
            special = frame.filter(pl.col("shape").is_in(UNTEXTUAL_SHAPES))
            told = special.select("component", "rule", "shape").unique()
            self._shapes.add(told.with_columns(category=pl.lit("benign"), severity=pl.lit("info")))
        keys = ["minute", "node", "component", "level", "shape_id"]
        return with_shape_id(frame).group_by(keys).agg(pl.col("events").sum())

    def _prepare_records(self, frame: pl.DataFrame) -> pl.DataFrame:
        return self._examples.split(with_shape_id(frame).drop("shape", strict=False))

    def _finish(self) -> None:
        self._insert_last_records()
        for table, buffer in self._buffers.items():
            self._flush(table, buffer)
        if not self._ledger.sources:
            self._refuse_rows_without_source()
            self._con.rollback()
            return
        self._insert_shapes()
        insert(self._con, "sources", self._ledger.frame(), self._keys)
        latest = (self._started + AHEAD).isoformat()
        self._con.execute(_NOT_AHEAD, {"load": self.load_id, "latest": latest})
        self._insert_streams()
        self._ledger.reconcile(self._con, self.load_id)
        insert(self._con, "loads", pl.DataFrame([self._ledger_row()], infer_schema_length=None), {})
        self._con.execute("UPDATE warehouse_state SET change_seq = change_seq + 1")
        self._con.commit()
        self._ledger.settle()
        self.committed = True

    @property
    def _keys(self) -> dict[str, object]:
        return {"load_id": self.load_id, "cluster": self.cluster}

    def _refuse_rows_without_source(self) -> None:
        for table, buffer in self._buffers.items():
            left = f'SELECT count(*) FROM "{table}" WHERE load_id = $load'
            if buffer.inserted and self._con.execute(left, {"load": self.load_id}).fetchall()[0][0]:
                raise ReconcileError(f"load: rows for {table} but no source; nothing was written")

    def _insert_shapes(self) -> None:
        frame = self._shapes.frame()
        if frame.is_empty():
            return
        ids = self._con.sql("SELECT shape_id FROM shapes").pl()
        insert(self._con, "shapes", frame.join(ids, on="shape_id", how="anti", maintain_order="left"), {})

    def _insert_streams(self) -> None:
        """Where files went on, the stretch in which they were observed reaches back to their last line before."""
        schema = {"content_id": pl.String, "stream_id": pl.String, "head": pl.UInt64, "end_at": pl.UInt64}
        insert(self._con, "streams", pl.DataFrame(self._streams, schema=schema, orient="row"), {})
        if any(content != stream for content, stream, _, _ in self._streams):
            self._con.execute(_REACH_BACK, {"load": self.load_id})

    def _insert_last_records(self) -> None:
        """What is left of the records, and the examples of benign ones."""
        buffer = self._buffers.get("records")
        rows = buffer.take() if buffer else None
        left = [frame for frame in (rows, self._examples.take_last(self._con, self.load_id)) if frame is not None]
        if left:
            insert(self._con, "records", in_order(left), self._keys)
        self._examples.drop_extra(self._con, self.load_id)

    def _ledger_row(self) -> dict[str, Any]:
        return {
            "load_id": self.load_id,
            "cluster": self.cluster,
            "engine": self.engine,
            "peerscope_version": __version__,
            "ruleset_version": self.ruleset_version,
            "started_at": self._started,
            "finished_at": datetime.now(UTC),
            "files_read": len(self._ledger.sources),
            "files_known": self.files_known,
            **self._ledger.totals(),
        }
