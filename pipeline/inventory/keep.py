"""What is kept of a resource: its trimmed body, facts of nodes, states of sessions."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.inventory.trim import listing, mapping, name_of, trim
from pipeline.redact import redact, redact_tree
from pipeline.status.lines import Line
from pipeline.status.model import NodeFact, Record, Reject, Resource, State
from pipeline.status.names import address_only, is_address, told_apart
from pipeline.status.stamps import held_since, stamp_of
from pipeline.status.table_rows import calico_version

_SESSION = {"Established": "up", "Idle": "start", "Connect": "start", "Active": "start", "OpenSent": "start",
            "OpenConfirm": "start", "Close": "stop"}  # fmt: skip


@dataclass
class Collector:
    """Rows of one source as they are found; ``lines`` are its physical lines."""

    lines: list[Line]
    observed_at: datetime | None
    records: list[Record] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    facts: list[NodeFact] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def span(self, first: int, last: int) -> tuple[int, int, int]:
        """Byte offset, byte length and number of lines; an empty span (several values on a line) has none."""
        if last < first:
            line = self.lines[max(last, 0)]
            return line.offset, line.length, 0
        a, b = self.lines[first], self.lines[last]
        return a.offset, b.offset + b.length - a.offset, last - first + 1

    def fact(self, node: str | None, fact: str, value: Any, offset: int, at: datetime | None = None) -> None:
        """Add a fact unless it says nothing."""
        if value not in (None, ""):
            self.facts.append(NodeFact(node, fact, redact(str(value)), at or self.observed_at, offset))


def time_of(*values: Any) -> datetime | None:
    for value in values:
        if isinstance(value, str):
            found = stamp_of(value, UTC)
            if found:
                return found
    return None


def add_resource(kind: str, obj: dict[str, Any], offset: int, out: Collector) -> None:
    body = redact_tree(trim(kind, obj))
    name, namespace = redact(name_of(obj)), mapping(body.get("metadata")).get("namespace")
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    out.resources.append(Resource(kind, str(namespace) if namespace else None, name, out.observed_at, text, offset))
    if kind == "Node":
        _node_facts(name, body, offset, out)
    elif kind == "Pod":
        node = body["spec"].get("nodeName")
        for container in body["spec"]["containers"]:
            version = calico_version(str(container.get("image", "")))
            if version and node:
                out.fact(str(node), "calico_version", version, offset)
    elif kind == "DaemonSet":
        for container in body["spec"]["template"]["spec"]["containers"]:
            out.fact(None, "calico_version", calico_version(str(container.get("image", ""))), offset)
    elif kind == "ClusterInformation":
        out.fact(None, "calico_version", mapping(body.get("spec")).get("calicoVersion"), offset)
    elif kind == "CalicoNodeStatus":
        _node_status(name, body, offset, out)


def node_addresses(body: dict[str, Any]) -> list[str]:
    """Addresses of a Node resource (Kubernetes or Calico): the BGP ones first, each once."""
    notes = mapping(mapping(body.get("metadata")).get("annotations"))
    bgp = mapping(mapping(body.get("spec")).get("bgp"))
    found = [bgp.get("ipv4Address"), bgp.get("ipv6Address")]
    found += [notes.get("projectcalico.org/IPv4Address"), notes.get("projectcalico.org/IPv6Address")]
    for entry in listing(mapping(body.get("status")).get("addresses")) + listing(
        mapping(body.get("spec")).get("addresses")
    ):
        found.append(mapping(entry).get("address"))
    addresses = [address_only(value) for value in found if isinstance(value, str)]
    return list(dict.fromkeys(a for a in addresses if a))


def _node_facts(name: str, body: dict[str, Any], offset: int, out: Collector) -> None:
    notes = mapping(mapping(body.get("metadata")).get("annotations"))
    bgp = mapping(mapping(body.get("spec")).get("bgp"))
    info = mapping(mapping(body.get("status")).get("nodeInfo"))
    out.fact(name, "kernel_version", info.get("kernelVersion"), offset)
    out.fact(name, "os_image", info.get("osImage"), offset)
    out.fact(name, "k8s_version", info.get("kubeletVersion"), offset)
    out.fact(name, "addresses", ",".join(node_addresses(body)), offset)
    cluster_id = bgp.get("routeReflectorClusterID") or notes.get("projectcalico.org/RouteReflectorClusterID")
    out.fact(name, "rr_cluster_id", cluster_id, offset)
    out.fact(name, "as_number", bgp.get("asNumber") or notes.get("projectcalico.org/ASNumber"), offset)
    for key, value in notes.items():
        if key.startswith("peerscope/"):
            out.fact(name, key.removeprefix("peerscope/"), value, offset)
        elif key.endswith("TunnelAddr"):
            out.fact(name, f"tunnel_address:{key.rpartition('/')[2]}", value, offset)


def _node_status(name: str, body: dict[str, Any], offset: int, out: Collector) -> None:
    status = mapping(body.get("status"))
    node = str(mapping(body.get("spec")).get("node") or name)
    at = time_of(status.get("lastUpdated")) or out.observed_at
    for agent in ("birdV4", "birdV6"):
        bird = mapping(mapping(status.get("agent")).get(agent))
        out.fact(node, "bird_version", bird.get("version"), offset, at)
        out.fact(node, "router_id", bird.get("routerID"), offset, at)
    bgp = mapping(status.get("bgp"))
    kinds: dict[int, str] = {}
    for peer in listing(bgp.get("peersV4")) + listing(bgp.get("peersV6")):
        address = str(mapping(peer).get("peerIP") or "")
        if is_address(address):
            # BIRD's Passive and Down are left out by Calico (node/pkg/status): the state is then unknown
            bgp_state = str(peer.get("state") or "") or None
            state = _SESSION.get(bgp_state or "")
            kinds[len(out.states)] = str(peer.get("type") or "")
            since = held_since(str(mapping(peer).get("since") or ""), at)
            out.states.append(State(at, node, None, address, state, bgp_state, None, "caliconodestatus", offset, since))
            out.records.append(_session_row(peer, address, state, bgp_state, node, at, offset))
    out.states[:] = told_apart(out.states, kinds)


def _session_row(
    peer: dict[str, Any],
    address: str,
    state: str | None,
    bgp_state: str | None,
    node: str,
    at: datetime | None,
    offset: int,
) -> Record:
    """A session of the status as a record; its lines belong to the whole document."""
    body = f"{state} {bgp_state}" if bgp_state else "no state reported"
    params = {name: str(peer[name]) for name in ("type", "since") if peer.get(name)}
    message = " ".join(["peer", address, bgp_state or "(no state)", *(f"{k} {v}" for k, v in sorted(params.items()))])
    source = "line" if at else "none"
    return Record(offset, 0, 0, "row", "status", "node", None, body, redact(message), at, source, node, None, None,
                  address, params)  # fmt: skip
