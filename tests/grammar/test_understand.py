"""Reading whole frames of records."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.grammar import load_ruleset, match
from pipeline.grammar.match import Ruleset
from pipeline.grammar.rules import read_grammar
from tests.grammar.support import SCHEMA, examples, records

RULESET = load_ruleset()
EXAMPLES = examples(RULESET)


def read(family: str, body: str, level: str | None = None, component: str | None = None) -> dict[str, Any]:
    frame = pl.DataFrame([(family, component, level, body)], SCHEMA, orient="row")
    return RULESET.understand(frame).row(0, named=True)


def test_a_large_mixed_frame_is_read_as_each_line_alone() -> None:
    together = RULESET.understand(records(EXAMPLES)).rows()
    alone = [RULESET.understand(records([pair])).row(0) for pair in EXAMPLES]
    assert together == alone


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(EXAMPLES), max_size=60), st.integers(1, 17))
def test_order_and_batches_change_nothing(lines: list[tuple[str, str]], step: int) -> None:
    whole = RULESET.understand(records(lines))
    parts = [RULESET.understand(records(lines[i : i + step])) for i in range(0, len(lines), step)]
    assert pl.concat([whole.clear(), *parts]).equals(whole)
    backwards = RULESET.understand(records(lines[::-1]))
    assert backwards.reverse().equals(whole)


def test_a_full_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "_REMEMBERED", 3)
    forgetful = Ruleset(read_grammar())
    frame = records(EXAMPLES)
    assert forgetful.understand(frame).equals(RULESET.understand(frame))
    assert forgetful.understand(frame).equals(RULESET.understand(frame))
    assert len(forgetful._known) <= 3


def test_other_columns_pass_through_in_place() -> None:
    frame = records([("bird", "Mesh_10_0_0_12: State changed to up")]).with_columns(
        node=pl.lit("worker-1"), ts=pl.lit(7)
    )
    out = RULESET.understand(frame)
    assert out.columns[:6] == ["family", "component", "level", "body", "node", "ts"]
    assert out["node"].to_list() == ["worker-1"]
    assert out["ts"].to_list() == [7]


def test_empty_frames_missing_bodies_and_unknown_families() -> None:
    assert RULESET.understand(records([])).is_empty()
    out = RULESET.understand(records([("bird", None), (None, "Started"), ("nonsense", "Started")]))
    assert out["category"].to_list() == ["unclassified"] * 3
    assert out["rule"].to_list() == [None] * 3
    assert out["peers"].to_list() == [[], [], []]
    assert out["params"].to_list() == ["{}"] * 3


@pytest.mark.parametrize(
    ("level", "severity"),
    [("fatal", "error"), ("error", "error"), ("warning", "warning"), ("info", "info"), (None, "info")],
)
def test_unknown_lines_take_their_severity_from_the_level(level: str | None, severity: str) -> None:
    row = read("go", "an unheard-of message about nothing", level)
    assert (row["category"], row["severity"], row["level"]) == ("unclassified", severity, level)


def test_component_and_level_are_filled_only_where_missing() -> None:
    body = "Mesh_10_0_0_12: State changed to up"
    assert (read("bird", body)["component"], read("bird", body)["level"]) == ("bird", "trace")
    given_row = read("bird", body, "info", "bird6")
    assert (given_row["component"], given_row["level"]) == ("bird6", "info")


def test_session_effects() -> None:
    row = read("bird", "Node_10_0_0_7: Socket error: TCP_MD5SIG: Cannot allocate memory")
    assert row["category"] == "md5_kernel_setup_failed"
    assert row["session_last_error"] == "Error: Kernel MD5 auth failed"
    assert (row["protocol"], row["peer"], row["peers"]) == ("Node_10_0_0_7", "10.0.0.7", ["10.0.0.7"])
    assert read("bird", "Mesh_10_0_0_12: BGP session established")["session_bgp_state"] == "Established"
    assert read("bird", "Mesh_10_0_0_12: Error: Bad peer AS: 64513")["session_last_error"] == "BGP Error: Bad peer AS"
    assert read("bird", "Mesh_10_0_0_12: Received: Cease")["session_last_error"] == "Received: Cease"


def test_the_state_of_a_channel_is_not_the_state_of_its_session() -> None:
    row = read("bird", "rr1.ipv4: State changed to UP")
    assert row["category"] == "session_state_change"
    assert row["session_state"] is None
    assert json.loads(row["params"]) == {"channel": "ipv4"}
    assert read("bird", "rr1: State changed to UP")["session_state"] == "up"


def test_a_message_of_the_whole_daemon_speaks_of_no_session() -> None:
    row = read("bird", "BGP: Socket error: bind: Address already in use")
    assert row["category"] == "cannot_assign_address"
    assert (row["protocol"], row["session_last_error"]) == (None, None)


def test_status_rows() -> None:
    row = read("status", "start Active Socket: Host is unreachable")
    assert row["category"] == "no_route_to_host"
    states = (row["session_state"], row["session_bgp_state"], row["session_last_error"])
    assert states == ("start", "Active", "Socket: Host is unreachable")
    row = read("status", "down Error: Kernel MD5 auth failed")
    assert (row["session_state"], row["session_bgp_state"]) == ("down", None)
    assert row["session_last_error"] == "Error: Kernel MD5 auth failed"


@pytest.mark.parametrize(
    ("body", "peers"),
    [
        ("BIRD is not ready: BGP not established with 10.0.0.1", ["10.0.0.1"]),
        ("BIRD is not ready: BGP not established with 10.0.0.1,10.0.0.2\n", ["10.0.0.1", "10.0.0.2"]),
        ("BIRD is not ready: BGP not established with 10.3.67.932019-10-02 14:51:02.472 [INFO]", ["10.3.67.93"]),
        ("BIRD is not ready: BGP not established with 10.3.6.72021-01-19 12:42:42.412 [INFO]", ["10.3.6.7"]),
        ("BIRD6 is not ready: BGP not established with fd00::1,fd00::22021-01-19 12:42:42.4", ["fd00::1", "fd00::2"]),
        ("BIRD is not ready: BGP not established with 10.0.0.1.port.179,10.0.0.2", ["10.0.0.1", "10.0.0.2"]),
        ("BIRD is not ready: BGP not established with xx.xx.xx.xx", []),
        ('output="BIRD is not ready: BGP not established with 10.0.0.1,10.0.0.2\\n"', ["10.0.0.1", "10.0.0.2"]),
    ],
)
def test_peers_of_a_probe(body: str, peers: list[str]) -> None:
    row = read("probe", "Readiness probe failed: calico/node is not ready: " + body)
    assert (row["category"], row["peers"]) == ("bgp_not_established", peers)


def test_hand_masked_addresses_keep_the_category() -> None:
    row = read("bird", "BGP: Unexpected connect from unknown address x.x.x.x (port 33001)")
    assert (row["category"], row["peer"]) == ("unexpected_peer", None)
    assert read("cisco", "%BGP-5-ADJCHANGE: neighbor xx Up")["category"] == "session_established"


def test_further_lines_of_a_record_do_not_hide_its_first() -> None:
    assert read("go", "Terminating\nsome advice\nand more")["rule"] == "startup.terminating"
    row = read("plain", "Calico node 'worker-2' is already using the IPv4 address 10.0.0.5:\n -  Check the node")
    assert (row["category"], json.loads(row["params"])["address"]) == ("address_conflict", "10.0.0.5")


def test_params_are_json_of_the_groups_that_took_part() -> None:
    row = read("bird", "Mesh_10_0_0_12: Incoming connection from 10.0.0.12 (port 41000) accepted")
    assert json.loads(row["params"]) == {"port": "41000", "outcome": "accepted"}
    hostile = read("bird", 'Mesh_10_0_0_12: Received: Administrative shutdown: "x":null,}')
    assert json.loads(hostile["params"]) == {"error": "Administrative shutdown", "data": '"x":null,}'}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(RULESET.families), st.text(max_size=80)), max_size=20))
def test_any_text_is_read_without_failing(lines: list[tuple[str, str]]) -> None:
    out = RULESET.understand(records(lines))
    assert len(out) == len(lines)
    assert set(out["category"].to_list()) <= set(RULESET.categories)
    assert all(isinstance(json.loads(text), dict) for text in out["params"].to_list())
