"""What a work item gives: typed frames that the warehouse loads as they are.

Every frame has the column ``src``, the index of the source in its work item. Times are UTC microseconds,
offsets are bytes into the decompressed source.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import polars as pl

from pipeline.frames import schema
from pipeline.sources.times import UTC_US

# Levels at which a record is kept whole, whatever it says.
LOUD = ("warning", "error", "fatal")
RECORDS = schema(
    {
        "src": pl.UInt32, "ts": UTC_US, "ts_source": pl.String, "node": pl.String, "pod": pl.String,
        "component": pl.String, "level": pl.String, "message": pl.String, "shape": pl.String,
        "rule": pl.String, "category": pl.String, "severity": pl.String, "protocol": pl.String,
        "peer": pl.String, "peers": pl.List(pl.String), "params": pl.String,
        "byte_offset": pl.UInt64, "byte_length": pl.UInt32, "lines": pl.UInt32,
    }
)  # fmt: skip
COUNTS = schema(
    {
        "src": pl.UInt32, "minute": UTC_US, "node": pl.String, "component": pl.String, "level": pl.String,
        "shape": pl.String, "rule": pl.String, "category": pl.String, "severity": pl.String,
        "events": pl.UInt64,
    }
)  # fmt: skip
STATES = schema(
    {
        "src": pl.UInt32, "ts": UTC_US, "node": pl.String, "protocol": pl.String, "peer": pl.String,
        "state": pl.String, "bgp_state": pl.String, "last_error": pl.String, "observed_by": pl.String,
        "byte_offset": pl.UInt64, "since": UTC_US,
    }
)  # fmt: skip
RESOURCES = schema(
    {
        "src": pl.UInt32, "kind": pl.String, "namespace": pl.String, "name": pl.String,
        "observed_at": UTC_US, "body": pl.String, "byte_offset": pl.UInt64,
    }
)  # fmt: skip
NODE_FACTS = schema(
    {
        "src": pl.UInt32, "node": pl.String, "fact": pl.String, "value": pl.String,
        "observed_at": UTC_US, "byte_offset": pl.UInt64,
    }
)  # fmt: skip
REJECTS = schema(
    {
        "src": pl.UInt32, "byte_offset": pl.UInt64, "byte_length": pl.UInt32, "lines": pl.UInt32,
        "reason": pl.String, "detail": pl.String,
    }
)  # fmt: skip
OBSERVED = schema(
    {
        "src": pl.UInt32, "node": pl.String, "component": pl.String, "first_ts": UTC_US, "last_ts": UTC_US,
        "lines": pl.UInt64,
    }
)  # fmt: skip
TALLY = schema(
    {
        "src": pl.UInt32, "lines_read": pl.UInt64, "lines_parsed": pl.UInt64, "lines_unparsed": pl.UInt64,
        "lines_rejected": pl.UInt64, "node": pl.String, "pod": pl.String,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """The frames of one or more work items; ``records`` are only those that are kept."""

    records: pl.DataFrame
    counts: pl.DataFrame
    states: pl.DataFrame
    resources: pl.DataFrame
    node_facts: pl.DataFrame
    rejects: pl.DataFrame
    observed: pl.DataFrame
    tally: pl.DataFrame

    @classmethod
    def gather(cls, parts: Iterable[Facts]) -> Facts:
        """One set of frames from several, rows in the order of the parts."""
        together = list(parts)
        return cls(
            *(
                pl.concat([getattr(part, spec.name) for part in together] or [columns.to_frame()])
                for spec, columns in zip(fields(cls), SCHEMAS, strict=True)
            )
        )


SCHEMAS = (RECORDS, COUNTS, STATES, RESOURCES, NODE_FACTS, REJECTS, OBSERVED, TALLY)
