"""The steps after reading: mine, analyse, publish. Each is safe to repeat and does nothing without need."""

from __future__ import annotations

import importlib
import threading
import zoneinfo
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.mining.templates import MINED_FROM
from pipeline.mining.templates import mine as mine_shapes
from pipeline.native.heap import give_back
from pipeline.settings import Settings
from pipeline.warehouse.derived import Replacement
from pipeline.warehouse.publish import begun
from pipeline.warehouse.publish import publish as publish_snapshot
from pipeline.warehouse.snapshot_file import SnapshotFile, is_small
from pipeline.warehouse.space import check_space, publish_bytes
from pipeline.warehouse.writer import Warehouse

__all__ = ["analyze", "begun", "check_zone", "mine", "prepare", "publish"]


def prepare() -> None:
    """Load the libraries and the causes of ``analyze`` in the background, while processes parse."""
    threading.Thread(target=_prepare, daemon=True).start()


def _prepare() -> None:
    from pipeline.findings.catalogue import load_catalogue

    importlib.import_module("pipeline.effects.estimate")
    load_catalogue()


def mine(warehouse: Warehouse, settings: Settings) -> int:
    """Mine templates from all shapes; returns how many there are."""
    give_back()
    mined, texts = mine_shapes(warehouse.shapes(*MINED_FROM), settings.templates)
    warehouse.store_mined(mined, texts)
    return texts.height


def analyze(warehouse: Warehouse, clusters: Sequence[str] | None) -> int:
    """Derive sessions, incidents and causes of the clusters (all when None); returns the number of incidents.

    The statistics of size and version follow, over all clusters, when anything they rest on has changed.
    """
    names = clusters or warehouse.frame("SELECT DISTINCT cluster FROM loads ORDER BY 1")["cluster"].to_list()
    incidents, changed = 0, warehouse.statistics_are_due()
    for name in names:
        derived, count = _derived(warehouse, name)
        incidents += count
        changed |= bool(derived.changed)
        if changed and name == names[-1]:
            _write_with_statistics(warehouse, derived)
        else:
            warehouse.write(derived)
        del derived  # the tables of the next cluster need the memory
    return incidents


def _derived(warehouse: Warehouse, cluster: str) -> tuple[Replacement, int]:
    """A cluster's tables, not written yet, and how many incidents were found."""
    from pipeline.findings.analyse import analyse

    give_back()
    tables = analyse(warehouse.connection, cluster)
    return warehouse.derived(cluster, tables), tables["incidents"].height


def _write_with_statistics(warehouse: Warehouse, last: Replacement) -> None:
    """Write a cluster's tables, and the statistics of all, which are found meanwhile."""
    # they load large libraries: what only reads need not wait for them
    from pipeline.effects.estimate import estimate_tables, inputs

    tables = inputs(warehouse, last)
    with ThreadPoolExecutor(1, thread_name_prefix="peerscope-write") as pool:
        writing = pool.submit(warehouse.write, last)
        if not is_small(warehouse.directory):
            writing.result()  # there is not the memory for both at a time
            give_back()
        found = estimate_tables(tables)
        writing.result()
    for name, statistics in found.items():
        warehouse.replace_derived(name, statistics)
    warehouse.settle_statistics()


def publish(warehouse: Warehouse, settings: Settings, file: SnapshotFile | None = None) -> Path:
    """Publish a snapshot when anything changed since the last; returns the path of the current one.

    ``file``: one that was ``begun`` before the analysis.

    Raises:
        SpaceError: the snapshot would leave less than ``free_bytes`` on the disk; the one before stays.
    """
    check_space(warehouse.directory, settings.free_bytes, publish_bytes(warehouse.directory), "a snapshot")
    with warehouse.with_memory(settings.snapshot_memory):
        return publish_snapshot(warehouse, keep=settings.keep_snapshots, file=file).path


def check_zone(tz: str) -> None:
    """Raises UsageError when ``tz`` is no zone that this machine knows."""
    try:
        zoneinfo.ZoneInfo(tz)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise UsageError(f"--tz {tz}: no such time zone; use a name such as Asia/Shanghai or UTC") from exc
