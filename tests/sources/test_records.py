"""Heads, records and their times: what a line of each program turns into."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.sources.envelopes import strip_envelopes
from pipeline.sources.headers import parse_headers
from pipeline.sources.lines import Chunk, split_lines
from pipeline.sources.records import join_continuations, join_pieces, place_in_time

REFERENCE = datetime(2024, 12, 20, tzinfo=UTC)


def read(text: str, chain: tuple[str, ...] = (), record_lines: int = 100) -> list[dict[str, Any]]:
    lines = split_lines([Chunk(0, text.encode())], 1 << 20)
    frame = join_pieces(strip_envelopes(lines, chain, "UTC", REFERENCE), record_lines)
    frame = join_continuations(parse_headers(frame, "UTC", REFERENCE), record_lines)
    return place_in_time(frame).to_dicts()


@pytest.mark.parametrize(
    ("line", "family", "component", "level", "body"),
    [
        ("bird: Node_10_0_0_1: Starting", "bird", "bird", None, "Node_10_0_0_1: Starting"),
        ("bird6: Started", "bird", "bird6", None, "Started"),
        ("bird: bird: device1: Initializing", "bird", "bird", None, "device1: Initializing"),
        ("bird: <INFO> Started", "bird", "bird", "info", "Started"),
        ("2018-09-07 12:08:19 <RMT> Mesh_10_0_0_2: Received: Cease", "bird", "bird", "error", "Mesh_10_0_0_2: Received: Cease"),
        ("2025-06-01 10:00:00.123 [0001] <INFO> Started", "bird", "bird", "info", "Started"),
        (
            "2024-05-02 09:11:20.004 [ERROR][68] felix/daemon.go 541: Failed to connect to Typha. error=x",
            "go", "felix", "error", "Failed to connect to Typha. error=x",
        ),
        ("2024-12-18 07:00:01.103 [INFO][9] startup/startup.go 95: Starting node a", "go", "node", "info", "Starting node a"),
        ("2019-04-02 10:59:28.128 [WARNING][8] startup.go 1042: Terminating", "go", "node", "warning", "Terminating"),
        (
            "2024-12-18 07:19:36.112 [INFO][6] confd/health.go 180: Number of node(s) with BGP peering established = 0",
            "go", "probe", "info", "Number of node(s) with BGP peering established = 0",
        ),
        ("[ERROR][59] health.go 238: Health endpoint failed", "go", "felix", "error", "Health endpoint failed"),
        ("W0307 10:53:55.859473      89 reflector.go:533] failed to list *v1.Secret", "go", "node", "warning", "failed to list *v1.Secret"),
        ('I1218 07:19:36.123456 1234 prober.go:107] "Probe failed"', "kubelet", "kubelet", "info", '"Probe failed"'),
        ('time="2017-05-25T01:40:54Z" level=info msg="Add a peer" Topic=Peer', "gobgp", "gobgp", "info", "Add a peer Topic=Peer"),
        ("2024/12/18 07:19:36 BGP: [HZN6M-XRM1G] %NOTIFICATION: x", "frr", "frr", None, "%NOTIFICATION: x"),
        ("Apr 25 00:28:13.085: %BGP-5-ADJCHANGE: neighbor 10.0.0.1 Up", "cisco", "cisco", None, "%BGP-5-ADJCHANGE: neighbor 10.0.0.1 Up"),
        ("Calico node started successfully", "plain", None, None, "Calico node started successfully"),
    ],
)  # fmt: skip
def test_heads(line: str, family: str, component: str | None, level: str | None, body: str) -> None:
    (row,) = read(line)
    assert (row["family"], row["component"], row["level"], row["body"]) == (family, component, level, body)


def test_the_program_of_the_envelope_names_the_component() -> None:
    (row,) = read("Dec 18 07:19:36 rr-1 kernel: neighbour: arp_cache: neighbor table overflow!", ("rfc3164",))
    assert (row["component"], row["family"], row["ts_source"]) == ("kernel", "kernel", "envelope")


def test_lines_that_cannot_begin_a_record_join_the_one_before() -> None:
    text = (
        "2024-05-02 09:11:07.553 [INFO][68] felix/health.go 336: Overall health status changed: live=true ready=true\n"
        "+-----------+---------+\n| COMPONENT | TIMEOUT |\n+-----------+---------+\n"
        "bird: Started\n"
    )
    table, bird = read(text)
    assert (table["lines"], table["offset"], table["length"]) == (4, 0, text.index("bird: "))
    assert table["body"].count("\n") == 3
    assert bird["body"] == "Started"


def test_pieces_of_a_long_cri_line_are_joined_within_their_stream() -> None:
    stamp = "2024-12-18T07:19:36.000000000Z"
    text = f"{stamp} stdout P bird: Node_10_0_0_1: \n{stamp} stderr F bird: Started\n{stamp} stdout F State changed to up\n"
    rows = read(text, ("cri",))
    assert [row["body"] for row in rows] == ["Node_10_0_0_1: State changed to up", "Started"]
    assert [row["lines"] for row in rows] == [2, 1]


def test_a_record_is_cut_when_it_grows_past_its_limit() -> None:
    rows = read("bird: Started\n" + "  more\n" * 9, record_lines=4)
    assert [row["lines"] for row in rows] == [4, 4, 2]


def test_a_line_without_time_takes_its_neighbours() -> None:
    text = "bird: before\n2024-12-18 07:00:01.000 [INFO][9] felix/a.go 1: x\nbird: after\n"
    rows = read(text)
    assert [row["ts_source"] for row in rows] == ["neighbour", "line", "neighbour"]
    assert {row["ts"] for row in rows} == {datetime(2024, 12, 18, 7, 0, 1, tzinfo=UTC)}
    (alone,) = read("bird: Started")
    assert (alone["ts"], alone["ts_source"]) == (None, "none")
