"""The readiness probe's rule and the counting of its events."""

from datetime import UTC, datetime

from sample_logs.lab import probe
from sample_logs.lab.control import parse_protocols
from sample_logs.lab.probe import COMBINED, Recorder

HEAD = "BIRD 1.6.8 ready.\nname     proto    table    state  since       info\n"
UP = "Node_10_0_0_1 BGP      master   up     07:46:07    Established   \n"
CONNECT = "Node_10_0_0_2 BGP      master   start  07:46:07    Connect       \n"
MD5 = "Node_10_0_0_3 BGP      master   down   07:46:07    Error: Kernel MD5 auth failed\n"
EMPTY = "Node_10_0_0_4 BGP      master   down   07:46:07    \n"
OTHER = "uplink   BGP      master   start  07:46:07    Active        Socket: Connection refused\n"
RECOVERY = "Graceful restart recovery in progress\n"


def test_rows_are_read_with_state_and_error() -> None:
    rows = parse_protocols(HEAD + UP + CONNECT + MD5 + OTHER)
    assert [(row.state, row.bgp_state, row.last_error) for row in rows] == [
        ("up", "Established", None),
        ("start", "Connect", None),
        ("down", None, "Error: Kernel MD5 auth failed"),
        ("start", "Active", "Socket: Connection refused"),
    ]


def test_rows_from_the_control_socket_read_the_same() -> None:
    raw = "2002-name     proto    table    state  since       info\n1002-" + UP + " " + CONNECT + "0000 \n"
    assert parse_protocols(raw) == parse_protocols(HEAD + UP + CONNECT)


def test_without_peers_a_node_is_ready() -> None:
    assert probe.verdict(HEAD, "", age=100) == (0, None)
    assert probe.verdict(HEAD + EMPTY + OTHER, "", age=100) == (0, None)


def test_later_one_established_peer_is_enough() -> None:
    assert probe.verdict(HEAD + UP + CONNECT, "", age=31) == (1, None)
    assert probe.verdict(HEAD + CONNECT + MD5, "", age=31) == (
        0,
        "BGP not established with 10.0.0.2,10.0.0.3",
    )


def test_at_first_every_peer_must_be_established() -> None:
    assert probe.verdict(HEAD + UP + CONNECT, "", age=29) == (1, "BGP not established with 10.0.0.2")
    assert probe.verdict(HEAD + UP, RECOVERY, age=29) == (1, "graceful restart in progress")
    assert probe.verdict(HEAD + UP, RECOVERY, age=31) == (1, None)


def test_output_has_the_count_first_and_only_when_bird_answered() -> None:
    moment = datetime(2026, 11, 23, 7, 19, 36, 112_000, UTC).timestamp()
    assert probe.output(moment, 698, 0, "BGP not established with 10.0.0.2") == (
        "2026-11-23 07:19:36.112 [INFO][698] confd/health.go 180: "
        "Number of node(s) with BGP peering established = 0\n"
        "calico/node is not ready: BIRD is not ready: BGP not established with 10.0.0.2\n"
    )
    assert probe.output(moment, 698, None, "x") == "calico/node is not ready: BIRD is not ready: x\n"


def test_equal_messages_are_counted() -> None:
    recorder = Recorder()
    for moment in (1.0, 2.0, 3.0):
        recorder.unhealthy(moment, "the same")
    (event,) = recorder.events
    assert (event.count, event.first, event.last) == (3, 1.0, 3.0)


def test_the_tenth_similar_message_begins_a_combined_event() -> None:
    recorder = Recorder()
    for number in range(15):
        recorder.unhealthy(float(number), f"failure {number}")
    assert len(recorder.events) == 10
    combined = recorder.events[-1]
    assert combined.message == f"{COMBINED}Readiness probe failed: failure 14"
    assert (combined.count, combined.first, combined.last) == (6, 9.0, 14.0)
