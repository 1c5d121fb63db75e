"""What the views make of the tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.warehouse.writer import Warehouse
from tests.warehouse.build import (
    CLUSTER,
    UP,
    at,
    build,
    counts_frame,
    record,
    records_frame,
    shapes_frame,
    source,
    states_frame,
)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    """An empty warehouse."""
    with Warehouse.open(tmp_path) as opened:
        yield opened


def observe(warehouse: Warehouse, *rows: dict[str, Any]) -> None:
    """Load observations of ends of sessions."""
    with warehouse.load(cluster=CLUSTER, engine="local") as load:
        load.add_source(source(f"status {warehouse.change_seq}", 0))
        load.add_states(states_frame(list(rows)), "status")


def addresses(warehouse: Warehouse, **nodes: str) -> None:
    """Say which node has which address (last octet)."""
    rows = [{"address": f"10.0.0.{octet}", "node": name} for name, octet in nodes.items()]
    warehouse.replace_derived(CLUSTER, {"node_addresses": pl.DataFrame(rows)})


def sessions(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Rows of the view, in a fixed order."""
    return warehouse.frame("FROM sessions ORDER BY node, protocol, peer").to_dicts()


END: dict[str, Any] = {"node": "a", "protocol": "Mesh_10_0_0_2", "peer": "10.0.0.2"}
OTHER: dict[str, Any] = {"node": "b", "protocol": "Mesh_10_0_0_1", "peer": "10.0.0.1"}


def test_each_end_stands_beside_the_other(warehouse: Warehouse) -> None:
    addresses(warehouse, a="1", b="2")
    observe(
        warehouse,
        END | {"ts": at(0), "state": "up"},
        END | {"ts": at(5), "state": "start", "last_error": "Socket: Connection refused"},
        OTHER | {"ts": at(4), "state": "down", "last_error": "Error: Hold timer expired"},
    )
    first, second = sessions(warehouse)
    assert (first["state"], first["last_error"], first["since"]) == ("start", "Socket: Connection refused", at(5))
    assert (first["peer_node"], first["other_state"], first["other_last_error"]) == (
        "b",
        "down",
        "Error: Hold timer expired",
    )
    assert (second["other_state"], second["other_last_error"]) == ("start", "Socket: Connection refused")


def test_an_end_nobody_saw_is_absent_not_healthy(warehouse: Warehouse) -> None:
    addresses(warehouse, a="1", b="2")
    observe(warehouse, END | {"ts": at(0), "state": "up"})
    [end] = sessions(warehouse)
    assert (end["state"], end["other_state"], end["other_observed_at"]) == ("up", None, None)


def test_an_error_before_it_came_up_is_over(warehouse: Warehouse) -> None:
    observe(
        warehouse,
        END | {"ts": at(0), "state": "start", "last_error": "Socket: Connection refused"},
        END | {"ts": at(1), "state": "up"},
    )
    [end] = sessions(warehouse)
    assert (end["state"], end["bgp_state"], end["last_error"]) == ("up", "Established", None)


def test_an_error_without_a_state_leaves_the_state(warehouse: Warehouse) -> None:
    observe(
        warehouse,
        END | {"ts": at(0), "state": "start", "bgp_state": "Active"},
        END | {"ts": at(1), "last_error": "Error: Kernel MD5 auth failed"},
    )
    [end] = sessions(warehouse)
    assert (end["state"], end["bgp_state"], end["last_error"]) == ("start", "Active", "Error: Kernel MD5 auth failed")


def test_since_is_the_start_of_the_last_run_of_a_state(warehouse: Warehouse) -> None:
    states = ["start", "up", "start", "start", "start"]
    observe(warehouse, *(END | {"ts": at(n), "state": state} for n, state in enumerate(states)))
    [end] = sessions(warehouse)
    assert (end["since"], end["observed_at"]) == (at(2), at(4))


def test_of_one_moment_and_of_none_the_order_in_the_file_tells(warehouse: Warehouse) -> None:
    told: list[dict[str, Any]] = [
        {"ts": at(0), "state": "up"},
        {"ts": at(3), "state": "start", "last_error": "Socket: Connection refused"},
        {"ts": at(3), "state": "up"},
        {"ts": at(3), "state": "start", "last_error": "Error: Hold timer expired"},
        {"ts": None, "state": "stop", "last_error": "Error: Kernel MD5 auth failed"},
    ]
    observe(warehouse, *(END | row | {"byte_offset": n} for n, row in enumerate(told)))
    [end] = sessions(warehouse)
    assert (end["state"], end["since"], end["last_error"]) == ("start", at(3), "Error: Hold timer expired")


def test_status_output_joins_the_only_protocol_of_its_peer(warehouse: Warehouse) -> None:
    status = {"node": "a", "peer": "10.0.0.2", "bgp_state": "Connect", "observed_by": "node status"}
    observe(warehouse, END | {"ts": at(0), "state": "up"}, status | {"ts": at(1)})
    [end] = sessions(warehouse)
    assert (end["protocol"], end["state"], end["bgp_state"]) == ("Mesh_10_0_0_2", "start", "Connect")


def test_two_protocols_to_one_peer_stay_two_ends_and_find_their_partners(warehouse: Warehouse) -> None:
    addresses(warehouse, a="1", b="2")
    observe(
        warehouse,
        END | {"ts": at(0), "state": "up"},
        END | {"protocol": "Node_10_0_0_2", "ts": at(0), "state": "start"},
        OTHER | {"ts": at(0), "state": "up"},
        OTHER | {"protocol": "Node_10_0_0_1", "ts": at(1), "state": "down"},
        {"node": "a", "peer": "10.0.0.2", "ts": at(2), "bgp_state": "Idle", "observed_by": "node status"},
    )
    found = {(row["node"], row["protocol"]): row["other_protocol"] for row in sessions(warehouse)}
    assert found["a", "Mesh_10_0_0_2"] == "Mesh_10_0_0_1"
    assert found["b", "Node_10_0_0_1"] == "Node_10_0_0_2"
    assert ("a", None) in found
    assert len(found) == 5


def test_an_address_of_two_nodes_names_neither(warehouse: Warehouse) -> None:
    rows = [{"address": "10.0.0.2", "node": name} for name in ("b", "c")]
    warehouse.replace_derived(CLUSTER, {"node_addresses": pl.DataFrame(rows)})
    observe(warehouse, END | {"ts": at(0), "state": "up"})
    assert [end["peer_node"] for end in sessions(warehouse)] == [None]


def test_observations_without_a_time_are_the_oldest(warehouse: Warehouse) -> None:
    observe(warehouse, END | {"ts": at(0), "state": "up"}, END | {"ts": None, "state": "down"})
    assert [end["state"] for end in sessions(warehouse)] == ["up"]


def test_clusters_do_not_mix(warehouse: Warehouse) -> None:
    addresses(warehouse, a="1", b="2")
    observe(warehouse, END | {"ts": at(0), "state": "up"})
    with warehouse.load(cluster="other", engine="local") as load:
        load.add_source(source("other", 0))
        load.add_states(states_frame([OTHER | {"ts": at(0), "state": "down"}]), "status")
    by_cluster = {end["cluster"]: (end["peer_node"], end["other_state"]) for end in sessions(warehouse)}
    assert by_cluster == {CLUSTER: ("b", None), "other": (None, None)}


def test_an_end_that_nobody_saw_has_a_reason(warehouse: Warehouse) -> None:
    addresses(warehouse, a="1", b="2", c="3")
    stretch = {"started_at": at(0), "ended_at": at(9)}
    rows = [
        {"node": "a", "component": "bird"},
        {"node": "b", "component": "felix"},
        {"node": "c", "component": "kube-event"},
    ]
    warehouse.replace_derived(CLUSTER, {"coverage": pl.DataFrame([row | stretch for row in rows])})
    far = [
        {"node": "a", "protocol": f"Mesh_10_0_0_{n}", "peer": f"10.0.0.{n}", "ts": at(0), "state": "up"}
        for n in (2, 3, 4)
    ]
    observe(warehouse, *far, {"node": "e", "protocol": "Mesh_10_0_0_1", "peer": "10.0.0.1", "ts": at(0), "state": "up"})
    assert {row["peer"]: row["other_reason"] for row in sessions(warehouse)} == {
        "10.0.0.2": "no logs", "10.0.0.3": "node not in the bundle", "10.0.0.4": "peer not known", "10.0.0.1": "no logs",
    }  # fmt: skip
    observe(warehouse, OTHER | {"ts": at(0), "state": "up"})
    assert {row["peer"]: row["other_reason"] for row in sessions(warehouse)}["10.0.0.2"] is None


def test_a_record_that_names_only_its_pod_gets_the_node(warehouse: Warehouse) -> None:
    warehouse.replace_derived(
        CLUSTER, {"pod_nodes": pl.DataFrame({"pod": ["p1", "p2", "p2"], "node": ["a", "b", "c"]})}
    )
    with warehouse.load(cluster=CLUSTER, engine="local") as load:
        load.add_source(source("x", 3))
        load.add_shapes(shapes_frame())
        load.add_counts(counts_frame([(0, "n", UP, 3)]))
        rows = [
            record(n, UP, node=node, pod=pod) for n, (node, pod) in enumerate([(None, "p1"), (None, "p2"), ("n", "p1")])
        ]
        load.add_records(records_frame(rows), "x")
    assert warehouse.frame("SELECT node FROM log_events ORDER BY byte_offset")["node"].to_list() == ["a", None, "n"]


def test_templates_sum_their_shapes(tmp_path: Path) -> None:
    with Warehouse.open(build(tmp_path)) as warehouse:
        rows = {row["template"]: row for row in warehouse.frame("FROM templates").to_dicts()}
        scan = rows["device1: Scanning interfaces"]
        assert (scan["events"], scan["first_seen"], scan["category"]) == (5, at(3), "benign")
        assert sum(row["events"] for row in rows.values()) == 8


def intervals(*rows: dict[str, Any]) -> pl.DataFrame:
    """Stretches of a client of reflector ``rr``."""
    base = {"node": "a", "protocol": "Node_x", "peer": "10.0.0.9", "peer_node": "rr", "category": None}
    return pl.DataFrame([base | row for row in rows], infer_schema_length=None)


def rates(warehouse: Warehouse, stretches: pl.DataFrame) -> list[dict[str, Any]]:
    """Failure rates of one reflector group with two versions."""
    warehouse.replace_derived(
        CLUSTER,
        {
            "session_intervals": stretches,
            "bgp_groups": pl.DataFrame({"group_name": ["g"], "kind": ["reflector"], "reflectors": [["rr"]], "members": [["a", "b"]]}),
            "group_sizes": pl.DataFrame(
                {"ts": [at(0), at(90)], "group_name": ["g", "g"], "reflector": ["rr", "rr"], "configured_peers": [100, 200]}
            ),
            "nodes": pl.DataFrame(
                {"node": ["a", "a", "b", "rr"], "calico_version": ["v3.22", "v3.23", "v3.22", "v3.99"],
                 "valid_from": [None, at(130), None, None]}
            ),
        },
    )  # fmt: skip
    return warehouse.frame("FROM failure_rates ORDER BY bucket, category, calico_version").to_dicts()


DOWN = {"state": "down", "category": "hold_timer_expired"}


def test_rates_have_observed_hours_and_an_interval(warehouse: Warehouse) -> None:
    rows = rates(
        warehouse,
        intervals(
            {"state": "up", "started_at": at(0), "ended_at": at(30)},
            DOWN | {"started_at": at(30), "ended_at": at(45)},
            {"state": "unknown", "started_at": at(45), "ended_at": at(60)},
            {"state": "up", "started_at": at(60), "ended_at": at(90)},
        ),
    )
    first, second = rows
    assert (first["bucket"], first["session_hours"], first["failures"]) == (at(0), 0.75, 1)
    assert first["rate"] == pytest.approx(1 / 0.75)
    assert (first["calico_version"], first["configured_peers"]) == ("v3.22", 100)
    assert (second["bucket"], second["session_hours"], second["failures"]) == (at(60), 0.5, 0)
    assert (second["rate"], second["rate_low"], second["configured_peers"]) == (0, 0, 200)


def test_an_hour_nobody_watched_has_no_row(warehouse: Warehouse) -> None:
    rows = rates(
        warehouse,
        intervals(
            DOWN | {"started_at": at(0), "ended_at": at(10)},
            {"state": "unknown", "started_at": at(10), "ended_at": at(120)},
            {"state": "up", "started_at": at(120), "ended_at": at(180)},
        ),
    )
    assert [row["bucket"] for row in rows] == [at(0), at(120)]


def test_a_session_seen_from_both_ends_is_one(warehouse: Warehouse) -> None:
    both = [{}, {"node": "rr", "peer": "10.0.0.1", "peer_node": "a"}]
    rows = rates(
        warehouse,
        intervals(*(end | DOWN | {"started_at": at(n), "ended_at": at(30)} for n, end in enumerate(both))),
    )
    assert [(row["session_hours"], row["failures"], row["calico_version"]) for row in rows] == [(0.5, 1, "v3.22")]


def test_the_version_is_the_clients_at_that_time(warehouse: Warehouse) -> None:
    rows = rates(
        warehouse,
        intervals(
            DOWN | {"started_at": at(0), "ended_at": at(60)},
            {"state": "up", "started_at": at(120), "ended_at": at(240)},
        ),
    )
    assert [(row["bucket"], row["calico_version"]) for row in rows] == [
        (at(0), "v3.22"), (at(120), "v3.23"), (at(180), "v3.23"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("failures", "low", "high"), [(1, 0.0253, 5.572), (3, 0.6187, 8.767), (10, 4.795, 18.39), (100, 81.36, 121.6)]
)
def test_the_interval_is_close_to_the_exact_one(warehouse: Warehouse, failures: int, low: float, high: float) -> None:
    # Exact limits from the chi-squared distribution; one short stretch of as many clients.
    stretch = DOWN | {"started_at": at(1), "ended_at": at(2)}
    [row] = rates(warehouse, intervals(*(stretch | {"node": f"c{n}"} for n in range(failures))))
    assert row["failures"] == failures
    assert row["rate_high"] * row["session_hours"] == pytest.approx(high, rel=0.01)
    assert row["rate_low"] * row["session_hours"] == pytest.approx(low, rel=0.01, abs=0.02)
