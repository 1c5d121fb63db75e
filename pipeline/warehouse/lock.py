"""The one lock of a warehouse: who writes, and nobody else.

``flock`` belongs to the open file, so it ends with the process, however that ends. A forked child would
keep it alive through its copy of the descriptor; every child closes that copy at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import weakref
from pathlib import Path

from pipeline.errors import LockedError, WarehouseError

LOCK_NAME = "writer.lock"
# A status command tests the lock for an instant; a writer that meets it tries again before it gives up.
_GRACE_SECONDS = 0.2
_POLL_SECONDS = 0.05

_held: weakref.WeakSet[WarehouseLock] = weakref.WeakSet()


class WarehouseLock:
    """An exclusive lock on the folder of a warehouse, held until ``release``."""

    def __init__(self, directory: Path, wait_seconds: float = 0.0) -> None:
        """Take the lock, waiting at most ``wait_seconds``.

        Raises:
            LockedError: another job holds it; the message names its process.
        """
        self.path = directory / LOCK_NAME
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as exc:
            raise WarehouseError(f"warehouse {directory}: cannot write there: {exc.strerror}") from exc
        deadline = time.monotonic() + max(wait_seconds, _GRACE_SECONDS)
        while not _try_lock(self._fd, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                os.close(self._fd)
                raise locked_error(directory, holder_pid(directory))
            time.sleep(_POLL_SECONDS)
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        _held.add(self)

    def release(self) -> None:
        """Give the lock up; a second call does nothing."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            self._close()

    def _close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._fd)
        self._fd = -1
        _held.discard(self)


def locked_error(directory: Path, pid: int | None) -> LockedError:
    """The error for a warehouse that process ``pid`` holds."""
    holder = f"process {pid}" if pid else "another process"
    return LockedError(f"warehouse {directory}: {holder} holds it; wait for it, or say how long to wait (lock_seconds)")


def holder_pid(directory: Path) -> int | None:
    """Process that holds the lock; None when it is free, or held by one that has not said who it is yet."""
    path = directory / LOCK_NAME
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _try_lock(fd, fcntl.LOCK_SH):
            return None
        text = os.pread(fd, 32, 0).strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(fd)


def _try_lock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _forget_in_child() -> None:
    for lock in list(_held):
        lock._close()


os.register_at_fork(after_in_child=_forget_in_child)
