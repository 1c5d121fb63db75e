"""Each cause that sessions show, and the look-alike that must not be taken for it."""

from __future__ import annotations

import pytest

from tests.findings.cluster import END, Cluster, causes

MD5_COUNTERS = ("TcpExtTCPMD5NotFound", "TcpExtTCPMD5Unexpected", "TcpExtTCPMD5Failure")


def test_healthy_cluster_has_no_incident() -> None:
    assert causes(Cluster(md5=True).analysis()) == []


def _grown(inventory: bool = True) -> Cluster:
    cluster = Cluster(clients=155, reflectors=2, md5=True, optmem_max=20480, inventory=inventory)
    for client in cluster.clients[-5:]:
        for hub in cluster.reflectors:
            cluster.never_up(client, hub, error_b="Error: Kernel MD5 auth failed")
    for hub in cluster.reflectors:
        down: dict[str, tuple[str, str | None]] = dict.fromkeys(
            cluster.clients[-5:], ("Down", "Error: Kernel MD5 auth failed")
        )
        cluster.table(hub, 300, down)
    return cluster


def test_md5_key_limit() -> None:
    analysis = _grown().analysis()
    assert [cause for cause, _ in causes(analysis)] == ["md5_key_limit"]
    finding = analysis.findings[0]
    assert finding.best.confidence > 0.9
    assert finding.incident.nodes == tuple(sorted(f"n-{i}" for i in range(151, 156)))
    assert finding.incident.hubs == ("rr-1", "rr-2")
    assert "155 peers have a password, but only 150 keys fit: 150 = ceil(20480/136) - 1" in finding.best.summary
    assert "net.core.optmem_max=131072" in finding.best.remedy
    assert "963" in finding.best.remedy
    assert any((claim.cause.id == "md5_password_mismatch" and claim.ruled_out) or claim.confidence < 0.1
               for claim in finding.claims[1:])  # fmt: skip


def test_md5_key_limit_says_the_default_of_the_kernel() -> None:
    cluster = Cluster(clients=155, reflectors=1, md5=True, kernel="5.4.0-81-generic")
    for client in cluster.clients[-5:]:
        cluster.never_up(client, "rr-1", error_b="Error: Kernel MD5 auth failed")
    cluster.table("rr-1", 300, dict.fromkeys(cluster.clients[-5:], ("Down", "Error: Kernel MD5 auth failed")))
    best = cluster.analysis().findings[0].best
    assert best.cause.id == "md5_key_limit"
    assert "with optmem_max 20480 (the default of this kernel)" in best.summary


@pytest.mark.parametrize("text", ["Invalid argument", "Protocol not available"])
def test_md5_unsupported_is_not_the_key_limit(text: str) -> None:
    cluster = Cluster(md5=True)
    cluster.never_up("n-5", "rr-1", error_b="Error: Kernel MD5 auth failed")
    message = f"Node_10_0_0_7: Socket error: TCP_MD5SIG: {text}"
    cluster.record("rr-1", 1, message, "md5_kernel_setup_failed", peer="10.0.0.7")
    assert [cause for cause, _ in causes(cluster.analysis())] == ["md5_unsupported"]


def test_md5_password_mismatch_by_the_kernels_counters() -> None:
    cluster = Cluster(md5=True)
    for hub in cluster.reflectors:
        cluster.never_up("n-3", hub)
        for name in MD5_COUNTERS:
            cluster.fact(hub, name, 80 if name.endswith("Failure") else 0)
    [(cause, confidence)] = causes(cluster.analysis())
    assert cause == "md5_password_mismatch"
    assert confidence > 0.8


def test_port_filtered_when_the_counters_are_silent() -> None:
    cluster = Cluster(md5=True)
    for hub in cluster.reflectors:
        cluster.never_up("n-3", hub)
        for name in MD5_COUNTERS:
            cluster.fact(hub, name, 0)
    [(cause, confidence)] = causes(cluster.analysis())
    assert cause == "port_filtered"
    assert confidence > 0.6


def test_password_and_filter_cannot_be_told_apart_by_logs_alone() -> None:
    cluster = Cluster(md5=True)
    for hub in cluster.reflectors:
        cluster.never_up("n-3", hub)
    finding = cluster.analysis().findings[0]
    assert finding.best.cause.id == "undetermined"
    assert {claim.cause.id for claim in finding.claims[1:]} >= {"md5_password_mismatch", "port_filtered"}
    missing = " ".join(proof.text for role, proof in finding.best.evidence if role == "missing")
    assert "nstat" in missing
    assert "tcpdump" in missing


def test_port_filtered_without_a_password() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.never_up("n-3", hub)
    assert [cause for cause, _ in causes(cluster.analysis())] == ["port_filtered"]


def test_confidence_falls_when_an_end_was_not_seen() -> None:
    seen = Cluster()
    for hub in seen.reflectors:
        seen.never_up("n-3", hub)
    unseen = Cluster()
    unseen.silent = {"n-3"}
    for hub in unseen.reflectors:
        unseen.never_up("n-3", hub)
    finding = unseen.analysis().findings[0]
    assert finding.best.confidence < seen.analysis().findings[0].best.confidence
    missing = [proof.text for role, proof in finding.best.evidence if role == "missing"]
    assert any("n-3" in text and "kubectl logs" in text for text in missing)


def test_as_mismatch() -> None:
    cluster = Cluster()
    cluster.never_up("n-2", "rr-1", "Idle", "BGP Error: Bad peer AS", "Received: Bad peer AS")
    cluster.record("n-2", 3, "Node_10_0_0_1: Error: Bad peer AS: 65005", "bad_peer_as")
    analysis = cluster.analysis()
    assert [cause for cause, _ in causes(analysis)] == ["as_mismatch"]
    assert "AS number seen: 65005" in analysis.findings[0].best.summary


def test_router_id_conflict_is_no_as_mismatch() -> None:
    cluster = Cluster(mesh=True)
    cluster.never_up("n-1", "n-2", "Idle", "BGP Error: Bad BGP identifier", "Received: Bad BGP identifier")
    assert [cause for cause, _ in causes(cluster.analysis())] == ["router_id_conflict"]


def test_peer_not_listening() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.never_up("n-3", hub, "Active", None, "Socket: Connection refused")
    cluster.silent = {"n-3"}
    assert [cause for cause, _ in causes(cluster.analysis())] == ["peer_not_listening"]


def test_bird_not_running_is_told_from_nothing_listening() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.lose("n-3", hub, 300, None, None, "Socket: Connection refused")
    text = "BIRD is not ready: unable to connect to BIRDv4 socket: dial unix /var/run/calico/bird.ctl: connect: connection refused"
    for seconds in (310, 400, 500):
        cluster.record("n-3", seconds, text, "bird_socket_unavailable", "kubelet")
    assert [cause for cause, _ in causes(cluster.analysis())] == ["bird_not_running"]


def test_listen_port_taken() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.never_up("n-3", hub, "Active", "Error: No listening socket", "Socket: Connection refused")
    cluster.record("n-3", 1, "BGP: Socket error: bind: Address already in use", "cannot_assign_address")
    assert [cause for cause, _ in causes(cluster.analysis())] == ["listen_port_taken"]


def test_local_address_missing_is_not_a_taken_port() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.never_up("n-3", hub, "Active", None, "Socket: No route to host")
    text = "Node_10_0_0_1: Socket error: bind: Cannot assign requested address"
    cluster.record("n-3", 1, text, "cannot_assign_address")
    assert [cause for cause, _ in causes(cluster.analysis())] == ["local_address_missing"]


def test_peer_unreachable() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.lose("n-3", hub, 300, None, None, "Error: Hold timer expired")
        for seconds in (400, 600, END):
            cluster.state(hub, "n-3", seconds, "start", "Socket: No route to host", "show protocols", "Active")
    cluster.rows["states"] = [row for row in cluster.rows["states"] if row["node"] != "n-3"]
    assert causes(cluster.analysis())[0][0] == "peer_unreachable"


def test_rejected_port_is_not_an_unreachable_host() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.never_up("n-3", hub, "Active", "Socket: No route to host", "Socket: No route to host")
    assert [cause for cause, _ in causes(cluster.analysis())] == ["port_filtered"]


def test_path_loss_is_one_nodes_trouble() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.lose("n-3", hub, 300, 345, "Error: Hold timer expired", "Received: Hold timer expired")
    analysis = cluster.analysis()
    assert [cause for cause, _ in causes(analysis)] == ["path_loss"]
    assert analysis.findings[0].incident.nodes == ("n-3",)
    assert not analysis.findings[0].incident.is_open


def test_reflector_overloaded_loses_most_clients_at_once() -> None:
    cluster = Cluster(clients=8)
    for k, client in enumerate(cluster.clients):
        cluster.lose(client, "rr-1", 300 + k, 330, "Error: Hold timer expired", "Received: Hold timer expired")
    analysis = cluster.analysis()
    assert [cause for cause, _ in causes(analysis)] == ["reflector_overloaded"]
    assert analysis.findings[0].incident.hubs == ("rr-1",)
    assert len(analysis.findings[0].incident.sessions) == 8


def test_unknown_source_address() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.never_up("n-3", hub, "Active", None, "Socket: No route to host")
        text = "BGP: Unexpected connect from unknown address 10.0.9.9 (port 41333)"
        for seconds in (50, 150, 250):
            cluster.record(hub, seconds, text, "unexpected_peer", severity="warning", peer="10.0.9.9")
    assert [cause for cause, _ in causes(cluster.analysis())] == ["unknown_source_address"]


def test_duplicate_address_is_not_an_unreachable_host() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.never_up("n-3", hub, "Active", None, "Socket: No route to host")
    told = '{"protocol": "Node_10_0_0_1", "neighbor": "10.0.0.1", "source_address": "10.0.0.6", "has_password": false}'
    cluster.fact("n-3", "configured_peer:Node_10_0_0_1", told)
    analysis = cluster.analysis()
    assert analysis.findings[0].best.cause.id in ("unknown_source_address", "duplicate_node_address")
    cluster.fact("n-4", "configured_peer:Node_10_0_0_1", told.replace("10.0.0.6", cluster.address["n-4"]))
    assert cluster.address["n-4"] == "10.0.0.6"
    assert causes(cluster.analysis())[0][0] == "duplicate_node_address"


def test_double_peering_is_no_failure_of_the_peering() -> None:
    cluster = Cluster()
    for seconds in (0, 200, 500, END):
        cluster.state("n-3", "rr-1", seconds, "start", None, "show protocols", "Idle", prefix="Mesh")
    analysis = cluster.analysis()
    assert [cause for cause, _ in causes(analysis)] == ["double_peering"]
    assert analysis.findings[0].best.cause.severity == "warning"


def test_stale_node() -> None:
    cluster = Cluster(mesh=True)
    for node in cluster.clients:
        for seconds in (0, 200, 500, END):
            cluster.state(node, "10.0.7.7", seconds, "start", "Socket: Host is unreachable", "show protocols", "Active")
    assert causes(cluster.analysis())[0][0] == "stale_node"


def test_mesh_too_large_needs_a_large_mesh() -> None:
    small = Cluster(clients=6, mesh=True)
    small.lose("n-1", "n-2", 300, 400, "Error: Hold timer expired", "Received: Hold timer expired")
    claims = {claim.cause.id: claim for claim in small.analysis().findings[0].claims}
    assert "mesh_too_large" not in claims


def test_config_rejected_is_not_a_missed_reload() -> None:
    for record, expected in ((True, "config_rejected"), (False, "reload_missed")):
        cluster = Cluster(clients=6)
        missing = ("n-6", "rr-1")
        cluster.own.add(missing)
        for seconds in (0, 200, 500, END):
            cluster.state("n-6", "rr-1", seconds, "start", "Socket: Connection closed", "show protocols", "Active")
        for seconds in (200, 500, END):
            for client in cluster.clients[:-1]:
                cluster.state("rr-1", client, seconds, "up", None, "show protocols", "Established")
        text = f"BGP: Unexpected connect from unknown address {cluster.address['n-6']} (port 50000)"
        for seconds in (50, 150, 250, 350, 450):
            cluster.record("rr-1", seconds, text, "unexpected_peer", severity="warning", peer=cluster.address["n-6"])
        if record:
            cluster.record("rr-1", 30, "/etc/calico/confd/config/bird.cfg:88:1 syntax error", "bird_config_error")
        facts = cluster.facts()
        kept = [r for r in facts.states.to_dicts() if not (r["node"] == "rr-1" and r["peer"] == cluster.address["n-6"])]
        from pipeline.findings import investigate
        from pipeline.sessions import ClusterFacts

        rows = {name: getattr(facts, name).to_dicts() for name in ("records", "resources", "node_facts", "observed")}
        analysis = investigate(ClusterFacts.of("small", states=kept, **rows))
        assert causes(analysis)[0][0] == expected
