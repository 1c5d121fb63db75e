"""How many peers a reflector (or a member of the mesh) had each time that somebody looked."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from pipeline.findings.groups import Group
from pipeline.findings.limits import default_optmem_max, md5_key_limit
from pipeline.findings.nodes import at
from pipeline.sessions.facts import TIME
from pipeline.sessions.observations import GONE, UP

SCHEMA: dict[str, Any] = {
    "ts": TIME, "cluster": pl.String, "group_name": pl.String, "reflector": pl.String,
    "configured_peers": pl.UInt32, "established_peers": pl.UInt32, "failed_peers": pl.UInt32,
    "md5_peers": pl.UInt32, "md5_key_limit": pl.UInt32,
}  # fmt: skip
BESIDE = timedelta(hours=1)
"""A table this close to an inventory tells the same, and what is established as well."""


def build_sizes(
    cluster: str,
    groups: Iterable[Group],
    tables: pl.DataFrame,
    intervals: pl.DataFrame,
    nodes: pl.DataFrame,
    md5_protocols: Mapping[str, frozenset[str]],
) -> pl.DataFrame:
    """Contract table ``group_sizes``: one row for each reflector and full status table.

    A reflector of which no table was collected gets one row, at the end of the data, counted from its log.
    Where no table was printed within ``BESIDE`` of an inventory, the inventory tells what was configured; of
    what is established it knows nothing.
    ``md5_protocols`` names the protocols with a password of the nodes whose configuration was read; elsewhere
    all peers count when the group uses passwords.
    """
    centres = [(group, hub) for group in groups for hub in (group.reflectors or ())]
    of_hub = pl.col("node").is_in([hub for _, hub in centres])
    shown = tables.filter(of_hub)
    counted = pl.concat([_from_tables(shown), _from_log(shown, intervals.filter(of_hub))], how="vertical_relaxed")
    rows: list[dict[str, Any]] = []
    for group, hub in centres:
        mine = counted.filter(pl.col("node") == hub).sort("ts", nulls_last=False, maintain_order=True)
        for row in mine.iter_rows(named=True):
            limit = key_limit(nodes, hub, row["ts"])
            rows.append({
                "ts": row["ts"], "cluster": cluster, "group_name": group.name, "reflector": hub,
                "configured_peers": row["configured"], "established_peers": row["established"],
                "failed_peers": row["configured"] - row["established"],
                "md5_peers": _md5_peers(group, row["configured"], md5_protocols.get(hub)),
                "md5_key_limit": limit,
            })  # fmt: skip
        rows += _asked_for(cluster, group, hub, mine["ts"].drop_nulls().to_list(), nodes)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").sort(
        "ts", "group_name", "reflector", nulls_last=False, maintain_order=True
    )


def _asked_for(
    cluster: str, group: Group, hub: str, counted: list[datetime], nodes: pl.DataFrame
) -> Iterator[dict[str, Any]]:
    """What inventories ask for at a reflector; ``counted`` are the times of better counts, in order."""
    for count in group.counts:
        if count.reflector != hub or count.seen is None:
            continue
        near = bisect_left(counted, count.seen - BESIDE)
        if near < len(counted) and counted[near] <= count.seen + BESIDE:
            continue
        yield {
            "ts": count.seen, "cluster": cluster, "group_name": group.name, "reflector": hub,
            "configured_peers": count.peers, "established_peers": None, "failed_peers": None,
            "md5_peers": count.md5_peers, "md5_key_limit": key_limit(nodes, hub, count.seen),
        }  # fmt: skip


def _from_tables(tables: pl.DataFrame) -> pl.DataFrame:
    listed = tables.filter((pl.col("status") != GONE) & pl.col("node").is_not_null())
    counted = listed.group_by("node", "observed_by", "ts", maintain_order=True).agg(
        configured=pl.col("end").n_unique(), established=pl.col("end").filter(pl.col("status") == UP).n_unique()
    )
    full = pl.col("configured") * 2 >= pl.col("configured").max().over("node", "observed_by")
    return counted.filter(full).select("node", "ts", "configured", "established")


def _from_log(tables: pl.DataFrame, intervals: pl.DataFrame) -> pl.DataFrame:
    with_table = tables.select("node").unique()
    logged = intervals.filter(pl.col("node").is_not_null() & pl.col("state").is_in(["up", "down"])).join(
        with_table, on="node", how="anti"
    )
    last = logged.sort("started_at", nulls_last=False).group_by("node", "end").last()
    return last.group_by("node").agg(
        ts=pl.col("ended_at").max(), configured=pl.col("end").n_unique(),
        established=pl.col("end").filter(pl.col("state") == UP).n_unique(),
    ).select("node", "ts", "configured", "established")  # fmt: skip


def _md5_peers(group: Group, configured: int, protocols: frozenset[str] | None) -> int | None:
    if protocols is not None:
        return min(configured, len(protocols)) if protocols else 0
    if group.md5 is None:
        return None
    return configured if group.md5 else 0


def optmem_of(nodes: pl.DataFrame, node: str, moment: datetime | None) -> tuple[int | None, str]:
    """A node's ``optmem_max`` at a time, and how it is known: 'set', 'default' or ''."""
    row = at(nodes, node, moment)
    if row.get("optmem_max"):
        return int(row["optmem_max"]), "set"
    default = default_optmem_max(row.get("kernel_version"))
    return (default, "default") if default is not None else (None, "")


def key_limit(nodes: pl.DataFrame, node: str, moment: datetime | None) -> int | None:
    """How many MD5 keys a node's listening socket can hold; None when neither setting nor kernel is known."""
    optmem, _ = optmem_of(nodes, node, moment)
    return None if optmem is None else md5_key_limit(optmem)
