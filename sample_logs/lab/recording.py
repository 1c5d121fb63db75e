"""Turns a finished run into the files of a recording."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sample_logs.lab import inventory, probe, readme, rendered, truth
from sample_logs.lab.bundle import archive
from sample_logs.lab.cluster import Node, pod_name
from sample_logs.lab.control import parse_protocols
from sample_logs.lab.inventory import Machine, NodeFacts, Pod
from sample_logs.lab.netns import run
from sample_logs.lab.observe import Snapshot, compact_time, date_u
from sample_logs.lab.probe import Event, Recorder
from sample_logs.lab.runner import Lab

NODE_SYSCTLS = ("net.core.optmem_max", "net.core.somaxconn", "net.ipv4.tcp_syn_retries")
"""Parameters that each network namespace has for itself."""

MACHINE_SYSCTLS = (
    "fs.file-max",
    "net.core.rmem_max",
    "net.core.wmem_max",
    "net.ipv4.neigh.default.gc_thresh1",
    "net.ipv4.neigh.default.gc_thresh2",
    "net.ipv4.neigh.default.gc_thresh3",
)
"""Parameters that exist once on a machine."""

CONNTRACK_SYSCTLS = ("net.netfilter.nf_conntrack_count", "net.netfilter.nf_conntrack_max")
"""Parameters of a node that tracks connections; the first one is the namespace's own, the other the machine's."""

COUNTERS = ("TcpExtTCPMD5NotFound", "TcpExtTCPMD5Unexpected", "TcpExtTCPMD5Failure")
STATUS_CLIENTS = 3


def machine_facts() -> Machine:
    """What is true of the machine under all nodes."""
    release = platform.freedesktop_os_release()
    version = run(["sh", "-c", "bird --version 2>&1"]).split()[-1]
    return Machine(platform.release(), release["PRETTY_NAME"], run(["uname", "-a"]).strip(), version)


def lines_about(log: str, namespace: int, pids: Sequence[int], since: float) -> str:
    """The lines of ``dmesg --time-format iso`` since a time that name a node's namespace or its BIRD.

    One log serves the whole machine.
    """
    named = re.compile("|".join([rf"\bnetns {namespace}\b", *(rf"\bbird\[{pid}\]" for pid in pids)]))
    return "".join(f"{line}\n" for line in log.splitlines() if named.search(line) and _dmesg_time(line) >= since)


def _dmesg_time(line: str) -> float:
    return datetime.fromisoformat(line.split(" ", 1)[0].replace(",", ".")).timestamp()


class Collector:
    """Collects the files of one run."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.machine = machine_facts()
        self.files: dict[str, bytes] = {}
        self._created: dict[str, float] = {}

    def _put(self, name: str, text: str) -> None:
        self.files[name] = text.encode()

    # -- inventory ----

    def take_inventory(self, _: Lab) -> None:
        """Write what kubectl and calicoctl print now into a folder of its own."""
        cluster, now = self.lab.cluster, time.time()
        for node in cluster.nodes.values():
            self._created.setdefault(node.name, self.lab.container_started.get(node.name, [now])[0])
        folder = f"inventory/{compact_time(now)}"
        optmem_max = self.optmem_max()
        facts = {
            name: NodeFacts(optmem_max[name], self._created[name], name in self.lab.offline) for name in cluster.nodes
        }
        texts = {
            "nodes.json": inventory.nodes_json(cluster, self.machine, facts),
            "calico-nodes.yaml": inventory.calico_nodes_yaml(cluster, facts),
            "bgppeers.yaml": inventory.bgppeers_yaml(cluster, self.lab.started_at),
            "bgpconfiguration.yaml": inventory.bgpconfiguration_yaml(cluster, self.lab.started_at),
            "pods.json": inventory.pods_json([self.pod(node) for node in self._pod_nodes()]),
        }
        for name, text in texts.items():
            self._put(f"{folder}/{name}", text)
        self._inventory_folder = folder

    def optmem_max(self) -> dict[str, int]:
        """The limit of every node's namespace."""
        return {node.name: self.lab.network.optmem_max(node) for node in self.lab.cluster.nodes.values()}

    def _pod_nodes(self) -> list[Node]:
        return [node for node in self.lab.cluster.nodes.values() if node.role != "outside"]

    def pod(self, node: Node) -> Pod:
        """The calico-node pod of a node."""
        folder = self.lab.pod_folder(node)
        starts = tuple(self.lab.container_started.get(node.name, [self.lab.started_at]))
        name = pod_name(self.lab.scenario.id, node.name)
        return Pod(name, folder.rsplit("_", 1)[1], node.name, node.address, starts, self._ready(node))

    def _ready(self, node: Node) -> bool:
        if not self.lab.snapshots:
            return False
        shot = self.lab.snapshots[-1]
        return node.name in shot.status and self._probe(node, shot)[1] is None

    # -- probe ----

    def _probe(self, node: Node, shot: Snapshot) -> tuple[int | None, str | None]:
        silent = shot.probe_texts[node.name]
        if silent is not None:
            return None, silent
        taken = shot.taken_at[node.name]
        # The nodename file, from whose age the probe reckons, is written when the container starts.
        age = taken - max(start for start in self.lab.container_started[node.name] if start <= taken)
        return probe.verdict(shot.protocols[node.name], shot.status[node.name], age)

    def _events(self) -> dict[str, list[Event]]:
        """Events of each pod: one probe at each snapshot."""
        events: dict[str, list[Event]] = {}
        for node in self._pod_nodes():
            recorder = Recorder()
            for number, shot in enumerate(self.lab.snapshots):
                if node.name not in shot.status:
                    continue
                count, reason = self._probe(node, shot)
                if reason is not None:
                    pid = 700 + 37 * number
                    moment = shot.taken_at[node.name]
                    recorder.unhealthy(moment, probe.output(moment, pid, count, reason))
            events[node.name] = recorder.events
        return events

    # -- nodes ----

    def _snapshots(self) -> None:
        for shot in self.lab.snapshots:
            for name, status in shot.status.items():
                moment = shot.taken_at[name]
                text = date_u(moment) + "\n" + status + shot.protocols[name] + shot.details.get(name, "")
                self._put(f"nodes/{name}/birdcl/{compact_time(moment)}.txt", text)

    def _node_files(self, node: Node) -> None:
        lab, folder = self.lab, f"nodes/{node.name}"
        home = lab.daemons[node.name].home
        for path in sorted((home / "pods").rglob("*.log")):
            self.files[f"{folder}/var/log/pods/{path.relative_to(home / 'pods')}"] = path.read_bytes()
        for path in sorted((home / "log").glob("*.log")):
            self.files[f"{folder}/var/log/{path.name}"] = path.read_bytes()
        self._put(f"{folder}/bird.cfg", lab.daemons[node.name].config.read_text(encoding="utf-8"))
        if node.role == "outside" or node.name in lab.offline:
            return
        names = [*NODE_SYSCTLS, *(CONNTRACK_SYSCTLS if node.name in lab.tracking else ())]
        own = lab.network.inside(node, ["sysctl", *names])
        self._put(f"{folder}/sysctl.txt", own + run(["sysctl", *MACHINE_SYSCTLS]))
        self._put(f"{folder}/uname.txt", self.machine.uname_of(node.name) + "\n")
        log = run(["dmesg", "--time-format", "iso"], check=False)
        kernel = lines_about(log, lab.network.inode(node), lab.daemons[node.name].pids, lab.started_at)
        if kernel:
            self._put(f"{folder}/dmesg.txt", kernel)
        if node.role == "reflector":
            environment = f"NSTAT_HISTORY={lab.work / 'nstat'}"
            self._put(
                f"{folder}/nstat.txt",
                lab.network.inside(node, ["env", environment, "nstat", "-asz", *COUNTERS]),
            )

    def _status_files(self, events: dict[str, list[Event]]) -> None:
        shot = self.lab.snapshots[-1]
        for node in self._status_nodes(events):
            running = bool(parse_protocols(shot.protocols[node.name])) or shot.probe_texts[node.name] is None
            text = rendered.node_status(shot.taken_at[node.name], shot.protocols[node.name], running)
            self._put(f"nodes/{node.name}/calicoctl-node-status.txt", text)

    def _status_nodes(self, events: dict[str, list[Event]]) -> list[Node]:
        """Reflectors and three others, those in trouble first."""
        nodes = [node for node in self._pod_nodes() if node.name not in self.lab.offline]
        others = [node for node in nodes if node.role != "reflector"]
        others.sort(key=lambda node: -len(events[node.name]))
        return [node for node in nodes if node.role == "reflector"] + others[:STATUS_CLIENTS]

    def _describe(self, events: dict[str, list[Event]]) -> None:
        failing = [node for node in self._pod_nodes() if events[node.name] and node.role != "reflector"]
        if failing:
            node = max(failing, key=lambda item: sum(event.count for event in events[item.name]))
            text = rendered.describe_pod(self.pod(node), events[node.name], self.lab.ended_at)
            self._put(f"nodes/{node.name}/describe-pod.txt", text)

    # -- all ----

    def finish(self, folder: Path) -> None:
        """Collect what is left and write the recording."""
        self.take_inventory(self.lab)
        events = self._events()
        by_pod = [(self.pod(node), event) for node in self._pod_nodes() for event in events[node.name]]
        self._put(f"{self._inventory_folder}/events.json", rendered.events_json(by_pod))
        self._snapshots()
        self._status_files(events)
        self._describe(events)
        optmem_max = self.optmem_max()
        for node in self.lab.cluster.nodes.values():
            self._node_files(node)
        document = truth.build(self.lab, self.machine, optmem_max)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "truth.json").write_text(truth.dump(document), encoding="utf-8")
        (folder / "README.md").write_text(readme.render(self.lab.scenario, document), encoding="utf-8")
        partial = folder / "collected.tar.gz.part"
        partial.write_bytes(archive(self.files, self.lab.ended_at))
        partial.replace(folder / "collected.tar.gz")
