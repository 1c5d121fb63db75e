"""Stops a job before the disk is full: a full disk hurts every program on the machine, a stopped job only us."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.errors import SpaceError
from pipeline.warehouse.snapshots import list_snapshots


def check_space(directory: Path | str, free_bytes: int, needed: int, task: str) -> None:
    """Make sure that ``task`` may write ``needed`` bytes and ``free_bytes`` stay free.

    Raises:
        SpaceError: they would not; the message says how much is missing and what makes room.
    """
    folder = Path(directory)
    existing = next((path for path in (folder, *folder.resolve().parents) if path.is_dir()), Path("/"))
    free = shutil.disk_usage(existing).free
    if free - needed >= free_bytes:
        return
    raise SpaceError(
        f"warehouse {folder}: {_size(free)} free on its disk; {task} needs about {_size(needed)} and "
        f"{_size(free_bytes)} must stay free (free_bytes). `peerscope maintain` makes room; so do a smaller "
        "keep_snapshots or record_days, or a larger disk. Nothing was changed"
    )


def publish_bytes(directory: Path | str) -> int:
    """What the next snapshot needs: about the size of the last, with a tenth for growth."""
    snapshots = list_snapshots(Path(directory))
    return int(snapshots[-1].stat().st_size * 1.1) if snapshots else 0


def _size(count: int) -> str:
    if count >= 1 << 30:
        return f"{count / (1 << 30):.1f} GiB"
    return f"{count / (1 << 20):.1f} MiB"
