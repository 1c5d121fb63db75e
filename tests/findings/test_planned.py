"""Planned work is told from failure, start-up from trouble."""

from __future__ import annotations

from tests.findings.cluster import END, Cluster, causes


def test_a_rolling_restart_is_one_planned_incident() -> None:
    cluster = Cluster(clients=4)
    for k, client in enumerate(cluster.clients):
        begun = 200 + 30 * k
        cluster.record(client, begun + 3, "Graceful restart started", "graceful_restart", severity="info")
        for hub in cluster.reflectors:
            cluster.lose(client, hub, begun, begun + 8)
    analysis = cluster.analysis()
    assert [cause for cause, _ in causes(analysis)] == ["planned_restart"]
    assert analysis.findings[0].best.cause.severity == "info"
    assert len(analysis.findings[0].incident.sessions) == 8


def test_a_graceful_restart_of_a_reflector() -> None:
    cluster = Cluster(clients=6)
    cluster.record("rr-1", 204, "Graceful restart started", "graceful_restart", severity="info")
    for client in cluster.clients:
        cluster.lose(client, "rr-1", 200, 209)
    assert [cause for cause, _ in causes(cluster.analysis())] == ["graceful_restart_wait"]


def test_a_daemon_that_stays_away_was_not_restarted_by_plan() -> None:
    cluster = Cluster()
    cluster.record("n-3", 270, "Graceful restart started", "graceful_restart", severity="info")
    for hub in cluster.reflectors:
        cluster.lose("n-3", hub, 200, 275, None, "Socket: Connection refused")
    assert all(finding.incident.kind != "planned" for finding in cluster.analysis().findings)


def test_an_announced_shutdown_that_comes_back_is_planned() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.lose("n-3", hub, 200, 230, None, "Received: Administrative shutdown")
    assert [cause for cause, _ in causes(cluster.analysis())] == ["planned_restart"]


def test_an_announced_shutdown_that_never_comes_back_is_a_failure() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.lose("n-3", hub, 200, None, None, "Received: Administrative shutdown")
    assert [finding.incident.kind for finding in cluster.analysis().findings] == ["session"]


def test_a_crash_is_not_planned() -> None:
    cluster = Cluster()
    text = "bird[311]: segfault at 10 ip 0000 sp 0000 error 4 in bird"
    cluster.record("n-3", 200, text, "process_restart", "kernel")
    cluster.record("n-3", 204, "Graceful restart started", "graceful_restart", severity="info")
    for hub in cluster.reflectors:
        cluster.lose("n-3", hub, 200, 209)
    assert [cause for cause, _ in causes(cluster.analysis())] == ["process_crash"]


def test_a_peer_taken_out_of_the_configuration() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.record(
            hub, 200, "Removing protocol Node_10_0_0_5", "session_state_change", severity="info", peer="10.0.0.5"
        )
        cluster.lose("n-3", hub, 200, None, "Received: Peer de-configured")
    [(cause, _)] = causes(cluster.analysis())
    assert cause == "peer_deconfigured"


def test_the_time_a_session_needs_to_come_up_is_no_failure() -> None:
    cluster = Cluster()
    for node, far in (("n-3", "rr-1"), ("rr-1", "n-3")):
        cluster.own.add(("n-3", "rr-1"))
        cluster.state(node, far, 0, "start")
        cluster.state(node, far, 40, "up")
    assert causes(cluster.analysis()) == []


def test_a_client_that_starts_late_is_no_failure_of_the_reflector() -> None:
    cluster = Cluster()
    cluster.own.add(("n-3", "rr-1"))
    cluster.state("rr-1", "n-3", 0, "start")
    cluster.state("n-3", "rr-1", 600, "start")
    cluster.state("n-3", "rr-1", 606, "up")
    cluster.state("rr-1", "n-3", 606, "up")
    assert causes(cluster.analysis()) == []


def test_a_session_that_never_comes_up_is_a_failure_that_lasts() -> None:
    cluster = Cluster()
    cluster.never_up("n-3", "rr-1")
    finding = cluster.analysis().findings[0]
    assert finding.incident.is_open
    assert END > 0
