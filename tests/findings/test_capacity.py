"""Limits of reflectors and of plans."""

from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.findings.capacity import Limit, plan, rooms
from tests.findings.cluster import Cluster
from tests.findings.published import Published


def _named(limits: list[Limit] | tuple[Limit, ...], name: str) -> Limit:
    return next(limit for limit in limits if limit.name == name)


@pytest.mark.parametrize(
    ("kernel", "optmem", "limit"),
    [("5.15.0-105-generic", None, 150), ("6.8.0-31-generic", None, 963), ("5.4.0", 65536, 481), (None, 20480, 150)],
)
def test_keys_of_a_plan(kernel: str | None, optmem: int | None, limit: int) -> None:
    for peers, room in ((limit, 0), (limit + 1, -1)):
        keys = _named(plan(peers, kernel=kernel, optmem_max=optmem), "md5_keys")
        assert (keys.limit, keys.headroom, keys.fits, keys.hard) == (limit, room, room == 0, True)
    assert f"Set net.core.optmem_max = {131072 if limit < 963 else 262144} before BIRD starts" in keys.about


def test_a_plan_without_kernel_and_setting_is_not_guessed() -> None:
    keys = _named(plan(200), "md5_keys")
    assert (keys.limit, keys.fits, keys.known) == (None, None, False)
    assert "150 keys before Linux 6.8, 963 since" in keys.about


def test_a_plan_without_password_has_no_keys() -> None:
    limits = plan(2000, md5=False)
    assert [limit.name for limit in limits] == ["probe_list", "neighbour_table", "listen_backlog", "mesh_nodes"]
    assert "1999000" not in _named(limits, "mesh_nodes").about
    assert "2001 nodes make 2001000 sessions" in _named(limits, "mesh_nodes").about
    assert _named(limits, "neighbour_table").fits is False
    assert not _named(limits, "neighbour_table").known


@pytest.mark.parametrize("wrong", [{"peers": 0}, {"peers": 5, "kernel": "new"}, {"peers": 5, "optmem_max": 0}])
def test_plans_that_mean_nothing(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="--"):
        plan(**wrong)  # type: ignore[arg-type]


def test_reflectors_of_a_warehouse_the_tightest_first() -> None:
    cluster = Cluster(clients=140, reflectors=2, md5=True, optmem_max=20480)
    cluster.table("rr-1", 300)
    cluster.table("rr-2", 300, dict.fromkeys(cluster.clients[:9], ("Active", None)))
    found = rooms(Published(cluster.analysis()), "small")
    assert [(room.reflector, room.configured_peers, room.established_peers) for room in found] == [
        ("rr-1", 140, 140),
        ("rr-2", 140, 131),
    ]
    keys = _named(found[0].limits, "md5_keys")
    assert (keys.used, keys.limit, keys.headroom) == (140, 150, 10)
    assert _named(found[0].limits, "probe_list").fits is False
    assert found[0].growth is not None
    assert found[0].growth.verdict == "not_enough_data"


def test_a_mesh_counts_its_nodes() -> None:
    [room] = rooms(Published(Cluster(clients=12, mesh=True).analysis()))
    assert (room.reflector, room.configured_peers) == ("every node", 11)
    assert _named(room.limits, "mesh_nodes").headroom == 88


def test_a_cluster_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="it holds small"):
        rooms(Published(Cluster().analysis()), "other")
