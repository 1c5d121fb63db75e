"""A small warehouse with something in every table: two reflector clients, one of them refused for its MD5 key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.warehouse.ledger import SourceRow
from pipeline.warehouse.load import Load
from pipeline.warehouse.publish import publish
from pipeline.warehouse.writer import Warehouse

TIME = pl.Datetime("us", "UTC")
START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
CLUSTER = "prod"
HOSTILE = "\x1b[31mred\x07 <script>alert(1)</script> =cmd|'/c calc'!A1 \u202eevil"

UP = ("bird", "bird.state_changed", "Mesh_<*>: State changed to up")
MD5 = ("bird", "bird.error", "Mesh_<*>: Error: Kernel MD5 auth failed")
SCAN = ("bird", "bird.scan", "device1: Scanning interfaces")
ODD = ("felix", None, "something nobody knows")


def at(minutes: float) -> datetime:
    """A time of the small warehouse."""
    return START + timedelta(minutes=minutes)


def source(name: str, lines: int, rejected: int = 0, **more: Any) -> SourceRow:
    """A source of ``lines`` parsed lines whose content is its name."""
    return SourceRow(name, f"content of {name}", "log", lines * 80, lines + rejected, lines, 0, rejected, **more)


def shapes_frame() -> pl.DataFrame:
    """The distinct shapes of the small warehouse."""
    said = {UP: ("session_state_change", "info"), MD5: ("md5_kernel_setup_failed", "error"), SCAN: ("benign", "info"),
            ODD: ("unclassified", "info")}  # fmt: skip
    rows = [
        {"component": c, "rule": r, "shape": s, "category": category, "severity": severity, "example": f"{s} example"}
        for (c, r, s), (category, severity) in said.items()
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(rows[0], pl.String))


def record(offset: int, shape: tuple[str, str | None, str], **more: Any) -> dict[str, Any]:
    """One record with the columns that ``add_records`` wants."""
    known = {row["shape"]: row for row in shapes_frame().to_dicts()}[shape[2]]
    row = {
        "ts": at(offset / 100), "ts_source": "line", "node": "node1", "pod": None, "component": shape[0],
        "level": "info", "message": shape[2], "shape": shape[2], "rule": shape[1], "category": known["category"],
        "severity": known["severity"], "protocol": None, "peer": None, "peers": [], "params": "{}",
        "byte_offset": offset, "byte_length": 80, "lines": 1,
    }  # fmt: skip
    return row | more


RECORD_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(record(0, UP), pl.String), "ts": TIME, "peers": pl.List(pl.String), "byte_offset": pl.UInt64,
    "byte_length": pl.UInt32, "lines": pl.UInt32,
}  # fmt: skip


def records_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Records as a frame with the right types."""
    return pl.DataFrame(rows, schema=RECORD_SCHEMA)


def counts_frame(rows: list[tuple[int, str, tuple[str, str | None, str], int]]) -> pl.DataFrame:
    """Counts from (minute, node, shape, events)."""
    return pl.DataFrame(
        [(at(minute), node, s[0], "info", s[2], s[1], events) for minute, node, s, events in rows],
        schema={"minute": TIME, "node": pl.String, "component": pl.String, "level": pl.String, "shape": pl.String,
                "rule": pl.String, "events": pl.UInt64},
        orient="row",
    )  # fmt: skip


def states_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Observations; what a row leaves out is null."""
    names = ("node", "protocol", "peer", "state", "bgp_state", "last_error", "observed_by")
    schema: dict[str, Any] = {"ts": TIME, **dict.fromkeys(names, pl.String), "byte_offset": pl.UInt64}
    filled = [{"observed_by": "log", "byte_offset": number} | row for number, row in enumerate(rows)]
    return pl.DataFrame(filled, schema=schema)


def add_small_load(load: Load) -> None:
    """Two files of a cluster: 8 lines parsed, one rejected."""
    load.add_source(source("node1/bird.log", 6, node="node1", first_ts=at(0), last_ts=at(9)))
    load.add_source(source("rr1/bird.log", 2, rejected=1, node="rr1"))
    load.add_shapes(shapes_frame())
    kept = [
        record(0, UP, protocol="Mesh_10_0_0_9", peer="10.0.0.9", params='{"state": "up"}'),
        record(100, MD5, level="error", node="rr1", peers=["10.0.0.1", "10.0.0.2"]),
        record(200, ODD, message=HOSTILE),
        *(record(300 + number, SCAN) for number in range(5)),
    ]
    load.add_records(records_frame(kept), "node1/bird.log")
    load.add_counts(
        counts_frame([(0, "node1", UP, 1), (1, "rr1", MD5, 1), (2, "node1", ODD, 1), (3, "node1", SCAN, 5)])
    )
    load.add_states(
        states_frame(
            [
                {"ts": at(0), "node": "node1", "protocol": "Mesh_10_0_0_9", "peer": "10.0.0.9", "state": "start"},
                {"ts": at(1), "node": "node1", "protocol": "Mesh_10_0_0_9", "peer": "10.0.0.9", "state": "up"},
                {"ts": at(2), "node": "node2", "peer": "10.0.0.9", "bgp_state": "Connect", "observed_by": "node status"},
                {"ts": at(1), "node": "rr1", "protocol": "Node_10_0_0_1", "peer": "10.0.0.1", "state": "up"},
                {"ts": at(2), "node": "rr1", "protocol": "Node_10_0_0_2", "peer": "10.0.0.2", "state": "down",
                 "last_error": "Error: Kernel MD5 auth failed", "observed_by": "show protocols"},
            ]
        ),
        "rr1/bird.log",
    )  # fmt: skip
    load.add_rejects(
        pl.DataFrame({"byte_offset": [10], "byte_length": [4], "lines": [1], "reason": ["not_utf8"], "detail": ["x"]}),
        "rr1/bird.log",
    )
    load.add_resources(
        pl.DataFrame({"kind": ["Node"], "name": ["node1"], "body": ['{"kind": "Node"}'], "byte_offset": [0]}), "n.yaml"
    )
    load.add_node_facts(
        pl.DataFrame({"node": ["rr1"], "fact": ["optmem_max"], "value": ["20480"], "byte_offset": [0]}), "rr1/sysctl"
    )
    load.add_observed(
        pl.DataFrame({"node": ["node1"], "component": ["bird"], "first_ts": [at(0)], "last_ts": [at(9)], "lines": [6]}),
        "node1/bird.log",
    )


def derived() -> dict[str, pl.DataFrame]:
    """What an analysis of the small warehouse gives."""
    interval: dict[str, Any] = {"node": "rr1", "protocol": "Node_10_0_0_1", "peer": "10.0.0.1", "peer_node": "node1"}
    other: dict[str, Any] = {"node": "rr1", "protocol": "Node_10_0_0_2", "peer": "10.0.0.2", "peer_node": "node2"}
    down = {"state": "down", "category": "md5_kernel_setup_failed"}
    rows = {
        "node_addresses": [{"address": f"10.0.0.{n}", "node": name} for n, name in ((1, "node1"), (2, "node2"), (9, "rr1"))],
        "pod_nodes": [{"pod": "calico-node-x", "node": "node1"}],
        "session_intervals": [
            interval | {"state": "up", "category": None, "started_at": at(0), "ended_at": at(120)},
            interval | {"node": "node1", "peer": "10.0.0.9", "peer_node": "rr1", "state": "up", "category": None,
                        "started_at": at(0), "ended_at": at(60)},
            *(other | down | {"started_at": at(n), "ended_at": at(n + 10)} for n in (0, 20, 40)),
            other | {"state": "unknown", "category": None, "started_at": at(60), "ended_at": at(120)},
        ],
        "coverage": [
            {"node": "node1", "component": "bird", "started_at": at(0), "ended_at": at(9)},
            {"node": "node1", "component": "bird", "started_at": at(60), "ended_at": at(90)},
        ],
        "nodes": [
            {"node": name, "addresses": [address], "is_reflector": name == "rr1", "calico_version": "v3.22.4",
             "kernel_version": "5.10", "optmem_max": 20480, "valid_from": at(0)}
            for name, address in (("node1", "10.0.0.1"), ("node2", "10.0.0.2"), ("rr1", "10.0.0.9"))
        ],
        "bgp_groups": [{"group_name": "rr", "kind": "reflector", "reflectors": ["rr1"], "members": ["node1", "node2"],
                        "md5": True, "valid_from": at(0)}],
        "group_sizes": [{"ts": at(0), "group_name": "rr", "reflector": "rr1", "configured_peers": 152,
                         "established_peers": 150, "failed_peers": 2, "md5_peers": 152, "md5_key_limit": 150}],
        "missing_sessions": [{"node": "node2", "peer": "10.0.0.9", "peer_node": "rr2", "group_name": "rr", "made_by": "to-rr",
                              "reason": "not listed", "looked_at": at(1), "source_path": "n2.txt", "byte_offset": 0}],
        "incidents": [{"incident_id": "i1", "group_name": "rr", "category": "md5_kernel_setup_failed", "severity": "error",
                       "started_at": at(0), "nodes": 1, "sessions": 1, "events": 3, "cause": "md5_key_limit",
                       "confidence": 0.9}],
        "incident_sessions": [{"incident_id": "i1", "node": "node2", "protocol": "Node_10_0_0_9", "peer": "10.0.0.9",
                               "peer_node": "rr1", "category": "md5_kernel_setup_failed", "started_at": at(0)}],
        "diagnoses": [{"diagnosis_id": "d1", "incident_id": "i1", "cause": "md5_key_limit", "title": "too many MD5 keys",
                       "confidence": 0.9, "summary": "152 of 150", "remedy": "raise optmem_max", "refuted_by": "x"}],
        "evidence": [{"diagnosis_id": "d1", "role": "supports", "ts": at(1), "node": "rr1", "text": HOSTILE,
                      "source_path": "rr1/bird.log", "byte_offset": 100}],
        "effects": [{"category": "md5_kernel_setup_failed", "factor": "size", "level": "151+", "reference": "1-150",
                     "estimate": 9.0, "ci_low": 2.0, "ci_high": 40.0, "groups": 6, "failures": 12, "session_hours": 80.5,
                     "verdict": "supported"}],
        "size_thresholds": [{"category": "md5_kernel_setup_failed", "scope": "md5_peers", "threshold": 150.0,
                             "verdict": "supported", "explained_by": "md5_key_limit"}],
        "exposure": [{"group_name": "rr", "role": "client", "size": 152, "calico_version": "v3.22.4", "category": "any",
                      "started_at": at(0), "ended_at": at(120), "session_hours": 2.5, "failures": 3, "incidents": 1}],
        "forecasts": [{"group_name": "rr", "reflector": "rr1", "as_of": at(0), "configured_peers": 152,
                       "limit_name": "md5_key_limit", "limit_value": 150.0, "headroom": -2.0, "verdict": "reached"}],
    }  # fmt: skip
    return {name: pl.DataFrame(given, infer_schema_length=None) for name, given in rows.items()}


def mine_by_shape(warehouse: Warehouse) -> bool:
    """Every shape is its own template: enough for tests that are not about mining."""
    shapes = warehouse.shapes().with_columns(template_id=pl.col("shape_id").cast(pl.String))
    texts = shapes.select("template_id", pl.col("shape").alias("template"), "component", "rule", "category", "severity")
    return warehouse.store_mined(shapes.select("shape_id", "template_id"), texts)


def build(directory: Path) -> Path:
    """The small warehouse, analysed and published; returns its folder."""
    with Warehouse.open(directory) as warehouse:
        with warehouse.load(cluster=CLUSTER, engine="local", ruleset_version="r1") as load:
            add_small_load(load)
        mine_by_shape(warehouse)
        warehouse.replace_derived(CLUSTER, derived())
        publish(warehouse)
    return directory


def contents(directory: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table: what must not change when a load fails."""
    with Warehouse.open(directory) as warehouse:
        names = [row[0] for row in warehouse.connection.sql("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {name: sorted(warehouse.frame(f'FROM "{name}"').rows(), key=repr) for name in names}
