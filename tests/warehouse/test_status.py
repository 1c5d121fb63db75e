"""Status reads the published snapshot alone and says whether it adds up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.engines.local import InputOptions, ingest
from pipeline.settings import Settings
from pipeline.warehouse.publish import publish
from pipeline.warehouse.snapshots import current_snapshot
from pipeline.warehouse.status import render_status, status
from pipeline.warehouse.writer import Warehouse
from tests.warehouse.build import at
from tests.warehouse.test_lock import held_by_another


def test_what_it_says(small: Path) -> None:
    now = datetime.now(UTC) + timedelta(hours=1)
    said = status(small, now)
    assert said["warehouse"] == str(small)
    assert said["writer_pid"] is None
    assert said["snapshot"]["path"] == str(current_snapshot(small))
    assert said["snapshot"]["kept"] == 1
    assert 3600 <= said["freshness"]["published_age_seconds"] < 7200
    assert said["freshness"]["last_event_at"] == at(3)
    assert said["ledger"] == {
        "loads": 1, "files_read": 2, "bytes_read": 640, "lines_read": 9, "lines_parsed": 8, "lines_unparsed": 0,
        "lines_rejected": 1,
    }  # fmt: skip
    assert said["reconciles"] is True
    assert said["events_counted"] == 8
    assert said["unclassified_share"] == 1 / 8
    assert said["rejects"] == [{"reason": "not_utf8", "times": 1, "lines": 1}]
    assert said["coverage"][0]["observed_hours"] == 0.65


def test_how_it_is_shown(small: Path) -> None:
    state = status(small, at(3) + timedelta(days=2, hours=3))
    shown = render_status(state)
    assert "last event    2024-05-01 12:03:00Z (2 d 3 h ago)" in shown
    assert "9 read = 8 parsed + 0 unparsed + 1 rejected" in shown
    assert "everything adds up" in shown
    assert "(12.50 %)" in shown
    assert "rejected      not_utf8: 1 times, 1 lines" in shown
    assert "DOES NOT ADD UP" in render_status(state | {"reconciles": False})


def test_before_anything_is_published(tmp_path: Path) -> None:
    said = status(tmp_path)
    assert "peerscope run" in render_status(said)
    assert said["snapshot"] is None
    assert "peerscope run" in said["message"]


def test_while_a_job_writes(tmp_path: Path, small: Path) -> None:
    with held_by_another(small) as pid:
        said = status(small)
    assert said["writer_pid"] == pid
    assert said["reconciles"] is True


def test_a_clock_that_ran_ahead_is_named_and_proves_no_coverage(tmp_path: Path) -> None:
    late, early = "2099-12-18T07:00:00", "2024-12-18T07:00:00"
    lines = [f"{at}.000000000Z stdout F bird: Node_10_0_0_8: State changed to up\n" for at in (early, late)]
    log = tmp_path / "logs/nodes/n1/bird.log"
    log.parent.mkdir(parents=True)
    log.write_text("".join(lines))
    with Warehouse.open(tmp_path / "w") as warehouse:
        ingest(warehouse, [str(log)], InputOptions(cluster="c"), Settings(processes=1))
        seen = warehouse.frame("SELECT DISTINCT last_ts::VARCHAR AS t FROM observed_minutes")["t"].to_list()
        publish(warehouse)
    assert seen == ["2024-12-18 07:00:00+00"]
    said = render_status(status(tmp_path / "w", datetime(2026, 1, 1, tzinfo=UTC)))
    assert "27014 d 7 h ahead: a clock ran ahead" in said
