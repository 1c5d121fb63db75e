"""Peers as other speakers list them."""

from __future__ import annotations

import pytest

from pipeline.status.console import parse_console

CILIUM = """$ cilium bgp peers
Node       Local AS   Peer AS   Peer Address   Session State   Uptime   Family         Received   Advertised
worker-1   64512      64513     10.0.0.1       established     5m10s    ipv4/unicast   2          3
                                                                        ipv6/unicast   0          0
           64512      64513     10.0.0.2:179   active          0s       ipv4/unicast   0          3
"""
GOBGP = """$ gobgp neighbor
Peer               AS  Up/Down State       |#Received  Accepted
10.0.0.1        64512 00:01:05 Establ      |        3         3
10.0.0.2        64512    never Active      |        0         0
10.0.0.3        64512  7d 01:02:03 Idle(Admin) |        0         0
"""
ARISTA = """leaf-1#show ip bgp summary
BGP summary information for VRF default
Router identifier 10.0.0.9, local AS number 64513
  Neighbor   V AS           MsgRcvd   MsgSent  InQ OutQ  Up/Down State   PfxRcd PfxAcc
  10.0.0.1   4 64512             15        17    0    0 00:03:11 Estab   3      3
  10.0.0.2   4 64512              0         0    0    0 00:10:05 Active
"""
JUNIPER = """ops@edge> show bgp summary
Groups: 1 Peers: 2 Down peers: 1
Peer                     AS      InPkt     OutPkt    OutQ   Flaps Last Up/Dwn State|#Active/Received/Accepted/Damped...
10.0.0.1              64512        120        125       0       2       55:12 3/3/3/0              0/0/0/0
10.0.0.2              64512          0          0       0       0  1w2d 3:04:05 Active
"""
NEIGHBORS = """BGP neighbor is 10.0.0.1, remote AS 64512, local AS 64513, external link
  BGP state = Established, up for 00:10:01
  Last sent socket-error:Network is unreachable, Last time 23:12:52
BGP neighbor is 10.0.0.2, remote AS 64512, local AS 64513, external link
  BGP state is Active
  Last reset 00:12:01, due to BGP Notification received (Hold Timer Expired)
"""
UP, DIALS = ("10.0.0.1", "up", "Established"), ("10.0.0.2", "start", "Active")


@pytest.mark.parametrize("text", [CILIUM, GOBGP, ARISTA, JUNIPER, NEIGHBORS])
def test_peers_of_other_speakers(text: str) -> None:
    found = [(state.peer, state.state, state.bgp_state) for state in parse_console(text.encode()).states]
    assert found[:2] == [UP, DIALS]


def test_the_node_of_a_row_is_the_one_that_has_the_session() -> None:
    states = parse_console(CILIUM.encode()).states
    assert states[0].node == "worker-1"


def test_an_administrative_stop_is_down() -> None:
    assert [state.state for state in parse_console(GOBGP.encode()).states] == ["up", "start", "down"]


def test_what_once_was_is_no_failure_now() -> None:
    rows = [record for record in parse_console(NEIGHBORS.encode()).records if record.role == "row"]
    assert [record.body for record in rows] == ["up Established", "start Active"]
