"""Resources lead from a node to its group, as kubectl and calicoctl would show it."""

import json
from typing import Any

import yaml

from sample_logs.lab import inventory
from sample_logs.lab.cluster import Cluster
from sample_logs.lab.inventory import Machine, NodeFacts
from sample_logs.lab.scenario import SCENARIO_DIR, load

MACHINE = Machine("6.1.0", "Debian", "Linux vm 6.1.0 #1 SMP x86_64 GNU/Linux", "1.6.8")


def cluster(name: str) -> Cluster:
    return Cluster(load(SCENARIO_DIR / f"{name}.toml"))


def nodes_of(planned: Cluster, **facts: Any) -> list[dict[str, Any]]:
    known = {name: NodeFacts(20480, 0.0, **facts) for name in planned.nodes}
    document = json.loads(inventory.nodes_json(planned, MACHINE, known))
    items: list[dict[str, Any]] = document["items"]
    return items


def test_selectors_match_the_labels_of_exactly_the_group() -> None:
    planned = cluster("md5-key-limit-grown")
    nodes = nodes_of(planned)
    peers = yaml.safe_load(inventory.bgppeers_yaml(planned, 0.0))["items"]
    assert len(peers) == 2
    for peer, group in zip(peers, planned.groups.values(), strict=True):
        for selector, names in (("nodeSelector", group.members), ("peerSelector", group.reflectors)):
            key, _, value = peer["spec"][selector].replace("'", "").split()
            chosen = [n["metadata"]["name"] for n in nodes if n["metadata"]["labels"].get(key) == value]
            assert chosen == names
        assert peer["spec"]["password"]["secretKeyRef"]["name"] == "bgp-password"


def test_nodes_carry_what_decides_the_limit() -> None:
    reflector = nodes_of(cluster("md5-key-limit-grown"))[0]
    assert reflector["metadata"]["annotations"]["peerscope/optmem_max"] == "20480"
    assert reflector["metadata"]["annotations"]["projectcalico.org/RouteReflectorClusterID"] == "244.0.0.1"
    assert reflector["status"]["nodeInfo"]["kernelVersion"] == "6.1.0"


def test_a_silent_node_is_not_ready() -> None:
    conditions = nodes_of(cluster("peer-unreachable"), silent=True)[0]["status"]["conditions"]
    assert conditions[0]["status"] == "Unknown"


def test_a_router_outside_is_no_node_and_has_a_global_peer() -> None:
    planned = cluster("as-mismatch")
    assert all(node["metadata"]["name"] != "tor-1" for node in nodes_of(planned))
    peers = yaml.safe_load(inventory.bgppeers_yaml(planned, 0.0))["items"]
    assert {"peerIP": planned.nodes["tor-1"].address, "asNumber": 65001} in [peer["spec"] for peer in peers]


def test_the_mesh_is_on_where_the_scenario_has_one() -> None:
    for name, expected in (("mesh-40", True), ("healthy-group", False)):
        document = yaml.safe_load(inventory.bgpconfiguration_yaml(cluster(name), 0.0))
        assert document["items"][0]["spec"]["nodeToNodeMeshEnabled"] is expected


def test_uname_has_the_nodes_name() -> None:
    assert MACHINE.uname_of("node-001") == "Linux node-001 6.1.0 #1 SMP x86_64 GNU/Linux"
