"""The readiness probe of calico-node, and the events that kubelet makes of its failures.

The rule is the one of calico-node's ``checkBIRDReady``: without peers a node is ready; in the first 30 s
every peer must be established and no graceful restart may be in progress; afterwards one established peer
is enough.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sample_logs.lab.control import Row, parse_protocols

THRESHOLD_SECONDS = 30.0
SIMILAR_EVENTS_MAX = 10
"""client-go aggregates from the tenth differing message of one kind on."""

COMBINED = "(combined from similar events): "

_COUNTED = re.compile(r"^(Global|Node|Mesh)_(.+)$")
_NOT_READY = "calico/node is not ready: BIRD is not ready: "


@dataclass(frozen=True)
class Peer:
    """A peer as the probe sees it."""

    address: str
    established: bool


def peers_of(rows: Sequence[Row]) -> list[Peer]:
    """The peers that count: Calico's names, and rows whose info column is not empty."""
    peers: list[Peer] = []
    for row in rows:
        match = _COUNTED.match(row.protocol)
        if match and row.info:
            peers.append(Peer(match[2].replace("_", "."), row.bgp_state == "Established"))
    return peers


def verdict(protocols: str, status: str, age: float) -> tuple[int, str | None]:
    """Established peers and why the node is not ready (``None``: it is), from what birdc printed."""
    peers = peers_of(parse_protocols(protocols))
    down = [peer.address for peer in peers if not peer.established]
    established = len(peers) - len(down)
    text = "BGP not established with " + ",".join(down)
    if not peers:
        return 0, None
    if age < THRESHOLD_SECONDS:
        if down:
            return established, text
        waiting = "Graceful restart recovery in progress" in status
        return established, "graceful restart in progress" if waiting else None
    return established, None if established else text


def output(moment: float, pid: int, established: int | None, reason: str) -> str:
    """What the probe prints when it fails; without a count when BIRD was never reached."""
    text = f"{_NOT_READY}{reason}\n"
    if established is None:
        return text
    stamp = f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]
    count = f"Number of node(s) with BGP peering established = {established}"
    return f"{stamp} [INFO][{pid}] confd/health.go 180: {count}\n{text}"


@dataclass
class Event:
    """An event as the API server keeps it."""

    message: str
    first: float
    last: float
    count: int = 1


class Recorder:
    """Kubelet's event recorder for one pod: equal messages are counted, many similar ones combined."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._similar: set[str] = set()

    def unhealthy(self, moment: float, probe_output: str) -> None:
        """Record a failed readiness probe."""
        message = f"Readiness probe failed: {probe_output}"
        self._similar.add(message)
        if len(self._similar) >= SIMILAR_EVENTS_MAX:
            # The set stays below the limit plus one, as client-go keeps it.
            self._similar.remove(next(iter(self._similar - {message})))
            self._combine(moment, COMBINED + message)
            return
        for event in self.events:
            if event.message == message:
                event.count, event.last = event.count + 1, moment
                return
        self.events.append(Event(message, moment, moment))

    def _combine(self, moment: float, message: str) -> None:
        for event in self.events:
            if event.message.startswith(COMBINED):
                event.message, event.last, event.count = message, moment, event.count + 1
                return
        self.events.append(Event(message, moment, moment))
