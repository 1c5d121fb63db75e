"""Incidents that lines alone show, and the noise that is none."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.findings import columns, investigate, loose
from pipeline.sessions import ClusterFacts
from pipeline.sessions.facts import table
from tests.findings.cluster import Cluster, causes

LINES = [
    ("datastore_unreachable", "datastore_unreachable", "Failed to connect to datastore: connection refused", "startup"),
    ("felix_not_ready", "felix_masks_bgp", "felix is not ready: readiness probe reporting 503", "kubelet"),
    ("address_conflict", "duplicate_node_address", "Calico node 'b' is already using the IPv4 address 10.0.0.1.", "startup"),
    ("resource_exhaustion", "neighbour_table_overflow", "neighbour: arp_cache: neighbor table overflow!", "kernel"),
    ("resource_exhaustion", "conntrack_full", "nf_conntrack: nf_conntrack: table full, dropping packet", "kernel"),
    ("resource_exhaustion", "descriptor_limit", "BGP: Error on listening socket: Too many open files", "bird"),
    ("resource_exhaustion", "out_of_memory", "bird6 invoked oom-killer: gfp_mask=0xcc0", "kernel"),
    ("process_restart", "process_crash", "bird6[1234]: segfault at 0 ip 00007f", "kernel"),
    ("route_programming_error", "route_programming", "Netlink: Network is down", "bird"),
    ("md5_kernel_setup_failed", "md5_key_limit", "failed to set md5sig: cannot allocate memory", "bgpd"),
    ("md5_hash_mismatch", "md5_password_mismatch", "TCP: MD5 Hash mismatch for 10.0.0.1.179->10.0.0.2.41", "kernel"),
    ("confd_error", "md5_password_unreadable", "Can't read password from secret bgp/password", "confd"),
    ("bird_config_error", "config_not_rendered",
     "Unable to open configuration file /etc/calico/confd/config/bird.cfg: No such file or directory", "bird"),
    ("bird_config_error", "config_rejected", "/etc/calico/confd/config/bird.cfg:92:1 syntax error", "bird"),
    ("probe_exec_failed", "probe_timeout", "Readiness probe failed: command timed out", "kubelet"),
    ("ip_autodetection", "wrong_address_autodetected",
     "Using autodetected IPv4 address on interface docker0: 172.17.0.1/16", "startup"),
]  # fmt: skip


@pytest.mark.parametrize(("category", "cause", "message", "component"), LINES)
@pytest.mark.parametrize("named", [True, False])
def test_one_kind_of_line_is_enough(category: str, cause: str, message: str, component: str, named: bool) -> None:
    rows = [
        {"message": message, "category": category, "component": component, "severity": "error", "params": "{}",
         "node": "n-1" if named else None, "source_path": "x.log", "byte_offset": k}
        for k in range(3)
    ]  # fmt: skip
    found = causes(investigate(ClusterFacts.of(records=rows)))
    assert [name for name, _ in found] == [cause]
    assert found[0][1] >= 0.5


def test_what_a_node_says_while_it_starts_is_no_incident() -> None:
    cluster = Cluster()
    cluster.record("n-1", 0, "Graceful restart started", "graceful_restart", severity="info")
    text = "unable to connect to BIRDv4 socket: dial unix /var/run/calico/bird.ctl: connect: connection refused"
    for seconds in (5, 15, 25):
        cluster.record("n-1", seconds, text, "bird_socket_unavailable", "kubelet")
    assert causes(cluster.analysis()) == []


def test_lines_that_an_incident_of_sessions_explains_are_no_second_incident() -> None:
    cluster = Cluster()
    for hub in cluster.reflectors:
        cluster.never_up("n-3", hub, "Active", "Error: No listening socket", "Socket: Connection refused")
    for seconds in (1, 200, 400):
        cluster.record("n-3", seconds, "BGP: Socket error: bind: Address in use", "cannot_assign_address")
    assert len(cluster.analysis().findings) == 1


def test_lines_of_hours_apart_are_two_incidents() -> None:
    rows = [
        {"message": "Netlink: Network is down", "category": "route_programming_error", "severity": "warning",
         "component": "bird", "node": "n-1", "ts": moment, "source_path": "x.log", "byte_offset": k}
        for k, moment in enumerate(_moments())
    ]  # fmt: skip
    assert len(investigate(ClusterFacts.of(records=rows)).findings) == 2


def _moments() -> list[object]:
    from tests.findings.cluster import at

    return [at(0), at(10), at(20_000), at(20_010)]


def test_one_status_table_without_names_and_times() -> None:
    rows = [
        {"protocol": f"Node_10_0_0_{k}", "peer": f"10.0.0.{k}", "observed_by": "show protocols",
         "state": "down" if k > 7 else "up", "bgp_state": None if k > 7 else "Established",
         "last_error": "Error: Kernel MD5 auth failed" if k > 7 else None,
         "source_path": "status.txt", "byte_offset": 80 * k}
        for k in range(1, 11)
    ]  # fmt: skip
    finding = investigate(ClusterFacts.of(states=rows)).findings[0]
    assert finding.best.cause.id == "md5_key_limit"
    assert 0.5 <= finding.best.confidence < 0.9
    assert finding.incident.started_at is None
    assert finding.incident.group is None
    assert finding.incident.nodes == ()
    assert len(finding.incident.sessions) == 3
    role, proof = finding.best.evidence[0]
    assert (role, proof.source_path) == ("supports", "status.txt")
    assert proof.byte_offset == 640


def test_everything_is_the_same_in_a_second_run() -> None:
    def tables() -> dict[str, object]:
        cluster = Cluster()
        cluster.never_up("n-3", "rr-1", "Idle", "BGP Error: Bad peer AS", "Received: Bad peer AS")
        return {name: frame.to_dicts() for name, frame in cluster.analysis().tables.items()}

    assert tables() == tables()


@pytest.mark.parametrize("block", [1, 2, 50_000])
def test_lines_that_tell_of_sessions_are_found_some_at_a_time(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "BLOCK", block)
    early, late = datetime(2024, 5, 1, tzinfo=UTC), datetime(2024, 5, 2, tzinfo=UTC)
    told = [
        ("b.log", 1, None, "10.0.0.2", None),
        ("a.log", 5, None, None, "Mesh_b"),
        ("a.log", 7, None, None, "BGP"),
        (None, 3, None, "x", None),
        # a file that was begun anew has other lines at the same places
        ("d.log", 1, late, "x", None),
        ("d.log", 1, early, "x", None),
        ("d.log", 1, None, "x", None),
    ]
    states = table("states", [
        {"source_path": path, "byte_offset": offset, "ts": ts, "peer": peer, "protocol": protocol}
        for path, offset, ts, peer, protocol in told
    ])  # fmt: skip
    lines: list[tuple[str | None, int, datetime | None]] = [
        ("c.log", 1, None), ("b.log", 1, None), ("b.log", 2, None), (None, 3, None), (None, 4, None),
        ("a.log", 7, None), ("a.log", 5, None), ("a.log", 5, early), ("d.log", 1, late), ("d.log", 1, early),
        ("d.log", 1, datetime(2024, 5, 3, tzinfo=UTC)), ("d.log", 1, datetime(2024, 5, 1, 12, tzinfo=UTC)),
        ("d.log", 1, None),
    ]  # fmt: skip
    records = table("records", [
        {"source_path": path, "byte_offset": offset, "ts": ts, "category": f"line {number}"}
        for number, (path, offset, ts) in enumerate(lines)
    ]).with_row_index("row")  # fmt: skip
    left = loose._untold(records, records["row"], states)
    assert left.rows() == [(number, f"line {number}") for number in (0, 2, 4, 5, 7, 10, 11)]
