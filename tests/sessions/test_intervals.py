"""What observations become: precedence of witnesses, exact times, holes in what was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from pipeline.sessions import ClusterFacts, build_address_book, build_coverage, build_intervals, build_observations
from pipeline.sessions.coverage import stretch_of

T0 = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PEER = "10.0.0.2"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def seen(
    seconds: float | None, state: str | None, by: str = "log", error: str | None = None, **more: Any
) -> dict[str, Any]:
    row = {
        "ts": None if seconds is None else at(seconds), "node": "a", "protocol": "Node_10_0_0_2", "peer": PEER,
        "state": state, "last_error": error, "observed_by": by, "source_path": f"a/{by}", "byte_offset": 0,
        "bgp_state": "Established" if state == "up" and by != "log" else None,
    }  # fmt: skip
    return {**row, **more}


def intervals(rows: list[dict[str, Any]], log: tuple[float, float] | None = (0, 10_000)) -> list[tuple[Any, ...]]:
    """State, category, start, end, how started, how ended of each stretch (times in seconds)."""
    observed = []
    if log is not None:
        observed = [
            {"node": "a", "component": "bird", "source_path": "a/log", "first_ts": at(log[0]), "last_ts": at(log[1])}
        ]
    for offset, row in enumerate(rows):
        row["byte_offset"] = offset
    facts = ClusterFacts.of(states=rows, observed=observed)
    frame = build_intervals(facts, build_observations(facts, build_address_book(facts)))
    return [
        (row["state"], row["category"], _seconds(row["started_at"]), _seconds(row["ended_at"]), row["how_started"],
         row["how_ended"])
        for row in frame.iter_rows(named=True)
    ]  # fmt: skip


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - T0).total_seconds()


def test_a_log_gives_exact_stretches() -> None:
    rows = [
        seen(0, "start"), seen(5, "up"), seen(100, None, error="Error: Hold timer expired"), seen(100, "stop"),
        seen(101, "start"), seen(160, "up"),
    ]  # fmt: skip
    assert intervals(rows) == [
        ("down", "bgp_not_established", 0, 5, "log", "log"),
        ("up", "session_established", 5, 100, "log", "log"),
        ("down", "hold_timer_expired", 100, 160, "log", "log"),
        ("up", "session_established", 160, 10_000, "log", "end of data"),
    ]


def test_a_log_transition_between_tables_gives_the_time() -> None:
    rows = [
        seen(0, "up", "show protocols"), seen(47.5, "start"), seen(60, "start", "show protocols"), seen(120, "up", "show protocols"),
    ]  # fmt: skip
    assert [stretch[:4] for stretch in intervals(rows)] == [
        ("up", "session_established", 0, 47.5),
        ("down", "bgp_not_established", 47.5, 120),
        ("up", "session_established", 120, 10_000),
    ]


BETTER = [
    ("show protocols", "caliconodestatus"), ("caliconodestatus", "node status"), ("node status", "log"), ("log", "probe"),
]  # fmt: skip


@pytest.mark.parametrize(("better", "worse"), BETTER)
def test_order_of_witnesses_at_the_same_moment(better: str, worse: str) -> None:
    good, bad = ("up", "start") if worse != "probe" else ("up", None)
    for rows in ([seen(50, good, better), seen(50, bad, worse)], [seen(50, bad, worse), seen(50, good, better)]):
        assert [stretch[0] for stretch in intervals(rows)] == ["up"]
    if worse != "probe":
        rows = [seen(50, "start", better), seen(50, "up", worse)]
        assert [stretch[0] for stretch in intervals(rows)] == ["down"]


def test_a_table_with_a_rounded_stamp_does_not_undo_the_log() -> None:
    rows = [seen(0, "start"), seen(10.4, "up"), seen(11, "start", "show protocols"), seen(60, "up", "show protocols")]
    assert [stretch[0] for stretch in intervals(rows)] == ["down", "up"]


def test_a_table_that_contradicts_the_log_later_is_believed() -> None:
    rows = [seen(0, "start"), seen(10, "up"), seen(300, "start", "show protocols", "Socket: Connection refused")]
    assert [stretch[:2] for stretch in intervals(rows)][-1] == ("down", "connection_refused")


def test_a_probe_that_comes_late_does_not_undo_the_log() -> None:
    rows = [seen(0, "start"), seen(10, "up"), seen(11, None, "probe"), seen(4000, None, "probe")]
    assert [stretch[0] for stretch in intervals(rows)] == ["down", "up"]


def test_a_probe_alone_is_a_witness() -> None:
    assert intervals([seen(0, None, "probe"), seen(60, None, "probe")], log=None) == [
        ("down", "bgp_not_established", 0, 60, "probe", "end of data")
    ]


def test_a_connection_that_loses_a_collision_was_no_session() -> None:
    rows = [seen(0, "start"), seen(4, "up"), seen(4.002, "start"), seen(9, "up")]
    assert intervals(rows)[0][:4] == ("down", "bgp_not_established", 0, 9)


def test_what_nobody_observed_is_unknown() -> None:
    rows = [seen(0, "up", "show protocols"), seen(60, "up", "show protocols"), seen(7200, "up", "show protocols")]
    assert intervals(rows, log=None) == [
        ("up", "session_established", 0, 60, "snapshot", "unobserved"),
        ("unknown", None, 60, 7200, "unobserved", "snapshot"),
        ("up", "session_established", 7200, 7200, "unobserved", "end of data"),
    ]


def reasons(rows: list[dict[str, Any]], *logs: tuple[float, float]) -> list[tuple[str, str | None]]:
    """State and reason of each stretch; ``logs`` are the times of the daemon's logs."""
    observed = [
        {"node": "a", "component": "bird", "source_path": f"a/log.{n}", "first_ts": at(first), "last_ts": at(last)}
        for n, (first, last) in enumerate(logs)
    ]
    facts = ClusterFacts.of(states=rows, observed=observed)
    frame = build_intervals(facts, build_observations(facts, build_address_book(facts)))
    return list(frame.select("state", "reason").iter_rows())


def test_a_log_that_is_missing_between_two_was_rotated_away() -> None:
    rows = [seen(0, "up"), seen(5000, "start")]
    assert reasons(rows, (0, 1000), (4000, 9000)) == [("up", None), ("unknown", "rotated away"), ("down", None)]


def test_between_tables_and_behind_a_log_there_are_no_logs() -> None:
    tables = [seen(0, "up", "show protocols"), seen(5000, "up", "show protocols")]
    assert reasons(tables) == [("up", None), ("unknown", "no logs"), ("up", None)]
    later = [seen(0, "up"), seen(9000, "up", node="b")]
    assert reasons(later, (0, 1000)) == [("up", None), ("unknown", "no logs"), ("up", None)]


def test_a_silent_log_covers_its_time() -> None:
    rows = [seen(0, "up", "show protocols"), seen(7200, "up", "show protocols")]
    assert [stretch[0] for stretch in intervals(rows, log=(0, 7200))] == ["up"]


def test_rows_without_a_time_speak_when_they_are_alone() -> None:
    assert intervals([seen(None, "start", "show protocols", "Error: Kernel MD5 auth failed")], log=None) == [
        ("down", "md5_kernel_setup_failed", None, None, "snapshot", "end of data")
    ]


def test_a_closed_connection_does_not_hide_the_fault() -> None:
    rows = [seen(0, "start"), seen(5, "start", "show protocols", "BGP Error: Bad peer AS"),
            seen(9, "start", "show protocols", "Socket: Connection closed")]  # fmt: skip
    assert intervals(rows)[0][1] == "bad_peer_as"


def test_a_peer_that_vanishes_from_full_tables_was_removed() -> None:
    rows = []
    for seconds in (0, 60, 120):
        for peer in ("10.0.0.2", "10.0.0.3", "10.0.0.4"):
            if seconds == 120 and peer == "10.0.0.4":
                continue
            rows.append(seen(seconds, "up", "show protocols", peer=peer, protocol=f"Node_{peer.replace('.', '_')}"))
    ends = {(stretch[3], stretch[5]) for stretch in intervals(rows, log=None)}
    assert ends == {(120.0, "snapshot"), (120.0, "end of data")}


def test_helper_protocols_are_no_sessions() -> None:
    rows = [
        seen(0, "up", "show protocols", protocol="static1", peer=None),
        seen(0, "down", "log", protocol="BGP", peer=None),
    ]
    assert intervals(rows) == []


def test_two_speakers_without_a_name_stay_apart() -> None:
    rows = [seen(None, "start", "show protocols", node=None, source_path=f"{name}.txt") for name in "xy"]
    facts = ClusterFacts.of(states=rows)
    frame = build_intervals(facts, build_observations(facts, build_address_book(facts)))
    assert frame["speaker"].to_list() == ["?x.txt", "?y.txt"]
    assert frame["node"].null_count() == 2


def test_coverage_joins_what_lies_close_together() -> None:
    rows = [seen(seconds, "up", "show protocols") for seconds in (0, 300, 600, 4000)]
    logs = [
        {"node": "a", "component": "bird", "source_path": f"{k}", "first_ts": at(k), "last_ts": at(k + 100)}
        for k in (0, 200, 5000)
    ]
    coverage = build_coverage(ClusterFacts.of("c", states=rows, observed=logs))
    found = [(r[2], _seconds(r[3]), _seconds(r[4])) for r in coverage.iter_rows()]
    assert found == [("bird", 0, 300), ("bird", 5000, 5100), ("birdcl", 0, 600), ("birdcl", 4000, 4000)]


def test_order_of_rows_does_not_matter() -> None:
    rows = [seen(0, "start"), seen(5, "up"), seen(100, "start", error="Error: Hold timer expired"), seen(160, "up")]
    for k, row in enumerate(rows):
        row["byte_offset"] = k
    facts = ClusterFacts.of(states=rows)
    other = ClusterFacts.of(states=rows[::-1])
    frames = [build_intervals(f, build_observations(f, build_address_book(f))) for f in (facts, other)]
    assert frames[0].equals(frames[1])
    assert isinstance(frames[0], pl.DataFrame)


def test_an_observation_lies_in_the_last_stretch_of_its_speaker_that_began_by_then() -> None:
    stretches = pl.DataFrame({
        "speaker": ["a", "a", "b"], "stretch_start": [at(0), at(100), at(50)], "stretch_end": [at(60), at(160), at(90)]
    })  # fmt: skip
    seen = pl.DataFrame({
        "speaker": ["b", "a", "a", "a", "b", "c", "a"],
        "ts": [at(50), at(99), at(100), None, at(49), at(70), at(500)],
    })  # fmt: skip
    assert stretch_of(seen, stretches).tolist() == [2, 0, 1, -1, -1, -1, 1]
    assert stretch_of(seen, stretches.clear()).tolist() == [-1] * 7
