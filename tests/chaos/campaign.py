"""A campaign of faults: each adds input, disturbs a job, and looks at what readers see; the end is compared."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from pipeline.errors import NotPublishedError
from pipeline.warehouse.reader import open_snapshot
from pipeline.warehouse.snapshots import list_snapshots
from pipeline.warehouse.writer import DATABASE_NAME
from tests.chaos.check import differences, reconciles
from tests.chaos.job import FAIR, Job
from tests.chaos.readers import Readers
from tests.chaos.world import World

TMPFS_BYTES = 400 << 20


@dataclass
class Outcome:
    """What a campaign found."""

    faults: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    reads: int = 0
    publishes: int = 0
    seconds: float = 0.0
    rows: dict[str, tuple[int, int, list[object]]] = field(default_factory=dict)

    @property
    def survived(self) -> int:
        """Faults after which nothing was wrong."""
        return self.faults.total() - len(self.troubles)


class Campaign:
    """Runs the faults in ``folder``; the warehouse lies in ``warehouse`` (a small disk of its own, if possible)."""

    def __init__(self, folder: Path, warehouse: Path, seed: int, small_disk: bool) -> None:
        self.folder, self.warehouse = folder, warehouse
        self.world = World(folder / "logs", seed)
        self.outcome = Outcome()
        self._random = random.Random(seed + 1)
        self._small_disk = small_disk
        self._number = 0
        self._usual = 1.0
        self.kinds: dict[str, Callable[[], str]] = {
            "kill": self.kill, "torn log": self.torn_log, "disk full": self.disk_full,
            "file limit": self.file_limit, "no memory": self.no_memory, "two at once": self.two_at_once,
            "readers": self.readers, "kill maintain": self.kill_maintain, "damaged pointer": self.damaged_pointer,
            "stray files": self.stray_files,
        }  # fmt: skip

    def job(self, *words: str, **limits: int) -> Job:
        """A job over the campaign's input, started."""
        self._number += 1
        log = self.folder / f"job-{self._number % 8}.txt"
        told = list(words) or ["run", "--cluster", "chaos", str(self.world.folder)]
        return Job(["--warehouse", str(self.warehouse), *told], log, limits).start()

    def run(self, faults: int, say: Callable[[str], None]) -> Outcome:
        """Disturb ``faults`` times, then let one job finish and compare with an undisturbed one."""
        # the writers of this world may pause for long within a line: what they began is not taken for a line
        patient = {"PEERSCOPE_UNFINISHED_SECONDS": "86400"}
        with patch.dict(os.environ, {"PEERSCOPE_FREE_BYTES": "0", "PEERSCOPE_LOCK_SECONDS": "0", **patient}):
            return self._run(faults, say)

    def _run(self, faults: int, say: Callable[[str], None]) -> Outcome:
        started = time.monotonic()
        self.world.add()
        code = self._timed()
        self._expect("a first run", 0 if code == 3 else code)  # 3: the first file of this seed is noise alone
        names = list(self.kinds)
        for number in range(faults):
            name = names[number % len(names)] if number < len(names) else self._random.choice(names)
            self._disturb(name)
            if (number + 1) % 20 == 0:
                say(f"{number + 1} faults, {len(self.outcome.troubles)} troubles, {time.monotonic() - started:.0f} s")
        self._finish()
        self.outcome.seconds = time.monotonic() - started
        return self.outcome

    def _disturb(self, name: str) -> None:
        for _ in range(self._random.randint(1, 2)):
            self.world.add()
        self.world.grow()
        likely = (
            (self.world.rotate, 0.4),
            (self.world.copy, 0.2),
            (self.world.copy_and_cut, 0.2),
            (self.world.arrive, 0.2),
        )
        for change, share in likely:
            if self._random.random() < share:
                change()
        self.outcome.faults[name] += 1
        try:
            ended = self.kinds[name]()
        except Exception as exc:  # noqa: BLE001 - a campaign goes on
            ended = "trouble"
            self.outcome.troubles.append(f"{name}: {type(exc).__name__}: {str(exc)[-600:]}")
        self.outcome.ended[f"{name}: {ended}"] += 1
        self._look(name)

    def _look(self, name: str) -> None:
        """Readers must find whole snapshots at any time."""
        try:
            with open_snapshot(self.warehouse) as snapshot:
                lines, events = snapshot.frame(
                    "SELECT (SELECT sum(lines_parsed + lines_unparsed) FROM loads)::BIGINT AS l, "
                    "(SELECT sum(events) FROM event_counts)::BIGINT AS e"
                ).row(0)
        except NotPublishedError:
            return
        except Exception as exc:  # noqa: BLE001
            self.outcome.troubles.append(f"{name}: the snapshot cannot be read: {exc}")
            return
        if lines != events:
            self.outcome.troubles.append(f"{name}: readers see {events} of {lines} lines")

    def _finish(self) -> None:
        self.world.finish()
        self._expect("the last run", self.job().wait())
        plain = self.folder / "undisturbed"
        log = self.folder / "undisturbed.txt"
        words = ["--warehouse", str(plain), "run", "--cluster", "chaos", str(self.world.folder)]
        job = Job(words, log).start()
        if job.wait() != 0:
            self.outcome.troubles.append(f"the undisturbed run failed: {job.said[-300:]}")
        self.outcome.rows = differences(plain, self.warehouse)
        self.outcome.lost = sum(row[0] for row in self.outcome.rows.values())
        self.outcome.doubled = sum(row[1] for row in self.outcome.rows.values())
        if not reconciles(self.warehouse):
            self.outcome.troubles.append("the ledger does not add up")
        self.outcome.publishes = max(
            (int(path.stem.split("-")[1]) for path in list_snapshots(self.warehouse)), default=0
        )

    def _timed(self) -> int:
        started = time.monotonic()
        code = self.job().wait()
        self._usual = time.monotonic() - started
        return code

    def _expect(self, what: str, code: int) -> None:
        if code != 0:
            said = (self.folder / f"job-{self._number % 8}.txt").read_text(errors="replace")[-400:]
            self.outcome.troubles.append(f"{what} left with {code}: {said}")

    def _fair(self, job: Job, code: int, killed: bool = False) -> str:
        if code in FAIR or (killed and code < 0):
            return {0: "done", 3: "stopped with a word", 4: "held"}.get(code, "killed")
        raise AssertionError(f"left with {code}: {job.said[-400:]}")

    # faults

    def kill(self) -> str:
        job = self.job()
        code = job.kill(self._random.uniform(0.0, self._usual * 1.1))
        return self._fair(job, code, killed=True)

    def kill_maintain(self) -> str:
        job = self.job("maintain", "--compact")
        return self._fair(job, job.kill(self._random.uniform(0.0, self._usual * 1.2)), killed=True)

    def torn_log(self) -> str:
        """A power cut: what the database had written last is gone, at any byte."""
        ended = self.kill()
        wal = self.warehouse / f"{DATABASE_NAME}.wal"
        if not wal.exists() or not wal.stat().st_size:
            return f"{ended}, no log left"
        with wal.open("r+b") as file:
            file.truncate(self._random.randint(0, wal.stat().st_size))
        return f"{ended}, log torn"

    def disk_full(self) -> str:
        if not self._small_disk:
            return self.file_limit()
        ballast = self.warehouse / "ballast"
        free = shutil.disk_usage(self.warehouse).free
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, free - self._random.randint(0, 8 << 20)))
        try:
            job = self.job()
            return self._fair(job, job.wait())
        finally:
            ballast.unlink()

    def file_limit(self) -> str:
        size = (self.warehouse / DATABASE_NAME).stat().st_size
        job = self.job(FSIZE=self._random.randint(1 << 16, int(size * 1.2)))
        return self._fair(job, job.wait())

    def no_memory(self) -> str:
        """Any end will do: what a library does without memory, down to its own abort, is not ours to choose."""
        job = self.job(AS=self._random.randint(600 << 20, 2400 << 20))
        code = job.wait()
        return {0: "done", 3: "stopped with a word"}.get(code, "killed" if code < 0 else "gave up")

    def two_at_once(self) -> str:
        jobs = [self.job(), self.job()]
        codes = sorted(job.wait() for job in jobs)
        if codes[0] != 0 or codes[1] not in (0, 4):
            raise AssertionError(f"two jobs left with {codes}: {jobs[0].said[-200:]} {jobs[1].said[-200:]}")
        return "one waited" if codes[1] == 0 else "one was turned away"

    def readers(self) -> str:
        with Readers(self.warehouse, 3) as readers:
            job = self.job()
            ended = self._fair(job, job.wait())
        self.outcome.reads += readers.reads
        if readers.troubles:
            raise AssertionError(readers.troubles[0])
        return ended

    def damaged_pointer(self) -> str:
        pointer = self.warehouse / "CURRENT"
        pointer.write_bytes(
            self._random.choice((b"", b"../../etc/passwd\n", b"peerscope-99999999.duckdb\n", b"\xff\xfe"))
        )
        job = self.job()
        return self._fair(job, job.wait())

    def stray_files(self) -> str:
        folder = self.warehouse / "snapshots"
        folder.mkdir(exist_ok=True)
        for name in (".peerscope-new.duckdb", ".peerscope-new.duckdb.wal"):
            (folder / name).write_bytes(self._random.randbytes(5000))
        (self.warehouse / "writer.lock").write_text("4711\n")
        job = self.job()
        return self._fair(job, job.wait())


def small_disk(path: Path) -> bool:
    """Mount a small file system of memory at ``path``; False where that is not allowed."""
    path.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS_BYTES}", "tmpfs", str(path)]
    return os.geteuid() == 0 and subprocess.run(words, capture_output=True).returncode == 0


def unmount(path: Path) -> None:
    """Undo ``small_disk``."""
    subprocess.run(["umount", "--lazy", str(path)], capture_output=True)
