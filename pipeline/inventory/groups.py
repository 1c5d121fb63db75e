"""Which sessions should be there, and which nodes form a peering group.

The rules are those of ``calico:confd/pkg/backends/calico/client.go`` (``updatePeersV1``) and of its BIRD
template: global peers come first and hide a node's own peer of the same address; an explicit peering hides an
implied one; every peering between Calico nodes is made on both ends, unless ``reversePeering: Manual``; route
reflectors stay out of the mesh (since v3.21).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.inventory.hubs import MESH, Hub, bundles, group_names, hubs_of, named_bundles
from pipeline.inventory.topology import BgpNode, BgpPeer, nodes_of, peers_of, settings_of

#: Without an inventory: a node with at least so many node or global peers is taken for a reflector.
MIN_REFLECTOR_PEERS = 5

Resources = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class ExpectedSession:
    """One end of a session that the configuration asks for: ``node`` peers with ``peer_address``.

    ``peer_node`` is None for a peer outside the cluster; ``source`` is the BGPPeer, or ``mesh``.
    """

    node: str
    peer_address: str
    peer_node: str | None
    kind: str
    group_name: str
    md5: bool
    source: str


@dataclass(frozen=True)
class Group:
    """A peering group. ``reflectors`` are node names or addresses outside the cluster (none in a mesh)."""

    name: str
    kind: str
    reflectors: tuple[str, ...]
    members: tuple[str, ...]
    md5: bool


@dataclass(frozen=True)
class ProtocolSeen:
    """A BGP protocol as a status output or log shows it, for groups without an inventory."""

    node: str
    protocol: str
    peer: str | None
    rr_client: bool = False
    md5: bool = False


def expected_sessions(
    nodes: Resources,
    peers: Resources,
    config: Resources,
    *,
    reflectors_skip_mesh: bool = True,
    mesh: bool = True,
    problems: list[str] | None = None,
) -> list[ExpectedSession]:
    """Sessions that Node, BGPPeer and BGPConfiguration resources ask for, each end of a pair by itself.

    ``reflectors_skip_mesh`` is false before Calico v3.21; without ``mesh`` the sessions of the mesh are left
    out. What cannot be resolved (a broken selector, a peer without address) is left out as well and said in
    ``problems``.
    """
    settings = settings_of(config)
    known = nodes_of(nodes, settings)
    resolved = peers_of(peers, known, settings, problems)
    named = group_names(hubs_of(known, resolved), known)
    out = _peer_sessions(known, resolved, named)
    if settings.mesh and mesh:
        out += _mesh_sessions(known, settings.mesh_md5, reflectors_skip_mesh)
    return sorted(out, key=lambda s: (s.node, s.kind, s.peer_address, s.source))


def _mesh_sessions(nodes: Mapping[str, BgpNode], md5: bool, skip: bool) -> list[ExpectedSession]:
    members = [n for n in nodes.values() if not (skip and n.rr_cluster_id)]
    out = []
    for node in members:
        families = {":" in a for a in node.addresses}
        for other in members:
            if other.name != node.name:
                out += [
                    ExpectedSession(node.name, address, other.name, "mesh", MESH, md5, MESH)
                    for address in other.addresses
                    if (":" in address) in families and address not in node.addresses
                ]
    return out


def _ends(peer: BgpPeer, nodes: Mapping[str, BgpNode]) -> list[tuple[str, str | None]]:
    """Addresses a peer stands for, with the node each belongs to."""
    if peer.address is not None:
        return [(peer.address, peer.remote[0] if peer.remote else None)]
    return [(address, name) for name in peer.remote for address in nodes[name].addresses]


def _peer_sessions(
    nodes: Mapping[str, BgpNode], peers: list[BgpPeer], named: Mapping[str, str]
) -> list[ExpectedSession]:
    seen: dict[tuple[str, str, int], ExpectedSession] = {}
    everywhere: set[tuple[str, int]] = set()

    def emit(node: str, address: str, far: str | None, kind: str, peer: BgpPeer) -> None:
        key = (node, address, peer.port)
        own = nodes[node].addresses if node in nodes else ()
        families = {":" in a for a in own} or {":" in address}
        if address in own or key in seen or (":" in address) not in families:
            return
        if kind == "node" and (address, peer.port) in everywhere:
            return
        group = named.get(far or address) or named.get(node) or peer.name
        seen[key] = ExpectedSession(node, address, far, kind, group, peer.md5, peer.name)

    for kind in ("global", "node"):
        for peer in peers:
            if (kind == "global") != peer.is_global:
                continue
            for address, far in _ends(peer, nodes):
                for node in peer.local:
                    emit(node, address, far, kind, peer)
                if peer.is_global:
                    everywhere.add((address, peer.port))
    for peer in peers:
        for node in peer.remote if peer.reverse else ():
            for other in peer.local:
                for address in nodes[other].addresses if other in nodes else ():
                    if peer.address is None or (":" in address) == (":" in peer.address):
                        emit(node, address, other, "node", peer)
    return list(seen.values())


def groups(nodes: Resources, peers: Resources, config: Resources) -> list[Group]:
    """Peering groups of the inventory: the mesh where it is on, each set of reflectors with its clients."""
    settings = settings_of(config)
    known = nodes_of(nodes, settings)
    resolved = peers_of(peers, known, settings)
    out = []
    for name, bundle in named_bundles(hubs_of(known, resolved), known):
        clients = {client for hub in bundle for client in hub.clients}
        md5 = any(peer.md5 for hub in bundle for peer in hub.peers.values())
        reflectors = tuple(hub.name for hub in bundle)
        out.append(Group(name, bundle[0].kind, reflectors, tuple(sorted(clients - set(reflectors))), md5))
    for peer in resolved:
        everybody = peer.address is None and len(peer.local) > 1 and set(peer.local) == set(peer.remote)
        if everybody and not any(known[n].rr_cluster_id for n in peer.local if n in known):
            out.append(Group(peer.name, "mesh", (), tuple(sorted(peer.local)), peer.md5))
    mesh = [n.name for n in known.values() if n.addresses and not n.rr_cluster_id]
    if settings.mesh and len(mesh) > 1:
        out.append(Group(MESH, "mesh", (), tuple(mesh), settings.mesh_md5))
    return sorted(out, key=lambda group: group.name)


def groups_from_protocols(
    observations: Iterable[ProtocolSeen], address_nodes: Mapping[str, str] | None = None
) -> list[Group]:
    """Groups guessed from protocols alone, when there is no inventory.

    ``Mesh_`` protocols form the mesh. A node with an ``rr client`` peer, or with many node or global peers, is
    a reflector of those peers; addresses that are no known node are groups outside.
    """
    where = address_nodes or {}
    seen: dict[str, list[ProtocolSeen]] = {}
    for row in observations:
        seen.setdefault(row.node, []).append(row)
    direct = {n: [r for r in rows if not r.protocol.startswith("Mesh_") and r.peer] for n, rows in seen.items()}
    reflecting = {
        node
        for node, rows in direct.items()
        if any(r.rr_client for r in rows) or len({r.peer for r in rows}) >= MIN_REFLECTOR_PEERS
    }
    hubs: dict[str, Hub] = {}
    for node, rows in sorted(direct.items()):
        for row in rows:
            far = where.get(row.peer or "", row.peer or "")
            if node in reflecting and far not in reflecting:
                hubs.setdefault(node, Hub(node, "reflector", set(), {})).clients.add(far)
            elif node not in reflecting:
                kind = "reflector" if far in reflecting else "external"
                hubs.setdefault(far, Hub(far, kind, set(), {})).clients.add(node)
    keyed = {where.get(r.peer or "", r.peer or "") for rows in direct.values() for r in rows if r.md5}
    keyed |= {node for node, rows in direct.items() if any(r.md5 for r in rows)}
    out = []
    for bundle in bundles([hubs[name] for name in sorted(hubs)]):
        names = tuple(sorted(hub.name for hub in bundle))
        clients = {client for hub in bundle for client in hub.clients} - set(names)
        label = f"{bundle[0].kind} {names[0]}" + (f" +{len(names) - 1}" if len(names) > 1 else "")
        out.append(Group(label, bundle[0].kind, names, tuple(sorted(clients)), bool(keyed & set(names))))
    mesh = [r for rows in seen.values() for r in rows if r.protocol.startswith("Mesh_")]
    if mesh:
        ends = {r.node for r in mesh} | {where.get(r.peer, r.peer) for r in mesh if r.peer}
        out.append(Group(MESH, "mesh", (), tuple(sorted(ends)), any(r.md5 for r in mesh)))
    return sorted(out, key=lambda group: group.name)
