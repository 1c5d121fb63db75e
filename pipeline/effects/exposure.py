"""The exposure table: how long sessions were observed, at which size and version, and how often they failed.

Every rate, test and picture starts from it. Unobserved time is in neither number. Planned work leaves both.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from pipeline.effects.losses import PAIR, losses_of, merged, observed_stretches, with_incidents
from pipeline.findings.columns import coded
from pipeline.sessions.facts import TIME
from pipeline.sessions.pooled import NAME, as_names

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "cluster": pl.String, "group_name": pl.String, "role": pl.String, "size": pl.UInt32,
    "calico_version": pl.String, "category": pl.String, "started_at": TIME, "ended_at": TIME,
    "session_hours": pl.Float64, "failures": pl.UInt64, "incidents": pl.UInt64,
}  # fmt: skip
KEYS = ["cluster", "group_name", "role", "size", "calico_version"]
ANY = "any"
"""Category of the rows that count every failure, whatever was said."""
LIMIT_CATEGORY = "md5_kernel_setup_failed"
EXCEPT_LIMIT = f"{ANY} except {LIMIT_CATEGORY}"
"""Everything but what a full key memory does: asks whether size matters beside a limit that was found."""
_ROLES = ("client", "between reflectors", "mesh", "external")
_US_PER_HOUR = 3.6e9
_OPEN = datetime(9999, 1, 1, tzinfo=UTC)

Tables = Mapping[str, pl.DataFrame]
INTERVALS = "session_intervals"
INPUTS = (INTERVALS, "bgp_groups", "group_sizes", "nodes", "incidents")
INTERVAL_COLUMNS: dict[str, Any] = {
    **dict.fromkeys(("cluster", "node", "protocol", "peer", "peer_node", "state", "category"), NAME),
    **dict.fromkeys(("started_at", "ended_at", "seen_from"), TIME),
    **dict.fromkeys(("how_started", "how_ended"), NAME),
}
"""What is asked of the intervals."""


def build_exposure(tables: Tables) -> pl.DataFrame:
    """Contract-style table ``exposure`` (columns ``SCHEMA``) from the derived tables of any number of clusters.

    One row for each cluster, group, role, size, version and category that was seen in the group, and one with
    category ``any``; groups without failures have that row with 0. ``size`` is what the session's reflector (or
    mesh) had configured before the event: a smaller count that comes after it does not count, because nodes
    leave while things fail. A larger count of what a reflector showed holds since the count before it, because the
    peers that it shows failing were configured before they failed; what an inventory asks for, since its time.
    ``calico_version`` is the client's.
    """
    tables = {name: as_names(_utc(tables[name])) for name in INPUTS}
    stretches = observed_stretches(tables.pop(INTERVALS))
    places = _places(stretches, tables["bgp_groups"])
    if places.is_empty():
        return pl.DataFrame(schema=SCHEMA)
    losses = with_incidents(losses_of(stretches).join(places, on=PAIR, how="inner"), tables["incidents"])
    epochs = _sizes(tables["group_sizes"], places, tables["bgp_groups"])
    versions = _versions(tables["nodes"])
    known = merged(stretches).frame.join(places, on=PAIR, how="inner").with_columns(sign=pl.lit(1))
    del stretches
    planned = losses.filter("planned").select(*PAIR, "start", end="until")
    off = merged(planned).frame.join(places, on=PAIR).with_columns(sign=pl.lit(-1))
    pieces = pl.concat([known, off], how="diagonal_relaxed")
    del known, off, planned, places
    hours = _hours(_cut(_cut(pieces, epochs, "hub"), versions, "client"))
    del pieces
    failed = _counts(losses.filter(~pl.col("planned")), epochs, versions)
    return _table(hours, failed)


def _utc(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        pl.col(name).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.Datetime) and kind.time_zone is not None
    )


def _places(stretches: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Group, role, hub and client of each session; the first of ``_ROLES`` where several fit.

    A session has one group at all times: that which had it last.
    """
    pairs = stretches.select(*PAIR, "cluster", "near", "far").unique(PAIR)
    turned = pairs.filter(pl.col("near") != pl.col("far")).select(*PAIR, "cluster", near="far", far="near")
    ways = pl.concat([pairs, turned])
    named = groups.with_columns(until=pl.col("valid_to").fill_null(_OPEN))
    hubs = _ever(named.filter(pl.col("kind") != "mesh"), "reflectors").rename({"reflectors": "near"})
    members = _ever(named, "members")
    of_hub = ways.join(hubs, on=["cluster", "near"])
    clients = of_hub.join(
        members.select("cluster", "group_name", far="members"), on=["cluster", "group_name", "far"], how="semi"
    ).with_columns(role=pl.when(pl.col("kind") == "external").then(_name("external")).otherwise(_name("client")))
    between = of_hub.join(
        hubs.select("cluster", "group_name", far="near"), on=["cluster", "group_name", "far"], how="semi"
    ).with_columns(role=_name("between reflectors"))
    mesh = members.filter(pl.col("kind") == "mesh").select("cluster", "group_name", "kind", "order", near="members")
    meshed = (
        ways.join(mesh, on=["cluster", "near"])
        .join(mesh.select("cluster", "group_name", far="near"), on=["cluster", "group_name", "far"], how="semi")
        .with_columns(role=_name("mesh"))
    )
    return _first(pl.concat([clients, between, meshed], how="vertical_relaxed")).select(
        *PAIR, "cluster", "group_name", "role", hub="near", client="far"
    )


def _name(text: str) -> pl.Expr:
    return pl.lit(text, NAME)


def _first(found: pl.DataFrame) -> pl.DataFrame:
    """The first place of each session: by role, then in the order of its hub in the groups."""
    role = coded(found["role"])
    roles = np.array([_ROLES.index(name) if name else 0 for name in role.values])[role.codes]
    order = found["order"].cast(pl.Int64).to_numpy()
    key = roles * (int(order.max(initial=0)) + 1) + order
    pair = found["pair"].to_numpy()
    least = np.full(int(pair.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, pair, key)
    return found.filter(pl.Series(key == least[pair])).unique(PAIR)


def _ever(groups: pl.DataFrame, names: str) -> pl.DataFrame:
    """Each of the names that a group ever had, once, in the ``order`` of the end of its last time in it."""
    ever = groups.select("cluster", "group_name", "kind", "until", names).explode(names).group_by(
        "cluster", "group_name", "kind", names
    ).agg(pl.col("until").max())  # fmt: skip
    ordered = ever.sort("until", "group_name", names, descending=[True, False, False]).with_row_index("order")
    return ordered.select("cluster", "group_name", "kind", "order", names)


def _sizes(sizes: pl.DataFrame, places: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Epochs of constant size of each hub: cluster, hub, size, since, until."""
    peers = places.group_by("cluster", "group_name", "hub").agg(pl.len().alias("seen"))
    mesh = places.filter(pl.col("role") == "mesh").group_by("cluster", "group_name").agg(
        pl.col("hub").append("client").n_unique().alias("nodes")
    )  # fmt: skip
    counted = (
        sizes.filter(pl.col("ts").is_not_null())
        .group_by("cluster", "ts", hub="reflector").agg(
            size=pl.col("configured_peers").max(), shown=pl.col("established_peers").is_not_null().any()
        )
        .sort("cluster", "hub", "ts")
        .with_columns(
            size=pl.max_horizontal(
                "size", pl.when("shown").then("size").shift(-1).over("cluster", "hub")
            ),
            since=pl.when(pl.col("ts") == pl.col("ts").min().over("cluster", "hub")).then(None).otherwise("ts"),
        )
        .filter((pl.col("size") != pl.col("size").shift(1).over("cluster", "hub")).fill_null(True))
        .with_columns(until=pl.col("since").shift(-1).over("cluster", "hub"))
    )  # fmt: skip
    grown = _mesh_sizes(groups, places)
    known = pl.concat([frame.select("cluster", "hub") for frame in (counted, grown)]).unique()
    bare = (
        peers.join(known, on=["cluster", "hub"], how="anti")
        .join(mesh, on=["cluster", "group_name"], how="left")
        .select("cluster", "hub", size=pl.coalesce(pl.col("nodes") - 1, "seen").cast(pl.UInt32))
        .group_by("cluster", "hub").agg(pl.col("size").max())
        .with_columns(since=pl.lit(None, dtype=TIME), until=pl.lit(None, dtype=TIME))
    )  # fmt: skip
    columns = ["cluster", "hub", "size", "since", "until"]
    grown = grown.join(counted.select("cluster", "hub").unique(), on=["cluster", "hub"], how="anti")
    return pl.concat([part.select(columns) for part in (counted, grown, bare)], how="vertical_relaxed")


def _mesh_sizes(groups: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Epochs of the nodes of meshes whose inventory was collected at several times."""
    name = ["cluster", "group_name"]
    epochs = (
        groups.filter((pl.col("kind") == "mesh") & (pl.len() > 1).over(name))
        .sort(*name, "valid_from", nulls_last=False)
        .select(*name, "valid_from", size=pl.col("members").list.len().cast(pl.UInt32) - 1)
        .with_columns(since=pl.when(pl.int_range(pl.len()).over(name) > 0).then("valid_from"))
        .with_columns(until=pl.col("since").shift(-1).over(name))
    )  # fmt: skip
    nodes = places.filter(pl.col("role") == "mesh").select(*name, "hub").unique()
    return nodes.join(epochs, on=name).select("cluster", "hub", "size", "since", "until")


def _versions(nodes: pl.DataFrame) -> pl.DataFrame:
    """Stretches of one version of each node; what is known first holds since ever."""
    ordered = (
        nodes.filter(pl.col("calico_version").is_not_null())
        .sort("cluster", "node", "valid_from", nulls_last=False)
        .filter((pl.col("calico_version") != pl.col("calico_version").shift(1).over("cluster", "node")).fill_null(True))
    )
    first = pl.int_range(pl.len()).over("cluster", "node") == 0
    return ordered.with_columns(since=pl.when(first).then(None).otherwise("valid_from")).select(
        "cluster", "calico_version", "since", client="node",
        until=pl.col("since").shift(-1).over("cluster", "node"),
    )  # fmt: skip


def _cut(pieces: pl.DataFrame, epochs: pl.DataFrame, key: str) -> pl.DataFrame:
    """Cut pieces (start, end) at the bounds of the epochs of their hub or client and take the epoch's value."""
    joined = pieces.join(epochs, on=["cluster", key], how="left")
    return (
        joined.with_columns(
            start=pl.max_horizontal("start", "since"), end=pl.min_horizontal("end", "until"),
        )
        .filter(pl.col("end") > pl.col("start")).drop("since", "until")
    )  # fmt: skip


def _hours(pieces: pl.DataFrame) -> pl.DataFrame:
    length = (pl.col("end") - pl.col("start")).dt.total_microseconds() / _US_PER_HOUR
    watched = pl.col("sign") > 0
    return (
        pieces.group_by(KEYS)
        .agg(
            started_at=pl.col("start").filter(watched).min(), ended_at=pl.col("end").filter(watched).max(),
            session_hours=(length * pl.col("sign")).sum(),
        )
        .filter(pl.col("session_hours") > 0)
    )  # fmt: skip


def _counts(losses: pl.DataFrame, epochs: pl.DataFrame, versions: pl.DataFrame) -> pl.DataFrame:
    """Losses and incidents for each cell and category; an incident counts where its first loss was."""
    points = losses.with_columns(end=pl.col("start") + pl.duration(microseconds=1)).drop("until")
    placed = _cut(_cut(points, epochs, "hub"), versions, "client").sort("start", *PAIR)
    first = pl.col("incident").is_first_distinct()
    of_category = pl.struct("incident", "category").is_first_distinct()
    parts = [placed.with_columns(category=_name(ANY), first=first), placed.with_columns(first=of_category)]
    counted = [
        part.group_by([*KEYS, "category"]).agg(failures=pl.len(), incidents=pl.col("first").sum()) for part in parts
    ]
    return pl.concat(counted)


def _table(hours: pl.DataFrame, failed: pl.DataFrame) -> pl.DataFrame:
    group = ["cluster", "group_name"]
    kinds = pl.concat([
        failed.select(*group, "category"), hours.select(*group, category=_name(ANY))
    ]).unique()  # fmt: skip
    filled = hours.join(kinds, on=group).join(failed, on=[*KEYS, "category"], how="left", nulls_equal=True)
    return (
        filled.with_columns(pl.col("failures", "incidents").fill_null(0))
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        .sort([*group, "role", "started_at", "size", "calico_version", "category"])
    )


def cells(exposure: pl.DataFrame, category: str = ANY) -> pl.DataFrame:
    """The rows of one category, with 0 where a group was observed and never failed so."""
    hours = exposure.filter(pl.col("category") == ANY)
    if category == ANY:
        return hours
    if category == EXCEPT_LIMIT:
        limited = cells(exposure, LIMIT_CATEGORY).select(*KEYS, _failures="failures", _incidents="incidents")
        return hours.join(limited, on=KEYS, how="left", nulls_equal=True).with_columns(
            category=pl.lit(category), failures=pl.col("failures") - pl.col("_failures"),
            incidents=pl.col("incidents") - pl.min_horizontal("incidents", "_incidents"),
        ).drop("_failures", "_incidents")  # fmt: skip
    found = exposure.filter(pl.col("category") == category).select(*KEYS, "failures", "incidents")
    return (
        hours.drop("failures", "incidents").with_columns(category=pl.lit(category))
        .join(found, on=KEYS, how="left", nulls_equal=True)
        .with_columns(pl.col("failures", "incidents").fill_null(0))
    )  # fmt: skip
