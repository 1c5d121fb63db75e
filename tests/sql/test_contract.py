"""The names and columns that users' queries rely on. Rows may be added here, never changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.warehouse import sqlfiles
from pipeline.warehouse.publish import PUBLISHED
from pipeline.warehouse.reader import Snapshot, open_snapshot
from pipeline.warehouse.writer import Warehouse
from tests.warehouse.build import build

CONTRACT = {
    "log_events": "ts ts_source cluster node pod component level message template_id category severity protocol peer peers "
    "params source_path byte_offset byte_length load_id",
    "event_counts": "minute cluster node component level template_id category events",
    "templates": "template_id template component category severity events first_seen last_seen example",
    "session_states": "ts cluster node protocol peer peer_node state bgp_state last_error observed_by source_path byte_offset",
    "session_intervals": "cluster node protocol peer peer_node state category started_at ended_at how_started how_ended",
    "sessions": "cluster node protocol peer peer_node state bgp_state last_error since other_state other_last_error",
    "coverage": "cluster node component started_at ended_at",
    "nodes": "cluster node addresses is_reflector rr_cluster_id calico_version k8s_version kernel_version os_image "
    "optmem_max valid_from valid_to",
    "bgp_groups": "cluster group_name kind reflectors md5 valid_from valid_to",
    "group_sizes": "ts cluster group_name reflector configured_peers established_peers failed_peers md5_peers md5_key_limit",
    "missing_sessions": "cluster node peer peer_node group_name made_by reason looked_at source_path byte_offset",
    "failure_rates": "bucket cluster group_name category calico_version configured_peers session_hours failures rate "
    "rate_low rate_high",
    "incidents": "incident_id cluster group_name category severity started_at ended_at nodes sessions events cause confidence "
    "planned",
    "incident_sessions": "cluster incident_id node protocol peer peer_node category started_at ended_at last_error source_path "
    "byte_offset",
    "diagnoses": "diagnosis_id incident_id cause title confidence summary remedy refuted_by ruleset_version",
    "evidence": "diagnosis_id role ts node peer text source_path byte_offset position",
    "effects": "cluster category factor level reference adjusted_for method estimate ci_low ci_high p_value q_value groups "
    "failures session_hours verdict",
    "size_thresholds": "cluster category scope threshold ci_low ci_high p_value model verdict explained_by",
    "exposure": "cluster group_name role size calico_version category started_at ended_at session_hours failures incidents",
    "forecasts": "cluster group_name reflector as_of configured_peers limit_name limit_value headroom growth_per_day meets_at "
    "meets_earliest meets_latest verdict",
    "loads": "load_id lines_read lines_parsed lines_unparsed lines_rejected",
    "sources": "load_id lines_read lines_parsed lines_unparsed lines_rejected",
    "rejects": "load_id source_path byte_offset reason",
}
TYPES = {
    ("log_events", "ts"): "TIMESTAMP WITH TIME ZONE",
    ("log_events", "peers"): "VARCHAR[]",
    ("log_events", "params"): "MAP(VARCHAR, VARCHAR)",
    ("log_events", "severity"): "ENUM('info', 'warning', 'error', 'critical')",
    ("log_events", "ts_source"): "ENUM('envelope', 'line', 'neighbour', 'none')",
    ("event_counts", "minute"): "TIMESTAMP WITH TIME ZONE",
    ("session_states", "observed_by"): "ENUM('log', 'show protocols', 'node status', 'caliconodestatus', 'probe')",
    ("bgp_groups", "kind"): "ENUM('mesh', 'reflector', 'external')",
    ("evidence", "role"): "ENUM('supports', 'contradicts', 'missing')",
    ("effects", "verdict"): "ENUM('supported', 'suggestive', 'not_distinguishable', 'confounded', 'not_enough_data')",
    (
        "size_thresholds",
        "verdict",
    ): "ENUM('supported', 'suggestive', 'not_distinguishable', 'confounded', 'not_enough_data')",
}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A published snapshot with rows in every table."""
    return open_snapshot(build(tmp_path_factory.mktemp("contract")))


def test_exactly_these_are_published() -> None:
    assert set(PUBLISHED) == set(CONTRACT)


@pytest.mark.parametrize("name", CONTRACT)
def test_columns(snapshot: Snapshot, name: str) -> None:
    columns = snapshot.frame(f"FROM {name}").columns
    assert [column for column in CONTRACT[name].split() if column not in columns] == []


@pytest.mark.parametrize("name", CONTRACT)
def test_there_are_rows(snapshot: Snapshot, name: str) -> None:
    assert snapshot.frame(f"FROM {name}").height > 0


@pytest.mark.parametrize(("table", "column"), TYPES)
def test_types(snapshot: Snapshot, table: str, column: str) -> None:
    described = {row[0]: row[1] for row in snapshot.frame(f"DESCRIBE {table}").rows()}
    assert described[column] == TYPES[table, column]


def test_every_time_has_a_zone(snapshot: Snapshot) -> None:
    naive = snapshot.frame(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND data_type IN ('TIMESTAMP', 'DATE')"
    )
    assert naive.rows() == []


def test_severity_sorts_in_its_order(snapshot: Snapshot) -> None:
    assert snapshot.frame("SELECT max(severity) AS worst FROM log_events")["worst"].item() == "error"
    order = snapshot.frame("SELECT DISTINCT severity FROM log_events ORDER BY severity DESC")["severity"].to_list()
    assert order == ["error", "info"]


def test_everything_in_the_warehouse_is_described(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path) as warehouse:
        named = warehouse.frame(
            "SELECT table_name, NULL AS column_name FROM duckdb_tables() UNION ALL "
            "SELECT view_name, NULL FROM duckdb_views() WHERE NOT internal UNION ALL "
            "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
        )
    described = sqlfiles.descriptions()
    assert {row for row in named.rows() if row[0] != "schema_info"} == set(described)
    assert all(described.values())


def test_the_wheel_carries_the_sql_files() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '"sql" = "pipeline/_sql"' in project
    assert sqlfiles.sql_dir().name in ("sql", "_sql")
