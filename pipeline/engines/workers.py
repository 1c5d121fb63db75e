"""Work items handed to parsing processes: a process that dies is replaced and its item given to the next, once."""

from __future__ import annotations

import pickle
import queue
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from pipeline.engines.parts import Parsed, Part
from pipeline.engines.processes import ALONE_BYTES, ALONE_FILES, Ahead, Process, end, send, start
from pipeline.errors import PeerscopeError
from pipeline.settings import Settings


class Workers:
    """Parses work items in ``count`` processes; with one, or little to do, in this process."""

    first_bytes = 4 << 20  # one of a storm takes thirty times its size

    def __init__(self, count: int, settings: Settings, ahead: Ahead | None = None) -> None:
        """``ahead`` has processes with the same settings that were started before."""
        self.count = max(count, 1)
        self._settings = settings
        self._ahead = ahead
        self._idle: queue.SimpleQueue[Process] = queue.SimpleQueue()
        self._all: list[Process] = []
        self._threads: ThreadPoolExecutor | None = None
        self._bytes = self._files = 0

    def submit(self, parts: Sequence[Part], size: int) -> Future[Parsed]:
        """Parse an item of ``size`` bytes; the answers may be awaited in any order."""
        self._bytes += size
        self._files += len(parts)
        little = self._bytes <= ALONE_BYTES and self._files <= ALONE_FILES
        if self.count == 1 or (self._threads is None and little):
            return self._parsed_here(parts)
        return self._begun().submit(self._run, parts)

    def _parsed_here(self, parts: Sequence[Part]) -> Future[Parsed]:
        # what parsing needs is not loaded where others parse
        from pipeline.engines.items import run_item
        from pipeline.grammar import load_ruleset

        done: Future[Parsed] = Future()
        done.set_result(run_item(parts, load_ruleset(), self._settings))
        return done

    def _begun(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self.count, thread_name_prefix="peerscope-item")
            self._add((self._ahead.take() if self._ahead else []) or start(self._settings, self.count))
        return self._threads

    def close(self) -> None:
        """End the processes; items that still run are given up."""
        busy = self._idle.qsize() < len(self._all)
        if busy:
            for process in self._all:
                process.kill()
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
        end(self._all, at_once=busy)

    def _add(self, processes: Sequence[Process]) -> None:
        self._all += processes
        for process in processes:
            self._idle.put(process)

    def _run(self, parts: Sequence[Part]) -> Parsed:
        for last_try in (False, True):
            process = self._idle.get()
            try:
                answer = self._ask(process, parts)
            except (OSError, EOFError, pickle.UnpicklingError) as exc:
                self._add(start(self._settings, 1))
                if last_try:
                    place = f"{parts[0].path} at byte {parts[0].begin}"
                    raise PeerscopeError(
                        f"{place}: the process that parsed it died twice; nothing was written. "
                        "Was memory short? Lower item_bytes or processes, see `peerscope config`"
                    ) from exc
                continue
            self._idle.put(process)
            if isinstance(answer, Exception):
                raise answer
            return answer
        raise AssertionError

    @staticmethod
    def _ask(process: Process, parts: Sequence[Part]) -> Parsed | Exception:
        send(process.requests, parts)
        return Parsed.read(process.answers)
