"""Keeps the connection tracking table of its namespace full: ``python flows.py SPARE``, with room for SPARE more.

To make room the kernel evicts flows that were never answered, so each flow is answered, and spoken on again after two
seconds: then the kernel counts it as assured and keeps it, 120 s by default. Imports nothing of the lab. Prints a line
when the table is full for the first time, keeps it so, and ends when it is told to.
"""

from __future__ import annotations

import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

SETTINGS = Path("/proc/sys/net/netfilter")
SIDE = 512
"""Sockets on either side; each pair of them is a flow."""

ROUND = 64
"""Sockets of one side that are taken at a time: the kernel's sweep must not find many flows unanswered."""

ASSURED_AFTER = 2.2
LOOK_EVERY = 0.02
MOST_FLOWS = 1_000_000

Sockets = list[socket.socket]


def _read(name: str) -> int:
    return int((SETTINGS / name).read_text(encoding="ascii"))


def _sockets(address: str, number: int) -> Sockets:
    made = []
    for _ in range(number):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((address, 0))
        made.append(one)
    return made


def _speak(ones: Sockets, others: Sockets) -> None:
    names = [other.getsockname() for other in others]
    for one in ones:
        for name in names:
            # What the kernel cannot track any more it does not send: the table is full.
            with suppress(PermissionError):
                one.sendto(b"x", name)


class Filler:
    """Flows between sockets of this process, as many as are missing."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self._servers = _sockets("127.0.0.2", SIDE)
        self._waiting: list[tuple[float, Sockets, Sockets]] = []

    def add(self) -> bool:
        """Add a round of flows; false if none is missing."""
        missing = self.wanted - _read("nf_conntrack_count")
        if missing <= 0:
            return False
        clients = _sockets("127.0.0.1", min(ROUND, max(1, missing // SIDE)))
        servers = self._servers[: min(missing, SIDE)]
        _speak(clients, servers)
        _speak(servers, clients)
        self._waiting.append((time.monotonic() + ASSURED_AFTER, clients, servers))
        return True

    def assure(self) -> bool:
        """Speak again on flows that are old enough; true while younger ones are left."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, clients, servers = self._waiting.pop(0)
            _speak(clients, servers)
            for one in clients:
                one.close()
        return bool(self._waiting)


def main() -> int:
    """Fill the table and keep it full."""
    if _read("nf_conntrack_max") > MOST_FLOWS:
        print(f"a table of {_read('nf_conntrack_max')} is too large to fill", file=sys.stderr)
        return 1
    filler = Filler(_read("nf_conntrack_max") - int(sys.argv[1]))
    told = False
    while True:
        added = filler.add()
        young = filler.assure()
        if not (added or young or told):
            print("full", flush=True)
            told = True
        time.sleep(LOOK_EVERY)


if __name__ == "__main__":
    sys.exit(main())
