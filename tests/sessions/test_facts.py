"""What an analysis reads, and how it leaves the database."""

from __future__ import annotations

from pathlib import Path

from pipeline.sessions import load_cluster
from pipeline.warehouse.writer import Warehouse

LIMIT = "SELECT current_setting('memory_limit')"


def test_the_database_may_hold_as_much_as_before(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path, memory_limit="123MB") as warehouse:
        before = warehouse.connection.sql(LIMIT).fetchall()
        assert load_cluster(warehouse.connection, "nowhere").states.is_empty()
        assert warehouse.connection.sql(LIMIT).fetchall() == before
