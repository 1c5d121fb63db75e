"""Tables and sentences of calicoctl."""

from __future__ import annotations

from dataclasses import asdict

from pipeline.sessions import ClusterFacts, build_address_book, build_intervals, build_observations
from pipeline.status import parse_console
from tests.status.conftest import transcript


def test_states_of_node_status_with_wrapped_damaged_and_masked_rows() -> None:
    facts = parse_console(transcript("node-status.txt"))
    assert [(s.peer, s.state, s.bgp_state, s.last_error) for s in facts.states] == [
        ("10.0.1.1", "start", "Active", None),
        ("10.0.0.12", "up", "Established", None),
        ("10.0.0.13", "start", "Connect", "Socket: Host is unreachable"),
        ("10.0.0.14", "start", "Active", "Socket: Connection reset by peer"),
        ("192.0.2.1", "start", "Idle", "BGP Error: Bad peer AS"),
        ("10.xx.xx.xx", "start", "Passive", None),
        ("x.x.x.31", "down", None, "Error: Kernel MD5 auth failed"),
        ("2001:db8:1:2:a00:27ff:fe4e:66a1", "start", "Passive", None),
    ]
    assert {s.observed_by for s in facts.states} == {"node status"}


def test_a_wrapped_row_is_one_record_of_two_lines() -> None:
    facts = parse_console(transcript("node-status.txt"))
    row = next(r for r in facts.records if r.peer == "10.0.0.13")
    assert (row.lines, row.body) == (2, "start Connect Socket: Host is unreachable")
    assert row.message == "| 10.0.0.13 | node-to-node mesh | start | 09:44:02 | Connect Socket: Host is unreachable |"
    assert row.params["type"] == "node-to-node mesh"


def test_a_masked_address_is_no_peer_of_the_record() -> None:
    facts = parse_console(transcript("node-status.txt"))
    row = next(r for r in facts.records if r.params.get("peer") == "10.xx.xx.xx")
    assert row.peer is None


def test_title_case_rows_without_frame_and_old_heads() -> None:
    facts = parse_console(
        b"Running felix version 1.4.0\n\nIPv4 BGP status\nIP: 10.0.0.2 AS Number: 64999 (inherited)\n"
        b"| Peer address | Peer type | State | Since | Info |\n| 10.0.0.3 | global | start | never | Idle |\n"
        b"| 10.0.0.4 | node specific | up | 3d 04:05:06 | Established |\n"
    )
    assert [(s.peer, s.bgp_state) for s in facts.states] == [("10.0.0.3", "Idle"), ("10.0.0.4", "Established")]
    assert {f.fact: f.value for f in facts.node_facts} == {
        "felix_version": "1.4.0", "addresses": "10.0.0.2", "as_number": "64999",
    }  # fmt: skip


def test_sentences_are_records_of_calicoctl() -> None:
    facts = parse_console(
        b"Calico process is not running.\nNo IPv4 peers found.\nINFO: BIRDv4 process: 'bird' is not running.\n"
    )
    assert [(r.component, r.level) for r in facts.records] == [
        ("calicoctl", "error"), ("calicoctl", None), ("calicoctl", "error"),
    ]  # fmt: skip


def test_checksystem() -> None:
    facts = parse_console(
        b"Checking kernel version...\n\t5.14.0-362.el9.x86_64   OK\nChecking kernel modules...\n  ip_set   FAIL\n"
    )
    assert [(f.fact, f.value) for f in facts.node_facts] == [("kernel_version", "5.14.0-362.el9.x86_64")]
    assert [r.role for r in facts.records] == ["frame", "detail", "frame", "row"]


DOUBLE = b"""2024-12-18T07:20:00Z
+--------------+-------------------+-------+----------+-------------+
| PEER ADDRESS |     PEER TYPE     | STATE |  SINCE   |    INFO     |
+--------------+-------------------+-------+----------+-------------+
| 10.0.0.1     | node-to-node mesh | up    | 07:00:00 | Established |
| 10.0.0.1     | node specific     | start | 07:00:00 | Idle        |
| fd00::1      | global            | start | 07:00:00 | Connect     |
| fd00::1      | node specific     | up    | 07:00:00 | Established |
| 10.0.0.2     | global            | up    | 07:00:00 | Established |
+--------------+-------------------+-------+----------+-------------+
"""


def test_two_peerings_with_one_address_are_two_sessions() -> None:
    states = parse_console(DOUBLE).states
    assert [(s.protocol, s.state) for s in states] == [
        ("Mesh_10_0_0_1", "up"), ("Node_10_0_0_1", "start"), ("Global_fd00__1", "start"), ("Node_fd00__1", "up"),
        (None, "up"),
    ]  # fmt: skip


def test_they_do_not_flap_between_one_another() -> None:
    tables = [DOUBLE.replace(b"07:20:00Z", b"07:%02d:00Z" % minute) for minute in (20, 25, 30)]
    rows = [state for table in tables for state in parse_console(table).states]
    facts = ClusterFacts.of(states=[{"source_path": "t", **asdict(row), "node": "a"} for row in rows])
    found = build_intervals(facts, build_observations(facts, build_address_book(facts)))
    assert sorted(found.select("end", "state").iter_rows()) == [
        ("10.0.0.2", "up"), ("Global_fd00__1", "down"), ("Mesh_10_0_0_1", "up"), ("Node_10_0_0_1", "down"),
        ("Node_fd00__1", "up"),
    ]  # fmt: skip
