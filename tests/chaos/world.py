"""The input of a campaign: log files of a few nodes that grow, are rotated, packed, copied, damaged and come late."""

from __future__ import annotations

import gzip
import io
import random
import re
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.grammar import load_ruleset
from pipeline.sources.birds import SIX

START = datetime(2024, 12, 18, 7, 0, tzinfo=UTC)
NODES = [f"node-{number}" for number in range(1, 7)]


class World:
    """Files below ``folder``; everything follows from the seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.files = 0
        self._random = random.Random(seed)
        rules = load_ruleset().rules
        lines = {e.line for r in rules for e in r.examples if e.family == "bird" and "\n" not in e.line}
        # Where bird and bird6 write into one log, a line that names neither is told by its neighbours: what was read
        # before these came is taken for bird's.
        self._lines = sorted(line for line in lines if not re.search(SIX, line))
        self._clock = START
        self._unfinished: dict[str, bytes] = {}
        self._late = folder.parent / "late"

    def add(self, lines: int = 80) -> Path:
        """A new log file of some node, in one of the forms in which logs lie around."""
        data = "".join(self._line() for _ in range(self._random.randint(1, lines))).encode()
        node = self._random.choice(NODES)
        home = self.folder / f"nodes/{node}/var/log/pods/kube-system_calico-node-ab{node[-1]}de_u{node[-1]}/calico-node"
        home.mkdir(parents=True, exist_ok=True)
        form = self._random.choice(("log", "log", "log", "gz", "tar", "cut gz", "cut tar", "noise"))
        path = home / f"{self.files}.log"
        self.files += 1
        if self._random.random() < 0.15:  # it will be found by a later run, with older lines than others
            path = self._late / path.relative_to(self.folder)
            path.parent.mkdir(parents=True, exist_ok=True)
        if form == "log":
            path.write_bytes(data)
        elif form in ("gz", "cut gz"):
            path = path.with_name(path.name + ".gz")
            path.write_bytes(self._cut(gzip.compress(data, mtime=0), form))
        elif form in ("tar", "cut tar"):
            path = path.with_name(f"bundle-{self.files}.tar.gz")
            path.write_bytes(self._cut(self._tar(f"nodes/{node}/x{self.files}.log", data), form))
        else:  # it does not grow: what a file is read as is told by its beginning, which must be there
            path = path.with_name(f"noise-{path.name}")
            path.write_bytes(self._random.randbytes(self._random.randint(1, 4000)) + data)
        return path

    def grow(self) -> None:
        """More lines at the end of a file, the last of them perhaps not finished yet; the next growth finishes it."""
        plain = sorted(path for path in self.folder.rglob("*.log") if path.name.split(".")[0].isdigit())
        if not plain:
            return
        path = self._random.choice(plain)
        data = self._unfinished.pop(path.name, b"") + "".join(self._line() for _ in range(20)).encode()
        kept = self._random.randint(0, 40) if self._random.random() < 0.5 else 0
        with path.open("ab") as file:
            file.write(data[: len(data) - kept])
        if kept:
            self._unfinished[path.name] = data[len(data) - kept :]

    def finish(self) -> None:
        """Write what growing files still lack, and let the late ones come."""
        while self.arrive():
            pass
        for path in sorted(self.folder.rglob("*.log")):
            with path.open("ab") as file:
                file.write(self._unfinished.pop(path.name, b""))

    def arrive(self) -> bool:
        """A late file comes; False when there is none."""
        late = sorted(path for path in self._late.rglob("*") if path.is_file())
        if not late:
            return False
        path = self._random.choice(late)
        target = self.folder / path.relative_to(self._late)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        return True

    def copy_and_cut(self) -> None:
        """logrotate's copytruncate: the content goes into a copy, the file begins anew."""
        plain = sorted(path for path in self.folder.rglob("*.log") if path.name not in self._unfinished)
        if plain:
            path = self._random.choice(plain)
            self.files += 1
            path.with_name(f"{path.name}.{self._clock:%Y%m%d-%H%M%S}.{self.files}").write_bytes(path.read_bytes())
            path.write_bytes("".join(self._line() for _ in range(5)).encode())

    def rotate(self) -> None:
        """What rotation does to a file: another name, or compressed under another name."""
        plain = sorted(path for path in self.folder.rglob("*.log") if path.name not in self._unfinished)
        if not plain:
            return
        path = self._random.choice(plain)
        self.files += 1
        stamp = f"{self._clock:%Y%m%d-%H%M%S}.{self.files}"
        target = path.with_name(f"{path.name}.{stamp}")
        if self._random.random() < 0.5:
            path.rename(target)
        else:
            target.with_name(target.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
            path.unlink()

    def copy(self) -> None:
        """The same content once more, in another place of the same node, as a second collection leaves it."""
        plain = sorted(path for path in self.folder.rglob("*.log") if path.name not in self._unfinished)
        if plain:
            path = self._random.choice(plain)
            path.with_name(f"again-{self.files}.log").write_bytes(path.read_bytes())

    def _line(self) -> str:
        self._clock += timedelta(milliseconds=self._random.randint(1, 60_000))
        stamp = self._clock.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
        text = self._random.choice(self._lines).replace("10.0.0.7", f"10.0.0.{self._random.randint(1, 6)}")
        return f"{stamp} stdout F bird: {text}\n"

    def _cut(self, data: bytes, form: str) -> bytes:
        return data[: self._random.randint(20, len(data))] if form.startswith("cut") else data

    def _tar(self, name: str, data: bytes) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        return gzip.compress(buffer.getvalue(), mtime=0)
