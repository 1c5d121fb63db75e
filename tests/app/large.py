"""A large published warehouse made of invented rows: 10 million records of 1,000 nodes over a week.

``python -m tests.app.large DIR [RECORDS]`` writes it; the timings of the app are taken on it. Tables have the
columns, order and file format of a real snapshot.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import duckdb

from pipeline.warehouse.publish import PUBLISHED, STORAGE_VERSION, publish
from pipeline.warehouse.snapshots import POINTER_NAME, SNAPSHOT_FOLDER, snapshot_name
from pipeline.warehouse.writer import Warehouse

RECORDS = 10_000_000
NODES = 1000
DAYS = 7
CLUSTERS = 4
START = "TIMESTAMPTZ '2026-03-02 00:00:00+00'"

_NODE = "'node-' || lpad(CAST({n} % 1000 AS VARCHAR), 4, '0')"
_CLUSTER = "'prod-' || CAST({n} % 1000 % 4 AS VARCHAR)"
_KINDS = """[
  ('benign', 'info'), ('benign', 'info'), ('benign', 'info'), ('session_state_change', 'info'),
  ('session_established', 'info'), ('hold_timer_expired', 'error'), ('connection_refused', 'warning'),
  ('bgp_not_established', 'error'), ('md5_kernel_setup_failed', 'critical'), ('unclassified', 'info')]"""

# Column = expression over ``i`` (row number); columns not named are NULL.
ROWS: dict[str, tuple[int | str, dict[str, str]]] = {
    "log_events": (
        "records",
        {
            "ts": f"{START} + to_microseconds(CAST(hash(i) % 604800000000 AS BIGINT))", "ts_source": "'envelope'",
            "cluster": _CLUSTER.format(n="hash(i + 1)"), "node": _NODE.format(n="hash(i + 1)"),
            "component": "['bird', 'confd', 'felix', 'kubelet'][1 + CAST(hash(i) % 4 AS INTEGER)]",
            "level": "['info', 'warning', 'error'][1 + CAST(hash(i) % 3 AS INTEGER)]",
            # Half of the texts are of their own, as they are in real logs.
            "message": "'Mesh_10_0_' || (hash(i) % 4) || '_' || (hash(i + 2) % 250) || ': ' || ['State changed to start', "
            "'Error: Hold timer expired', 'Socket: Connection refused', 'Kernel MD5 auth failed'][1 + CAST(hash(i) % 4 AS INTEGER)] "
            "|| CASE WHEN i % 2 = 0 THEN ' after ' || (hash(i + 5) % 1000000) || ' ms' ELSE '' END",
            "template_id": "lpad(to_hex(hash(i) % 400), 16, '0')",
            "category": f"struct_extract({_KINDS}[1 + CAST(hash(i + 3) % 10 AS INTEGER)], 1)",
            "severity": f"struct_extract({_KINDS}[1 + CAST(hash(i + 3) % 10 AS INTEGER)], 2)",
            "peer": "'10.0.' || (hash(i) % 4) || '.' || (hash(i + 2) % 250)",
            "source_path": "'pods/node-' || lpad(CAST(hash(i + 1) % 1000 AS VARCHAR), 4, '0') || '/0.log'",
            "byte_offset": "i * 120", "byte_length": "120", "load_id": "1 + i % 100", "lines": "1",
        },
    ),
    "event_counts": (
        "records",
        {
            "minute": f"{START} + to_minutes(CAST(hash(i) % 10080 AS BIGINT))", "cluster": _CLUSTER.format(n="hash(i + 1)"),
            "node": _NODE.format(n="hash(i + 1)"),
            "component": "['bird', 'confd', 'felix', 'kubelet'][1 + CAST(hash(i) % 4 AS INTEGER)]",
            "level": "'info'", "template_id": "lpad(to_hex(hash(i) % 400), 16, '0')",
            "category": f"struct_extract({_KINDS}[1 + CAST(hash(i) % 10 AS INTEGER)], 1)", "events": "1 + hash(i) % 20",
        },
    ),
    "templates": (
        400,
        {
            "template_id": "lpad(to_hex(i), 16, '0')", "template": "'line number ' || i || ' of <*>'", "component": "'bird'",
            "category": f"struct_extract({_KINDS}[1 + i % 10], 1)", "severity": "'info'", "events": "25000",
            "first_seen": START, "last_seen": f"{START} + INTERVAL 7 DAY", "example": "'line number ' || i || ' of 5'",
        },
    ),
    "session_intervals": (
        240_000,
        {
            "cluster": _CLUSTER.format(n="i"), "node": _NODE.format(n="i"),
            "protocol": "'Node_10_0_0_' || (i // 1000 % 6)", "peer": "'10.0.0.' || (i // 1000 % 6)",
            "peer_node": "'rr-' || (i // 1000 % 6)", "state": "CASE WHEN i // 6000 % 2 = 1 THEN 'down' ELSE 'up' END",
            "category": "CASE WHEN i // 6000 % 2 = 1 THEN 'hold_timer_expired' ELSE 'session_established' END",
            "started_at": f"{START} + to_minutes(CAST(i // 6000 * 252 AS BIGINT))",
            "ended_at": f"{START} + to_minutes(CAST((i // 6000 + 1) * 252 AS BIGINT))", "how_started": "'log'", "how_ended": "'log'",
        },
    ),
    "sessions": (
        6000,
        {
            "cluster": _CLUSTER.format(n="i"), "node": _NODE.format(n="i"), "protocol": "'Node_10_0_0_' || (i // 1000)",
            "peer": "'10.0.0.' || (i // 1000)", "peer_node": "'rr-' || (i // 1000)", "state": "'up'", "bgp_state": "'Established'",
            "since": START, "observed_at": f"{START} + INTERVAL 7 DAY",
        },
    ),
    "session_states": (
        1_000_000,
        {
            "ts": f"{START} + to_seconds(CAST(hash(i) % 604800 AS BIGINT))", "cluster": _CLUSTER.format(n="i"),
            "node": _NODE.format(n="i"), "protocol": "'Node_10_0_0_' || (i // 1000 % 6)", "peer": "'10.0.0.' || (i // 1000 % 6)",
            "state": "'up'", "observed_by": "'log'", "source_path": "'pods/0.log'", "byte_offset": "i",
        },
    ),
    "coverage": (
        4000,
        {
            "cluster": _CLUSTER.format(n="i"), "node": _NODE.format(n="i"), "component": "'bird'", "started_at": START,
            "ended_at": f"{START} + INTERVAL 7 DAY",
        },
    ),
    "nodes": (
        NODES,
        {
            "cluster": _CLUSTER.format(n="i"), "node": _NODE.format(n="i"), "addresses": "['10.1.' || (i // 250) || '.' || (i % 250)]",
            "is_reflector": "i < 6", "calico_version": "CASE WHEN i % 2 = 0 THEN 'v3.22.4' ELSE 'v3.26.1' END",
            "kernel_version": "'5.4.0'", "optmem_max": "20480", "valid_from": START,
        },
    ),
    "bgp_groups": (
        12,
        {
            "cluster": _CLUSTER.format(n="i"), "group_name": "'group-' || i", "kind": "'reflector'", "reflectors": "['rr-' || (i % 6)]",
            "members": "list_transform(range(250), lambda k: 'node-' || lpad(CAST(k * 4 + i % 4 AS VARCHAR), 4, '0'))",
            "md5": "true", "valid_from": START,
        },
    ),
    "group_sizes": (
        12_000,
        {
            "ts": f"{START} + to_minutes(CAST(i // 12 * 10 AS BIGINT))", "cluster": _CLUSTER.format(n="i"),
            "group_name": "'group-' || (i % 12)", "reflector": "'rr-' || (i % 6)", "configured_peers": "100 + i // 300",
            "established_peers": "100 + i // 300", "failed_peers": "0", "md5_peers": "100 + i // 300", "md5_key_limit": "150",
        },
    ),
    "failure_rates": (
        20_000,
        {
            "bucket": f"{START} + to_hours(CAST(i % 168 AS BIGINT))", "cluster": _CLUSTER.format(n="i"),
            "group_name": "'group-' || (i % 12)", "category": "['hold_timer_expired', 'connection_refused'][1 + i % 2]",
            "calico_version": "['v3.22.4', 'v3.26.1'][1 + i // 2 % 2]", "configured_peers": "100 + i % 60", "session_hours": "250.0",
            "failures": "hash(i) % 5", "rate": "0.01", "rate_low": "0.0", "rate_high": "0.1",
        },
    ),
    "incidents": (
        300,
        {
            "incident_id": "lpad(to_hex(i), 16, '0')", "cluster": _CLUSTER.format(n="i"), "group_name": "'group-' || (i % 12)",
            "category": "'hold_timer_expired'", "severity": "['warning', 'error', 'critical'][1 + i % 3]",
            "started_at": f"{START} + to_hours(CAST(i % 160 AS BIGINT))",
            "ended_at": f"CASE WHEN i % 3 > 0 THEN {START} + to_hours(CAST(i % 160 + 4 AS BIGINT)) END", "nodes": "3", "sessions": "1 + i % 40",
            "events": "100", "cause": "'path_loss'", "confidence": "0.8",
        },
    ),
    "incident_sessions": (
        30_000,
        {
            "cluster": _CLUSTER.format(n="i % 300"), "incident_id": "lpad(to_hex(i % 300), 16, '0')", "node": _NODE.format(n="i"),
            "protocol": "'Node_10_0_0_' || (i % 6)", "peer": "'10.0.0.' || (i % 6)", "peer_node": "'rr-' || (i % 6)",
            "category": "'hold_timer_expired'", "started_at": START, "source_path": "'pods/0.log'", "byte_offset": "i",
        },
    ),
    "diagnoses": (
        300,
        {
            "cluster": _CLUSTER.format(n="i"), "diagnosis_id": "'d' || i", "incident_id": "lpad(to_hex(i), 16, '0')", "cause": "'path_loss'",
            "title": "'Packets are lost on the way'", "confidence": "0.8", "summary": "'Packets are lost.'", "remedy": "'$ ping -c 100 peer'",
        },
    ),
    "evidence": (
        3000,
        {
            "cluster": _CLUSTER.format(n="i"), "diagnosis_id": "'d' || (i % 300)", "role": "'supports'", "ts": START, "node": _NODE.format(n="i"),
            "text": "'Hold timer expired'", "source_path": "'pods/0.log'", "byte_offset": "i",
        },
    ),
    "loads": (
        100,
        {
            "load_id": "1 + i", "cluster": _CLUSTER.format(n="i"), "engine": "'local'", "started_at": START, "finished_at": START,
            "files_read": "10", "files_known": "0", "bytes_read": "1000000", "lines_read": "100000", "lines_parsed": "100000",
            "lines_unparsed": "0", "lines_rejected": "0",
        },
    ),
    "sources": (
        1000,
        {
            "load_id": "1 + i % 100", "cluster": _CLUSTER.format(n="i"), "source_path": "'pods/' || i", "node": _NODE.format(n="i"),
            "lines_read": "10000", "lines_parsed": "10000", "lines_unparsed": "0", "lines_rejected": "0", "bytes_read": "100000",
        },
    ),
}  # fmt: skip


def write(directory: Path, records: int = RECORDS) -> Path:
    """Write the warehouse into ``directory``; returns the snapshot.

    The tables are those that an empty warehouse publishes today; only their rows are invented.
    """
    folder = directory / SNAPSHOT_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / snapshot_name(1)
    path.unlink(missing_ok=True)
    con = duckdb.connect()
    con.execute(f"ATTACH '{path}' AS large (STORAGE_VERSION '{STORAGE_VERSION}')")
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        with Warehouse.open(Path(scratch)) as held:
            like = publish(held).path
        con.execute(f"ATTACH '{like}' AS small (READ_ONLY)")
        for name, order in PUBLISHED.items():
            columns = [row[0] for row in con.execute(f"DESCRIBE small.main.{name}").fetchall()]
            con.execute(f"CREATE TABLE large.main.{name} AS FROM small.main.{name} LIMIT 0")
            if name in ROWS:
                size, given = ROWS[name]
                count = records if size == "records" else int(size)
                values = ", ".join(f"{given.get(column, 'NULL')} AS {column}" for column in columns)
                con.execute(
                    f"INSERT INTO large.main.{name} SELECT {values} FROM range({count}) AS t(i) ORDER BY {order}"
                )
        con.execute("CREATE TABLE large.main.meta AS FROM small.main.meta")
        con.execute("DETACH large")
        con.close()
    (directory / POINTER_NAME).write_text(path.name + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    made = write(target, int(sys.argv[2]) if len(sys.argv) > 2 else RECORDS)
    print(f"{made}: {made.stat().st_size >> 20} MiB in {time.monotonic() - started:.0f} s")
