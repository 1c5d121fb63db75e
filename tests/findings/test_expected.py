"""Sessions that the inventory asks for and nobody ever saw: a fact everywhere, an incident only where one looked."""

from __future__ import annotations

import json

import pytest

from tests.findings.cluster import END, Cluster, causes


def _lacking(*, table: bool = True, far_shows: bool = False, until: float = END) -> Cluster:
    """n-5 has no session with rr-2; the others do. Tables of both are printed late, unless told otherwise."""
    cluster = Cluster()
    cluster.own.add(("n-5", "rr-2"))
    for seconds in (200, 400, until) if table else ():
        cluster.state("n-5", "rr-1", seconds, "up", None, "show protocols", "Established")
        for client in cluster.clients[:-1]:
            cluster.state("rr-2", client, seconds, "up", None, "show protocols", "Established")
        if far_shows:
            cluster.state("rr-2", "n-5", seconds, "start", "Socket: Connection closed", "show protocols", "Active")
    return cluster


def _missing(cluster: Cluster) -> list[tuple[str, str | None, str]]:
    frame = cluster.analysis().tables["missing_sessions"]
    return list(frame.select("node", "peer_node", "reason").iter_rows())


def test_a_healthy_cluster_misses_nothing() -> None:
    assert _missing(Cluster()) == []
    assert _missing(Cluster(mesh=True)) == []


def test_two_daemons_that_lack_a_session_are_an_incident() -> None:
    cluster = _lacking()
    assert _missing(cluster) == [("n-5", "rr-2", "not listed"), ("rr-2", "n-5", "not listed")]
    [finding] = cluster.analysis().findings
    assert (finding.incident.kind, finding.incident.category) == ("missing", "bgp_not_established")
    assert finding.best.cause.id == "undetermined"
    assert finding.incident.sessions == (("n-5", "rr-2"),)
    assert finding.incident.nodes == ("n-5",)
    assert "The resources ask for 1 session of n-5, rr-2" in finding.best.summary
    assert "the session is not in the daemon's table" in finding.best.summary


def _rendered(cluster: Cluster, node: str, far: str) -> None:
    address = cluster.address[far]
    name = f"Node_{address.replace('.', '_')}"
    told = {"protocol": name, "neighbor": address, "has_password": False}
    cluster.fact(node, f"configured_peer:{name}", json.dumps(told))


def test_its_file_has_the_session_so_the_reload_was_missed() -> None:
    cluster = _lacking()
    _rendered(cluster, "rr-2", "n-5")
    [finding] = cluster.analysis().findings
    assert (finding.best.cause.id, finding.best.confidence) == ("reload_missed", 0.7)
    assert "rr-2 does not run its session with n-5, although its bird.cfg has it" in finding.best.summary
    assert "on rr-2:" in finding.best.remedy
    assert any(proof.byte_offset is not None for role, proof in finding.best.evidence if role == "supports")


def test_its_file_lacks_the_session_so_it_was_not_rendered() -> None:
    cluster = _lacking()
    _rendered(cluster, "rr-2", "n-1")
    [finding] = cluster.analysis().findings
    assert (finding.best.cause.id, finding.best.confidence) == ("config_not_rendered", 0.6)
    assert "the session with n-5 into bird.cfg on rr-2" in finding.best.summary


def test_a_refused_configuration_explains_it_once() -> None:
    cluster = _lacking()
    cluster.record("rr-2", 30, "/etc/calico/confd/config/bird.cfg:88:1 syntax error", "bird_config_error")
    assert [cause for cause, _ in causes(cluster.analysis())] == ["config_rejected"]


def test_what_the_far_end_shows_is_one_incident_of_that_session() -> None:
    cluster = _lacking(far_shows=True)
    assert _missing(cluster) == [("n-5", "rr-2", "far end shows it")]
    assert [finding.incident.kind for finding in cluster.analysis().findings] == ["session"]


@pytest.mark.parametrize("cluster", [_lacking(table=False), _lacking(until=299)], ids=["no table", "too early"])
def test_without_a_table_that_could_tell_it_is_unknown(cluster: Cluster) -> None:
    cluster.rows["states"] = [row for row in cluster.rows["states"] if row["ts"] is None or row["ts"].minute < 5]
    found = cluster.analysis()
    assert set(found.tables["missing_sessions"]["reason"]) == {"no table"}
    assert causes(found) == []


def test_nodes_that_were_not_observed_are_never_said_to_lack_anything() -> None:
    cluster = Cluster()
    cluster.silent = {"n-4", "rr-2"}
    told = _missing(cluster)
    assert ("n-4", "rr-2", "not observed") in told
    assert {reason for _, _, reason in told} == {"not observed"}
    assert causes(cluster.analysis()) == []
