"""The warehouse: the only code that writes DuckDB, and the way readers get at what it published.

Writing: ``Warehouse.open`` → ``load`` → ``store_mined`` → ``replace_derived`` → ``publish``.
Reading: ``open_snapshot`` → ``Snapshot.query`` → ``write_result``; never the writer's file.
"""

from __future__ import annotations

from pipeline.shape_ids import shape_id
from pipeline.warehouse.ledger import SourceRow
from pipeline.warehouse.library import Parameter, SavedQuery, load_library, question
from pipeline.warehouse.load import Load
from pipeline.warehouse.output import write_result
from pipeline.warehouse.publish import SnapshotInfo, publish
from pipeline.warehouse.reader import Result, Snapshot, open_snapshot
from pipeline.warehouse.snapshots import current_snapshot
from pipeline.warehouse.sqlfiles import sql_dir
from pipeline.warehouse.status import render_status, status
from pipeline.warehouse.writer import DERIVED_TABLES, Warehouse

__all__ = [
    "DERIVED_TABLES",
    "Load",
    "Parameter",
    "Result",
    "SavedQuery",
    "Snapshot",
    "SnapshotInfo",
    "SourceRow",
    "Warehouse",
    "current_snapshot",
    "load_library",
    "open_snapshot",
    "publish",
    "question",
    "render_status",
    "shape_id",
    "sql_dir",
    "status",
    "write_result",
]
