"""What the tests work on: cells of observed time, each with one group, one size and one version.

The group is the unit of everything that claims significance: its sessions share a reflector, a rack and a
fate, so they are no independent witnesses. Permutations move whole groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
UNKNOWN_VERSION = ""
SAME_SIZE = 0.02
"""A group that grows by a node a day would else have as many cells as days; no interval is this narrow."""


@dataclass(frozen=True)
class Panel:
    """Cells sorted by group and, within a group, by time.

    ``group`` (C,) holds group numbers 0..G-1, ascending; ``size`` (C,) configured peers; ``version`` (C,) index
    into ``versions``; ``hours`` (C,) observed session-hours, above zero; ``failures`` (C,) counts;
    ``names`` and ``clusters`` have one entry for each group.
    """

    group: Ints
    size: Floats
    version: Ints
    hours: Floats
    failures: Floats
    versions: tuple[str, ...]
    names: tuple[str, ...]
    clusters: tuple[str, ...] = field(default=())

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.names)

    @property
    def blocks(self) -> Ints | None:
        """Number of each group's cluster (G,), when there are several clusters with several groups; else None.

        What is peculiar to a cluster must not speak for size or version, so groups then change places only with
        groups of their own cluster.
        """
        found, number = np.unique(np.array(self.clusters), return_inverse=True)
        return number.astype(np.int64) if 2 <= len(found) <= self.groups / 2 else None

    def totals(self, values: Floats) -> Floats:
        """Sums of cell values for each group, (G,)."""
        return np.bincount(self.group, weights=values, minlength=self.groups).astype(np.float64)

    def only(self, keep: NDArray[np.bool_]) -> Panel:
        """The panel of some cells; groups without cells are dropped."""
        kept, renumbered = np.unique(self.group[keep], return_inverse=True)
        return Panel(
            renumbered.astype(np.int64), self.size[keep], self.version[keep], self.hours[keep], self.failures[keep],
            self.versions, tuple(self.names[g] for g in kept),
            tuple(self.clusters[g] for g in kept) if self.clusters else (),
        )  # fmt: skip

    def trajectories(self, values: Floats) -> Floats:
        """What each group's value was at the place in time of each cell, (G, C).

        Time is the share of a group's own observed hours, so that groups observed for different periods can
        lend each other their course of sizes or versions.
        """
        starts = np.searchsorted(self.group, np.arange(self.groups))
        ends = np.append(starts[1:], len(self.group))
        if len(self.group) == self.groups:
            return np.repeat(values[:, None], len(values), axis=1)
        share = self.hours / self.totals(self.hours)[self.group]
        before = np.cumsum(share) - self.group
        middle = before - share / 2
        rows = [
            values[start + np.searchsorted(before[start : end - 1], middle)]
            for start, end in zip(starts, ends, strict=True)
        ]
        return np.asarray(rows)

    def permuted(self, values: Floats, orders: Ints) -> Floats:
        """Cell values when groups take each other's course: (B, C) for ``orders`` (B, G)."""
        courses = self.trajectories(values)
        return courses[orders[:, self.group], np.arange(len(self.group))]


def orders(groups: int, count: int, seed: int, blocks: Ints | None = None) -> Ints:
    """``count`` orders of the groups, the first of them as observed, (count, G).

    ``blocks`` (G,), ascending, keeps groups within their block.
    """
    chance = np.random.default_rng(seed).random((count, groups))
    table = np.argsort(chance if blocks is None else chance + blocks, axis=1)
    table[0] = np.arange(groups)
    return table.astype(np.int64)


def by_cluster(panel: Panel) -> Panel:
    """The panel with clusters in place of groups: one cell for each cluster and version, of mean (log) size."""
    names, number = np.unique(np.array(panel.clusters), return_inverse=True)
    cell = number[panel.group] * len(panel.versions) + panel.version
    used, place = np.unique(cell, return_inverse=True)
    hours, failures = (np.bincount(place, weights=v).astype(np.float64) for v in (panel.hours, panel.failures))
    size = np.exp(np.bincount(place, weights=panel.hours * np.log(panel.size)) / hours)
    unit, version = np.divmod(used, len(panel.versions))
    kept = tuple(str(name) for name in names)
    return Panel(unit.astype(np.int64), size, version.astype(np.int64), hours, failures, panel.versions, kept, kept)


def panel_of(cells: pl.DataFrame, outcome: str = "failures") -> Panel:
    """A panel from cells with cluster, group_name, size, calico_version, started_at, session_hours and an outcome.

    Rows of the same group and version whose sizes fall into one class, ``SAME_SIZE`` wide, are added up, with the mean
    of their sizes over the hours; rows without time or size are left out.
    """
    known = cells.filter((pl.col("session_hours") > 0) & (pl.col("size") > 0)).with_columns(
        calico_version=pl.col("calico_version").fill_null(UNKNOWN_VERSION)
    )
    keys = ["cluster", "group_name", "_size", "calico_version"]
    weighted = (pl.col("size") * pl.col("session_hours")).sum() / pl.col("session_hours").sum()
    merged = (
        known.with_columns(_size=(pl.col("size").log() / math.log(1 + SAME_SIZE)).floor())
        .group_by(keys)
        .agg(weighted.alias("size"), pl.col("started_at").min(), pl.col("session_hours").sum(), pl.col(outcome).sum())
        .sort("cluster", "group_name", "started_at", "size", "calico_version")
    )
    named = merged.select("cluster", "group_name").unique(maintain_order=True)
    versions = tuple(sorted(merged["calico_version"].unique().to_list(), key=version_key))
    numbered = merged.join(named.with_row_index("_group"), on=["cluster", "group_name"], maintain_order="left")
    position = {version: number for number, version in enumerate(versions)}
    return Panel(
        numbered["_group"].cast(pl.Int64).to_numpy(),
        numbered["size"].cast(pl.Float64).to_numpy(),
        np.array([position[v] for v in numbered["calico_version"].to_list()], dtype=np.int64),
        numbered["session_hours"].to_numpy(),
        numbered[outcome].cast(pl.Float64).to_numpy(),
        versions,
        tuple(f"{cluster}/{group}" for cluster, group in named.iter_rows()),
        tuple(named["cluster"].to_list()),
    )


def version_key(version: str) -> tuple[Sequence[tuple[int, str]], str]:
    """Sort key that puts v3.9 before v3.10."""
    parts = version.lstrip("v").replace("-", ".").split(".")
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts], version
