"""A BIRD daemon in its node's namespace, and its stderr as a container runtime would keep it."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

from sample_logs.lab.netns import LabError, run

START_SPACING = 1.6
"""Seconds between starts of daemons that would otherwise dial each other in the same second of BIRD's clock."""

CONTROL_SOCKET = "/var/run/calico/bird.ctl"
CONFIG = "/etc/calico/confd/config/bird.cfg"

# The daemon sees the node's own /etc, /run and /var/log, so that it is started with Calico's own command
# line and its messages carry Calico's paths. `ip netns exec` has already made a private mount namespace.
_MOUNTS = 'mount --bind "$1/etc" /etc && mount --bind "$1/run" /run && mount --bind "$1/log" /var/log'
_DAEMON = f'{_MOUNTS} && shift && exec "$@" bird -R -s {CONTROL_SOCKET} -d -c {CONFIG}'


def cri_stamp(nanoseconds: int) -> str:
    """A time as CRI-O's log writer prints it in UTC."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}+00:00"


class ContainerLog:
    """The log files of one container: ``0.log``, and the next number after each container restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.restarts = 0
        folder.mkdir(parents=True, exist_ok=True)

    def follow(self, stream: IO[bytes]) -> threading.Thread:
        """Stamp and keep each line of ``stream`` as it arrives, until its end, in today's file."""
        path = self._folder / f"{self.restarts}.log"
        thread = threading.Thread(target=self._copy, args=(stream, path), daemon=True)
        thread.start()
        return thread

    def _copy(self, stream: IO[bytes], path: Path) -> None:
        with path.open("ab") as file:
            for line in stream:
                with self._lock:
                    stamp = cri_stamp(time.time_ns()).encode()
                    file.write(stamp + b" stdout F " + line.rstrip(b"\n") + b"\n")
                    file.flush()


class Killable(Protocol):
    """A program that a scenario started beside the nodes' own daemons."""

    def kill(self) -> None:
        """End it at once."""


class Daemon:
    """One BIRD with its files."""

    def __init__(self, namespace: str, home: Path, log: ContainerLog) -> None:
        self.namespace = namespace
        self.home = home
        self.log = log
        self.wanted = False
        self.limits: dict[str, int] = {}
        self.pids: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        for folder in ("etc/calico/confd/config", "run/calico", "log"):
            (home / folder).mkdir(parents=True, exist_ok=True)

    @property
    def socket(self) -> Path:
        """The control socket as seen from outside the daemon's mount namespace."""
        return self.home / "run/calico/bird.ctl"

    @property
    def config(self) -> Path:
        """The configuration file as seen from outside."""
        return self.home / "etc/calico/confd/config/bird.cfg"

    @property
    def running(self) -> bool:
        """Whether the process exists (a stopped one does)."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the daemon, as runit would."""
        self.wanted = True
        if self.running:
            raise LabError(f"{self.namespace}: BIRD runs already")
        limits = ["prlimit", *(f"--{name}={value}:" for name, value in self.limits.items())] if self.limits else []
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, "sh", "-c", _DAEMON, "sh", str(self.home), *limits],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.pids.append(self._process.pid)
        stream = self._process.stdout
        if stream is None:
            raise LabError("no pipe")
        self._reader = self.log.follow(stream)

    def revive(self) -> None:
        """Start the daemon again if it ended by itself; runit looks once a second."""
        if self.wanted and not self.running:
            self.start()

    def limit(self, name: str, value: int) -> None:
        """Set a soft limit by the name that prlimit(1) has for it, for this daemon and those started in its place."""
        self.limits[name] = value
        if self._process is not None and self.running:
            run(["prlimit", "--pid", str(self._process.pid), f"--{name}={value}:"])

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the daemon."""
        if self._process is None or not self.running:
            raise LabError(f"{self.namespace}: no BIRD to send {number.name} to")
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the daemon at once, as the end of its container does, and keep its last lines."""
        self.wanted = False
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait(timeout=10)
        if self._reader is not None:
            self._reader.join(timeout=10)
