"""Names of the published snapshots and the pointer to the current one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipeline.errors import NotPublishedError, WarehouseError

ARCHIVE_FOLDER = "archive"
SNAPSHOT_FOLDER = "snapshots"
POINTER_NAME = "CURRENT"
_NAME = re.compile(r"^peerscope-(\d+)\.duckdb$")


def snapshot_name(sequence: int) -> str:
    """File name of snapshot ``sequence``; names sort like numbers."""
    return f"peerscope-{sequence:08d}.duckdb"


def sequence_of(path: Path) -> int | None:
    """Number of a snapshot file; None for any other file."""
    match = _NAME.match(path.name)
    return int(match[1]) if match else None


def list_snapshots(directory: Path) -> list[Path]:
    """Snapshot files of a warehouse, oldest first."""
    files = [path for path in (directory / SNAPSHOT_FOLDER).glob("*.duckdb") if sequence_of(path) is not None]
    return sorted(files, key=lambda path: sequence_of(path) or 0)


def last_sequence(directory: Path) -> int:
    """Highest number used so far; 0 when there is no snapshot."""
    files = list_snapshots(directory)
    return (sequence_of(files[-1]) or 0) if files else 0


def current_snapshot(directory: Path | str) -> Path:
    """Path of the published snapshot.

    Raises:
        NotPublishedError: nothing has been published in this warehouse.
        WarehouseError: the pointer names something that cannot be a snapshot.
    """
    folder = Path(directory)
    try:
        name = (folder / POINTER_NAME).read_text(encoding="utf-8").strip()
    except FileNotFoundError as exc:
        raise NotPublishedError(
            f"warehouse {folder}: nothing is published yet; `peerscope run PATH…` reads logs and publishes, "
            "`peerscope publish` publishes what was read"
        ) from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise WarehouseError(f"warehouse {folder}: the pointer {POINTER_NAME} cannot be read: {exc}") from exc
    # The name comes from a file: only a plain snapshot name may become a path.
    if not _NAME.match(name):
        raise WarehouseError(f"warehouse {folder}: {POINTER_NAME} names no snapshot; run `peerscope publish`")
    return folder / SNAPSHOT_FOLDER / name


def point_to(directory: Path, path: Path) -> None:
    """Make ``path`` the current snapshot: readers see either the old or the new name, also after a crash."""
    temporary = directory / f".{POINTER_NAME}.new"
    with temporary.open("w", encoding="utf-8") as file:
        file.write(path.name + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(directory / POINTER_NAME)
    sync_folder(directory)


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def archive_files(directory: Path) -> str | None:
    """The pattern that names all files of the archive beside the snapshots; None when there are none."""
    folder = directory / ARCHIVE_FOLDER
    found = next(folder.glob("cluster=*/date=*/*.parquet"), None)
    return str(folder.absolute() / "cluster=*" / "date=*" / "*.parquet") if found else None
