"""Peering groups of a cluster, from its inventory where that was collected, else from its protocols.

An inventory that was collected more than once gives a group a history. Failures are sought in the union of its
members: a node that was taken out of its group still belonged to it when its sessions were lost.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl

from pipeline.findings.inventories import Bodies, inventory_versions
from pipeline.inventory import groups as inventory
from pipeline.sessions.addresses import AddressBook
from pipeline.sessions.facts import TIME, ClusterFacts

SCHEMA: dict[str, Any] = {
    "cluster": pl.String, "group_name": pl.String, "kind": pl.String, "reflectors": pl.List(pl.String),
    "members": pl.List(pl.String), "md5": pl.Boolean, "valid_from": TIME, "valid_to": TIME,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Count:
    """How many peers an inventory asks for at a reflector, and how many of them with a password."""

    seen: datetime | None
    reflector: str
    peers: int
    md5_peers: int


@dataclass(frozen=True, slots=True)
class Group:
    """A peering group. ``reflectors`` are nodes or outside addresses; ``md5`` is None where nothing tells.

    ``history`` holds the group as it was from time to time, where an inventory tells; ``counts`` what each
    inventory asks for.
    """

    name: str
    kind: str
    reflectors: tuple[str, ...]
    members: tuple[str, ...]
    md5: bool | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    history: tuple[Group, ...] = ()
    counts: tuple[Count, ...] = ()

    def is_as(self, other: Group) -> bool:
        """Whether two groups have the same nodes."""
        return all(
            getattr(self, name) == getattr(other, name) for name in ("kind", "reflectors", "members", "md5")
        )  # fmt: skip

    def holds(self, names: Set[str]) -> bool:
        """Whether a session belongs to this group; ``names`` are the nodes and addresses of its two ends."""
        if self.kind == "mesh":
            return len(names & set(self.members)) > 1
        hubs = names & set(self.reflectors)
        return bool(hubs) and (len(hubs) > 1 or bool(names & set(self.members)))


def build_groups(facts: ClusterFacts, book: AddressBook, intervals: pl.DataFrame) -> list[Group]:
    """All groups, in order of their names."""
    found = _from_inventory(facts, book)
    if not found:
        found = _from_protocols(facts, book, intervals)
    complained = _md5_complaints(intervals)
    return [
        replace(g, md5=True)
        if g.md5 is None and complained & set(g.reflectors or g.members) else g
        for g in sorted(found, key=lambda g: g.name)
    ]  # fmt: skip


def _from_inventory(facts: ClusterFacts, book: AddressBook) -> list[Group]:
    """Groups with their history: the union of all times, with a row for each time in which they were the same."""
    rows: dict[str, list[Group]] = {}
    counts: dict[str, list[Count]] = {}
    bodies, present, counted = None, {}, None
    for seen, latest in inventory_versions(facts.resources):
        if not latest["BGPPeer"] and not latest["BGPConfiguration"]:
            continue
        day = None if seen is None else seen.date()
        # one count a day tells the growth, however often somebody collects
        counting = latest is not bodies or day != counted
        counted = day
        if latest is not bodies:
            bodies, present = latest, _at_once(latest, book)
        for name, known in rows.items():
            if known[-1].valid_to is None and (name not in present or not known[-1].is_as(present[name][0])):
                known[-1] = replace(known[-1], valid_to=seen)
        for name, (group, peers) in present.items():
            known = rows.setdefault(name, [])
            if not known or known[-1].valid_to is not None:
                known.append(replace(group, valid_from=seen))
            counts.setdefault(name, []).extend(Count(seen, *count) for count in peers if counting)
    return [_united(known, counts.get(name, [])) for name, known in rows.items()]


def _at_once(bodies: Bodies, book: AddressBook) -> dict[str, tuple[Group, list[tuple[str, int, int]]]]:
    """The groups of one inventory by name; the peers of their reflectors, and how many of them have a password."""
    resources = (bodies["Node"], bodies["BGPPeer"], bodies["BGPConfiguration"])
    peers: dict[str, list[bool]] = {}
    for session in inventory.expected_sessions(*resources, mesh=False):
        peers.setdefault(session.node, []).append(session.md5)
    found = {}
    for group in inventory.groups(*resources):
        hubs = tuple(sorted({book.node_of.get(name, name) for name in group.reflectors}))
        counts = [(hub, len(peers[hub]), sum(peers[hub])) for hub in hubs if hub in peers]
        found[group.name] = (Group(group.name, group.kind, hubs, tuple(sorted(group.members)), group.md5), counts)
    return found


def _united(rows: list[Group], counts: list[Count]) -> Group:
    first, last = rows[0], rows[-1]
    return replace(
        last, valid_from=first.valid_from, history=tuple(rows), counts=tuple(counts),
        reflectors=tuple(sorted({name for row in rows for name in row.reflectors})),
        members=tuple(sorted({name for row in rows for name in row.members})),
    )  # fmt: skip


def _from_protocols(facts: ClusterFacts, book: AddressBook, intervals: pl.DataFrame) -> list[Group]:
    configured = configured_peers(facts)
    seen = []
    for node, protocol, peer in _telling_ends(intervals, configured).iter_rows():
        told = configured[node].get(protocol, {}) if node in configured else {}
        seen.append(
            inventory.ProtocolSeen(node, protocol, peer, bool(told.get("rr_client")), bool(told.get("has_password")))
            if told else inventory.ProtocolSeen(node, protocol, peer)
        )  # fmt: skip
    guessed = inventory.groups_from_protocols(seen, book.node_of)
    known = any("has_password" in peer for peers in configured.values() for peer in peers.values())
    return [
        Group(g.name, g.kind, g.reflectors, g.members, True if g.md5 else (False if known else None)) for g in guessed
    ]


def _telling_ends(intervals: pl.DataFrame, configured: Container[str]) -> pl.DataFrame:
    """Node, protocol and peer of the ends that groups follow from.

    Of the mesh only who takes part in it and what a configuration tells: a large one has a million ends.
    """
    named = pl.col("node").is_not_null() & pl.col("protocol").is_not_null()
    ends = intervals.select("node", "protocol", "peer").filter(named)
    known = [node for node in ends["node"].unique() if node in configured]
    direct = ~pl.col("protocol").cat.starts_with("Mesh_")
    first = pl.col("node").is_first_distinct() | pl.col("peer").is_first_distinct()
    mesh = ends.filter(~direct).filter(first | pl.col("node").is_in(known))
    return pl.concat([ends.filter(direct), mesh]).unique(maintain_order=True)


def _md5_complaints(intervals: pl.DataFrame) -> set[str]:
    """Nodes at the ends of sessions that once failed for an MD5 key: these sessions have a password."""
    complains = pl.col("category").is_in(["md5_kernel_setup_failed", "md5_hash_mismatch"])
    told = intervals.select("node", "peer_node", "category").filter(complains)
    return {*told["node"].unique().drop_nulls(), *told["peer_node"].unique().drop_nulls()}


def configured_peers(facts: ClusterFacts) -> dict[str, dict[str, dict[str, Any]]]:
    """What rendered configurations and ``show protocols all`` say: node, then protocol, then its settings."""
    prefix = "configured_peer:"
    rows = facts.node_facts.filter(pl.col("fact").str.starts_with(prefix) & pl.col("node").is_not_null())
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for node, fact, value in rows.select("node", "fact", "value").iter_rows():
        try:
            told = json.loads(value or "{}")
        except ValueError:
            continue
        if isinstance(told, dict):
            found.setdefault(node, {}).setdefault(fact.removeprefix(prefix), {}).update(told)
    return found


def md5_protocols(configured: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, frozenset[str]]:
    """The protocols with a password, of each node whose rendered configuration was read."""
    return {
        node: frozenset(name for name, told in peers.items() if told.get("has_password"))
        for node, peers in configured.items()
        if any("has_password" in told for told in peers.values())
    }


def groups_frame(cluster: str, groups: Iterable[Group]) -> pl.DataFrame:
    """Contract table ``bgp_groups``: a row for each time in which a group was the same."""
    rows = [
        (cluster, g.name, g.kind, list(g.reflectors), list(g.members), g.md5, g.valid_from, g.valid_to)
        for group in groups for g in group.history or (group,)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
