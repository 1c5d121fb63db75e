"""Peering groups: who reflects for whom, and how large each reflector is. Tables bgp_groups and group_sizes.

The inventory (BGPPeer selectors and node labels) names the groups where it was collected. Without it they are
read from the sessions themselves: ``Mesh_`` protocols make the mesh; a speaker with many more peers than its
peers have is a reflector, and reflectors that share half of their clients are one group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from statistics import median

import polars as pl

from pipeline.sessions.facts import TIME

SCHEMA = {
    "cluster": pl.String, "group_name": pl.String, "kind": pl.String, "reflectors": pl.List(pl.String),
    "members": pl.List(pl.String), "md5": pl.Boolean, "valid_from": TIME, "valid_to": TIME,
}  # fmt: skip
HUB_PEERS = 4
"""A speaker with fewer peers than this is not taken for a reflector by its size alone."""
HUB_FACTOR = 3
"""A reflector has at least this many times the peers that its own peers have."""
MD5_TEXT = r"MD5"


@dataclass(frozen=True, slots=True)
class Group:
    """A peering group. ``members`` includes the reflectors; ``md5`` is None where nothing tells."""

    name: str
    kind: str
    reflectors: tuple[str, ...]
    members: tuple[str, ...]
    md5: bool | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def holds(self, first: str, second: str) -> bool:
        """Whether a session between two nodes belongs to this group."""
        inside = set(self.members) | set(self.reflectors)
        if self.kind == "mesh":
            return first in inside and second in inside
        hubs = set(self.reflectors)
        return (first in hubs and second in inside) or (second in hubs and first in inside)


def groups_from_sessions(intervals: pl.DataFrame) -> list[Group]:
    """Groups as the protocols show them, in order of their names."""
    ends = intervals.filter(pl.col("node").is_not_null()).select("node", "protocol", "peer", "peer_node").unique()
    mesh: set[str] = set()
    peers: dict[str, set[str]] = defaultdict(set)
    outside: dict[str, set[str]] = defaultdict(set)
    for node, protocol, peer, peer_node in ends.sort("node", "protocol", "peer", nulls_last=False).iter_rows():
        prefix = (protocol or "").split("_")[0]
        if prefix == "Mesh":
            mesh |= {node, peer_node} - {None}
        elif prefix in ("Node", "Global", ""):
            peers[node].add(peer_node or peer or protocol)
            if prefix == "Global" and peer_node is None and peer:
                outside[peer].add(node)
    hubs = _hubs(peers)
    found = _reflector_groups(hubs, peers)
    if mesh:
        found.append(Group("mesh", "mesh", (), tuple(sorted(mesh))))
    for peer, nodes in sorted(outside.items()):
        if not nodes & hubs:
            found.append(Group(f"external {peer}", "external", (), tuple(sorted(nodes))))
    return sorted(found, key=lambda group: group.name)


def _hubs(peers: dict[str, set[str]]) -> set[str]:
    degree = {node: len(found) for node, found in peers.items()}
    hubs = set()
    for node, count in degree.items():
        others = [degree[peer] for peer in peers[node] if peer in degree]
        typical = median(others) if others else 1
        if count >= HUB_PEERS and count >= HUB_FACTOR * typical:
            hubs.add(node)
    return hubs


def _reflector_groups(hubs: set[str], peers: dict[str, set[str]]) -> list[Group]:
    clients = {hub: peers[hub] - hubs for hub in hubs}
    groups: list[list[str]] = []
    for hub in sorted(hubs):
        home = next((g for g in groups if _alike(clients[hub], clients[g[0]])), None)
        if home is None:
            groups.append([hub])
        else:
            home.append(hub)
    return [
        Group(
            "reflectors " + ", ".join(hubs_of), "reflector", tuple(hubs_of),
            tuple(sorted(set().union(*(clients[h] for h in hubs_of)) | set(hubs_of))),
        )
        for hubs_of in groups
    ]  # fmt: skip


def _alike(first: set[str], second: set[str]) -> bool:
    return 2 * len(first & second) >= max(1, min(len(first), len(second)))


def with_md5(groups: Iterable[Group], intervals: pl.DataFrame) -> list[Group]:
    """Set ``md5`` where the inventory did not say and an end of the group once complained of an MD5 key."""
    told = intervals.filter(pl.col("last_error").fill_null("").str.contains(MD5_TEXT))
    nodes = set(told["node"].drop_nulls()) | set(told["peer_node"].drop_nulls())
    result = []
    for group in groups:
        shown = group.md5 is None and bool(nodes & set(group.reflectors or group.members))
        result.append(
            Group(group.name, group.kind, group.reflectors, group.members, True if shown else group.md5,
                  group.valid_from, group.valid_to)
        )  # fmt: skip
    return result


def groups_frame(cluster: str, groups: Iterable[Group]) -> pl.DataFrame:
    """Contract table ``bgp_groups``."""
    rows = [
        (cluster, g.name, g.kind, list(g.reflectors), list(g.members), g.md5, g.valid_from, g.valid_to)
        for g in groups
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
