"""BIRD's own outputs."""

from __future__ import annotations

import json

import pytest

from pipeline.grammar import peer_of_protocol
from pipeline.status import parse_console, split_info
from tests.status.conftest import transcript

Seen = tuple[str | None, str | None, str | None, str | None, str | None]


def states(name: str) -> list[Seen]:
    return [(s.protocol, s.peer, s.state, s.bgp_state, s.last_error) for s in parse_console(transcript(name)).states]


def test_states_of_bird_16() -> None:
    assert states("birdcl16.txt") == [
        ("Mesh_10_0_0_12", "10.0.0.12", "up", "Established", None),
        ("Node_10_0_1_2", "10.0.1.2", "start", "Active", "Socket: Connection refused"),
        ("Node_10_0_1_3", "10.0.1.3", "down", None, "Error: Kernel MD5 auth failed"),
        ("Mesh_fd80_24e2_f998_72d7__2", "fd80:24e2:f998:72d7::2", "start", "Passive", None),
        ("Node_10_0_0_1_port_1790", "10.0.0.1", "start", "Idle", "BGP Error: Bad peer AS"),
    ]


def test_states_of_bird_2_take_the_peer_from_the_details() -> None:
    assert states("birdcl2.txt") == [
        ("rr1", "10.0.0.21", "up", "Established", None),
        ("client7", "fe80::1", "start", "Connect", "Socket: Connection reset by peer"),
        ("client8", None, "down", None, "Error: Authentication failed"),
        ("Mesh_10_0_0_13", "10.0.0.13", "wait", "Close", None),
    ]


def test_states_of_the_raw_socket() -> None:
    assert states("birdraw.txt") == [
        ("Node_10_0_1_1", "10.0.1.1", "up", "Established", None),
        ("Global_192_0_2_1", "192.0.2.1", "start", "OpenSent", None),
    ]
    errors = [r.body for r in parse_console(transcript("birdraw.txt")).records if r.level == "error"]
    assert errors == ["No protocols match", "syntax error"]


def test_a_row_is_a_status_record_with_its_state_and_info() -> None:
    row = next(r for r in parse_console(transcript("birdcl16.txt")).records if r.protocol == "Node_10_0_1_3")
    assert (row.family, row.component, row.role) == ("status", "birdcl", "row")
    assert row.body == "down Error: Kernel MD5 auth failed"
    assert row.message == "Node_10_0_1_3 BGP      master   down   2026-11-21  Error: Kernel MD5 auth failed"


def test_details_become_parameters_and_a_configured_peer() -> None:
    facts = parse_console(transcript("birdcl16.txt"))
    row = next(r for r in facts.records if r.family == "status")
    assert row.params["hold_timer"] == "163/240"
    assert (row.params["routes_imported"], row.params["routes_exported"]) == ("1", "2")
    configured = next(f.value for f in facts.node_facts if f.fact == "configured_peer:Mesh_10_0_0_12")
    assert json.loads(configured) == {
        "protocol": "Mesh_10_0_0_12", "neighbor": "10.0.0.12", "as": "64512", "source_address": "10.0.0.11", "rr_client": True,
    }  # fmt: skip


def test_a_last_error_below_a_row_counts_when_the_row_names_none() -> None:
    facts = parse_console(
        b"c1 BGP --- start 07:12:31.123 Connect\n  BGP state: Connect\n    Neighbor address: 10.0.0.9\n"
        b"    Last error: Socket: Connection refused\n"
    )
    assert facts.states[0].last_error == "Socket: Connection refused"
    assert facts.records[0].body == "start Connect Socket: Connection refused"


def test_show_status_gives_facts_and_says_that_recovery_goes_on() -> None:
    facts = parse_console(transcript("birdcl16.txt"))
    values = {f.fact: f.value for f in facts.node_facts}
    assert values["router_id"] == "10.0.0.11"
    assert values["bird_version"] == "v0.3.3+birdv1.6.8"
    assert values["bird_last_reboot"] == "2026-11-20 07:00:02"
    assert "Graceful restart recovery in progress" in [r.body for r in facts.records if r.role == "row"]


def test_routes() -> None:
    facts = parse_console(transcript("birdcl2.txt"))
    assert {f.fact: f.value for f in facts.node_facts}["routes:master4"] == "12"
    route = next(r for r in facts.records if "unreachable" in r.body)
    assert (route.protocol, route.peer, route.component) == ("rr1", "10.0.0.21", "birdcl")


def test_a_control_socket_that_does_not_answer_is_an_error() -> None:
    text = b"Unable to connect to server control socket (/var/run/calico/bird.ctl): Connection refused\n"
    record = parse_console(text).records[0]
    assert (record.component, record.level) == ("birdcl", "error")


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("Mesh_10_0_0_12", "10.0.0.12"),
        ("Node_10_0_0_1_port_1790", "10.0.0.1"),
        ("Global_2001_db8__1", "2001:db8::1"),
        ("node_10_0_0_1", "10.0.0.1"),
        ("Local_Workload_192_168_4_9", "192.168.4.9"),
        ("Mesh_300_0_0_1", None),
        ("kernel1", None),
        ("rr_1", None),
    ],
)
def test_peer_of_a_protocol_name(name: str, peer: str | None) -> None:
    assert peer_of_protocol(name) == peer


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ("Active        Socket: Connection refused", ("Active", "Socket: Connection refused")),
        ("Error: Kernel MD5 auth failed", (None, "Error: Kernel MD5 auth failed")),
        ("Automatic shutdown: Route limit exceeded", (None, "Automatic shutdown: Route limit exceeded")),
        ("Established", ("Established", None)),
        ("", (None, None)),
    ],
)
def test_split_info(info: str, expected: tuple[str | None, str | None]) -> None:
    assert split_info(info) == expected
