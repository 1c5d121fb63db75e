"""Nodes and outside addresses that others peer with, and which of them are one group, under which name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.inventory.topology import BgpNode, BgpPeer

MESH = "mesh"
#: Reflectors belong to one group when they share at least this part of the smaller one's clients.
SHARED_CLIENTS = 0.5

_LITERAL = re.compile(r"""["']([^"']+)["']""")
#: Label values that name nothing; the label's key does.
_NO_NAMES = frozenset({"", "true", "yes", "1", "enabled"})


@dataclass
class Hub:
    """A node or address that serves clients, with the BGPPeers (by name) that say so."""

    name: str
    kind: str
    clients: set[str]
    peers: dict[str, BgpPeer]


def hubs_of(nodes: Mapping[str, BgpNode], peers: list[BgpPeer]) -> list[Hub]:
    """Nodes and outside addresses that others peer with, and who peers with each."""
    out: dict[str, Hub] = {}

    def add(name: str, kind: str, clients: Iterable[str], peer: BgpPeer) -> None:
        hub = out.setdefault(name, Hub(name, kind, set(), {}))
        hub.clients |= set(clients) - {name}
        hub.peers[peer.name] = peer

    for peer in peers:
        if peer.address is not None and not peer.remote:
            add(peer.address, "external", peer.local, peer)
            continue
        local, remote = set(peer.local), set(peer.remote)
        if not local or not remote:
            continue
        reflecting = {n for n in local | remote if n in nodes and nodes[n].rr_cluster_id}
        if not reflecting:
            # nobody is marked a reflector: those that are selected serve those that are not
            reflecting = remote if remote != local else set()
        for hub in sorted(reflecting):
            far = (local if hub in remote else set()) | (remote if hub in local else set())
            clients = far - reflecting
            if clients:
                add(hub, "reflector", clients, peer)
    return [out[name] for name in sorted(out)]


def bundles(hubs: list[Hub]) -> list[list[Hub]]:
    """Hubs of the same kind joined where they share clients."""
    bundle = list(range(len(hubs)))

    def root(i: int) -> int:
        while bundle[i] != i:
            bundle[i] = bundle[bundle[i]]
            i = bundle[i]
        return i

    for i, a in enumerate(hubs):
        for j in range(i):
            b = hubs[j]
            least = min(len(a.clients), len(b.clients))
            if a.kind == b.kind and least and len(a.clients & b.clients) >= SHARED_CLIENTS * least:
                bundle[root(i)] = root(j)
    joined: dict[int, list[Hub]] = {}
    for i, hub in enumerate(hubs):
        joined.setdefault(root(i), []).append(hub)
    return list(joined.values())


def _label_name(bundle: list[Hub], nodes: Mapping[str, BgpNode]) -> str | None:
    """The value (or key) of a label that the reflectors share and no other node has."""
    names = {hub.name for hub in bundle}
    if not names <= nodes.keys():
        return None
    common = set.intersection(*(set(nodes[name].labels.items()) for name in names))
    selectors = " ".join(peer.peer_selector for hub in bundle for peer in hub.peers.values())
    for key, value in sorted(common, key=lambda pair: (pair[0] not in selectors, pair)):
        alone = all(node.labels.get(key) != value for node in nodes.values() if node.name not in names)
        if alone and key in selectors and not key.startswith("kubernetes.io/"):
            return key.rpartition("/")[2] if value.lower() in _NO_NAMES else value
    return None


def _bundle_name(bundle: list[Hub], nodes: Mapping[str, BgpNode]) -> str:
    label = _label_name(bundle, nodes)
    if label:
        return label
    ids = {nodes[hub.name].rr_cluster_id for hub in bundle if hub.name in nodes}
    others = {n.rr_cluster_id for n in nodes.values() if n.name not in {hub.name for hub in bundle}}
    only = ids.pop() if len(ids) == 1 else None
    if only and only not in others:
        return f"cluster-id {only}"
    peers = {name: peer for hub in bundle for name, peer in hub.peers.items()}
    if len(peers) > 1:
        literals = {_LITERAL.search(peer.node_selector) for peer in peers.values()}
        values = {match[1] if match else "" for match in literals}
        if len(values) == 1 and (value := values.pop()) and value.lower() not in _NO_NAMES:
            return value
    return min(peers)


def named_bundles(hubs: list[Hub], nodes: Mapping[str, BgpNode]) -> list[tuple[str, list[Hub]]]:
    """Groups of hubs by name, each name once."""
    out: dict[str, list[Hub]] = {}
    for bundle in bundles(hubs):
        name = _bundle_name(bundle, nodes)
        out[name if name not in out and name != MESH else f"{name} ({bundle[0].name})"] = bundle
    return sorted(out.items())


def group_names(hubs: list[Hub], nodes: Mapping[str, BgpNode]) -> dict[str, str]:
    """Name of the group of each hub."""
    return {hub.name: name for name, bundle in named_bundles(hubs, nodes) for hub in bundle}
