"""Derived tables from a few words, for tests: one reflector ``rr`` with clients, times in hours from ``START``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from pipeline.findings.derived import SCHEMAS
from pipeline.findings.groups import SCHEMA as GROUPS
from pipeline.findings.nodes import SCHEMA as NODES
from pipeline.findings.sizes import SCHEMA as SIZES

START = datetime(2024, 5, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    """A time."""
    return START + timedelta(hours=hours)


def frame(schema: dict[str, Any], rows: list[dict[str, Any]], cluster: str = "c") -> pl.DataFrame:
    """Rows with a schema; what a row leaves out is null."""
    filled = [{name: ({"cluster": cluster} | row).get(name) for name in schema} for row in rows]
    return pl.DataFrame(filled, schema=schema, orient="row")


def stretch(client: str, state: str, begin: float, end: float, **more: Any) -> dict[str, Any]:
    """A stretch of the reflector's end of the session with a client."""
    row = {
        "node": "rr", "peer": f"10.0.0.{client}", "peer_node": client, "protocol": f"Node_{client}", "state": state,
        "started_at": at(begin), "ended_at": at(end), "how_started": "log", "how_ended": "log",
        "category": "hold_timer_expired" if state == "down" else "session_established",
    }  # fmt: skip
    return row | more


def tables(
    intervals: list[dict[str, Any]],
    sizes: list[tuple[float, int]] | None = None,
    incidents: list[dict[str, Any]] | None = None,
    nodes: list[dict[str, Any]] | None = None,
    groups: list[dict[str, Any]] | None = None,
    cluster: str = "c",
) -> dict[str, pl.DataFrame]:
    """The tables that the exposure is made from; sizes are (hour, configured peers) of ``rr``."""
    clients = sorted({row["peer_node"] for row in intervals if row["node"] == "rr"})
    group = {"group_name": "g", "kind": "reflector", "reflectors": ["rr"], "members": clients, "md5": False}
    counts = [
        {"ts": at(hour), "group_name": "g", "reflector": "rr", "configured_peers": size, "established_peers": size,
         "failed_peers": 0, "md5_peers": 0}
        for hour, size in sizes or []
    ]  # fmt: skip
    return {
        "session_intervals": frame(SCHEMAS["session_intervals"], intervals, cluster),
        "bgp_groups": frame(GROUPS, groups or [group], cluster),
        "group_sizes": frame(SIZES, counts, cluster),
        "nodes": frame(NODES, nodes or [], cluster),
        "incidents": frame(SCHEMAS["incidents"], incidents or [], cluster),
    }
