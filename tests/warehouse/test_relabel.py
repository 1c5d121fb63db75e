"""Relabelling is asked for, reads the stored texts with today's grammar, and leaves the sums as they were."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import steps
from pipeline.engines.local import InputOptions, ingest
from pipeline.grammar import load_ruleset
from pipeline.settings import Settings
from pipeline.shape_ids import shape_id
from pipeline.warehouse.relabel import relabel
from pipeline.warehouse.writer import Warehouse
from tests.warehouse.build import contents

NOW = datetime.now(UTC)
LINES = """\
2024-12-18T07:19:36.100000000Z stdout F bird: Mesh_10_0_0_12: Socket error: TCP_MD5SIG: Cannot allocate memory
2024-12-18T07:19:37.100000000Z stdout F bird: Mesh_10_0_0_12: State changed to start
2024-12-18T07:19:38.100000000Z stdout F bird: Mesh_10_0_0_13: Socket error: TCP_MD5SIG: Cannot allocate memory
"""


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A warehouse whose grammar did not know what a failed key says."""
    log = tmp_path / "bird.log"
    log.write_text(LINES)
    folder = tmp_path / "w"
    with Warehouse.open(folder) as warehouse:
        ingest(warehouse, [str(log)], InputOptions(), Settings())
        steps.mine(warehouse, Settings())
        con = warehouse.connection
        found = warehouse.frame("SELECT * FROM shapes WHERE category = 'md5_kernel_setup_failed'").row(0, named=True)
        old = shape_id(found["component"], None, found["shape"])
        for table in ("records", "minute_counts", "shapes", "mined"):
            con.execute(f"UPDATE {table} SET shape_id = ? WHERE shape_id = ?", [old, found["shape_id"]])
        con.execute("UPDATE shapes SET rule = NULL, category = 'unclassified' WHERE shape_id = ?", [old])
        con.execute(
            "UPDATE records SET rule = NULL, category = 'unclassified', peer = NULL, protocol = NULL WHERE shape_id = ?",
            [old],
        )
        con.execute("UPDATE loads SET ruleset_version = 'older'")
    return folder


def test_a_dry_run_counts_and_changes_nothing(labelled: Path) -> None:
    before = contents(labelled)
    with Warehouse.open(labelled) as warehouse:
        told = relabel(warehouse, load_ruleset(), NOW, dry_run=True)
    assert (told.shapes, told.lines, told.records) == (1, 2, 2)
    assert contents(labelled) == before


def test_records_counts_and_templates_take_the_new_meaning(labelled: Path) -> None:
    with Warehouse.open(labelled) as warehouse:
        assert relabel(warehouse, load_ruleset(), NOW).records == 2
        steps.mine(warehouse, Settings())
        rows = warehouse.frame(
            "SELECT category, peer FROM log_events WHERE message LIKE '%MD5%' ORDER BY byte_offset"
        ).rows()
        assert rows == [("md5_kernel_setup_failed", "10.0.0.12"), ("md5_kernel_setup_failed", "10.0.0.13")]
        counted = warehouse.frame("SELECT category, sum(events)::BIGINT AS n FROM event_counts GROUP BY ALL").rows()
        assert dict(counted)["md5_kernel_setup_failed"] == 2
        assert sum(n for _, n in counted) == 3
        assert warehouse.frame("SELECT ruleset_version AS v FROM loads")["v"].to_list() == [load_ruleset().version]
        detail = warehouse.frame("SELECT detail FROM maintenance")["detail"].item()
        assert detail == f"from grammar older to {load_ruleset().version}"
        assert relabel(warehouse, load_ruleset(), NOW).shapes == 0, "a second call finds nothing"


def test_reading_goes_on_without_relabelling(labelled: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.log"
    more.write_text(LINES.replace("07:19", "08:19"))
    with Warehouse.open(labelled) as warehouse:
        ingest(warehouse, [str(more)], InputOptions(), Settings())
        rows = warehouse.frame("SELECT category, count(*) AS n FROM log_events WHERE message LIKE '%MD5%' GROUP BY 1")
        assert dict(rows.rows()) == {"unclassified": 2, "md5_kernel_setup_failed": 2}
