"""What was sent to whom: a file beside the warehouse, so that a repeated run says nothing twice."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline.errors import LockedError, WarehouseError
from pipeline.notify.messages import Notice
from pipeline.warehouse.snapshots import sync_folder

RECORD_NAME = "notified.json"
_LOCK_NAME = "notify.lock"


class SentRecord:
    """The record of one receiver; a context manager that keeps a second ``notify`` out.

    The receiver is stored as a hash: its address may hold a token.
    """

    def __init__(self, directory: Path, url: str) -> None:
        self._directory = directory
        self._receiver = blake2b(url.encode(), digest_size=8).hexdigest()
        self._fd = -1
        self._all: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> SentRecord:
        try:
            self._fd = os.open(self._directory / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as exc:
            raise WarehouseError(f"warehouse {self._directory}: cannot write there: {exc.strerror}") from exc
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            os.close(self._fd)
            raise LockedError(f"warehouse {self._directory}: another notify is sending; wait for it") from exc
        self._all = self._read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    @property
    def sent(self) -> dict[str, Any]:
        """What this receiver was told last, by incident."""
        return self._all.setdefault(self._receiver, {})

    def due(self, notices: Sequence[Notice], now: datetime, again: timedelta | None) -> list[Notice]:
        """What the receiver must be told now.

        New and changed notices; open ones once more after ``again`` (never when None); incidents it thinks
        open that are over or no longer found, and identities that changed, as ended.
        """
        out: list[Notice] = []
        current = {notice.incident_id: notice for notice in notices}
        for incident_id, entry in sorted(self.sent.items()):
            known = Notice.of_plain(entry["notice"])
            found = current.get(incident_id)
            if not known.is_over and (found is None or found.labels != known.labels):
                out.append(Notice(incident_id, known.labels, known.texts, known.started_at, now))
        for incident_id, notice in sorted(current.items()):
            entry = self.sent.get(incident_id)
            if entry is None:
                if not notice.is_over:
                    out.append(notice)
                continue
            told_at = datetime.fromisoformat(entry["sent_at"])
            repeat = again is not None and not notice.is_over and now - told_at >= again
            if entry["digest"] != notice.digest or repeat:
                out.append(notice)
        return out

    def keep(self, notices: Sequence[Notice], now: datetime) -> None:
        """Write down that the receiver has accepted ``notices``; what is over is forgotten after a month."""
        for notice in notices:
            self.sent[notice.incident_id] = {
                "digest": notice.digest,
                "sent_at": now.astimezone(UTC).isoformat(),
                "notice": notice.as_plain(),
            }
        horizon = now - timedelta(days=30)
        for incident_id, entry in list(self.sent.items()):
            over = entry["notice"]["ended_at"] is not None
            if over and datetime.fromisoformat(entry["sent_at"]) < horizon:
                del self.sent[incident_id]
        self._write()

    def _read(self) -> dict[str, dict[str, Any]]:
        path = self._directory / RECORD_NAME
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as exc:
            raise WarehouseError(
                f"{path}: cannot be read ({exc}); remove it, and open incidents are told once more"
            ) from exc
        if not isinstance(found, dict):
            raise WarehouseError(f"{path}: not a record of notices; remove it, and open incidents are told once more")
        return found

    def _write(self) -> None:
        path = self._directory / RECORD_NAME
        fresh = path.with_name(f".{RECORD_NAME}.new")
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(self._all, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        sync_folder(self._directory)
