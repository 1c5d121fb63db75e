"""Readers that ask without pause while a job publishes."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

from pipeline.errors import NotPublishedError
from pipeline.warehouse.reader import open_snapshot

QUERY = """
SELECT (SELECT sum(lines_parsed + lines_unparsed) FROM loads)::BIGINT AS lines,
       (SELECT sum(events) FROM event_counts)::BIGINT AS events, (SELECT count(*) FROM log_events) AS kept
"""


class Readers:
    """Threads that open the published snapshot anew for every question; lines may only grow."""

    def __init__(self, warehouse: Path, count: int) -> None:
        self.reads = 0
        self.troubles: list[str] = []
        self._warehouse = warehouse
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read, daemon=True) for _ in range(count)]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _read(self) -> None:
        seen = 0
        while not self._stop.is_set():
            try:
                with open_snapshot(self._warehouse, threads=1) as snapshot:
                    lines, events, _ = snapshot.frame(QUERY).row(0)
            except NotPublishedError:
                continue
            except Exception as exc:  # noqa: BLE001 - whatever a reader meets is what the campaign is after
                self.troubles.append(f"a reader failed: {type(exc).__name__}: {exc}")
                return
            self.reads += 1
            if lines != events or lines < seen:
                self.troubles.append(f"a reader saw {events} of {lines} lines after {seen}")
            seen = max(seen, lines)
