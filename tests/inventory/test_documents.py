"""JSON and YAML resources."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.inventory.documents import parse_documents, sniff_documents
from pipeline.status import DocumentFacts

FIXTURES = Path(__file__).parent / "fixtures"
NAMES = ["calico.yaml", "events.json", "nodes.json"]
PIECES = [
    '{"kind":"Node","metadata":{"name":"a"}}', "\n", "\n", "---\n", "{", "}", "[", "]", "kind: Node\n", "...\n", "# x\n",
    "metadata:\n  name: x\n", '"items":[', "- a\n", ",", " ", "&a ", "*a", "|\n  x\n", '{"kind":"Event","message":"m"}',
    '{"items":[', "\t", "\x00", '{"kind":"List","items":[\n', "items:\n- kind: Event\n  message: a\n", "kind: List\n",
]  # fmt: skip


def read(name: str) -> DocumentFacts:
    return parse_documents((FIXTURES / name).read_bytes())


def physical_lines(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


def test_node_facts_and_resources() -> None:
    facts = read("nodes.json")
    values = {(f.node, f.fact): f.value for f in facts.node_facts}
    assert values == {
        ("node-001", "kernel_version"): "5.4.0-81-generic",
        ("node-001", "os_image"): "Ubuntu 20.04",
        ("node-001", "k8s_version"): "v1.28.2",
        ("node-001", "addresses"): "10.0.1.1",
        ("node-001", "rr_cluster_id"): "244.0.0.1",
        ("node-001", "optmem_max"): "20480",
        ("node-001", "tunnel_address:IPv4IPIPTunnelAddr"): "10.244.1.1",
        ("node-001", "calico_version"): "v3.27.0",
        (None, "calico_version"): "v3.28.1",
    }
    assert [(r.kind, r.name) for r in facts.resources] == [
        ("Node", "node-001"), ("DaemonSet", "calico-node"), ("Pod", "calico-node-ab3de"),
    ]  # fmt: skip
    node = json.loads(facts.resources[0].body)
    assert node["metadata"]["labels"]["route-reflector"] == "true"
    assert [c["type"] for c in node["status"]["conditions"]] == ["Ready"]
    assert "images" not in node["status"]


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_is_kept(name: str) -> None:
    facts = read(name)
    said = repr(facts)
    assert "hunter2" not in said
    assert "aHVudGVyMg" not in said
    assert "Secret" not in [r.kind for r in facts.resources]


def test_yaml_documents_and_one_that_is_broken() -> None:
    facts = read("calico.yaml")
    assert [r.name for r in facts.resources] == ["clients-to-reflectors", "tor", "default", "node-007", "default"]
    assert [(r.reason, r.lines) for r in facts.rejects] == [("yaml", 2)]
    peer = json.loads(facts.resources[0].body)
    assert peer["spec"]["password"]["secretKeyRef"] == {"name": "bgp-secrets", "key": "rr-password"}
    assert json.loads(facts.resources[1].body)["spec"] == {"peerIP": "192.0.2.1:1790", "asNumber": 65000}


def test_calico_node_status_gives_states() -> None:
    facts = read("calico.yaml")
    at = datetime(2026, 11, 23, 7, 19, 36, tzinfo=UTC)
    assert [(s.ts, s.node, s.peer, s.state, s.bgp_state, s.observed_by) for s in facts.states] == [
        (at, "node-007", "10.0.0.12", "up", "Established", "caliconodestatus"),
        (at, "node-007", "10.0.0.13", "start", "Connect", "caliconodestatus"),
        (at, "node-007", "10.0.0.14", None, None, "caliconodestatus"),
    ]


def test_events_are_records_of_their_own_lines() -> None:
    facts = read("events.json")
    probe, node = [r for r in facts.records if r.role == "row"]
    assert (probe.family, probe.component, probe.level, probe.lines) == ("probe", "kubelet", "warning", 14)
    assert (probe.node, probe.pod) == ("node-007", "calico-node-ab3de")
    assert probe.ts == datetime(2026, 11, 23, 7, 19, 36, tzinfo=UTC)
    assert probe.params["count"] == "903"
    assert probe.body.endswith("BGP not established with 10.0.1.1")
    assert (node.family, node.node, node.ts_source, node.params["count"]) == ("kube-event", "node-008", "line", "4")
    assert (FIXTURES / "events.json").read_bytes()[node.byte_offset :].lstrip().startswith(b"{")


def test_events_on_one_line_share_it() -> None:
    data = b'{"kind":"List","items":[{"kind":"Event","message":"a"},{"kind":"Event","message":"b"}]}\n'
    assert [(r.body, r.lines) for r in parse_documents(data).records] == [("a", 1), ("b", 0)]


def test_json_lines_and_a_broken_one() -> None:
    data = b'{"kind":"Node","metadata":{"name":"a"}}\n{"kind":"No\n\n{"kind":"Node","metadata":{"name":"b"}}\n'
    facts = parse_documents(data)
    assert [r.name for r in facts.resources] == ["a", "b"]
    assert [(r.reason, r.lines) for r in facts.rejects] == [("json", 2)]


def test_a_list_whose_items_have_no_kind() -> None:
    facts = parse_documents(b'{"kind":"NodeList","apiVersion":"v1","items":[{"metadata":{"name":"a"}}]}')
    assert [(r.kind, r.name) for r in facts.resources] == [("Node", "a")]


def test_old_resources_without_names() -> None:
    facts = parse_documents(
        b"- apiVersion: v1\n  kind: ipPool\n  metadata:\n    cidr: 192.168.0.0/16\n"
        b"- apiVersion: v1\n  kind: bgpPeer\n  metadata:\n    scope: node\n    node: n1\n    peerIP: 192.0.2.1\n  spec:\n    asNumber: 64512\n"
    )
    assert [(r.kind, r.name) for r in facts.resources] == [("IPPool", "192.168.0.0/16"), ("BGPPeer", "192.0.2.1")]
    assert json.loads(facts.resources[1].body)["spec"] == {"peerIP": "192.0.2.1", "node": "n1", "asNumber": 64512}


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)),
        "a: &a [*a]\n",
        "a: " + "[" * 50_000,
        "- " * 20_000 + "a",
    ],
)  # fmt: skip
def test_documents_that_grow_or_nest_without_end_are_refused(text: str) -> None:
    facts = parse_documents(text.encode())
    assert [r.reason for r in facts.rejects] == ["too_large"]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "1" * 10_000])
def test_hostile_json_is_refused_or_empty(text: str) -> None:
    facts = parse_documents(text.encode())
    assert not facts.resources
    assert facts.lines == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_anywhere_reconciles(name: str) -> None:
    data = (FIXTURES / name).read_bytes()
    for end in range(0, len(data) + 1, 7):
        assert parse_documents(data[:end]).lines == physical_lines(data[:end])


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    assert parse_documents(data).lines == physical_lines(data)


@settings(max_examples=200, deadline=None)
@example(['{"kind":"Node","metadata":{"name":"a"}}', '{"items":[', '{"kind":"Node","metadata":{"name":"a"}}'])
@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_pieces_in_any_order_reconcile(parts: list[str]) -> None:
    data = "".join(parts).encode()
    assert parse_documents(data).lines == physical_lines(data)


@pytest.mark.parametrize("name", NAMES)
def test_documents_are_recognised(name: str) -> None:
    sure, form = sniff_documents((FIXTURES / name).read_text())
    assert (sure > 0.5, form) == (True, name.rpartition(".")[2])


@pytest.mark.parametrize("text", ["bird: Started\n", '{"log":"kind: x","stream":"stdout"}', "", "name  proto table\n"])
def test_other_text_is_no_document(text: str) -> None:
    assert sniff_documents(text)[0] < 0.5


def test_a_cut_list_gives_its_whole_items_and_one_reject() -> None:
    text = (FIXTURES / "nodes.json").read_text()
    whole = parse_documents(text.encode())
    names = [r.name for r in whole.resources]
    assert len(names) > 1
    cut = parse_documents(text[: text.rindex('"name"')].encode())
    assert [r.name for r in cut.resources] == names[:-1]
    assert [(r.reason, r.lines > 0) for r in cut.rejects] == [("json", True)]
    assert cut.lines == text[: text.rindex('"name"')].count("\n") + 1


def test_a_cut_list_on_one_line_gives_its_whole_items_as_well() -> None:
    item = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "worker-1"}}
    text = json.dumps({"apiVersion": "v1", "items": [item, {**item, "metadata": {"name": "worker-2"}}], "kind": "List"})
    cut = parse_documents(text[: text.index("worker-2")].encode())
    assert [r.name for r in cut.resources] == ["worker-1"]
    assert [r.reason for r in cut.rejects] == ["json"]
    assert cut.lines == 1


def test_a_yaml_list_that_breaks_gives_the_items_before() -> None:
    head = "apiVersion: v1\nkind: List\nitems:\n"
    item = "- apiVersion: v1\n  kind: Node\n  metadata:\n    name: worker-{n}\n"
    text = head + "".join(item.format(n=n) for n in range(3)) + '- kind: Node\n  metadata:\n    name: "wor'
    cut = parse_documents(text.encode())
    assert [r.name for r in cut.resources] == ["worker-0", "worker-1", "worker-2"]
    assert [(r.reason, r.lines) for r in cut.rejects] == [("yaml", 3)]
    assert cut.lines == 18


def test_each_session_of_a_node_status_is_a_record() -> None:
    facts = parse_documents((FIXTURES / "calico.yaml").read_bytes())
    rows = [(r.body, r.peer, r.node, r.lines) for r in facts.records if r.family == "status"]
    assert rows == [
        ("up Established", "10.0.0.12", "node-007", 0),
        ("start Connect", "10.0.0.13", "node-007", 0),
        ("no state reported", "10.0.0.14", "node-007", 0),
    ]
