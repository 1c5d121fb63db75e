"""Which sessions count as failed, and since when they are well again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sample_logs.lab import truth
from sample_logs.lab.control import Row
from sample_logs.lab.runner import Lab
from sample_logs.lab.scenario import parse

TEXT = """
id = "x"
title = "x"
description = "x"
subnet = "10.0.0.0/24"
duration = 10
[[groups]]
name = "a"
reflectors = 1
clients = 2
[[timeline]]
at = 1
do = "stop"
nodes = ["node-001"]
fault = true
[truth]
cause = "bird_not_running"
group = "a"
culprits = ["node-001"]
"""

REFLECTOR, FIRST, SECOND = "10_0_0_1", "10_0_0_2", "10_0_0_3"


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab that is planned but not built: no namespaces, no daemons."""
    planned = Lab(parse(TEXT, "x.toml"))
    for node in planned.cluster.nodes.values():
        planned.peer_ends.update({(node.name, node.protocol(peer)): peer for peer in node.peers})
    planned.fault_at, planned.ended_at = 10.0, 20.0
    yield planned
    shutil.rmtree(planned.work)


def see(lab: Lab, moment: float, first: str, second: str = "Established") -> None:
    """One round of polling in which both ends of each of the two sessions show the same."""

    def row(peer: str, info: str) -> Row:
        return Row(f"Node_{peer}", "up" if info == "Established" else "start", info)

    lab.history.see(
        moment,
        {
            "rr-a-1": [row(FIRST, first), row(SECOND, second)],
            "node-001": [row(REFLECTOR, first)],
            "node-002": [row(REFLECTOR, second)],
        },
    )


def test_a_persistent_fault_is_judged_at_the_end(lab: Lab) -> None:
    see(lab, 11.0, "Connect", "Connect")
    see(lab, 19.0, "Connect")
    (incident,) = truth.incidents(lab)
    assert incident["sessions"] == [["node-001", "rr-a-1"]]
    assert incident["nodes"] == ["node-001"]
    assert incident["ended_at"] is None


def test_a_cured_fault_is_judged_before_the_cure_and_has_an_end(lab: Lab) -> None:
    lab.cure_at = 15.0
    see(lab, 11.0, "Connect")
    see(lab, 16.0, "Connect")
    see(lab, 17.0, "Established")
    (incident,) = truth.incidents(lab)
    assert incident["sessions"] == [["node-001", "rr-a-1"]]
    assert incident["ended_at"] == "1970-01-01T00:00:17.000Z"


def test_a_passing_fault_counts_what_was_down_since(lab: Lab) -> None:
    lab.scenario = replace(lab.scenario, truth=replace(lab.scenario.truth, persistent=False))
    see(lab, 5.0, "Established", "Connect")
    see(lab, 9.0, "Established")
    see(lab, 12.0, "Connect")
    see(lab, 14.0, "Established")
    (incident,) = truth.incidents(lab)
    assert incident["sessions"] == [["node-001", "rr-a-1"]]
    assert incident["ended_at"] == "1970-01-01T00:00:14.000Z"


def test_a_silent_daemon_does_not_fail_its_peers(lab: Lab) -> None:
    see(lab, 11.0, "Established")
    lab.history.see(12.0, {"node-002": None})
    assert truth.failed_pairs(lab) == []


def test_a_session_that_is_gone_is_not_failed(lab: Lab) -> None:
    see(lab, 11.0, "Connect")
    see(lab, 12.0, "Established")
    lab.history.see(13.0, {"node-001": [], "rr-a-1": [Row(f"Node_{SECOND}", "up", "Established")]})
    assert truth.failed_pairs(lab) == []
