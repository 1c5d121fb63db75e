"""The archive: every record of a load as Parquet beside the warehouse, for what the warehouse does not keep.

Each process writes the records of its work items below ``archive/.load-<id>``; when the load is committed, its files
move to ``archive/cluster=<name>/date=<day>``. A run that ends in between leaves a folder whose load is known or not:
the next run finishes the one and removes the other, so the archive holds what the warehouse counts.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from datetime import date, timedelta
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

import polars as pl

from pipeline.warehouse.snapshots import ARCHIVE_FOLDER as FOLDER

COLUMNS = (
    "ts", "ts_source", "node", "pod", "component", "level", "message", "shape", "rule", "category", "severity",
    "protocol", "peer", "peers", "params", "source_path", "byte_offset", "byte_length", "lines",
)  # fmt: skip
NO_DAY = "unknown"
_STAGED = ".load-"


class Archive:
    """The archive of a warehouse's folder, for the load ``load_id`` of a cluster."""

    def __init__(self, directory: Path, cluster: str, load_id: int) -> None:
        self._folder = directory / FOLDER
        self._load_id = load_id
        self.staging = self._folder / f"{_STAGED}{load_id}" / f"cluster={quote(cluster, safe='')}"

    def forget(self, source_path: str) -> None:
        """Remove what was written of a source that turned out to be known."""
        for path in self.staging.glob(f"*/{_name(source_path)}-*.parquet"):
            path.unlink()

    def settle(self) -> None:
        """Move the files of the committed load to their place."""
        _move(self.staging.parent, self._folder, self._load_id)


def recover(directory: Path, committed: Collection[int]) -> None:
    """Finish or remove what a run left behind that ended before it could."""
    for left in sorted((directory / FOLDER).glob(f"{_STAGED}*")):
        number = left.name.removeprefix(_STAGED)
        if number.isdigit() and int(number) in committed:
            _move(left, directory / FOLDER, int(number))
        else:
            shutil.rmtree(left, ignore_errors=True)


def _move(left: Path, folder: Path, load_id: int) -> None:
    for path in sorted(left.rglob("*.parquet")):
        target = folder / path.relative_to(left)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target.with_name(f"{load_id}-{target.name}"))
    shutil.rmtree(left, ignore_errors=True)


def write_records(records: pl.DataFrame, staging: Path, source_path: str, place: str) -> None:
    """Write records (with the columns ``COLUMNS``) of a work item, a file for each day; ``place`` tells
    items of one source apart. The same item gives the same files."""
    days = records.with_columns(date=pl.col("ts").dt.date().cast(pl.String).fill_null(NO_DAY)).partition_by(
        "date", as_dict=True, include_key=False
    )
    for (day,), frame in days.items():
        folder = staging / f"date={day}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{_name(source_path)}-{place}.parquet"
        draft = path.with_suffix(f".{id(frame)}.draft")
        frame.select(COLUMNS).write_parquet(draft, compression="zstd", compression_level=1)
        draft.rename(path)


def prune(directory: Path, days: int, today: date, *, dry_run: bool = False) -> list[Path]:
    """Remove the days before the last ``days`` ones (0: none); returns the folders that go."""
    if not days:
        return []
    oldest = (today - timedelta(days=days)).isoformat()
    gone = [
        path
        for path in (directory / FOLDER).glob("cluster=*/date=*")
        if path.name.removeprefix("date=") < oldest and not path.name.endswith(NO_DAY)
    ]
    if not dry_run:
        for path in gone:
            shutil.rmtree(path, ignore_errors=True)
    return sorted(gone)


def _name(source_path: str) -> str:
    return blake2b(source_path.encode(), digest_size=8).hexdigest()
