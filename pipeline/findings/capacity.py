"""How far from its limits a reflector is, and whether a plan would fit. Numbers only; nothing is guessed.

A limit whose input was not collected is told with the kernel's or the kubelet's default and ``known`` false.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import polars as pl

from pipeline.errors import UsageError
from pipeline.findings.limits import (
    LISTEN_BACKLOG,
    MESH_ADVISED_NODES,
    NEIGHBOURS_DEFAULT,
    PODS_DEFAULT,
    default_optmem_max,
    kernel_release,
    md5_key_limit,
    mesh_sessions,
    optmem_for,
    probe_peers_shown,
)

WIDEST_V4, WIDEST_V6 = 15, 39
"""Characters of the longest address of a family."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: what is used of it, and what is left. ``hard`` ones break sessions, others only hide or slow."""

    name: str
    used: int | None
    limit: int | None
    known: bool
    hard: bool
    about: str

    @property
    def headroom(self) -> int | None:
        """What is left; negative when it is over."""
        return None if self.used is None or self.limit is None else self.limit - self.used

    @property
    def fits(self) -> bool | None:
        """Whether what is used is within the limit; None where either is not known."""
        room = self.headroom
        return None if room is None else room >= 0


@dataclass(frozen=True, slots=True)
class Growth:
    """When the nearest limit is met if the group grows as it did (95 % interval); None is beyond two years."""

    limit_name: str | None
    per_day: float | None
    meets_at: datetime | None
    earliest: datetime | None
    latest: datetime | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Room:
    """A reflector (or mesh) at its latest count."""

    cluster: str
    group_name: str
    reflector: str
    as_of: datetime | None
    configured_peers: int
    established_peers: int
    limits: tuple[Limit, ...]
    growth: Growth | None


class Tables(Protocol):
    """What answers queries: a published snapshot."""

    def frame(self, sql: str, params: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """Rows of a query."""
        ...


def plan(peers: int, *, md5: bool = True, kernel: str | None = None, optmem_max: int | None = None) -> list[Limit]:
    """Limits of one daemon with so many peers.

    ``optmem_max`` in bytes; without it the default of ``kernel`` counts.

    Raises:
        UsageError: fewer than one peer, a kernel without a version number, ``optmem_max`` below one.
    """
    if peers < 1:
        raise UsageError(f"--peers {peers}: plan for at least one peer")
    if kernel is not None and kernel_release(kernel) is None:
        raise UsageError(f"--kernel {kernel}: no version in it; give what `uname -r` prints, such as 5.15.0-105")
    if optmem_max is not None and optmem_max < 1:
        raise UsageError(f"--optmem-max {optmem_max}: bytes, as `sysctl net.core.optmem_max` prints them")
    optmem = optmem_max if optmem_max is not None else default_optmem_max(kernel)
    found = [_md5_keys(peers, None if optmem is None else md5_key_limit(optmem), optmem)] if md5 else []
    return [*found, _probe_list(peers, WIDEST_V4), _neighbours(peers + 1), _backlog(peers), _mesh(peers + 1)]


def rooms(tables: Tables, cluster: str | None = None) -> list[Room]:
    """The latest count of each reflector against its limits, the tightest first.

    Raises:
        UsageError: the cluster is not in the warehouse.
    """
    from pipeline.effects.forecast import forecast

    sizes, groups = tables.frame("FROM group_sizes"), tables.frame("FROM bgp_groups")
    nodes, thresholds = tables.frame("FROM nodes"), _optional(tables, "size_thresholds")
    if cluster is not None:
        known = sorted(set(nodes["cluster"]))
        if cluster not in known:
            raise UsageError(f"--cluster {cluster}: not in this warehouse; it holds {', '.join(known) or 'none'}")
        sizes, groups, nodes = (frame.filter(pl.col("cluster") == cluster) for frame in (sizes, groups, nodes))
    outlook: dict[tuple[str, str, str], dict[str, Any]] = {}
    for (name,), part in sizes.partition_by("cluster", as_dict=True).items():
        mine = groups.filter(pl.col("cluster") == name)
        rows = forecast(part, mine, thresholds).to_dicts()
        outlook |= {(row["cluster"], row["group_name"], row["reflector"]): row for row in rows}
    last = sizes.sort("ts", nulls_last=False).group_by("cluster", "group_name", "reflector").agg(
        pl.all().exclude("established_peers").last(), pl.col("established_peers").drop_nulls().last()
    )  # fmt: skip
    counts = dict(nodes.group_by("cluster").agg(pl.col("node").n_unique()).iter_rows())
    wide = {str(a) for found in nodes["addresses"].drop_nulls() for a in found}
    found = [_room(row, outlook, counts, wide) for row in last.to_dicts()]
    meshes = groups.filter((pl.col("kind") == "mesh") & pl.col("valid_to").is_null())
    found += [_mesh_room(row, counts) for row in meshes.to_dicts()]
    return sorted(found, key=lambda r: (_tightest(r), r.cluster, r.group_name, r.reflector))


def _optional(tables: Tables, name: str) -> pl.DataFrame | None:
    frame = tables.frame(f"FROM {name}")
    return None if frame.is_empty() else frame


def _room(
    row: dict[str, Any], outlook: dict[tuple[str, str, str], dict[str, Any]], nodes: dict[str, int], wide: set[str]
) -> Room:
    peers = int(row["configured_peers"] or 0)
    keys = row["md5_key_limit"]
    limits = [] if row["md5_peers"] == 0 else [_md5_keys(row["md5_peers"], keys, None)]
    six = bool(wide) and all(":" in address for address in wide)
    limits += [
        _probe_list(peers, WIDEST_V6 if six else WIDEST_V4), _neighbours(nodes.get(row["cluster"], peers + 1)),
        _backlog(peers),
    ]  # fmt: skip
    seen = outlook.get((row["cluster"], row["group_name"], row["reflector"]))
    growth = None if seen is None else Growth(
        seen["limit_name"], seen["growth_per_day"], seen["meets_at"], seen["meets_earliest"], seen["meets_latest"],
        seen["verdict"],
    )  # fmt: skip
    return Room(
        row["cluster"], row["group_name"], row["reflector"] or "", row["ts"], peers, int(row["established_peers"] or 0),
        tuple(limits), growth,
    )  # fmt: skip


def _mesh_room(row: dict[str, Any], nodes: dict[str, int]) -> Room:
    size = len(row["members"] or ()) or nodes.get(row["cluster"], 0)
    limits = (_mesh(size), _probe_list(max(0, size - 1), WIDEST_V4), _neighbours(size), _backlog(max(0, size - 1)))
    return Room(row["cluster"], row["group_name"], "every node", row["valid_from"], max(0, size - 1), 0, limits, None)


def _tightest(room: Room) -> float:
    hard = [limit for limit in room.limits if limit.hard and limit.known and limit.limit and limit.used is not None]
    return min(((limit.headroom or 0) / (limit.limit or 1) for limit in hard), default=2.0)


def _md5_keys(peers: int | None, limit: int | None, optmem: int | None) -> Limit:
    about = "TCP-MD5 keys of one listening socket: ceil(net.core.optmem_max / 136) - 1."
    if optmem is not None:
        about += f" {optmem} bytes."
    if limit is None:
        about += " Kernel and optmem_max are not known: 150 keys before Linux 6.8, 963 since."
    if peers is None:
        about += " It is not known whether the sessions have a password."
    elif limit is not None and peers > limit:
        size = optmem_for(peers)
        about += f" Set net.core.optmem_max = {size} before BIRD starts: {md5_key_limit(size)} keys."
    return Limit("md5_keys", peers, limit, limit is not None and peers is not None, True, about)


def _probe_list(peers: int, width: int) -> Limit:
    about = "Peers that a readiness event can name when all are down; the list is cut after these."
    return Limit("probe_list", peers, probe_peers_shown(width), True, False, about)


def _neighbours(nodes: int) -> Limit:
    about = (
        f"Entries of the kernel's neighbour table: {nodes} nodes on one network and up to {PODS_DEFAULT} pods of its "
        "own, against gc_thresh3's default. Compare with sysctl net.ipv4.neigh.default.gc_thresh3."
    )
    return Limit("neighbour_table", nodes + PODS_DEFAULT, NEIGHBOURS_DEFAULT, False, True, about)


def _backlog(peers: int) -> Limit:
    about = "Connections that may wait for BIRD to accept them; more peers dial again seconds later after a restart."
    return Limit("listen_backlog", peers, LISTEN_BACKLOG, True, False, about)


def _mesh(nodes: int) -> Limit:
    about = (
        f"Nodes of a full mesh: {nodes} nodes make {mesh_sessions(nodes)} sessions; above 100 reflectors are advised."
    )
    return Limit("mesh_nodes", nodes, MESH_ADVISED_NODES, True, False, about)
