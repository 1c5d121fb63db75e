"""An incident is known by how it began: it keeps its id as it grows, and wherever its records were read from."""

from __future__ import annotations

import pytest

from pipeline.findings import investigate
from pipeline.sessions import ClusterFacts
from tests.findings.cluster import Cluster, at


def _ids(cluster: Cluster) -> list[str]:
    return [finding.incident.incident_id for finding in cluster.analysis().findings]


def _outage(*later: str) -> Cluster:
    cluster = Cluster(clients=8)
    for hub in cluster.reflectors:
        for position, client in enumerate(("n-3", *later)):
            cluster.lose(client, hub, 300 + 20 * position, None, "Error: Hold timer expired")
    return cluster


def test_a_growing_incident_keeps_its_id() -> None:
    first = _ids(_outage())
    assert len(first) == 1
    assert _ids(_outage("n-4", "n-5")) == first


def _storm(path: str) -> ClusterFacts:
    rows = [
        {"message": "Netlink: Network is down", "category": "route_programming_error", "severity": "warning",
         "component": "bird", "node": node, "ts": at(seconds), "source_path": f"{path}{k}.log", "byte_offset": k}
        for k, (node, seconds) in enumerate([("n-1", 0), ("n-2", 0), ("n-1", 900), ("n-2", 1800)])
    ]  # fmt: skip
    return ClusterFacts.of(records=rows)


@pytest.mark.parametrize("path", ["a/", "z/", "copy/of/"])
def test_the_place_of_a_record_is_no_part_of_an_incident(path: str) -> None:
    found = investigate(_storm(path)).tables["incidents"]
    assert found.equals(investigate(_storm("first/")).tables["incidents"])
    assert found["incident_id"].is_unique().all()


def test_reloads_that_pile_up_twice_are_two_incidents() -> None:
    minutes = [
        {"node": "n-1", "rule": "bird.reconfiguring", "minute": at(60 * minute), "events": 30}
        for minute in (0, 1, 2, 60, 61, 62)
    ]
    record = {
        "message": "Reconfiguring", "rule": "bird.reconfiguring", "category": "benign", "severity": "info",
        "component": "bird", "node": "n-1", "ts": at(0), "source_path": "bird.log", "byte_offset": 0,
    }  # fmt: skip
    incidents = investigate(ClusterFacts.of(records=[record], marks=minutes)).tables["incidents"]
    assert incidents.height == 2
    assert incidents["incident_id"].n_unique() == 2


def test_a_file_that_was_begun_anew_keeps_its_name() -> None:
    moved = {"node": "n-1", "source_path": "bird.log", "byte_offset": 500}
    fault = {
        **moved, "ts": at(0), "message": "Netlink: Network is down", "category": "route_programming_error",
        "severity": "warning", "component": "bird",
    }  # fmt: skip
    state = {
        **moved, "ts": at(5000), "protocol": "Node_10_0_0_7", "peer": "10.0.0.7", "state": "up", "observed_by": "log",
    }  # fmt: skip
    more = {**fault, "byte_offset": 600, "ts": at(1)}
    found = investigate(ClusterFacts.of(records=[fault, more], states=[state])).tables["incidents"]
    assert found["events"].to_list() == [2]
