"""Which node an address belongs to, and when that is not certain."""

from __future__ import annotations

import json

from pipeline.sessions import ClusterFacts, build_address_book
from pipeline.sessions.addresses import pods_to_nodes


def _node(name: str, address: str) -> dict[str, object]:
    body = {"metadata": {"annotations": {"projectcalico.org/IPv4Address": f"{address}/24"}}}
    return {"kind": "Node", "name": name, "body": json.dumps(body)}


def test_resources_come_before_everything_else() -> None:
    facts = ClusterFacts.of(
        resources=[_node("a", "10.0.0.1")],
        node_facts=[{"node": "b", "fact": "router_id", "value": "10.0.0.1"}],
    )
    assert build_address_book(facts).node_of == {"10.0.0.1": "a"}


def test_an_address_that_two_nodes_claim_belongs_to_none() -> None:
    book = build_address_book(ClusterFacts.of(resources=[_node("a", "10.0.0.1"), _node("b", "10.0.0.1")]))
    assert book.node_of == {}
    assert book.conflicts == {"10.0.0.1": ("a", "b")}


def test_a_configuration_that_uses_anothers_address_is_a_conflict() -> None:
    told = json.dumps({"source_address": "10.0.0.1"})
    facts = ClusterFacts.of(
        resources=[_node("a", "10.0.0.1"), _node("b", "10.0.0.2")],
        node_facts=[{"node": "b", "fact": "configured_peer:Node_x", "value": told}],
    )
    book = build_address_book(facts)
    assert book.conflicts == {"10.0.0.1": ("a", "b")}
    assert book.node_of["10.0.0.1"] == "a"


def test_the_local_address_in_a_log_line_counts() -> None:
    line = "Node_10_0_0_1: Connecting to 10.0.0.1 from local address 10.0.0.9"
    facts = ClusterFacts.of(records=[{"node": "c", "message": line}])
    assert build_address_book(facts).node_of == {"10.0.0.9": "c"}


def test_a_router_outside_is_found_by_its_neighbours() -> None:
    states = [{"node": name, "peer": "192.0.2.1"} for name in ("a", "b")]
    states += [{"node": "tor", "peer": peer} for peer in ("10.0.0.1", "10.0.0.2")]
    facts = ClusterFacts.of(resources=[_node("a", "10.0.0.1"), _node("b", "10.0.0.2")], states=states)
    assert build_address_book(facts).node_of["192.0.2.1"] == "tor"


def test_pods_are_placed_by_their_resource_and_by_records() -> None:
    facts = ClusterFacts.of(
        resources=[{"kind": "Pod", "name": "p1", "body": json.dumps({"spec": {"nodeName": "a"}})}],
        records=[{"pod": "p2", "node": "b"}, {"pod": "p1", "node": None}],
    )
    assert pods_to_nodes(facts.resources, facts.records).rows() == [("p1", "a"), ("p2", "b")]
