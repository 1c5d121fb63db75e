"""Which node an address belongs to, and which node a pod runs on.

Witnesses, best first: the address in a Node resource, the source address in the node's own rendered ``bird.cfg``,
an address listed for it anywhere, the local address in its "Connecting to … from local address …" lines and the
address that its start-up chose, its router id. An address that two nodes claim with equal right belongs to none
of them: a wrong far end is worse than none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pipeline.sessions.facts import ClusterFacts

_ADDRESS_FACTS = {"addresses": 2, "router_id": 4}
_OWN_CONFIG = 1
_ANNOTATIONS = ("projectcalico.org/IPv4Address", "projectcalico.org/IPv6Address")
SPOKEN = r"local address|IPv[46] address"
_LOCAL_ADDRESS = r"(?:from local address|IPv[46] address(?: on interface \S+?)?:?) ([0-9a-fA-F.:]*[0-9a-fA-F])"


@dataclass(frozen=True, slots=True)
class AddressBook:
    """Addresses and their nodes; ``conflicts`` are addresses that two nodes claim for themselves,
    in their resource or their own configuration; ``configured`` is what a node's own configuration names."""

    node_of: dict[str, str] = field(default_factory=dict)
    addresses_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    conflicts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    configured: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def frame(self) -> pl.DataFrame:
        """Columns address, node: one row for each address whose node is certain."""
        rows = sorted(self.node_of.items())
        schema = {"address": pl.String, "node": pl.String}
        return pl.DataFrame(rows, schema=schema, orient="row")


def build_address_book(facts: ClusterFacts) -> AddressBook:
    """Collect every claim of an address by a node and settle it by the rank of its witness."""
    claims: dict[str, dict[str, int]] = {}
    for node, address, rank in _claims(facts):
        clean = address.split("/")[0].strip().lower()
        if clean and node:
            best = claims.setdefault(clean, {})
            best[node] = min(best.get(node, rank), rank)
    node_of: dict[str, str] = {}
    conflicts: dict[str, tuple[str, ...]] = {}
    configured: dict[str, list[str]] = {}
    for address, nodes in claims.items():
        top = min(nodes.values())
        leaders = sorted(node for node, rank in nodes.items() if rank == top)
        if len(leaders) == 1:
            node_of[address] = leaders[0]
        own = sorted(node for node, rank in nodes.items() if rank <= _OWN_CONFIG)
        if len(own) > 1:
            conflicts[address] = tuple(own)
        for node, rank in nodes.items():
            if rank == _OWN_CONFIG:
                configured.setdefault(node, []).append(address)
    for node, address in _deduced(facts, node_of):
        node_of.setdefault(address, node)
    addresses_of: dict[str, list[str]] = {}
    for address, node in sorted(node_of.items()):
        addresses_of.setdefault(node, []).append(address)
    frozen = ({node: tuple(found) for node, found in part.items()} for part in (addresses_of, configured))
    known, own_config = frozen
    return AddressBook(node_of, known, conflicts, own_config)


def registered_addresses(facts: ClusterFacts) -> Iterator[tuple[str, str]]:
    """Address and node, as the Node resources say."""
    for _, name, body in resource_bodies(facts.resources, "Node"):
        for address in _node_addresses(body):
            yield address.split("/")[0].strip().lower(), name


def _claims(facts: ClusterFacts) -> Iterator[tuple[str, str, int]]:
    for address, node in registered_addresses(facts):
        yield node, address, 0
    told = facts.node_facts.filter(pl.col("node").is_not_null() & pl.col("value").is_not_null())
    known = told.filter(pl.col("fact").is_in(list(_ADDRESS_FACTS)))
    for node, fact, value in known.select("node", "fact", "value").unique().iter_rows():
        for address in value.split(","):
            yield node, address, _ADDRESS_FACTS[fact]
    configured = told.filter(pl.col("fact").str.starts_with("configured_peer:")).select(
        "node", source=pl.col("value").str.json_path_match("$.source_address")
    )
    for node, address in configured.drop_nulls().unique().iter_rows():
        yield node, address, _OWN_CONFIG
    spoken = facts.records.filter(pl.col("node").is_not_null() & pl.col("message").str.contains(SPOKEN)).select(
        "node", address=pl.col("message").str.extract(_LOCAL_ADDRESS, 1)
    )
    for node, address in spoken.drop_nulls().unique().iter_rows():
        yield node, address, 3


def _deduced(facts: ClusterFacts, node_of: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Nodes without a known address, matched with the unknown address that the same neighbours peer with.

    A router outside the cluster has no Node resource; but the nodes that peer with its address are the nodes
    that its own log names. The match must be the only one in both directions.
    """
    named = set(node_of.values())
    pairs = facts.states.filter(pl.col("node").is_not_null() & pl.col("peer").is_not_null())
    neighbours: dict[str, set[str]] = {}
    callers: dict[str, set[str]] = {}
    is_named, is_known = pl.col("node").is_in(list(named)), pl.col("peer").is_in(list(node_of))
    for node, peer in pairs.filter(~is_named & is_known).select("node", "peer").unique().iter_rows():
        neighbours.setdefault(node, set()).add(node_of[peer])
    # In a mesh most sessions name an unknown address; without a node that lacks its own they need no look.
    unknown = pairs.filter(is_named & ~is_known) if neighbours else pairs.clear()
    for node, peer in unknown.select("node", "peer").unique().iter_rows():
        callers.setdefault(peer, set()).add(node)
    for node, found in sorted(neighbours.items()):
        alike = [address for address, nodes in callers.items() if nodes == found]
        rivals = [other for other, nodes in neighbours.items() if nodes == found]
        if len(alike) == 1 and len(rivals) == 1:
            yield node, alike[0]


def _node_addresses(body: dict[str, Any]) -> Iterator[str]:
    """The BGP addresses of a Calico or Kubernetes Node resource."""
    bgp = _mapping(_mapping(body.get("spec")).get("bgp"))
    own = [bgp.get("ipv4Address"), bgp.get("ipv6Address")]
    annotations = _mapping(_mapping(body.get("metadata")).get("annotations"))
    own += [annotations.get(name) for name in _ANNOTATIONS]
    if not any(own):
        listed = _mapping(body.get("status")).get("addresses")
        own = [
            entry.get("address")
            for entry in (listed if isinstance(listed, list) else [])
            if isinstance(entry, dict) and entry.get("type") == "InternalIP"
        ]
    yield from (value for value in own if isinstance(value, str))


def pods_to_nodes(resources: pl.DataFrame, tellers: pl.DataFrame) -> pl.DataFrame:
    """Columns pod, node: from Pod resources, else from records that name both."""
    found: dict[str, str] = {}
    named = tellers.filter(pl.col("pod").is_not_null() & pl.col("node").is_not_null())
    for pod, node in named.select("pod", "node").unique(maintain_order=True).iter_rows():
        found.setdefault(pod, node)
    for _, name, body in resource_bodies(resources, "Pod"):
        node = _mapping(body.get("spec")).get("nodeName")
        if isinstance(node, str) and node:
            found[name] = node
    schema = {"pod": pl.String, "node": pl.String}
    return pl.DataFrame(sorted(found.items()), schema=schema, orient="row")


def resource_bodies(resources: pl.DataFrame, *kinds: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Kind, name and parsed body of each resource of the given kinds; a body that is no object is passed over."""
    wanted = resources.filter(pl.col("kind").is_in(kinds) & pl.col("body").is_not_null())
    for kind, name, text in wanted.select("kind", "name", "body").iter_rows():
        try:
            body = json.loads(text)
        except ValueError:
            continue
        if isinstance(body, dict):
            yield kind, name, body


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
