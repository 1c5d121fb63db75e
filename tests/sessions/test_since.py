"""What a status table says of the time before it: it moves starts and fills holes, and never undoes what was seen."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.effects.losses import observed_stretches
from pipeline.engines.local import InputOptions, ingest
from pipeline.findings.analyse import investigate
from pipeline.sessions import ClusterFacts, build_address_book, build_intervals, build_observations, load_cluster
from pipeline.settings import Settings
from pipeline.warehouse.writer import Warehouse
from tests.warehouse.build import CLUSTER

T0 = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SAMPLES = Path(__file__).resolve().parents[2] / "sample_logs"
HOUR = 3600.0


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def table(seconds: float, state: str, since: float | None = None, **more: Any) -> dict[str, Any]:
    """A row of ``show protocols``."""
    row = {
        "ts": at(seconds), "node": "a", "protocol": "Node_10_0_0_2", "peer": "10.0.0.2", "state": state,
        "bgp_state": "Established" if state == "up" else "Connect", "observed_by": "show protocols",
        "source_path": f"a/{seconds}", "byte_offset": 0, "since": None if since is None else at(since),
    }  # fmt: skip
    return row | more


def log(seconds: float, state: str) -> dict[str, Any]:
    """A transition in the daemon's log."""
    return table(seconds, state, observed_by="log", bgp_state=None)


def facts(*rows: dict[str, Any], logs: tuple[tuple[float, float], ...] = ()) -> ClusterFacts:
    observed = [
        {"node": "a", "component": "bird", "source_path": f"a/log.{n}", "first_ts": at(first), "last_ts": at(last)}
        for n, (first, last) in enumerate(logs)
    ]
    return ClusterFacts.of(CLUSTER, states=rows, observed=observed)


def intervals(given: ClusterFacts) -> pl.DataFrame:
    return build_intervals(given, build_observations(given, build_address_book(given)))


def told(given: ClusterFacts) -> list[tuple[Any, ...]]:
    """State, start, end, from when it was seen, how it started and ended, of each stretch."""

    def seconds(moment: datetime | None) -> float | None:
        return None if moment is None else (moment - T0).total_seconds()

    return [
        (row["state"], seconds(row["started_at"]), seconds(row["ended_at"]), seconds(row["seen_from"]),
         row["how_started"], row["how_ended"])
        for row in intervals(given).iter_rows(named=True)
    ]  # fmt: skip


def test_the_first_table_tells_since_when() -> None:
    assert told(facts(table(100, "up", -5 * HOUR))) == [("up", -5 * HOUR, 100, 100, "since", "end of data")]


def test_between_two_tables_it_is_the_moment_of_the_change() -> None:
    assert told(facts(table(0, "up", -9), table(300, "start", 120), table(600, "start", 120))) == [
        ("up", -9, 120, 0, "since", "since"),
        ("down", 120, 600, None, "since", "end of data"),
    ]


def test_what_was_seen_otherwise_after_it_is_believed() -> None:
    assert told(facts(table(0, "up"), table(300, "start", -50))) == [
        ("up", 0, 300, None, "snapshot", "snapshot"),
        ("down", 300, 300, None, "snapshot", "end of data"),
    ]


def test_transitions_in_a_log_are_not_overridden() -> None:
    rows = [log(0, "start"), log(5, "up"), log(100.7, "start"), table(300, "start", 101), table(400, "up", 50)]
    assert told(facts(*rows, logs=((0, 350),))) == [
        ("down", 0, 5, None, "log", "log"),
        ("up", 5, 100.7, None, "log", "log"),
        ("down", 100.7, 400, None, "log", "snapshot"),
        ("up", 400, 400, None, "snapshot", "end of data"),
    ]


def test_a_log_that_was_recorded_then_would_have_shown_it() -> None:
    rows = [log(0, "start"), log(5, "up"), table(HOUR, "start", 1000)]
    seen = ("up", 5, HOUR, None, "log", "snapshot")
    assert told(facts(*rows, logs=((0, HOUR),)))[1] == seen
    # it ended before: nothing contradicts the table
    assert told(facts(*rows, logs=((0, 500),)))[1:3] == [
        ("up", 5, 500, None, "log", "unobserved"), ("unknown", 500, 1000, None, "unobserved", "since"),
    ]  # fmt: skip


def test_a_hole_ends_where_the_next_table_says() -> None:
    assert told(facts(table(0, "up"), table(5 * HOUR, "start", 3 * HOUR))) == [
        ("up", 0, 0, None, "snapshot", "unobserved"),
        ("unknown", 0, 3 * HOUR, None, "unobserved", "since"),
        ("down", 3 * HOUR, 5 * HOUR, 5 * HOUR, "since", "end of data"),
    ]


def test_a_hole_between_two_looks_at_the_same_state_is_filled() -> None:
    given = facts(table(0, "start", -60), table(5 * HOUR, "start", -60))
    assert told(given) == [
        ("down", -60, 0, 0, "since", "since"),
        ("down", 0, 5 * HOUR, 5 * HOUR, "since", "since"),
        ("down", 5 * HOUR, 5 * HOUR, 5 * HOUR, "since", "end of data"),
    ]
    [finding] = investigate(given).findings
    assert (finding.incident.started_at, finding.incident.ended_at) == (at(-60), None)


def test_a_hole_is_not_filled_when_it_was_down_in_between() -> None:
    assert [row[0] for row in told(facts(table(0, "up", -60), table(5 * HOUR, "up", 2 * HOUR)))] == [
        "up", "unknown", "up",
    ]  # fmt: skip


def test_order_of_rows_does_not_matter() -> None:
    rows = [table(0, "up", -9), table(300, "start", 120), table(5 * HOUR, "start", 120)]
    assert intervals(facts(*rows)).equals(intervals(facts(*rows[::-1])))


SERIES = {
    "alone": [table(100, "up", -5 * HOUR)],
    "changing": [table(0, "up", -9), table(300, "start", 120), table(600, "up", 500)],
    "holes": [table(0, "up", -9), table(5 * HOUR, "start", 3 * HOUR), table(9 * HOUR, "start", 3 * HOUR)],
}


@pytest.mark.parametrize("name", SERIES)
def test_no_rate_counts_time_that_nobody_observed(name: str) -> None:
    def observed(rows: list[dict[str, Any]]) -> pl.DataFrame:
        table = investigate(facts(*rows)).tables["session_intervals"]
        stretches = observed_stretches(table).filter(pl.col("end") > pl.col("start"))
        return stretches.select("state", "start", "end", "how_started", "how_ended")

    rows = SERIES[name]
    found, without = observed(rows), observed([row | {"since": None} for row in rows])
    # what changed between two tables of one stretch is known better; hours and looks are the same
    assert found["start"].min() == without["start"].min()
    assert found.select((pl.col("end") - pl.col("start")).sum()).equals(
        without.select((pl.col("end") - pl.col("start")).sum())
    )
    assert set(found["how_started"]) == set(without["how_started"])


def test_the_view_of_rates_counts_none_of_it_either(tmp_path: Path) -> None:
    tables = investigate(facts(*SERIES["holes"])).tables
    group = {"group_name": "g", "kind": "external", "reflectors": ["10.0.0.2"], "members": ["a"]}
    with Warehouse.open(tmp_path) as warehouse:
        stretches = tables["session_intervals"].drop("cluster")
        warehouse.replace_derived(CLUSTER, {"session_intervals": stretches, "bgp_groups": pl.DataFrame([group])})
        rows = warehouse.frame("SELECT sum(session_hours) AS hours FROM failure_rates").rows()
    assert rows in ([(None,)], [(0.0,)])


RECORDINGS = ("hold-timer-loss", "md5-key-limit-cured", "peer-unreachable", "planned-client-restarts", "mesh-40")


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_last_tables_of_a_recording_tell_its_history(name: str, tmp_path: Path) -> None:
    """Of the last table of each daemon alone: what it shows since when is what the lab saw, who looked every few
    seconds. Of a daemon that was restarted it knows nothing before that."""
    truth = json.loads((SAMPLES / name / "truth.json").read_text(encoding="utf-8"))
    with Warehouse.open(tmp_path) as warehouse:
        ingest(warehouse, [str(SAMPLES / name / "collected.tar.gz")], InputOptions(cluster=name), Settings())
        whole = load_cluster(warehouse.connection, name)
    last = pl.col("ts") == pl.col("ts").max().over("node")
    tables = whole.states.filter(pl.col("observed_by") == "show protocols").filter(last)
    few = ClusterFacts(name, states=tables, resources=whole.resources, node_facts=whole.node_facts)
    known, wrong, total = _against(intervals(few), truth)
    unaided = replace(few, states=tables.with_columns(since=pl.lit(None, dtype=pl.Datetime("us", "UTC"))))
    assert _against(intervals(unaided), truth)[0] == 0
    assert known >= (0.4 if name == "planned-client-restarts" else 0.8) * total
    assert wrong == 0


def _against(found: pl.DataFrame, truth: dict[str, Any]) -> tuple[float, float, float]:
    """Seconds of sessions that are known and right, known and wrong for longer than the lab may have looked away, and all."""
    seen = {(row["node"], row["protocol"]): row for row in found.iter_rows(named=True) if row["state"] != "unknown"}
    right = wrong = total = 0.0
    for session in truth["sessions"]:
        row = seen.get((session["node"], session["protocol"]))
        for part in session["intervals"]:
            begun, done = (datetime.fromisoformat(part[name]) for name in ("from", "to"))
            total += (done - begun).total_seconds()
            if row is None:
                continue
            both = (min(done, row["ended_at"]) - max(begun, row["started_at"])).total_seconds()
            if both > 0 and (row["state"] == "up") == (part["state"] == "up"):
                right += both
            elif both > 2 * truth["observation_interval_seconds"]:
                wrong += both
    return right, wrong, total
