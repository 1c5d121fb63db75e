"""Expected sessions and peering groups."""

from __future__ import annotations

from typing import Any

from pipeline.inventory.groups import Group, ProtocolSeen, expected_sessions, groups, groups_from_protocols

Body = dict[str, Any]
NO_MESH: list[Body] = [{"metadata": {"name": "default"}, "spec": {"nodeToNodeMeshEnabled": False}}]
KEY = {"secretKeyRef": {"name": "bgp", "key": "rr"}}


def node(name: str, *addresses: str, rr: str | None = None, asn: int | None = None, **labels: str) -> Body:
    bgp: Body = {"ipv6Address" if ":" in a else "ipv4Address": f"{a}/{64 if ':' in a else 24}" for a in addresses}
    bgp |= {"routeReflectorClusterID": rr} if rr else {}
    bgp |= {"asNumber": asn} if asn else {}
    return {"kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": {"bgp": bgp}}


def peer(name: str, **spec: Any) -> Body:
    return {"kind": "BGPPeer", "metadata": {"name": name}, "spec": spec}


WORKERS = [node(f"w{i}", f"10.0.0.{i}", pool="a" if i < 3 else "b") for i in range(1, 5)]
REFLECTORS = [node(f"rr{i}", f"10.0.1.{i}", rr="1.0.0.1", reflector="yes") for i in (1, 2)]
TO_REFLECTORS = peer("to-rr", nodeSelector="!has(reflector)", peerSelector="has(reflector)", password=KEY)


def ends(
    nodes: list[Body], peers: list[Body], config: list[Body] | None = None, **more: Any
) -> set[tuple[str, str, str]]:
    return {
        (s.node, s.peer_address, s.kind)
        for s in expected_sessions(nodes, peers, NO_MESH if config is None else config, **more)
    }


def test_the_mesh_is_on_by_default_and_leaves_reflectors_out() -> None:
    found = ends(WORKERS[:2] + REFLECTORS, [], [])
    assert found == {("w1", "10.0.0.2", "mesh"), ("w2", "10.0.0.1", "mesh")}
    before_321 = ends(WORKERS[:2] + REFLECTORS[:1], [], [], reflectors_skip_mesh=False)
    assert len(before_321) == 6


def test_the_mesh_is_of_one_address_family_at_a_time() -> None:
    found = ends([node("a", "10.0.0.1", "fd00::1"), node("b", "10.0.0.2"), node("c", "fd00::3")], [], [])
    assert found == {
        ("a", "10.0.0.2", "mesh"), ("b", "10.0.0.1", "mesh"), ("a", "fd00::3", "mesh"), ("c", "fd00::1", "mesh"),
    }  # fmt: skip


def test_a_peering_between_selectors_is_made_on_both_ends() -> None:
    sessions = expected_sessions(WORKERS + REFLECTORS, [TO_REFLECTORS], NO_MESH)
    assert len(sessions) == 2 * 4 * 2
    assert {(s.node, s.peer_node) for s in sessions} == {
        pair for w in ("w1", "w2", "w3", "w4") for r in ("rr1", "rr2") for pair in ((w, r), (r, w))
    }
    assert {s.md5 for s in sessions} == {True}
    assert {s.group_name for s in sessions} == {"reflector"}


def test_manual_reverse_peering_makes_one_end_only() -> None:
    manual = peer("to-rr", nodeSelector="!has(reflector)", peerSelector="has(reflector)", reversePeering="Manual")
    assert {n for n, _, _ in ends(WORKERS + REFLECTORS, [manual])} == {"w1", "w2", "w3", "w4"}


def test_a_peer_given_by_the_address_of_a_node_is_reversed_when_the_as_fits() -> None:
    by_address = peer("rr1", nodeSelector="pool == 'a'", peerIP="10.0.1.1", asNumber=64512)
    assert ends(WORKERS + REFLECTORS, [by_address]) == {
        ("w1", "10.0.1.1", "node"), ("w2", "10.0.1.1", "node"), ("rr1", "10.0.0.1", "node"), ("rr1", "10.0.0.2", "node"),
    }  # fmt: skip
    other_as = peer("rr1", nodeSelector="pool == 'a'", peerIP="10.0.1.1", asNumber=65000)
    assert len(ends(WORKERS + REFLECTORS, [other_as])) == 2


def test_a_global_peer_hides_a_node_peer_of_the_same_address() -> None:
    found = ends(
        WORKERS[:2],
        [
            peer("z-all", peerIP="192.0.2.1", asNumber=65000),
            peer("a-one", node="w1", peerIP="192.0.2.1", asNumber=65000),
        ],
    )
    assert found == {("w1", "192.0.2.1", "global"), ("w2", "192.0.2.1", "global")}


def test_an_explicit_peering_wins_over_an_implied_one() -> None:
    back = peer("rr-to-w", nodeSelector="has(reflector)", peerSelector="!has(reflector)")
    sessions = expected_sessions(WORKERS + REFLECTORS, [TO_REFLECTORS, back], NO_MESH)
    assert {s.source for s in sessions if s.node.startswith("rr")} == {"rr-to-w"}
    assert len(sessions) == 16


def test_nobody_peers_with_itself_nor_across_families() -> None:
    everybody = peer("all", nodeSelector="all()", peerSelector="all()")
    found = ends([node("a", "10.0.0.1"), node("b", "10.0.0.2", "fd00::2")], [everybody])
    assert found == {("a", "10.0.0.2", "node"), ("b", "10.0.0.1", "node")}


def test_what_cannot_be_resolved_is_said_and_left_out() -> None:
    problems: list[str] = []
    broken = [
        peer("bad", nodeSelector="a ==", peerIP="192.0.2.1"),
        peer("none", nodeSelector="all()"),
        peer("wl", localWorkloadSelector="all()"),
    ]
    assert ends(WORKERS, broken, problems=problems) == set()
    assert len(problems) == 2
    assert "^" in problems[0]


def test_mesh_password_and_groups_together() -> None:
    config: list[Body] = [{"metadata": {"name": "default"}, "spec": {"nodeMeshPassword": KEY}}]
    tor = peer("tor", peerIP="192.0.2.1", asNumber=65000)
    assert groups(WORKERS[:2] + REFLECTORS, [TO_REFLECTORS, tor], config) == [
        Group("mesh", "mesh", (), ("w1", "w2"), True),
        Group("reflector", "reflector", ("rr1", "rr2"), ("w1", "w2"), True),
        Group("tor", "external", ("192.0.2.1",), ("rr1", "rr2", "w1", "w2"), False),
    ]


def test_two_reflector_groups_of_one_cluster_id_stay_apart() -> None:
    left = [node("l1", "10.0.1.1", rr="1.0.0.1", serves="left"), node("l2", "10.0.1.2", rr="1.0.0.1", serves="left")]
    right = [node("r1", "10.0.2.1", rr="1.0.0.1", serves="right")]
    peers = [
        peer("p1", nodeSelector="pool == 'a'", peerSelector="serves == 'left'"),
        peer("p2", nodeSelector="pool == 'b'", peerSelector="serves == 'right'"),
    ]
    assert groups(WORKERS + left + right, peers, NO_MESH) == [
        Group("left", "reflector", ("l1", "l2"), ("w1", "w2"), False),
        Group("right", "reflector", ("r1",), ("w3", "w4"), False),
    ]


def test_reflectors_given_one_by_one_are_one_group() -> None:
    one_by_one = [peer(f"rr-{i}", nodeSelector="pool == 'a'", peerIP=f"10.0.1.{i}", asNumber=64512) for i in (1, 2)]
    assert groups(WORKERS, one_by_one, NO_MESH) == [
        Group("a", "external", ("10.0.1.1", "10.0.1.2"), ("w1", "w2"), False)
    ]
    assert groups(WORKERS + REFLECTORS, one_by_one, NO_MESH) == [
        Group("cluster-id 1.0.0.1", "reflector", ("rr1", "rr2"), ("w1", "w2"), False)
    ]


def test_groups_do_not_depend_on_the_order_of_the_resources() -> None:
    nodes, peers = WORKERS + REFLECTORS, [TO_REFLECTORS, peer("tor", peerIP="192.0.2.1", asNumber=65000)]
    assert groups(nodes, peers, []) == groups(nodes[::-1], peers[::-1], [])
    assert expected_sessions(nodes, peers, []) == expected_sessions(nodes[::-1], peers[::-1], [])


def test_kubernetes_nodes_alone_are_enough() -> None:
    bodies: list[Body] = [
        {"metadata": {"name": n}, "status": {"addresses": [{"type": "InternalIP", "address": a}]}} for n, a in (("a", "10.0.0.1"), ("b", "10.0.0.2"))
    ]  # fmt: skip
    assert ends(bodies, [], []) == {("a", "10.0.0.2", "mesh"), ("b", "10.0.0.1", "mesh")}


def test_groups_from_protocols() -> None:
    seen = [ProtocolSeen("rr1", f"Node_10_0_0_{i}", f"10.0.0.{i}", md5=True) for i in range(1, 7)]
    seen += [ProtocolSeen("w1", "Node_10_0_1_1", "10.0.1.1"), ProtocolSeen("w9", "Mesh_10_0_9_1", "10.0.9.1")]
    where = {"10.0.1.1": "rr1", **{f"10.0.0.{i}": f"w{i}" for i in range(1, 7)}}
    assert groups_from_protocols(seen, where) == [
        Group("mesh", "mesh", (), ("10.0.9.1", "w9"), False),
        Group("reflector rr1", "reflector", ("rr1",), tuple(f"w{i}" for i in range(1, 7)), True),
    ]


def test_one_rr_client_makes_a_reflector() -> None:
    assert groups_from_protocols([ProtocolSeen("a", "Node_10_0_0_1", "10.0.0.1", rr_client=True)])[0].reflectors == (
        "a",
    )
    assert groups_from_protocols([ProtocolSeen("a", "Node_10_0_0_1", "10.0.0.1")])[0].kind == "external"
