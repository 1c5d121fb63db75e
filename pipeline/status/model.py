"""Rows that reading a console transcript, a document or a rendered configuration gives.

Every physical line of the source lands in exactly one ``Record`` or one ``Reject`` (``lines`` says how many
it was made of), so line counts reconcile. Shape, rule, category and severity are not here: the grammar adds
them from ``family``, ``component``, ``level`` and ``body``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

TS = pl.Datetime("us", "UTC")

#: What a record is within its transcript. ``row`` and ``text`` speak for themselves; ``detail`` (lines below a
#: protocol row, values that became facts, inventory without trouble), ``frame`` (borders, headings, banners),
#: ``stamp``, ``echo`` and ``blank`` do not.
ROLES = ("row", "text", "detail", "frame", "stamp", "echo", "blank")


@dataclass(frozen=True, slots=True)
class Record:
    """One record: a row of a table, a sentence, an event, or a line that only frames them.

    ``body`` is what the grammar classifies, ``message`` the row as people read it. ``byte_offset`` and
    ``byte_length`` point into the decompressed source (without the last line's terminator).
    """

    byte_offset: int
    byte_length: int
    lines: int
    role: str
    family: str
    component: str
    level: str | None
    body: str
    message: str
    ts: datetime | None = None
    ts_source: str = "none"
    node: str | None = None
    pod: str | None = None
    protocol: str | None = None
    peer: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """One observation of one end of a session; ``last_error`` keeps BIRD's class prefix (``Socket: …``).

    ``since`` is from when on the daemon says that it has surely been so.
    """

    ts: datetime | None
    node: str | None
    protocol: str | None
    peer: str | None
    state: str | None
    bgp_state: str | None
    last_error: str | None
    observed_by: str
    byte_offset: int
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class NodeFact:
    """Something true of a node at a time; ``node`` is null when the source does not name it."""

    node: str | None
    fact: str
    value: str
    observed_at: datetime | None
    byte_offset: int


@dataclass(frozen=True, slots=True)
class Resource:
    """A Kubernetes or Calico object cut down to what analysis uses; ``body`` is redacted JSON text."""

    kind: str
    namespace: str | None
    name: str
    observed_at: datetime | None
    body: str
    byte_offset: int


@dataclass(frozen=True, slots=True)
class Reject:
    """Lines that could not be read, with a short reason; ``detail`` is at most 200 characters."""

    byte_offset: int
    byte_length: int
    lines: int
    reason: str
    detail: str


RECORD_SCHEMA: dict[str, Any] = {
    "ts": TS,
    "ts_source": pl.String,
    "node": pl.String,
    "pod": pl.String,
    "component": pl.String,
    "level": pl.String,
    "message": pl.String,
    "family": pl.String,
    "role": pl.String,
    "body": pl.String,
    "protocol": pl.String,
    "peer": pl.String,
    "params": pl.String,
    "byte_offset": pl.UInt64,
    "byte_length": pl.UInt32,
    "lines": pl.UInt32,
}
STATE_SCHEMA: dict[str, Any] = {
    "ts": TS,
    "node": pl.String,
    "protocol": pl.String,
    "peer": pl.String,
    "state": pl.String,
    "bgp_state": pl.String,
    "last_error": pl.String,
    "observed_by": pl.String,
    "byte_offset": pl.UInt64,
    "since": TS,
}
FACT_SCHEMA: dict[str, Any] = {
    "node": pl.String,
    "fact": pl.String,
    "value": pl.String,
    "observed_at": TS,
    "byte_offset": pl.UInt64,
}
RESOURCE_SCHEMA: dict[str, Any] = {
    "kind": pl.String,
    "namespace": pl.String,
    "name": pl.String,
    "observed_at": TS,
    "body": pl.String,
    "byte_offset": pl.UInt64,
}
REJECT_SCHEMA: dict[str, Any] = {
    "byte_offset": pl.UInt64,
    "byte_length": pl.UInt32,
    "lines": pl.UInt32,
    "reason": pl.String,
    "detail": pl.String,
}


def _frame(rows: Sequence[Any], schema: dict[str, Any]) -> pl.DataFrame:
    def cell(row: Any, name: str) -> Any:
        value = getattr(row, name)
        return json.dumps(dict(value), sort_keys=True, ensure_ascii=False) if name == "params" else value

    return pl.DataFrame({name: [cell(row, name) for row in rows] for name in schema}, schema=schema)


@dataclass(frozen=True)
class Facts:
    """What one source said. ``node`` and ``pod`` are set when the source itself names the one it is about."""

    records: list[Record] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    node_facts: list[NodeFact] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    node: str | None = None
    pod: str | None = None

    @property
    def lines(self) -> int:
        """Physical lines accounted for: those of records and of rejects."""
        return sum(r.lines for r in self.records) + sum(r.lines for r in self.rejects)

    def records_frame(self) -> pl.DataFrame:
        """Records as a frame with ``RECORD_SCHEMA`` (``params`` is JSON text)."""
        return _frame(self.records, RECORD_SCHEMA)

    def states_frame(self) -> pl.DataFrame:
        """States as a frame with ``STATE_SCHEMA``."""
        return _frame(self.states, STATE_SCHEMA)

    def node_facts_frame(self) -> pl.DataFrame:
        """Node facts as a frame with ``FACT_SCHEMA``."""
        return _frame(self.node_facts, FACT_SCHEMA)

    def resources_frame(self) -> pl.DataFrame:
        """Resources as a frame with ``RESOURCE_SCHEMA``."""
        return _frame(self.resources, RESOURCE_SCHEMA)

    def rejects_frame(self) -> pl.DataFrame:
        """Rejects as a frame with ``REJECT_SCHEMA``."""
        return _frame(self.rejects, REJECT_SCHEMA)


class ConsoleFacts(Facts):
    """Facts read from what commands printed."""


class DocumentFacts(Facts):
    """Facts read from JSON or YAML resources."""
