"""The cluster as planned: nodes, groups and who peers with whom."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field

from sample_logs.lab import PASSWORD
from sample_logs.lab.scenario import GroupSpec, Scenario

POD_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""The letters Kubernetes draws the ends of pod names from."""


@dataclass
class Peer:
    """One end of a session, as it stands in that end's configuration."""

    prefix: str
    address: str
    peer_node: str
    as_number: int
    password: str | None = None
    rr_cluster_id: str | None = None
    passive: bool = False

    @property
    def protocol(self) -> str:
        """BIRD's name of the session, as Calico builds it."""
        return f"{self.prefix}_{self.address.replace('.', '_')}"


@dataclass
class Node:
    """A machine with its daemon's settings."""

    name: str
    address: str
    role: str
    index: int
    as_number: int
    group: str
    labels: dict[str, str] = field(default_factory=dict)
    rr_cluster_id: str | None = None
    optmem_max: int | None = None
    router_id: str = ""
    source_address: str = ""
    peers: list[Peer] = field(default_factory=list)
    extra_config: str = ""

    def protocol(self, peer: Peer) -> str:
        """The name this node's own configuration gives to a session."""
        return peer.peer_node.replace("-", "_") if self.role == "outside" else peer.protocol

    def peer(self, name: str) -> Peer:
        """The peering with the node called ``name``."""
        return next(peer for peer in self.peers if peer.peer_node == name)


@dataclass
class Group:
    """A peering group as planned, with the peers a reflector (or member) had at the start."""

    spec: GroupSpec
    reflectors: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    peers_at_start: int = 0

    @property
    def label(self) -> str:
        """Value of the labels by which BGPPeer selectors choose the group's nodes."""
        return f"group-{self.spec.name}"


def stable_uuid(*parts: str) -> str:
    """A UUID that is the same each time the lab names the same thing."""
    return str(uuid.UUID(bytes=hashlib.sha256("/".join(parts).encode()).digest()[:16], version=4))


def pod_name(scenario: str, node: str) -> str:
    """Name of a node's calico-node pod, the same in each run."""
    number = int(stable_uuid(scenario, node, "name").replace("-", ""), 16)
    return "calico-node-" + "".join(POD_LETTERS[number // 27**place % 27] for place in range(5))


class Cluster:
    """Nodes and groups of a scenario; grows as the timeline says."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.nodes: dict[str, Node] = {}
        self.groups: dict[str, Group] = {spec.name: Group(spec) for spec in scenario.groups}
        self._clients = 0
        self._build()

    def _build(self) -> None:
        for group in self.groups.values():
            for number in range(1, group.spec.reflectors + 1):
                node = self._add(f"rr-{group.spec.name}-{number}", "reflector", group)
                node.labels["route-reflector"] = group.label
                node.rr_cluster_id = group.spec.cluster_id
                node.optmem_max = group.spec.optmem_max
                group.reflectors.append(node.name)
            if group.spec.interconnect:
                self._connect_reflectors(group)
        for group in self.groups.values():
            if group.spec.kind != "external":
                self.set_clients(group.spec.name, group.spec.clients)
        for group in self.groups.values():
            if group.spec.kind == "external":
                self._add_router(group)
        for group in self.groups.values():
            group.peers_at_start = self.configured_peers(group)

    def _add(self, name: str, role: str, group: Group, as_number: int | None = None) -> Node:
        index = len(self.nodes) + 1
        address = str(self.scenario.subnet.network_address + index)
        node = Node(
            name=name,
            address=address,
            role=role,
            index=index,
            as_number=as_number or self.scenario.as_number,
            group=group.spec.name,
            router_id=address,
            source_address=address,
        )
        self.nodes[name] = node
        return node

    def _connect_reflectors(self, group: Group) -> None:
        for name in group.reflectors:
            for other in group.reflectors:
                if other != name:
                    # Reflectors of one cluster id are ordinary peers of each other, not clients.
                    self._peer(self.nodes[name], self.nodes[other], "Node", group.spec.md5)

    def _add_router(self, group: Group) -> None:
        """Add a router outside the cluster and make it a global peer of every node."""
        router = self._add(f"{group.spec.name}-1", "outside", group, group.spec.router_as)
        group.reflectors.append(router.name)
        for node in [item for item in self.nodes.values() if item.role != "outside"]:
            self._peer(node, router, "Global", group.spec.md5).as_number = group.spec.configured_as
            self._peer(router, node, "Node", group.spec.md5)
            group.members.append(node.name)

    def _peer(self, node: Node, other: Node, prefix: str, md5: bool) -> Peer:
        peer = Peer(prefix, other.address, other.name, other.as_number, PASSWORD if md5 else None)
        node.peers.append(peer)
        # confd reads its keys in string order, so that is the order of the file.
        node.peers.sort(key=lambda item: item.address)
        return peer

    def set_clients(self, group_name: str, count: int) -> list[Node]:
        """Let a group have ``count`` clients; the new ones are returned, their peers are configured."""
        group = self.groups[group_name]
        return [self._add_client(group) for _ in range(count - len(group.members))]

    def _add_client(self, group: Group) -> Node:
        self._clients += 1
        mesh = group.spec.kind == "mesh"
        node = self._add(f"node-{self._clients:03}", "mesh" if mesh else "client", group)
        if mesh:
            for name in group.members:
                other = self.nodes[name]
                self._peer(node, other, "Mesh", group.spec.md5).passive = other.address > node.address
                self._peer(other, node, "Mesh", group.spec.md5).passive = node.address > other.address
        else:
            node.labels["bgp-group"] = group.label
            for name in group.reflectors:
                self._peer(node, self.nodes[name], "Node", group.spec.md5)
                end = self._peer(self.nodes[name], node, "Node", group.spec.md5)
                end.rr_cluster_id = group.spec.cluster_id
        group.members.append(node.name)
        return node

    def configured_peers(self, group: Group) -> int:
        """Peers of the group on the reflector that has most; in a mesh, on the member that has most."""
        centres = group.reflectors or group.members
        inside = set(group.members) | set(group.reflectors)
        return max((sum(p.peer_node in inside for p in self.nodes[name].peers) for name in centres), default=0)

    def group_of(self, first: str, second: str) -> str:
        """Name of the group that a session between two nodes belongs to."""
        for group in self.groups.values():
            inside = set(group.members) | set(group.reflectors)
            if first in inside and second in inside:
                return group.spec.name
        return ""

    def select(self, targets: list[str]) -> list[Node]:
        """Nodes by name, or ``reflectors:GROUP`` and ``clients:GROUP``."""
        chosen: list[Node] = []
        for target in targets:
            kind, _, group = target.partition(":")
            if kind == "reflectors" and group:
                chosen += [self.nodes[name] for name in self.groups[group].reflectors]
            elif kind == "clients" and group:
                chosen += [self.nodes[name] for name in self.groups[group].members]
            else:
                chosen.append(self.nodes[target])
        return chosen
