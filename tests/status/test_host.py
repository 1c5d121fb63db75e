"""Kernel values, sockets, routes, neighbours, processes, packets; FRR; inventory tables; sniffing."""

from __future__ import annotations

import json

import pytest

from pipeline.status import parse_console, sniff_console
from tests.status.conftest import NAMES, transcript


def test_kernel_values_become_facts_of_the_node() -> None:
    facts = parse_console(transcript("host.txt"))
    values = {f.fact: f.value for f in facts.node_facts}
    assert facts.node == "node-001"
    assert (values["optmem_max"], values["gc_thresh3"]) == ("20480", "1024")
    assert (values["kernel_version"], values["hostname"]) == ("5.4.0-81-generic", "node-001")
    assert values["TcpExtTCPMD5Unexpected"] == "17"
    assert {f.node for f in facts.node_facts} == {"node-001"}


def test_bare_values_are_not_guessed() -> None:
    assert parse_console(b"20480\n").node_facts == []


def test_an_unanswered_syn_has_one_wording() -> None:
    bodies = [r.body for r in parse_console(transcript("host.txt")).records if r.body.startswith("tcp ")]
    assert [b for b in bodies if b.endswith("SYN_SENT")] == [
        "tcp 0 1 10.0.0.11:38114 10.0.1.1:179 SYN_SENT",
        "tcp 0 1 10.0.0.11:38114 10.0.1.1:179 SYN_SENT",
        "tcp 0 1 node-001.example.internal:38114 rr-1.example.int SYN_SENT",
    ]


def test_neighbours_routes_processes_and_packets() -> None:
    records = parse_console(transcript("host.txt")).records
    assert {r.peer: r.params["neighbour"] for r in records if "neighbour" in r.params} == {
        "10.0.0.12": "REACHABLE", "10.0.1.1": "FAILED", "10.0.1.2": "INCOMPLETE",
    }  # fmt: skip
    assert [r.component for r in records if "runsv" in r.body or "calico-node -felix" in r.body] == [
        "node",
        "bird6",
        "felix",
    ]
    packet = next(r for r in records if r.component == "tcpdump")
    assert packet.peer == "10.0.1.1"


def test_frr_summaries() -> None:
    facts = parse_console(transcript("frr.txt"))
    assert [(s.peer, s.state, s.bgp_state) for s in facts.states] == [
        ("10.0.0.12", "up", "Established"),
        ("10.0.0.13", "start", "Active"),
        ("10.0.0.14", "down", "Idle"),
        ("10.0.0.15", "start", "Connect"),
        ("10.0.0.12", "up", "Established"),
        ("10.0.0.13", "start", "Active"),
    ]


def test_inventory_tables_become_facts_and_resources() -> None:
    facts = parse_console(transcript("inventory.txt"))
    values = {(f.node, f.fact): f.value for f in facts.node_facts}
    assert values["node-002", "kernel_version"] == "5.4.0-81-generic"
    assert values[None, "calico_version"] == "v3.28.1"
    kinds = [(r.kind, r.name) for r in facts.resources]
    assert ("Pod", "calico-node-xyzab") in kinds
    peer = json.loads(next(r.body for r in facts.resources if r.name == "rr-a"))
    assert peer["spec"] == {"peerIP": "10.0.1.1", "nodeSelector": 'pool == "a"', "asNumber": "64512"}
    config = json.loads(next(r.body for r in facts.resources if r.kind == "BGPConfiguration"))
    assert config["spec"]["nodeToNodeMeshEnabled"] is False


def test_only_rows_in_trouble_speak() -> None:
    facts = parse_console(transcript("inventory.txt"))
    assert [r.params["name"] for r in facts.records if r.role == "row"] == [
        "node-002",
        "calico-node-xyzab",
        "calico-node",
    ]


def test_tables_without_heading() -> None:
    facts = parse_console(
        b'rr-a      10.0.1.1     pool == "a"     65004   \ncalico-node-ab3de   0/1   Error   3   4h\nnode-9   Ready   <none>   21h   v1.28.0\n'
    )
    assert [(r.component, r.role) for r in facts.records] == [
        ("inventory", "detail"),
        ("inventory", "row"),
        ("inventory", "detail"),
    ]


@pytest.mark.parametrize("name", NAMES)
def test_console_text_is_recognised(name: str) -> None:
    sure, seen = sniff_console(transcript(name).decode())
    assert sure > 0.9
    assert seen


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bird: Mesh_10_0_0_12: State changed to up\nbird: Started\n",
        "2026-11-23 07:19:36.112 [INFO][69] felix/health.go 180: Reporter is not ready\n" * 3,
        '{"log":"bird: Started\\n","stream":"stdout","time":"2026-11-23T07:19:36Z"}\n',
        "2026-11-23T07:19:36.112345678Z stdout F bird: Started\n",
        "Nov 23 07:19:36 node-1 kernel: TCP: request_sock_TCP: Possible SYN flooding on port 179\n",
        "apiVersion: v1\nkind: Node\nmetadata:\n  name: a\n",
        "router id 10.0.0.1;\nprotocol kernel {\n  scan time 2;\n}\n",
        "some prose that nobody printed as a table.\n",
    ],
)
def test_logs_and_documents_are_not_console_text(text: str) -> None:
    assert sniff_console(text)[0] < 0.3
