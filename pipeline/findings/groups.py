"""Peering groups of a cluster, from its inventory where that was collected, else from its protocols.

An inventory that was collected more than once gives the union of a group's members: a node that was taken out
of its group still belonged to it when its sessions were lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from pipeline.inventory import groups as inventory
from pipeline.sessions.addresses import AddressBook
from pipeline.sessions.facts import TIME, ClusterFacts

SCHEMA: dict[str, Any] = {
    "cluster": pl.String, "group_name": pl.String, "kind": pl.String, "reflectors": pl.List(pl.String),
    "members": pl.List(pl.String), "md5": pl.Boolean, "valid_from": TIME, "valid_to": TIME,
}  # fmt: skip
_KINDS = ("Node", "BGPPeer", "BGPConfiguration")


@dataclass(frozen=True, slots=True)
class Group:
    """A peering group. ``reflectors`` are nodes or outside addresses; ``md5`` is None where nothing tells."""

    name: str
    kind: str
    reflectors: tuple[str, ...]
    members: tuple[str, ...]
    md5: bool | None = None
    valid_from: datetime | None = None

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
        Group(g.name, g.kind, g.reflectors, g.members, True, g.valid_from)
        if g.md5 is None and complained & set(g.reflectors or g.members) else g
        for g in sorted(found, key=lambda g: g.name)
    ]  # fmt: skip


def _from_inventory(facts: ClusterFacts, book: AddressBook) -> list[Group]:
    versions = inventory_versions(facts.resources)
    merged: dict[str, Group] = {}
    for seen, bodies in versions:
        if not bodies["BGPPeer"] and not bodies["BGPConfiguration"]:
            continue
        for group in inventory.groups(bodies["Node"], bodies["BGPPeer"], bodies["BGPConfiguration"]):
            known = merged.get(group.name)
            hubs = {book.node_of.get(name, name) for name in group.reflectors}
            merged[group.name] = Group(
                group.name, group.kind,
                tuple(sorted(hubs | set(known.reflectors if known else ()))),
                tuple(sorted(set(group.members) | set(known.members if known else ()))),
                group.md5, known.valid_from if known else seen,
            )  # fmt: skip
    return list(merged.values())


def inventory_versions(resources: pl.DataFrame) -> list[tuple[datetime | None, dict[str, list[dict[str, Any]]]]]:
    """The inventory as it was first and as it was last: what was seen up to then, the latest of each resource."""
    wanted = resources.filter(pl.col("kind").is_in(_KINDS) & pl.col("body").is_not_null()).sort(
        "observed_at", "source_path", "byte_offset", nulls_last=False
    )
    moments = wanted["observed_at"].unique().sort().to_list()
    chosen = [moments[0], moments[-1]] if len(moments) > 1 else moments
    result = []
    for moment in chosen:
        upto = wanted if moment is None else wanted.filter(
            pl.col("observed_at").is_null() | (pl.col("observed_at") <= moment)
        )  # fmt: skip
        result.append((moment, _latest(upto)))
    return result


def _latest(resources: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    latest: dict[tuple[str, str, str], dict[str, Any]] = {}
    for kind, name, text in resources.select("kind", "name", "body").iter_rows():
        try:
            body = json.loads(text)
        except ValueError:
            continue
        if isinstance(body, dict):
            latest[(kind, name, str(body.get("apiVersion", "")).split("/")[0])] = body
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    for (kind, _, _), body in latest.items():
        found[kind].append(body)
    return found


def _from_protocols(facts: ClusterFacts, book: AddressBook, intervals: pl.DataFrame) -> list[Group]:
    configured = configured_peers(facts)
    ends = intervals.filter(pl.col("node").is_not_null() & pl.col("protocol").is_not_null())
    seen = []
    for node, protocol, peer in ends.select("node", "protocol", "peer").unique(maintain_order=True).iter_rows():
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


def _md5_complaints(intervals: pl.DataFrame) -> set[str]:
    """Nodes at the ends of sessions that once failed for an MD5 key: these sessions have a password."""
    told = intervals.filter(pl.col("category").is_in(["md5_kernel_setup_failed", "md5_hash_mismatch"]))
    return set(told["node"].drop_nulls()) | set(told["peer_node"].drop_nulls())


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
    """Contract table ``bgp_groups``."""
    rows = [(cluster, g.name, g.kind, list(g.reflectors), list(g.members), g.md5, g.valid_from, None) for g in groups]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
