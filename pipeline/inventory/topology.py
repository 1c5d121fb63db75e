"""Nodes, peers and settings of a cluster's BGP as they matter for sessions, read from resources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import SelectorError
from pipeline.inventory.keep import node_addresses
from pipeline.inventory.selectors import parse
from pipeline.inventory.trim import listing, mapping
from pipeline.status.names import address_only, is_address

#: Calico's AS number when nothing is configured (``libcalico-go`` GlobalDefaultASNumber).
DEFAULT_AS = "64512"


@dataclass(frozen=True)
class BgpNode:
    """A node: name, labels, BGP addresses (one of each family at most), AS number, reflector cluster id."""

    name: str
    labels: Mapping[str, str]
    addresses: tuple[str, ...]
    as_number: str
    rr_cluster_id: str | None


@dataclass(frozen=True)
class BgpSettings:
    """Cluster-wide settings: the mesh, whether it has a password, AS number and listen port."""

    mesh: bool = True
    mesh_md5: bool = False
    as_number: str = DEFAULT_AS
    listen_port: int = 0


@dataclass(frozen=True)
class BgpPeer:
    """A BGPPeer cut down to who peers with whom. ``local`` and ``remote`` are node names.

    ``address`` is set (with ``remote`` the nodes that have it) when the peer is given by address. A peer that
    names neither node nor selector is ``is_global``.
    """

    name: str
    is_global: bool
    local: tuple[str, ...]
    remote: tuple[str, ...]
    address: str | None
    port: int
    md5: bool
    reverse: bool
    node_selector: str
    peer_selector: str


def settings_of(configs: Iterable[Mapping[str, Any]]) -> BgpSettings:
    """Settings of the BGPConfiguration named ``default``; defaults where it is missing."""
    spec: Mapping[str, Any] = {}
    for config in configs:
        if mapping(config.get("metadata")).get("name", "default") == "default":
            spec = mapping(config.get("spec"))
    enabled = spec.get("nodeToNodeMeshEnabled")
    port = spec.get("listenPort")
    return BgpSettings(
        mesh=enabled is not False and str(enabled).lower() != "false",
        mesh_md5=bool(mapping(spec.get("nodeMeshPassword")).get("secretKeyRef")),
        as_number=str(spec.get("asNumber") or DEFAULT_AS),
        listen_port=port if isinstance(port, int) else 0,
    )


def _bgp_addresses(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Addresses BGP uses: what Calico says, else the node's own addresses; one of each family."""
    notes = mapping(mapping(body.get("metadata")).get("annotations"))
    bgp = mapping(mapping(body.get("spec")).get("bgp"))
    told = [bgp.get("ipv4Address"), bgp.get("ipv6Address")]
    told += [notes.get("projectcalico.org/IPv4Address"), notes.get("projectcalico.org/IPv6Address")]
    found = [a for a in (address_only(t) for t in told if isinstance(t, str)) if a]
    if not found:
        internal = [
            str(mapping(entry).get("address"))
            for entry in listing(mapping(body.get("status")).get("addresses"))
            if mapping(entry).get("type") == "InternalIP"
        ]
        found = [a for a in internal if is_address(a)] or node_addresses(dict(body))
    by_family = {(":" in address): address for address in reversed(found)}
    return tuple(by_family[family] for family in (False, True) if family in by_family)


def nodes_of(resources: Iterable[Mapping[str, Any]], settings: BgpSettings) -> dict[str, BgpNode]:
    """Nodes by name; a Kubernetes and a Calico resource of the same name are one node."""
    out: dict[str, BgpNode] = {}
    for body in resources:
        meta, bgp = mapping(body.get("metadata")), mapping(mapping(body.get("spec")).get("bgp"))
        name = str(meta.get("name") or "")
        if not name:
            continue
        notes = mapping(meta.get("annotations"))
        known = out.get(name)
        asn = bgp.get("asNumber") or notes.get("projectcalico.org/ASNumber")
        asn = str(asn).strip("()") if asn else None
        cluster_id = bgp.get("routeReflectorClusterID") or notes.get("projectcalico.org/RouteReflectorClusterID")
        calico = bool(bgp) or any(str(k).startswith("projectcalico.org/IPv") for k in notes)
        addresses = _bgp_addresses(body)
        out[name] = BgpNode(
            name,
            {
                **(known.labels if known else {}),
                **{str(k): str(v) for k, v in mapping(meta.get("labels")).items()},
            },
            addresses if calico or not known or not known.addresses else known.addresses,
            asn if asn and asn.isdigit() else known.as_number if known else settings.as_number,
            str(cluster_id) if cluster_id else known.rr_cluster_id if known else None,
        )
    return dict(sorted(out.items()))


def _select(nodes: Mapping[str, BgpNode], selector: str, problems: list[str], where: str) -> tuple[str, ...]:
    try:
        wanted = parse(selector)
    except SelectorError as error:
        problems.append(f"{where}: {error}")
        return ()
    return tuple(name for name, node in nodes.items() if wanted.matches(node.labels))


def _host_port(text: str) -> tuple[str | None, int]:
    address = address_only(text)
    tail = text.rpartition("]" if text.startswith("[") else ":")[2].lstrip(":") if address != text else ""
    return address, int(tail) if tail.isdigit() and "/" not in text else 0


def _owners(nodes: Mapping[str, BgpNode], address: str, asn: Any, port: int, settings: BgpSettings) -> tuple[str, ...]:
    """Calico nodes that have the address, AS number and port (confd ``nodesWithIPPortAndAS``)."""
    wanted = str(asn or settings.as_number)
    if port and settings.listen_port and port != settings.listen_port:
        return ()
    return tuple(n.name for n in nodes.values() if address in n.addresses and n.as_number == wanted)


def peers_of(
    resources: Iterable[Mapping[str, Any]],
    nodes: Mapping[str, BgpNode],
    settings: BgpSettings,
    problems: list[str] | None = None,
) -> list[BgpPeer]:
    """BGPPeers with their selectors resolved, by name. What cannot be resolved is said in ``problems``."""
    said: list[str] = [] if problems is None else problems
    out = []
    for body in resources:
        spec = mapping(body.get("spec"))
        name = str(mapping(body.get("metadata")).get("name") or "")
        if spec.get("localWorkloadSelector"):
            continue
        node_selector, peer_selector = (
            str(spec.get("nodeSelector") or ""),
            str(spec.get("peerSelector") or ""),
        )
        node = str(spec.get("node") or "")
        is_global = not node and not node_selector
        local = (
            _select(nodes, node_selector, said, f"BGPPeer {name} nodeSelector")
            if node_selector
            else ((node,) if node else tuple(nodes))
        )
        address, port = (None, 0) if peer_selector else _host_port(str(spec.get("peerIP") or ""))
        if not peer_selector and address is None:
            said.append(f"BGPPeer {name}: peerIP is missing or no address, and there is no peerSelector")
            continue
        remote = (
            _select(nodes, peer_selector, said, f"BGPPeer {name} peerSelector")
            if peer_selector
            else _owners(nodes, address or "", spec.get("asNumber"), port, settings)
        )
        out.append(
            BgpPeer(
                name,
                is_global,
                local,
                remote,
                address,
                port,
                bool(mapping(spec.get("password")).get("secretKeyRef")),
                spec.get("reversePeering") != "Manual",
                node_selector or node,
                peer_selector,
            )
        )
    return sorted(out, key=lambda peer: peer.name)
