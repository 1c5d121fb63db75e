"""Configuration is rendered in the shape that Calico gives it."""

from ipaddress import IPv4Address

from sample_logs.lab import PASSWORD, birdconf
from sample_logs.lab.cluster import Cluster
from sample_logs.lab.scenario import parse

REFLECTOR_GROUP = """
id = "x"
title = "x"
description = "x"
subnet = "10.0.0.0/24"
duration = 10
[[groups]]
name = "a"
reflectors = 2
clients = 10
md5 = true
"""

MESH = """
id = "x"
title = "x"
description = "x"
subnet = "10.0.0.0/24"
duration = 10
[[groups]]
name = "mesh"
kind = "mesh"
clients = 10
"""


def cluster(text: str) -> Cluster:
    return Cluster(parse(text, "x.toml"))


def test_reflector_has_its_clients_as_reflector_clients_with_password() -> None:
    node = cluster(REFLECTOR_GROUP).nodes["rr-a-1"]
    text = birdconf.render(node)
    assert text.count("protocol bgp Node_") == 10
    assert text.count("rr client;") == text.count("rr cluster id 244.0.0.1;") == 10
    assert text.count(f'password "{PASSWORD}";') == 10
    assert "  debug { states };" in text
    assert "hold time" not in text


def test_client_is_no_reflector() -> None:
    text = birdconf.render(cluster(REFLECTOR_GROUP).nodes["node-003"], hold_time=9)
    assert text.count("protocol bgp Node_") == 2
    assert "rr client" not in text
    assert "  hold time 9;\n" in text


def test_peers_stand_in_string_order_of_their_addresses() -> None:
    node = cluster(REFLECTOR_GROUP).nodes["rr-a-1"]
    addresses = [peer.address for peer in node.peers]
    assert addresses == sorted(addresses)
    assert addresses.index("10.0.0.10") < addresses.index("10.0.0.9")


def test_mesh_is_passive_towards_addresses_that_are_greater_as_strings() -> None:
    nodes = cluster(MESH).nodes
    nine, ten = nodes["node-009"], nodes["node-010"]
    assert (nine.address, ten.address) == ("10.0.0.9", "10.0.0.10")
    # "10.0.0.9" is greater than "10.0.0.10" as a string, so the tenth node waits for the ninth.
    assert ten.peer("node-009").passive
    assert not nine.peer("node-010").passive
    assert birdconf.render(ten).count("passive on;") == sum(peer.passive for peer in ten.peers)


def test_exactly_one_end_of_each_mesh_session_dials() -> None:
    nodes = cluster(MESH).nodes
    for node in nodes.values():
        for peer in node.peers:
            assert peer.passive != nodes[peer.peer_node].peer(node.name).passive


def test_growing_adds_both_ends() -> None:
    grown = cluster(REFLECTOR_GROUP)
    added = grown.set_clients("a", 12)
    assert [node.name for node in added] == ["node-011", "node-012"]
    assert {peer.peer_node for peer in added[0].peers} == {"rr-a-1", "rr-a-2"}
    assert len(grown.nodes["rr-a-1"].peers) == 12


def test_borrowed_addresses_lie_in_the_pool_and_in_no_nodes_block() -> None:
    assert birdconf.host_routes(0) == ""
    text = birdconf.host_routes(2)
    assert text.count("blackhole;") == 2
    assert "route 192.168.128.1/32 blackhole;" in text
    assert birdconf.block_of(511).broadcast_address < IPv4Address("192.168.128.0")
