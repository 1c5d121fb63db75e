"""Sessions are made a slice of speakers at a time; how large the slices are changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from polars.testing import assert_frame_equal

from pipeline.sessions import ClusterFacts, build_address_book, build_intervals, build_observations
from pipeline.sessions.speakers import Sessions, build_sessions
from pipeline.warehouse.tables import digest

T0 = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def state(who: str | None, minutes: float | None, state: str, by: str = "log", **more: Any) -> dict[str, Any]:
    path = f"{who or 'unnamed'}/{by}"
    return {
        "ts": None if minutes is None else at(minutes), "node": who, "protocol": "Mesh_b", "peer": "10.0.0.2",
        "state": state, "observed_by": by, "source_path": path, "byte_offset": 0,
        "bgp_state": "Established" if state == "up" and by != "log" else None, **more,
    }  # fmt: skip


def log(who: str | None, first: float, last: float) -> dict[str, Any]:
    path = f"{who or 'unnamed'}/log"
    return {"node": who, "component": "bird", "source_path": path, "first_ts": at(first), "last_ts": at(last)}


# The last observation is a probe that does not count: the log of its end was still recorded.
LATE = state("b", 99.5, "down", "probe")
FACTS = ClusterFacts.of(
    states=[
        state("c", 30, "start", last_error="Error: Hold timer expired"), state("c", 31, "up"),
        state("a", 10, "up"), state("a", 20, "start", last_error="Error: Connection refused"),
        state("a", 60, "up", "show protocols", since=at(40)), state("a", 80, "up", "show protocols"),
        state("a", 60, "up", "show protocols", protocol="Mesh_c", peer="10.0.0.3"),
        state(None, 5, "up"), state(None, 7, "stop"), state("?unnamed/log", 8, "up"),
        state("d", None, "up"), state("d", None, "stop", protocol=None), state("b", 50, "up"), LATE,
        state("e", 98, "up", "show protocols"),
    ],
    records=[
        {"ts": at(55), "node": "c", "category": "bgp_not_established", "peers": ["10.0.0.2", "10.0.0.9"],
         "source_path": "c/events", "byte_offset": 3},
        {"ts": at(70), "node": "f", "category": "bgp_not_established", "peers": ["10.0.0.2"],
         "source_path": "f/events", "byte_offset": 3},
        {"ts": at(45), "node": "c", "message": "Removing protocol Mesh_b", "source_path": "c/log", "byte_offset": 9},
        {"ts": at(99), "node": "g", "category": "confd_error", "message": "?", "source_path": "g", "byte_offset": 0},
    ],
    observed=[log("a", 0, 25), log("c", 0, 58), log("c", 90, 96), log("b", 0, 97), log(None, 0, 9)],
)  # fmt: skip


def sessions(rows: int) -> Sessions:
    return build_sessions(FACTS, build_address_book(FACTS), rows=rows)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_slices_of_any_size(rows: int) -> None:
    whole, sliced = sessions(1_000), sessions(rows)
    for name in ("intervals", "tables", "pairs"):
        assert_frame_equal(getattr(sliced, name), getattr(whole, name))
        assert digest(getattr(sliced, name)) == digest(getattr(whole, name))


def test_all_at_once() -> None:
    at_once = build_intervals(FACTS, build_observations(FACTS, build_address_book(FACTS)))
    assert_frame_equal(sessions(1).intervals, at_once)
    assert at_once["ended_at"].max() == at(98)
    assert set(at_once["speaker"]) == {"a", "b", "c", "d", "e", "f", "?unnamed/log"}


def test_nothing_seen() -> None:
    nothing = ClusterFacts()
    found = build_sessions(nothing, build_address_book(nothing))
    assert found.intervals.is_empty()
    assert found.tables.is_empty()
    assert found.pairs.is_empty()
