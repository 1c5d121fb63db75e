"""Publishes the warehouse: a new immutable file for readers, then a pointer that names it.

Nothing a reader has open is ever changed, and a reader sees either the snapshot before or the one after.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import NotPublishedError, WarehouseError
from pipeline.warehouse.snapshot_file import PUBLISHED, STORAGE_VERSION, SnapshotFile, is_small, remove
from pipeline.warehouse.snapshots import (
    SNAPSHOT_FOLDER,
    current_snapshot,
    last_sequence,
    list_snapshots,
    point_to,
    sequence_of,
    snapshot_name,
    sync_folder,
)
from pipeline.warehouse.writer import Warehouse

__all__ = ["PUBLISHED", "STORAGE_VERSION", "SnapshotInfo", "begun", "publish"]


@dataclass(frozen=True)
class SnapshotInfo:
    """What ``publish`` did; ``created`` is False when nothing had changed and the current one stays."""

    path: Path
    sequence: int
    created: bool
    removed: tuple[Path, ...] = ()


@contextlib.contextmanager
def begun(warehouse: Warehouse) -> Iterator[SnapshotFile | None]:
    """A snapshot that is written as far as it can be while the analysis is at work, for ``publish``.

    None where there is nothing to publish, or too much for both at a time. Without ``publish`` nothing of it stays.
    """
    current = _current(warehouse.directory)
    known = current is not None and sequence_of(current) == warehouse.change_seq
    if known or not is_small(warehouse.directory):
        yield None
        return
    try:
        file = SnapshotFile(warehouse)
        file.begin()
    except OSError as exc:
        raise _unwritable(warehouse.directory / SNAPSHOT_FOLDER, exc) from exc
    try:
        yield file
    finally:
        file.discard()


def publish(warehouse: Warehouse, keep: int = 3, file: SnapshotFile | None = None) -> SnapshotInfo:
    """Publish what the warehouse holds; keeps the last ``keep`` snapshots (at least the current one).

    ``file`` was ``begun`` before.

    Raises:
        WarehouseError: the snapshot could not be written; the one before stays current.
    """
    directory = warehouse.directory
    current = _current(directory)
    sequence = warehouse.change_seq
    if current is not None and sequence_of(current) == sequence:
        return SnapshotInfo(current, sequence, created=False, removed=_prune(directory, current, keep))
    # After a restore from a backup the counter may lie behind snapshots that readers still have open.
    sequence = warehouse.raise_change_seq(last_sequence(directory) + 1)
    folder = directory / SNAPSHOT_FOLDER
    try:
        file = file or SnapshotFile(warehouse)
        file.complete(sequence)
        path = folder / snapshot_name(sequence)
        file.path.rename(path)
        sync_folder(folder)
        point_to(directory, path)
    except OSError as exc:
        raise _unwritable(folder, exc) from exc
    return SnapshotInfo(path, sequence, created=True, removed=_prune(directory, path, keep))


def _unwritable(folder: Path, exc: OSError) -> WarehouseError:
    return WarehouseError(f"snapshot in {folder}: cannot be written: {exc.strerror or exc}")


def _current(directory: Path) -> Path | None:
    try:
        path = current_snapshot(directory)
    except NotPublishedError:
        return None
    except WarehouseError:
        # A damaged pointer is mended by publishing anew.
        return None
    return path if path.is_file() else None


def _prune(directory: Path, current: Path, keep: int) -> tuple[Path, ...]:
    """Remove old snapshots; a reader that has one open keeps reading it."""
    others = [path for path in list_snapshots(directory) if path.name != current.name]
    surplus = others[: max(0, len(others) - max(0, keep - 1))]
    for path in surplus:
        remove(path)
    return tuple(surplus)
