"""Transcripts as wholes: every line accounted for, times, places, secrets."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.status import Record, Reject, parse_console
from pipeline.status.model import RECORD_SCHEMA, STATE_SCHEMA
from tests.status.conftest import NAMES, physical_lines, transcript

FRAGMENTS = [line + b"\n" for name in NAMES for line in transcript(name).split(b"\n")]


@pytest.mark.parametrize("name", NAMES)
def test_every_line_is_in_exactly_one_row(name: str) -> None:
    data = transcript(name)
    facts = parse_console(data)
    assert facts.lines == physical_lines(data)
    every: list[Record | Reject] = [*facts.records, *facts.rejects]
    rows = [row for row in every if row.lines]
    rows.sort(key=lambda row: row.byte_offset)
    covered = [data[row.byte_offset : row.byte_offset + row.byte_length] for row in rows]
    assert b"\n".join(covered) == data.removesuffix(b"\n")
    assert [piece.count(b"\n") + 1 for piece in covered] == [row.lines for row in rows]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_at_any_byte_still_reconciles(name: str) -> None:
    data = transcript(name)
    for end in range(len(data) + 1):
        assert parse_console(data[:end]).lines == physical_lines(data[:end])


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_read(data: bytes) -> None:
    assert parse_console(data).lines == physical_lines(data)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=25))
def test_lines_of_all_kinds_in_any_order_reconcile(parts: list[bytes]) -> None:
    data = b"".join(parts)
    facts = parse_console(data)
    assert facts.lines == physical_lines(data)
    assert facts == parse_console(data)


@pytest.mark.parametrize("text", ["{\n" * 10_000, "a  b" + " " * 30_000 + "x", "|" * 30_000, "1:" * 15_000 + " a"])
def test_hostile_lines_take_no_time(text: str) -> None:
    started = time.process_time()
    parse_console((text + "\n").encode() * 3)
    assert time.process_time() - started < 8


def test_binary_and_endless_lines_are_refused_with_a_reason() -> None:
    facts = parse_console(b"a\x00b\nshow status\n" + b"x" * 300_000 + b"\n")
    assert [(r.reason, r.lines) for r in facts.rejects] == [("not_text", 1), ("line_too_long", 1)]
    assert facts.lines == 3


def test_rows_take_the_time_of_the_stamp_above_else_below_else_of_the_file() -> None:
    row = b"Mesh_10_0_0_12 BGP master up 07:00:00 Established\n"
    stamp = b"Tue Nov  8 12:43:56 CET 2016\n"
    seen = datetime(2016, 11, 8, 11, 43, 56, tzinfo=UTC)
    mtime = datetime(2020, 1, 1, tzinfo=UTC)
    for data in (stamp + row, row + stamp):
        state = parse_console(data, observed_at=mtime).states[0]
        assert state.ts == seen
    facts = parse_console(row, observed_at=mtime)
    assert (facts.states[0].ts, facts.records[0].ts_source) == (mtime, "envelope")
    facts = parse_console(row)
    assert (facts.states[0].ts, facts.records[0].ts_source) == (None, "none")


@pytest.mark.parametrize(
    "text",
    [
        "Mon Nov 23 07:19:36 UTC 2026",
        "Mon Nov 23 07:19:36 AM UTC 2026",
        "Mon 23 Nov 2026 07:19:36 AM UTC",
        "Mon, 23 Nov 2026 08:19:36 +0100",
        "Mon Nov 23 08:19:36 CET 2026",
        "2026-11-23T07:19:36Z",
        "2026-11-23 07:19:36+00:00",
        "=== 2026-11-23T07:19:36 UTC ===",
        "date: 2026-11-23 07:19:36",
    ],
)
def test_forms_of_a_date_line(text: str) -> None:
    record = parse_console(text.encode()).records[0]
    assert (record.role, record.ts) == ("stamp", datetime(2026, 11, 23, 7, 19, 36, tzinfo=UTC))


def test_a_zone_is_used_for_times_without_one() -> None:
    east = timezone(timedelta(hours=2))
    facts = parse_console(b"2026-11-23 09:00:00\nMesh_10_0_0_12 BGP master up 08:30:00 Established\n", tz=east)
    assert facts.states[0].ts == datetime(2026, 11, 23, 7, tzinfo=UTC)
    assert facts.records[1].params["since_at"] == "2026-11-23T06:30:00+00:00"


def test_since_later_than_now_was_yesterday() -> None:
    facts = parse_console(b"2026-11-23T07:00:00Z\nMesh_10_0_0_12 BGP master up 23:30:00 Established\n")
    assert facts.records[1].params["since_at"] == "2026-11-22T23:30:00+00:00"


def test_server_time_of_another_zone_is_brought_to_the_date_above() -> None:
    facts = parse_console(transcript("birdcl16.txt"))
    assert facts.states[0].ts == datetime(2026, 11, 23, 7, 19, 37, tzinfo=UTC)


def test_the_node_is_known_from_a_prompt_and_not_from_kubectl() -> None:
    row = b"Mesh_10_0_0_12 BGP master up 07:00:00 Established\n"
    facts = parse_console(b"root@node-001:~# birdcl show protocols\n" + row)
    assert (facts.node, facts.states[0].node) == ("node-001", "node-001")
    facts = parse_console(b"me@desk:~$ kubectl exec -n x calico-node-ab3de -- birdcl show protocols\n" + row)
    assert (facts.node, facts.pod, facts.states[0].node) == (None, "calico-node-ab3de", None)
    assert facts.records[1].pod == "calico-node-ab3de"


def test_secrets_are_gone_and_addresses_stay() -> None:
    facts = parse_console(
        b'neighbor 10.0.0.12 password hunter2\n  password: "hunter2"\n# curl http://u:hunter2@10.0.0.1/\n'
    )
    said = " ".join(record.message + record.body for record in facts.records)
    assert "hunter2" not in said
    assert "10.0.0.12" in said


def test_frames_have_the_declared_columns() -> None:
    facts = parse_console(transcript("birdcl16.txt"))
    assert facts.records_frame().schema == pl.Schema(RECORD_SCHEMA)
    assert facts.states_frame().schema == pl.Schema(STATE_SCHEMA)
    assert parse_console(b"").records_frame().schema == pl.Schema(RECORD_SCHEMA)
    assert facts.node_facts_frame().height == len(facts.node_facts)
    assert facts.resources_frame().height == facts.rejects_frame().height == 0
