"""Groups through time: inventories of different days give a history, and a failure counts under the size before it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.effects.exposure import ANY, build_exposure, cells
from pipeline.effects.forecast import forecast
from pipeline.findings.analyse import investigate
from pipeline.findings.capacity import rooms
from pipeline.findings.inventories import inventory_versions
from pipeline.sessions import ClusterFacts
from pipeline.sessions.facts import table
from pipeline.warehouse.writer import Warehouse
from tests.findings.cluster import T0, Cluster
from tests.findings.published import Published

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def grown(
    counts: list[int], *, shuffled: bool = False, mesh: bool = False, days: list[float] | None = None
) -> ClusterFacts:
    """Inventories of a growing group, one a day; two sessions of its first client, one lost at half past one day.

    Clients after the first ones have a session as well, seen at the end of the data only.
    """
    rows: list[dict[str, Any]] = []
    for day, clients in zip(days or range(len(counts)), counts, strict=True):
        cluster = Cluster(clients, 2, md5=True, mesh=mesh, optmem_max=20480)
        rows += [
            row | {"observed_at": T0 + day * DAY, "source_path": f"day-{day}.yaml"} for row in cluster.rows["resources"]
        ]
    last = Cluster(max(counts), 2, mesh=mesh)
    hub, client = ("n-1", "n-2") if mesh else ("rr-1", "n-1")
    states: list[dict[str, Any]] = []

    def seen(node: str, far: str, moment: timedelta, state: str) -> None:
        name = f"{'Mesh' if mesh else 'Node'}_{last.address[far].replace('.', '_')}"
        states.append({"ts": T0 + moment, "node": node, "peer": last.address[far], "protocol": name, "state": state,
                       "observed_by": "log", "source_path": f"{node}/bird.log", "byte_offset": len(states)})  # fmt: skip

    start = timedelta(0)
    for moment, state in ((start, "start"), (SECOND, "up"), (1.5 * DAY, "start"), (1.6 * DAY, "up")):
        seen(hub, client, moment, state)
    end = (len(counts) + 1) * DAY
    observed = [{"node": hub, "component": "bird", "source_path": f"{hub}/bird.log", "first_ts": T0,
                 "last_ts": T0 + end, "lines": 9}]  # fmt: skip
    return ClusterFacts.of("small", resources=rows[::-1] if shuffled else rows, states=states, observed=observed)


def test_inventories_of_different_days_give_a_history() -> None:
    groups = investigate(grown([100, 120, 120, 90])).tables["bgp_groups"]
    told = [(len(row["members"]), row["valid_from"], row["valid_to"]) for row in groups.to_dicts()]
    assert told == [(100, T0, T0 + DAY), (120, T0 + DAY, T0 + 3 * DAY), (90, T0 + 3 * DAY, None)]


def test_the_order_of_reading_does_not_matter() -> None:
    one, other = (investigate(grown([100, 120], shuffled=shuffled)).tables for shuffled in (False, True))
    assert one["bgp_groups"].equals(other["bgp_groups"])
    assert one["group_sizes"].equals(other["group_sizes"])


def test_the_group_that_failures_are_sought_in_is_the_union() -> None:
    [group] = investigate(grown([120, 100])).groups
    assert (len(group.members), group.valid_from) == (120, T0)


def test_a_failure_between_two_inventories_counts_under_the_size_before_it() -> None:
    tables = investigate(grown([100, 120, 140])).tables
    found = cells(build_exposure(tables), ANY)
    assert dict(found.filter(pl.col("failures") > 0).select("size", "failures").iter_rows()) == {120: 1}
    assert found.filter(pl.col("size") == 100)["session_hours"].to_list() == [24.0]


def test_the_size_of_a_mesh_is_that_of_its_time() -> None:
    found = cells(build_exposure(investigate(grown([50, 60, 70], mesh=True)).tables), ANY)
    assert dict(found.filter(pl.col("failures") > 0).select("size", "failures").iter_rows()) == {59: 1}


def test_a_status_table_beside_an_inventory_counts_alone() -> None:
    cluster = Cluster(20, 2)
    cluster.table("rr-1", 300)
    sizes = cluster.analysis().tables["group_sizes"]
    assert sizes.filter(pl.col("reflector") == "rr-1").select("configured_peers", "established_peers").rows() == [
        (20, 20)
    ]


def test_capacity_and_forecast_see_the_growth() -> None:
    tables = investigate(grown([100, 104, 108, 112, 116, 120, 124])).tables
    ahead = forecast(tables["group_sizes"], tables["bgp_groups"]).filter(pl.col("reflector") == "rr-2")
    assert ahead.select("configured_peers", "growth_per_day", "verdict").rows() == [(124, 4.0, "growing")]
    assert ahead["headroom"].to_list() == [150 - 124]


def test_one_count_a_day_is_kept_of_an_inventory_that_does_not_change() -> None:
    [group] = investigate(grown([100, 100, 100, 110], days=[0, 0.25, 1, 1.5])).groups
    assert [(count.seen, count.peers) for count in group.counts if count.reflector == "rr-1"] == [
        (T0, 100), (T0 + DAY, 100), (T0 + 1.5 * DAY, 110),
    ]  # fmt: skip


def test_capacity_tells_the_latest_inventory() -> None:
    room = next(r for r in rooms(Published(investigate(grown([100, 120])))) if r.reflector == "rr-2")
    assert (room.configured_peers, room.limits[0].headroom) == (120, 30)


@pytest.mark.parametrize("mesh", [False, True])
def test_rates_count_no_hour_twice(mesh: bool, tmp_path: Path) -> None:
    tables = investigate(grown([100, 120, 140], mesh=mesh)).tables
    with Warehouse.open(tmp_path) as warehouse:
        names = ("session_intervals", "bgp_groups", "group_sizes")
        warehouse.replace_derived("small", {name: tables[name].drop("cluster") for name in names})
        rows = warehouse.frame("FROM failure_rates ORDER BY bucket").to_dicts()
    assert len({row["bucket"] for row in rows if row["category"] == rows[0]["category"]}) == 96
    hours = {category: sum(r["session_hours"] for r in rows if r["category"] == category) for category in
             {r["category"] for r in rows}}  # fmt: skip
    assert set(hours.values()) == {96.0}
    [failed] = [row for row in rows if row["failures"] and row["bucket"] > T0 + HOUR]
    assert failed["configured_peers"] == (None if mesh else 120)


def test_a_session_is_of_the_group_that_had_it_then(tmp_path: Path) -> None:
    def group(name: str, hubs: list[str], begin: float | None, end: float | None) -> dict[str, Any]:
        times = [None if day is None else T0 + day * DAY for day in (begin, end)]
        return {"group_name": name, "kind": "reflector", "reflectors": hubs, "members": ["a"],
                "valid_from": times[0], "valid_to": times[1]}  # fmt: skip

    def stretch(hub: str, begin: float, end: float) -> dict[str, Any]:
        return {"node": "a", "protocol": hub, "peer": hub, "peer_node": hub, "state": "down", "category": "open_error",
                "started_at": T0 + begin * DAY, "ended_at": T0 + end * DAY}  # fmt: skip

    # rr-1 goes from one group to another, rr-2 joins later
    groups = [group("old", ["rr-1"], 1, 2), group("new", ["rr-1"], 2, 3), group("new", ["rr-1", "rr-2"], 3, None)]
    times = [("rr-1", 0.5), ("rr-1", 1.5), ("rr-1", 2.5), ("rr-2", 2.5)]
    with Warehouse.open(tmp_path) as warehouse:
        stretches = pl.DataFrame([stretch(hub, day, day + 0.01) for hub, day in times])
        warehouse.replace_derived("small", {"session_intervals": stretches, "bgp_groups": pl.DataFrame(groups)})
        rows = warehouse.frame("SELECT group_name, failures FROM failure_rates ORDER BY bucket").rows()
    assert rows == [("old", 1), ("old", 1), ("new", 2)]


def resources(*rows: tuple[float | None, str, str, dict[str, Any]]) -> pl.DataFrame:
    """Resources by minute, kind and name."""
    return table("resources", [
        {"observed_at": None if minute is None else T0 + timedelta(minutes=minute), "kind": kind, "name": name,
         "body": json.dumps({"metadata": {"name": name}, **body}), "source_path": f"{minute}-{n}", "byte_offset": 0}
        for n, (minute, kind, name, body) in enumerate(rows)
    ])  # fmt: skip


def names(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    return {kind: sorted(body["metadata"]["name"] for body in bodies) for kind, bodies in found.items() if bodies}


def test_files_of_one_collection_are_one_inventory() -> None:
    told = inventory_versions(resources((0, "Node", "a", {}), (1, "Node", "b", {}), (2, "BGPPeer", "p", {})))
    assert [(moment, names(bodies)) for moment, bodies in told] == [
        (T0 + timedelta(minutes=2), {"Node": ["a", "b"], "BGPPeer": ["p"]})
    ]


def test_what_a_whole_listing_lacks_is_gone_and_a_part_changes_only_itself() -> None:
    nodes: list[tuple[str, str, dict[str, Any]]] = [("Node", name, {}) for name in "abcd"]
    told = inventory_versions(resources(
        *((0, *node) for node in nodes), *((60, *node) for node in nodes[:3]), (120, "Node", "a", {"spec": {"x": 1}}),
    ))  # fmt: skip
    assert [names(bodies)["Node"] for _, bodies in told] == [list("abcd"), list("abc"), list("abc")]
    assert {"metadata": {"name": "a"}, "spec": {"x": 1}} in told[-1][1]["Node"]


def test_the_same_inventory_again_is_the_same_object() -> None:
    told = inventory_versions(resources((0, "Node", "a", {}), (60, "Node", "a", {})))
    assert len(told) == 2
    assert told[0][1] is told[1][1]


def test_resources_without_a_time_belong_to_the_first_inventory() -> None:
    told = inventory_versions(resources((None, "BGPPeer", "p", {}), (0, "Node", "a", {}), (60, "Node", "b", {})))
    assert [names(bodies) for _, bodies in told] == [
        {"BGPPeer": ["p"], "Node": ["a"]}, {"BGPPeer": ["p"], "Node": ["b"]},
    ]  # fmt: skip
    [(moment, _)] = inventory_versions(resources((None, "Node", "a", {})))
    assert moment is None
