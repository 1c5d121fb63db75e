"""Causes where little was collected: one node's table, a few lines; and causes that are told by counts."""

from __future__ import annotations

import pytest

from tests.findings.cluster import END, Cluster, at, causes


def _one_table(bgp: str, error: str | None = None, far: int = 3, md5: bool = False, net: str = "10.9.0.") -> Cluster:
    """Nothing but one printed table of one node, all of whose sessions show the same."""
    cluster = Cluster(clients=0, reflectors=0, inventory=md5, md5=md5)
    for k in range(far):
        cluster.state("n-1", f"{net}{k + 1}", None, "start", error, "node status", bgp, "Mesh")
    return cluster


@pytest.mark.parametrize("bgp", ["Connect", "Active"])
def test_a_node_that_dials_all_its_peers_in_vain_is_filtered(bgp: str) -> None:
    finding = _one_table(bgp).analysis().findings[0]
    assert finding.best.cause.id == "port_filtered"
    assert finding.best.confidence == 0.5
    assert "n-1 dials 3 peers" in " ".join(proof.text for _, proof in finding.best.evidence)


@pytest.mark.parametrize(("bgp", "far"), [("Connect", 1), ("Idle", 3), ("OpenSent", 3)])
def test_one_peer_or_another_state_tells_no_filter(bgp: str, far: int) -> None:
    assert [cause for cause, _ in causes(_one_table(bgp, far=far).analysis())] == ["undetermined"]


def test_one_session_that_is_up_speaks_against_an_unknown_address() -> None:
    alone = _one_table("Active", "Socket: Connection reset by peer")
    assert causes(alone.analysis()) == [("unknown_source_address", 0.5)]
    alone.state("n-1", "10.9.0.9", None, "up", None, "node status", "Established", "Mesh")
    assert [cause for cause, _ in causes(alone.analysis())] == ["undetermined"]


def test_a_node_whose_peers_all_do_not_get_through_is_filtered() -> None:
    """Of two IPv4 addresses one always dials."""
    finding = _one_table("Passive").analysis().findings[0]
    assert (finding.best.cause.id, finding.best.confidence) == ("port_filtered", 0.5)


def test_only_passive_is_an_asymmetric_peering() -> None:
    finding = _one_table("Passive", net="fd00::").analysis().findings[0]
    assert finding.best.cause.id == "peering_asymmetric"
    assert "stay Passive" in finding.best.summary
    assert "refuses connections" not in finding.best.summary


def test_peering_asymmetric_when_only_one_end_is_configured() -> None:
    """A BGPPeer that names n-6 makes the session there; no BGPPeer makes it at the reflector."""
    cluster = Cluster(clients=6)
    known = cluster.address["n-6"]
    rows = cluster.rows["resources"]
    rows[:] = [row | {"body": row["body"].replace("client", "guest")} if row["name"] == "n-6" else row for row in rows]
    spec = {"node": "n-6", "peerIP": cluster.address["rr-1"], "reversePeering": "Manual"}
    peer = {"apiVersion": "projectcalico.org/v3", "metadata": {"name": "guest"}, "spec": spec}
    cluster.resource("BGPPeer", "guest", peer)
    cluster.own.update({("n-6", "rr-1"), ("n-6", "rr-2")})
    for seconds in (0, 200, 500, END):
        cluster.state("n-6", "rr-1", seconds, "start", "Socket: Connection closed", "show protocols", "Active")
        for client in cluster.clients[:-1] if seconds else []:
            cluster.state("rr-1", client, seconds, "up", None, "show protocols", "Established")
    for seconds in (50, 150, 250, 350, 450):
        text = f"BGP: Unexpected connect from unknown address {known} (port 50000)"
        cluster.record("rr-1", seconds, text, "unexpected_peer", severity="warning", peer=known)
    finding = cluster.analysis().findings[0]
    assert finding.best.cause.id == "peering_asymmetric"
    assert "rr-1 refuses connections from n-6" in finding.best.summary
    assert "Passive" not in finding.best.summary


def test_a_second_bird_takes_the_sockets() -> None:
    cluster = Cluster()
    for seconds in (300, 301, 302):
        cluster.record("n-2", seconds, "I found another BIRD running.", "duplicate_instance")
    finding = cluster.analysis().findings[0]
    assert finding.best.cause.id == "listen_port_taken"
    assert "a second BIRD runs there" in finding.best.summary
    assert "I found another BIRD running" in finding.best.summary


def test_felix_follows_from_a_datastore_that_is_away() -> None:
    cluster = Cluster()
    text = 'Failed to get config from datastore error=Get "https://10.96.0.1:443": dial tcp: i/o timeout'
    cluster.record("n-2", 300, text, "datastore_unreachable", "felix")
    probe = "Readiness probe failed: calico/node is not ready: felix is not ready: connection refused"
    for seconds in (310, 320, 330):
        cluster.record("n-2", seconds, probe, "felix_not_ready", "kubelet")
    analysis = cluster.analysis()
    assert [cause for cause, _ in causes(analysis)] == ["datastore_unreachable"]
    told = " ".join(proof.text for _, proof in analysis.findings[0].best.evidence)
    assert "Felix is not ready, which follows from it" in told


def test_felix_elsewhere_does_not_follow_from_it() -> None:
    cluster = Cluster()
    cluster.record("n-2", 300, "dial tcp 10.96.0.1:443: i/o timeout", "datastore_unreachable", "felix")
    cluster.record("n-4", 310, "calico/node is not ready: felix is not ready", "felix_not_ready", "kubelet")
    assert {cause for cause, _ in causes(cluster.analysis())} == {"datastore_unreachable", "felix_masks_bgp"}


@pytest.mark.parametrize(
    ("text", "category", "expected"),
    [
        ("bird.cfg:88:1 syntax error", "bird_config_error", "config_rejected"),
        ("Unable to open configuration file /etc/calico/confd/config/bird.cfg", "bird_config_error", "config_not_rendered"),
        ("bird[311]: segfault at 10 ip 0000 sp 0000 error 4 in bird", "process_restart", "process_crash"),
        ("connection is unauthorized: Unauthorized", "datastore_unreachable", "datastore_unreachable"),
    ],
)  # fmt: skip
def test_what_keeps_bird_from_running_comes_before_its_silence(text: str, category: str, expected: str) -> None:
    cluster = Cluster()
    cluster.record("n-2", 290, text, category)
    silent = "bird.ctl: connect: connection refused"
    for seconds in (400, 500, 600):
        cluster.record("n-2", seconds, silent, "bird_socket_unavailable", "kubelet")
    assert [cause for cause, _ in causes(cluster.analysis())] == [expected]


QUEUED = "bird.reconfiguration_queued"


def _reloads(each: int) -> Cluster:
    cluster = Cluster()
    cluster.record("n-2", 120, "Queueing new configuration", "benign", severity="warning", rule=QUEUED)
    for minute in (2, 3, 4):
        row = {"node": "n-2", "component": "bird", "rule": QUEUED, "minute": at(60 * minute), "events": each}
        cluster.rows["marks"].append(row)
    return cluster


def test_reload_storm() -> None:
    analysis = _reloads(4).analysis()
    assert [cause for cause, _ in causes(analysis)] == ["reload_storm"]
    finding = analysis.findings[0]
    assert finding.incident.nodes == ("n-2",)
    assert finding.incident.started_at == at(120)
    assert finding.incident.is_open
    assert "12 lines" in finding.best.summary
    assert finding.best.evidence[0][1].byte_offset is not None


def test_a_reload_that_meets_another_is_no_storm() -> None:
    assert causes(_reloads(1).analysis()) == []


def test_startup_transient() -> None:
    cluster = Cluster()
    text = "calico/node is not ready: felix is not ready: Failed to stat() nodename file: stat /var/lib/calico/nodename"
    cluster.record("n-2", 300, text, "bird_socket_unavailable", "kubelet")
    analysis = cluster.analysis()
    assert [cause for cause, _ in causes(analysis)] == ["startup_transient"]
    assert analysis.findings[0].best.cause.severity == "info"


def test_mesh_too_large() -> None:
    cluster = Cluster(clients=120, mesh=True)
    cluster.silent = set(cluster.clients[2:])
    cluster.lose("n-1", "n-2", 300, 400, "Error: Hold timer expired", "Received: Hold timer expired")
    text = "I/O loop cycle took 7012 ms for 12 events"
    cluster.record("n-1", 290, text, "resource_exhaustion", severity="warning")
    finding = cluster.analysis().findings[0]
    assert finding.best.cause.id == "mesh_too_large"
    assert "120 nodes and therefore 7140 sessions" in finding.best.summary
