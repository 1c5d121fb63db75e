"""Age takes what is due and nothing else; sums stay; findings outlive their records; compaction gives room back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.errors import SpaceError
from pipeline.warehouse import compact as files
from pipeline.warehouse.publish import publish
from pipeline.warehouse.reader import open_snapshot
from pipeline.warehouse.retention import expire
from pipeline.warehouse.snapshots import SNAPSHOT_FOLDER
from pipeline.warehouse.space import check_space, publish_bytes
from pipeline.warehouse.writer import DATABASE_NAME, Warehouse
from tests.warehouse.build import CLUSTER, SCAN, TIME, build, contents, counts_frame, derived, shapes_frame, source

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=100)
MUCH_LATER = NOW + timedelta(days=1000)


def count(warehouse: Warehouse, table: str) -> int:
    return int(warehouse.frame(f"SELECT count(*) AS n FROM {table}")["n"].item())


def sums(warehouse: Warehouse) -> tuple[Any, ...]:
    return warehouse.frame(
        "SELECT sum(lines_read) AS lines, (SELECT sum(events) FROM event_counts) AS events, "
        "(SELECT sum(lines_read) FROM sources) AS files FROM loads"
    ).row(0)


def test_nothing_is_done_while_everything_is_young(tmp_path: Path) -> None:
    before = contents(build(tmp_path))
    with Warehouse.open(tmp_path) as warehouse:
        assert expire(warehouse.connection, NOW, 90, 730) == []
    assert contents(tmp_path) == before


def test_records_go_and_counts_stay(tmp_path: Path) -> None:
    with Warehouse.open(build(tmp_path)) as warehouse:
        before = sums(warehouse)
        told = {change.table: change.rows for change in expire(warehouse.connection, LATER, 90, 730)}
        assert told["records"] == 6
        assert count(warehouse, "records") == 0
        assert sums(warehouse) == before
        assert count(warehouse, "session_states") == 5
        assert set(warehouse.frame("SELECT action FROM maintenance")["action"]) == {"expire"}
        assert expire(warehouse.connection, LATER, 90, 730) == [], "a second call finds nothing"


def test_a_dry_run_says_the_same_and_changes_nothing(tmp_path: Path) -> None:
    before = contents(build(tmp_path))
    with Warehouse.open(tmp_path) as warehouse:
        told = expire(warehouse.connection, LATER, 90, 730, dry_run=True)
        assert told
    assert contents(tmp_path) == before
    with Warehouse.open(tmp_path) as warehouse:
        assert expire(warehouse.connection, LATER, 90, 730) == told


def test_loads_of_a_day_become_one_and_minutes_hours(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path) as warehouse:
        for number in range(4):
            with warehouse.load(cluster=CLUSTER, engine="local", ruleset_version="r1") as load:
                load.add_source(source(f"{number}.log", 60))
                load.add_shapes(shapes_frame())
                load.add_counts(counts_frame([(minute, "node1", SCAN, 1) for minute in range(60)]))
        before = sums(warehouse)
        expire(warehouse.connection, LATER, 90, 730)
        assert sums(warehouse) == before
        assert count(warehouse, "loads") == 1
        assert warehouse.frame("SELECT minute, events FROM event_counts")["events"].to_list() == [240]
        assert set(warehouse.frame("SELECT load_id FROM sources")["load_id"]) == {1}
        assert count(warehouse, "sources") == 4


def test_repeated_observations_thin_out_and_changes_stay(tmp_path: Path) -> None:
    rows = [{"ts": NOW + timedelta(seconds=10 * step), "node": "n", "protocol": "p", "bgp_state": state}
            for step, state in enumerate(["Established"] * 100 + ["Active"] + ["Established"] * 100)]  # fmt: skip
    frame = pl.DataFrame(
        [row | {"observed_by": "show protocols", "byte_offset": 0} for row in rows],
        schema={"ts": TIME, "node": pl.String, "protocol": pl.String, "bgp_state": pl.String,
                "observed_by": pl.String, "byte_offset": pl.UInt64},
    )  # fmt: skip
    with Warehouse.open(tmp_path) as warehouse:
        with warehouse.load(cluster=CLUSTER, engine="local") as load:
            load.add_source(source("s.txt", 0))
            load.add_states(frame, "s.txt")
        expire(warehouse.connection, LATER, 90, 730)
        left = warehouse.frame("SELECT ts, bgp_state FROM session_states ORDER BY ts")
        assert left.filter(pl.col("bgp_state") == "Active").height == 1
        assert 5 <= left.height <= 10
        widest = left.select(pl.col("ts").diff().dt.total_minutes().max()).item()
        assert widest <= 15, "no hole that a status table would not bridge"


def test_findings_outlive_their_records(tmp_path: Path) -> None:
    with Warehouse.open(build(tmp_path)) as warehouse:
        found = derived()
        ended = found["incidents"].with_columns(ended_at=pl.col("started_at") + timedelta(hours=1))
        warehouse.replace_derived(CLUSTER, found | {"incidents": ended})
        expire(warehouse.connection, LATER, 90, 730)
        assert count(warehouse, "kept_incidents") == 1
        nothing = {name: frame.clear() for name, frame in found.items()}
        nothing["incidents"] = ended.clear()
        warehouse.replace_derived(CLUSTER, nothing)
        assert warehouse.frame("SELECT incident_id FROM incidents")["incident_id"].to_list() == ["i1"]
        assert count(warehouse, "diagnoses") == 1
        assert count(warehouse, "evidence") == 1
        # the same failure, judged again from less, gives way to what was kept
        again = ended.with_columns(incident_id=pl.lit("i9"), cause=pl.lit("undetermined"))
        warehouse.replace_derived(CLUSTER, nothing | {"incidents": again})
        assert warehouse.frame("SELECT incident_id FROM incidents")["incident_id"].to_list() == ["i1"]
        other = again.with_columns(category=pl.lit("bgp_not_established"))
        warehouse.replace_derived(CLUSTER, nothing | {"incidents": other})
        assert set(warehouse.frame("SELECT incident_id FROM incidents")["incident_id"]) == {"i1", "i9"}


def test_an_incident_that_lasts_is_judged_anew(tmp_path: Path) -> None:
    with Warehouse.open(build(tmp_path)) as warehouse:
        expire(warehouse.connection, LATER, 90, 730)
        assert count(warehouse, "kept_incidents") == 0


def test_content_that_was_forgotten_is_not_read_again(tmp_path: Path) -> None:
    with Warehouse.open(build(tmp_path)) as warehouse:
        known = warehouse.known_content_ids()
        expire(warehouse.connection, MUCH_LATER, 90, 730)
        assert count(warehouse, "loads") == 0
        assert count(warehouse, "state_observations") == 0
    with Warehouse.open(tmp_path) as warehouse:
        assert warehouse.known_content_ids() == known


def test_compaction_gives_room_back_under_the_same_lock(tmp_path: Path) -> None:
    build(tmp_path)
    before = contents(tmp_path)
    warehouse = Warehouse.open(tmp_path)
    warehouse.connection.execute("CREATE TABLE ballast AS SELECT range AS a, hash(range) AS b FROM range(2000000)")
    warehouse.connection.execute("CHECKPOINT")
    warehouse.connection.execute("DROP TABLE ballast")
    warehouse, size = files.compact(warehouse, free_bytes=0)
    assert size.after < size.before / 2
    assert warehouse.frame("SELECT count(*) AS n FROM log_events")["n"].item() == 6
    warehouse.close()
    assert not files.leftovers(tmp_path)
    assert contents(tmp_path) == before


def test_what_killed_jobs_left_is_removed(tmp_path: Path) -> None:
    build(tmp_path)
    kept = sorted((tmp_path / SNAPSHOT_FOLDER).iterdir())
    for name in (files.TEMPORARY, f"{files.TEMPORARY}.wal", f"{SNAPSHOT_FOLDER}/.peerscope-new.duckdb"):
        (tmp_path / name).write_bytes(b"x" * 100)
    assert files.remove_leftovers(tmp_path) == 300
    assert sorted((tmp_path / SNAPSHOT_FOLDER).iterdir()) == kept


def test_a_job_stops_before_the_disk_is_full(tmp_path: Path) -> None:
    check_space(tmp_path / "not" / "made", 0, 0, "a load")
    with pytest.raises(SpaceError, match=r"MiB|GiB.*a load needs.*free_bytes.*peerscope maintain"):
        check_space(tmp_path, 1 << 60, 0, "a load")
    build(tmp_path)
    assert publish_bytes(tmp_path) > 0
    with Warehouse.open(tmp_path) as warehouse, pytest.raises(SpaceError, match="compaction needs"):
        files.compact(warehouse, free_bytes=1 << 60)
    assert (tmp_path / DATABASE_NAME).exists()


def test_readers_see_the_shrunken_warehouse_after_the_next_publish(tmp_path: Path) -> None:
    build(tmp_path)
    with Warehouse.open(tmp_path) as warehouse:
        expire(warehouse.connection, LATER, 90, 730)
        assert publish(warehouse).created
    with open_snapshot(tmp_path) as snapshot:
        assert snapshot.frame("SELECT count(*) AS n FROM log_events")["n"].item() == 0
        assert snapshot.frame("SELECT sum(events)::BIGINT AS n FROM event_counts")["n"].item() == 8
