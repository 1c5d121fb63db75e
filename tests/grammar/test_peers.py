"""Addresses from protocol names and from printed text."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.grammar import clean_peer, peer_of_protocol


@pytest.mark.parametrize(
    ("protocol", "peer"),
    [
        ("Mesh_10_0_0_12", "10.0.0.12"),
        ("Global_10_1_1_1", "10.1.1.1"),
        ("Node_10_0_0_1_port_1790", "10.0.0.1"),
        ("Local_Workload_192_168_4_9", "192.168.4.9"),
        ("node_10_0_0_5", "10.0.0.5"),
        ("Mesh_fd80_24e2_f998_72d7__2", "fd80:24e2:f998:72d7::2"),
        ("Global_2001_db8__1", "2001:db8::1"),
        ("Global_2001_db8__1_port_179", "2001:db8::1"),
        ("Mesh_300_0_0_1", None),
        ("Mesh_10_0_0", None),
        ("session1", None),
        ("device1", None),
        ("", None),
    ],
)
def test_protocol_names(protocol: str, peer: str | None) -> None:
    assert peer_of_protocol(protocol) == peer


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1:179", "10.0.0.1"),
        ("[fd00::1]:179", "fd00::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("10.0.0.1.", "10.0.0.1"),
        ("FD00:0:0::1", "fd00::1"),
        ("x.x.x.7", None),
        ("xx", None),
    ],
)
def test_printed_addresses(text: str, peer: str | None) -> None:
    assert clean_peer(text) == peer


@given(st.ip_addresses())
def test_every_address_survives_the_way_through_a_name(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    name = "Mesh_" + str(address).replace(".", "_").replace(":", "_")
    assert peer_of_protocol(name) == str(address)
    assert clean_peer(str(address)) == str(address)
