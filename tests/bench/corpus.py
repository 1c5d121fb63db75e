"""Corpora for measuring: container logs of calico-node as a fleet writes them, made up from a seed.

The wordings are those of BIRD, Felix, confd and the probes as the rules of the grammar cite them; addresses, names
and numbers vary, so that few lines are equal and few hundred wordings exist. ``MIXES`` says who speaks how much:
``noisy`` is a quiet fleet that chatters, ``storm`` one whose sessions fail all the time.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import zstandard

START = datetime(2024, 12, 18, 7, 0, 0, tzinfo=UTC)
BATCH = 20_000
PEERS = 1000
MIXES: dict[str, dict[str, int]] = {
    # BIRD's debug chatter, Felix and confd at INFO, and the sessions of a fleet with some trouble
    "noisy": {"bird_quiet": 36, "bird_session": 2, "felix": 42, "confd": 16, "loud": 3, "stack": 1},
    "storm": {"bird_quiet": 8, "bird_session": 72, "felix": 12, "confd": 4, "loud": 4, "stack": 0},
}
_BIRD_QUIET = (
    "device1: Scanning interfaces",
    "device1: Connected to table master",
    "direct1: State changed to up",
    "kernel1: Scanning routing table",
    "kernel1: {net}/26: will be updated",
    "kernel1: {net}/26: [alien] seen",
    "Mesh_{u}: Got UPDATE",
    "Mesh_{u}: Sending KEEPALIVE",
    "Mesh_{u}: Got KEEPALIVE",
    "Mesh_{u} > added [best] {net}/26 via {ip} on eth0",
    "Mesh_{u} < rejected by protocol {net}/26 via {ip} on cali{hex}",
    "Mesh_{u} > updated [best] {net}/26 via {ip} on eth0",
    "Mesh_{u} > removed {net}/26 via {ip} on eth0",
)
_BIRD_SESSION = (
    "Mesh_{u}: State changed to start",
    "Mesh_{u}: State changed to up",
    "Mesh_{u}: State changed to down",
    "Mesh_{u}: State changed to stop",
    "Mesh_{u}: BGP session established",
    "Mesh_{u}: BGP session closed",
    "Mesh_{u}: Connecting to {ip} from local address {me}",
    "Mesh_{u}: Connection closed",
    "Mesh_{u}: Connection lost (Connection reset by peer)",
    "Mesh_{u}: Error: Hold timer expired",
    "Mesh_{u}: Received: Hold timer expired",
    "Mesh_{u}: Received: Administrative shutdown",
    "Mesh_{u}: Incoming connection from {ip} (port {port}) accepted",
    "Mesh_{u}: Connect delayed by {d} seconds",
    "Mesh_{u}: Neighbor graceful restart detected",
    "BGP: Unexpected connect from unknown address {ip} (port {port})",
)
_FELIX = (
    "felix/endpoint_mgr.go 492: Re-evaluated workload endpoint status adminUp=true failed=false known=true operUp=true "
    'status="up" workloadEndpointID=proto.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"default/web-{hex}", '
    'EndpointId:"eth0"}',
    'felix/status_combiner.go 81: Storing endpoint status update ipVersion=0x4 status="up" '
    'workload=proto.WorkloadEndpointID{OrchestratorId:"k8s", WorkloadId:"default/web-{hex}", EndpointId:"eth0"}',
    "felix/summary.go 100: Summarising {n} dataplane reconciliation loops over {d}s: avg={n}ms longest={n}ms "
    "(resync-filter-v4,resync-ipsets-v4,resync-routes-v4)",
    'felix/int_dataplane.go 1836: Received interface update msg=&intdataplane.ifaceStateUpdate{Name:"cali{hex}", '
    'State:"up", Index:{n}}',
    "felix/calc_graph.go 467: Local endpoint updated id=WorkloadEndpoint(node=worker-{d}, orchestrator=k8s, "
    "workload=default/web-{hex}, name=eth0)",
    "felix/route_table.go 1190: Syncing routes: found unexpected route; ignoring due to grace period. dest={net}/32 "
    'ifaceName="cali{hex}" ifaceRegex="^cali.*" ipVersion=0x4 tableIndex=0',
    'felix/int_dataplane.go 1315: Linux interface addrs changed. addrs=set.Set{{ip}} ifaceName="cali{hex}"',
    "felix/health.go 336: Overall health status changed: live=true ready=true",
)
_CONFD = (
    "confd/client.go 995: Recompute BGP peerings: HostBGPConfig(node=worker-{d}; name=ip_addr_v4) updated",
    "confd/resource.go 278: Target config /etc/calico/confd/config/bird.cfg has been updated due to change in key: "
    "/calico/bgp/v1/host/worker-{d}/ip_addr_v4",
    'confd/watchercache.go 180: Full resync is required ListRoot="/calico/ipam/v2/host/worker-{d}"',
)
_LOUD = (
    "[WARNING][{n}] felix/l3_route_resolver.go 689: Unable to create route for IP; the node it belongs to was not "
    "recorded in IPAM IP={ip}",
    "[ERROR][{n}] confd/client.go 421: Failed to read the node's BGP address for worker-{d}: connection refused",
    "[WARNING][{n}] felix/int_dataplane.go 788: Failed to read {n} conntrack entries from {ip}:{port}, retrying",
)
_STACK = (
    "panic: runtime error: index out of range [{n}] with length {d}",
    "goroutine {n} [running]:",
    "\tgithub.com/projectcalico/calico/felix/calc.go:{n} +0x{hex}",
    "\t/usr/local/go/src/runtime/proc.go:{n} +0x{hex}",
)


class _Speaker:
    """Lines of one node, one after another in time."""

    def __init__(self, seed: int, mix: str, node: int) -> None:
        self._random = random.Random(seed)
        self._now = START + timedelta(seconds=node % 60)
        self._me = f"10.128.{node // 250}.{node % 250 + 1}"
        weights = MIXES[mix]
        self._kinds, self._weights = list(weights), list(weights.values())
        self._makers: dict[str, Callable[[], str]] = {
            "bird_quiet": lambda: "bird: " + self._pick(_BIRD_QUIET),
            "bird_session": lambda: "bird: " + self._pick(_BIRD_SESSION),
            "felix": lambda: f"{self._local()} [INFO][{self._random.randrange(40, 99)}] " + self._pick(_FELIX),
            "confd": lambda: f"{self._local()} [INFO][{self._random.randrange(40, 99)}] " + self._pick(_CONFD),
            "loud": lambda: f"{self._local()} " + self._pick(_LOUD),
            "stack": lambda: self._pick(_STACK),
        }

    def _local(self) -> str:
        return self._now.strftime("%Y-%m-%d %H:%M:%S.") + f"{self._now.microsecond // 1000:03}"

    def _pick(self, wordings: tuple[str, ...]) -> str:
        text, rnd = wordings[int(self._random.random() * len(wordings))], self._random.random
        if "{" not in text:
            return text
        peer = int(rnd() * PEERS)
        address = f"10.128.{peer // 250}.{peer % 250 + 1}"
        values = {
            "{u}": address.replace(".", "_"),
            "{ip}": address,
            "{me}": self._me,
            "{net}": f"10.{int(rnd() * 255)}.{int(rnd() * 255)}.{int(rnd() * 4) * 64}",
            "{hex}": f"{int(rnd() * 16**11):011x}",
            "{port}": str(30000 + int(rnd() * 30000)),
            "{n}": str(int(rnd() * 9000)),
            "{d}": str(int(rnd() * 400)),
        }
        for place, value in values.items():
            text = text.replace(place, value)
        return text

    def lines(self) -> Iterator[str]:
        """Batches of CRI lines, each one text."""
        while True:
            out = []
            for kind in self._random.choices(self._kinds, self._weights, k=BATCH):
                self._now += timedelta(microseconds=int(self._random.expovariate(1 / 60_000)) + 1)
                stamp = self._now.strftime("%Y-%m-%dT%H:%M:%S.%f")
                out.append(f"{stamp}{int(self._random.random() * 1000):03}Z stdout F {self._makers[kind]()}\n")
            yield "".join(out)


def write_corpus(folder: Path, size: int, *, files: int, mix: str = "noisy", seed: int = 1) -> list[Path]:
    """Container logs of ``files`` nodes, together about ``size`` bytes; returns their paths."""
    paths = []
    for node in range(files):
        path = folder / "nodes" / f"worker-{node}" / "kube-system" / f"calico-node-{node:05}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        left = size // files
        with path.open("w", encoding="utf-8") as out:
            for text in _Speaker(seed * 100_003 + node, mix, node).lines():
                text = text if len(text) <= left else text[: text.rfind("\n", 0, left) + 1]
                out.write(text)
                left -= len(text)
                if left < 400:
                    break
        paths.append(path)
    return paths


def compress(paths: list[Path], folder: Path, kind: str) -> list[Path]:
    """The same files as ``gz`` or ``zst`` at the levels that log rotation uses."""
    out = []
    for path in paths:
        target = folder / path.parent.parent.name / path.parent.name / f"{path.name}.{kind}"
        target.parent.mkdir(parents=True, exist_ok=True)
        data = path.read_bytes()
        packed = gzip.compress(data, 6, mtime=0) if kind == "gz" else zstandard.compress(data, 3)
        target.write_bytes(packed)
        out.append(target)
    return out
