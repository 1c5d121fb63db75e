"""The warehouse: the only code that writes DuckDB, and the way readers get at what it published.

    Warehouse.open(dir) ── load() ── store_mined() ── replace_derived() ── publish()
                                                                            │
    open_snapshot(dir) ── query() ── write_result()          <── snapshots/ + CURRENT
"""

from __future__ import annotations

from pipeline.warehouse.load import Load, SourceRow
from pipeline.warehouse.publish import SnapshotInfo, publish
from pipeline.warehouse.reader import Result, Snapshot, open_snapshot
from pipeline.warehouse.snapshots import current_snapshot
from pipeline.warehouse.sqlfiles import sql_dir
from pipeline.warehouse.tables import shape_id
from pipeline.warehouse.writer import DERIVED_TABLES, Warehouse

__all__ = [
    "DERIVED_TABLES",
    "Load",
    "Result",
    "Snapshot",
    "SnapshotInfo",
    "SourceRow",
    "Warehouse",
    "current_snapshot",
    "open_snapshot",
    "publish",
    "shape_id",
    "sql_dir",
]
