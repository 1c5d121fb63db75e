"""What a SINCE cell means: the forms of all BIRD versions, days that roll over, and from when it surely was so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pipeline.status.console import parse_console
from pipeline.status.stamps import held_since, since_at

NOW = datetime(2024, 12, 19, 7, 30, 0, tzinfo=UTC)
EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("cell", "at", "held"),
    [
        ("07:12:33", "2024-12-19 07:12:33", "2024-12-19 07:12:34"),
        ("07:12:33.123", "2024-12-19 07:12:33.123", "2024-12-19 07:12:33.123"),
        ("07:12", "2024-12-19 07:12:00", "2024-12-19 07:13:00"),
        ("12:00:00", "2024-12-18 12:00:00", "2024-12-18 12:00:01"),
        ("23:59:59", "2024-12-18 23:59:59", "2024-12-19 00:00:00"),
        ("2024-12-18", "2024-12-18 00:00:00", "2024-12-19 00:00:00"),
        ("2024-12-18 07:12:33.123", "2024-12-18 07:12:33.123", "2024-12-18 07:12:33.123"),
        ("2024-12-18 07:12:33", "2024-12-18 07:12:33", "2024-12-18 07:12:34"),
        ("18-12-2024 07:12:33", "2024-12-18 07:12:33", "2024-12-18 07:12:34"),
        ("Dec18", "2024-12-18 00:00:00", "2024-12-19 00:00:00"),
        ("Dec20", "2023-12-20 00:00:00", "2023-12-21 00:00:00"),
        ("1734505953", "2024-12-18 07:12:33", "2024-12-18 07:12:33"),
        # the row may be a little newer than the date above it; that day it was so for no time that is known
        ("07:33:00", "2024-12-19 07:33:00", None),
        ("2024-12-19", "2024-12-19 00:00:00", None),
    ],
)
def test_forms_and_days(cell: str, at: str, held: str | None) -> None:
    assert since_at(cell, NOW) == datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert held_since(cell, NOW) == (None if held is None else datetime.fromisoformat(held).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    "cell", ["", "never", "12", "25:61:00", "2024-13-41", "Foo18", "Feb31", "9999-12-31", "0" * 60]
)
def test_what_is_no_time(cell: str) -> None:
    assert held_since(cell, NOW) is None


def test_without_the_time_of_the_table_nothing_is_held() -> None:
    assert held_since("2024-12-18", None) is None
    assert since_at("2024-12-18", None) == datetime(2024, 12, 18, tzinfo=UTC)
    assert since_at("07:12:33", None) is None


def test_days_begin_where_the_daemon_is() -> None:
    now = datetime(2024, 12, 18, 22, 30, tzinfo=UTC)
    assert since_at("00:10:00", now, EAST) == datetime(2024, 12, 18, 22, 10, tzinfo=UTC)
    assert since_at("23:10:00", now, EAST) == datetime(2024, 12, 18, 21, 10, tzinfo=UTC)


def test_the_zone_of_the_daemon_is_that_of_its_server_time() -> None:
    text = b"""2024-12-19T07:19:36Z
BIRD 1.6.8
Current server time is 2024-12-19 09:19:37
name     proto    table    state  since       info
Mesh_10_0_0_12 BGP master up 09:12:33 Established
"""
    assert parse_console(text).states[0].since == datetime(2024, 12, 19, 7, 12, 34, tzinfo=UTC)


@pytest.mark.parametrize(
    "row",
    [
        "Mesh_10_0_0_12 BGP      master   start  07:12:33    Connect",
        "Mesh_10_0_0_12 BGP        ---        start  2024-12-19 07:12:33  Connect",
        "| 10.0.0.12    | node-to-node mesh | start | 07:12:33 | Connect |",
    ],
)
def test_a_row_says_since_when(row: str) -> None:
    state = parse_console(f"2024-12-19T07:30:00Z\n{row}\n".encode()).states[0]
    assert (state.state, state.since) == ("start", datetime(2024, 12, 19, 7, 12, 34, tzinfo=UTC))


def test_an_old_short_date_is_no_information() -> None:
    state = parse_console(b"2024-12-19T07:30:00Z\nMesh_10_0_0_12 BGP master start Dec17 Connect\n").states[0]
    assert (state.bgp_state, state.since) == ("Connect", datetime(2024, 12, 18, tzinfo=UTC))
