"""Envelopes are told by content, nest, and leave lines that do not fit them alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sources.envelopes import detect_chain, strip_envelopes
from pipeline.sources.identify import identify
from pipeline.sources.lines import Chunk, split_lines

BIRD = "bird: Node_10_0_0_1: State changed to up"
MOMENT = datetime(2024, 12, 18, 7, 19, 36, tzinfo=UTC)
REFERENCE = datetime(2024, 12, 20, tzinfo=UTC)
LINES = {
    "cri": f"2024-12-18T07:19:36.000000000Z stdout F {BIRD}",
    "svlogd": f"2024-12-18_07:19:36.00000 {BIRD}",
    "svlogd-iso": f"2024-12-18T07:19:36.00000 {BIRD}",
    "timestamps": f"2024-12-18T07:19:36.123456789Z {BIRD}",
    "kubectl-prefix": f"[pod/calico-node-abcde/calico-node] {BIRD}",
    "rfc3164": "Dec 18 07:19:36 rr-1 bird[77]: Node_10_0_0_1: State changed to up",
    "rfc5424": "<30>1 2024-12-18T07:19:36Z rr-1 bird 77 - - Node_10_0_0_1: State changed to up",
    "journald-iso": "2024-12-18T07:19:36+0000 rr-1 bird[77]: Node_10_0_0_1: State changed to up",
    "dmesg": "[73380.243954] TCP: MD5 Hash failed for (10.0.0.1, 179)->(10.0.0.2, 41245)",
    "dmesg-time": "[Wed Dec 18 07:19:36 2024] TCP: MD5 Hash failed for (10.0.0.1, 179)->(10.0.0.2, 41245)",
    "stern": f"calico-node-abcde calico-node {BIRD}",
    "docker": '{"log":"' + BIRD + '\\n","stream":"stdout","time":"2024-12-18T07:19:36.0Z"}',
    "journald-json": '{"__REALTIME_TIMESTAMP":"1734506376000000","_HOSTNAME":"rr-1","SYSLOG_IDENTIFIER":"bird",'
    '"MESSAGE":"Node_10_0_0_1: State changed to up"}',
    "vector": '{"message":"' + BIRD + '","source_type":"kubernetes_logs","timestamp":"2024-12-18T07:19:36Z",'
    '"stream":"stdout","kubernetes":{"pod_name":"calico-node-abcde","pod_node_name":"rr-1"}}',
    "logcli": '{"labels":{"pod":"calico-node-abcde"},"line":"' + BIRD + '","timestamp":"2024-12-18T07:19:36Z"}',
    "fluent-bit": '{"date":"2024-12-18T07:19:36Z","log":"' + BIRD + '","kubernetes":{"host":"rr-1"}}',
}


def strip(text: str, chain: tuple[str, ...]) -> pl.DataFrame:
    return strip_envelopes(split_lines([Chunk(0, text.encode())], 1 << 20), chain, "UTC", REFERENCE)


@pytest.mark.parametrize("name", LINES)
def test_each_envelope_is_recognised_and_taken_off(name: str) -> None:
    identity = identify((LINES[name] + "\n").encode() * 3)
    assert identity.family == "log"
    assert identity.chain == (name,)
    row = strip(LINES[name], identity.chain).row(0, named=True)
    assert row["rest"].startswith(("bird: Node_", "Node_", "TCP: MD5"))
    if name not in ("kubectl-prefix", "dmesg", "stern"):
        assert row["ts"] is not None
        assert row["ts"].replace(microsecond=0) == MOMENT


def test_layers_nest_outermost_first() -> None:
    line = f"[pod/calico-node-abcde/calico-node] 2024-12-18T07:19:36.123456789Z {BIRD}"
    chain = detect_chain([line, line])
    assert chain == ("kubectl-prefix", "timestamps")
    row = strip(line, chain).row(0, named=True)
    assert (row["pod"], row["container"], row["rest"]) == ("calico-node-abcde", "calico-node", BIRD)
    double = "2024-12-18T07:19:36.11301 2024-12-18 07:19:36.112 [INFO][71] felix/int_dataplane.go 1848: x"
    assert detect_chain([double]) == ("svlogd-iso",)


def test_bare_lines_have_no_envelope() -> None:
    assert detect_chain([BIRD, "2024-12-18 07:19:36.112 [INFO][9] startup/startup.go 95: Starting node a"]) == ()


def test_a_line_that_does_not_fit_passes_unchanged() -> None:
    frame = strip(LINES["cri"] + "\nCalico node failed to start\n", ("cri",))
    assert frame["rest"].to_list() == [BIRD, "Calico node failed to start"]
    assert frame["ts"].to_list() == [MOMENT, None]


def test_names_that_the_envelope_tells() -> None:
    row = strip(LINES["rfc3164"], ("rfc3164",)).row(0, named=True)
    assert (row["host"], row["program"], row["pid"]) == ("rr-1", "bird", "77")
    no_host = strip("Nov 01 16:23:00 bird[1376]: BGP1: Down", ("rfc3164",)).row(0, named=True)
    assert (no_host["host"], no_host["program"], no_host["rest"]) == (None, "bird", "BGP1: Down")


@given(st.text(alphabet=st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=80))
def test_what_an_envelope_carries_comes_out_as_it_went_in(text: str) -> None:
    wrapped = {
        ("cri",): f"2024-12-18T07:19:36.000000001Z stdout F {text}",
        ("svlogd",): f"2024-12-18_07:19:36.00000 {text}",
        ("kubectl-prefix",): f"[pod/calico-node-abcde/calico-node] {text}",
        ("docker",): json.dumps({"log": text + "\n", "stream": "stdout", "time": "2024-12-18T07:19:36Z"}),
        ("journald-iso",): f"2024-12-18T07:19:36+0000 rr-1 bird[77]: {text}",
    }
    for chain, line in wrapped.items():
        assert strip(line, chain)["rest"].to_list() == [text]
