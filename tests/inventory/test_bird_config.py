"""Rendered BIRD configurations."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.inventory.bird_config import parse_bird_config, read_config, sniff_bird_config

CONFIG = (Path(__file__).parent / "fixtures" / "bird.cfg").read_bytes()


def test_router_socket_and_own_address() -> None:
    config = read_config(CONFIG.decode())
    assert (config.router_id, config.listen_port, config.own_addresses) == ("10.0.0.7", 1790, ["10.0.0.7"])


def test_peers_take_what_their_template_says() -> None:
    mesh, outside, plain = read_config(CONFIG.decode()).peers
    assert (mesh.protocol, mesh.neighbor, mesh.as_number, mesh.local_as) == (
        "Mesh_10_0_0_12",
        "10.0.0.12",
        "64512",
        "64512",
    )
    assert (mesh.passive, mesh.has_password, mesh.multihop, mesh.peer_node) == (True, True, True, "node-012")
    assert mesh.timers == {"connect delay time": "2", "connect retry time": "5", "error wait time": "5,30"}
    assert (outside.port, outside.as_number, outside.rr_client, outside.rr_cluster_id) == (
        179,
        "65000",
        True,
        "244.0.0.1",
    )
    assert (outside.passive, outside.has_password, outside.peer_node, outside.timers["hold time"]) == (
        False,
        False,
        None,
        "90",
    )
    assert (plain.neighbor, plain.source_address, plain.passive, plain.timers) == ("fd00::1", "10.0.0.7", False, {})


def test_facts_without_the_password() -> None:
    facts = parse_bird_config(CONFIG)
    values = {(f.node, f.fact): f.value for f in facts.node_facts}
    assert values[None, "router_id"] == "10.0.0.7"
    assert values["node-012", "addresses"] == "10.0.0.12"
    assert json.loads(values[None, "configured_peer:Mesh_10_0_0_12"])["has_password"] is True
    assert "hunter2" not in repr(facts)


def test_every_line_is_in_one_record() -> None:
    facts = parse_bird_config(CONFIG)
    covered = [CONFIG[r.byte_offset : r.byte_offset + r.byte_length] for r in facts.records]
    assert b"\n".join(covered) == CONFIG.removesuffix(b"\n")


def test_a_configuration_cut_at_any_byte_reconciles() -> None:
    for end in range(len(CONFIG) + 1):
        data = CONFIG[:end]
        assert parse_bird_config(data).lines == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


@settings(deadline=None)
@given(st.text(alphabet='{};"# \nabp/*', max_size=60), st.binary(max_size=60))
def test_any_text_is_read(text: str, raw: bytes) -> None:
    for data in (("protocol bgp a {" + text).encode(), raw):
        assert parse_bird_config(data).lines == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


def test_sniff() -> None:
    assert sniff_bird_config(CONFIG.decode()) > 0.9
    assert sniff_bird_config("bird: Mesh_10_0_0_12: State changed to up\n") == 0.0
    assert sniff_bird_config("apiVersion: v1\n") == 0.0
