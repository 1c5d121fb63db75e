"""Every command that a collection runs, and the file of the bundle that its answer becomes.

All of them read. ``Command.check`` refuses anything else, also when this module is changed without thought:
only ``get``, ``logs`` and ``exec`` of the scripts below, and never a Secret.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UsageError

NODE_LABEL = "k8s-app=calico-node"
LOGGED = "k8s-app in (calico-node, calico-typha)"

_SOCKETS = "/var/run/calico/bird.ctl /var/run/calico/bird6.ctl"
# The time comes first, so that every row below has one; birdcl only asks, the control socket may do more.
BIRDCL = (
    f"date -u; for s in {_SOCKETS}; do test -S $s || continue; for q in status protocols 'protocols all'; do "
    "birdcl -r -s $s show $q; done; done"
)
KEYS = (
    "net/core/optmem_max", "net/core/somaxconn", "net/ipv4/neigh/default/gc_thresh3",
    "net/netfilter/nf_conntrack_max", "net/netfilter/nf_conntrack_count", "fs/file-max",
)  # fmt: skip
SYSCTL = f'date -u; for k in {" ".join(KEYS)}; do test -r /proc/sys/$k && echo "$k = $(cat /proc/sys/$k)"; done; true'
UNAME = "date -u; uname -a"
# nstat itself keeps a history file; the counters stand in /proc, and are told apart afterwards.
NSTAT = "date -u; cat /proc/net/netstat"
# The password is taken out on the node: it never travels.
BIRD_CFG = 'sed -E \'s/(password[[:space:]]+)"[^"]*"/\\1"[redacted]"/\' /etc/calico/confd/config/bird.cfg'
SCRIPTS = (BIRDCL, SYSCTL, UNAME, NSTAT, BIRD_CFG)
_VERBS = ("get", "logs", "exec")
_SECRETS = re.compile(r"(?i)(?:^|[/,])secrets?(?:$|[/,.])")


@dataclass(frozen=True)
class Command:
    """Words of a command and the member of the bundle its standard output becomes.

    ``optional`` ones may have nothing to say on a healthy cluster; their failure is mentioned with -v only.
    """

    words: tuple[str, ...]
    member: str
    optional: bool = False

    def __str__(self) -> str:
        return shlex.join(self.words)

    def check(self, programs: tuple[str, ...]) -> None:
        """Raises UsageError unless the command only reads, and reads no Secret."""
        verb = next((word for word in self.words[1:] if not word.startswith("-")), "")
        reads = self.words[0] in programs and verb in _VERBS
        if verb == "exec":
            reads = reads and self.words[-1] in SCRIPTS and self.words[-4:-1] == ("--", "sh", "-c")
        asked = self.words[1:] if verb == "get" else ()
        if not reads or any(_SECRETS.search(word) for word in asked if not word.startswith("--")):
            raise UsageError(f"collect: {self} is not a command that only reads; nothing was run")


@dataclass(frozen=True)
class Pod:
    """A pod whose logs are wanted."""

    namespace: str
    name: str
    uid: str
    node: str
    containers: tuple[tuple[str, int], ...]
    is_calico_node: bool

    @classmethod
    def of(cls, body: dict[str, Any]) -> Pod:
        """A pod from its Kubernetes object; restarts are 0 for containers that never ran."""
        meta, status = body.get("metadata", {}), body.get("status", {})
        restarts = {row.get("name"): int(row.get("restartCount", 0)) for row in status.get("containerStatuses") or ()}
        names = [row["name"] for row in body.get("spec", {}).get("containers") or ()]
        return cls(
            meta.get("namespace", ""), meta.get("name", ""), meta.get("uid", "0"),
            body.get("spec", {}).get("nodeName", ""), tuple((name, restarts.get(name, 0)) for name in names),
            (meta.get("labels") or {}).get("k8s-app") == "calico-node",
        )  # fmt: skip


@dataclass(frozen=True)
class Cluster:
    """How to reach the cluster and how much to ask for; ``nodes`` empty means all."""

    kubectl: str = "kubectl"
    calicoctl: str = "calicoctl"
    context: str | None = None
    kubeconfig: str | None = None
    since: str = "24h"
    rotated: bool = False
    nodes: tuple[str, ...] = ()

    @property
    def programs(self) -> tuple[str, ...]:
        """The two programs that may be run."""
        return (self.kubectl, self.calicoctl)

    def kube(self, *words: str) -> tuple[str, ...]:
        """A kubectl command for this cluster."""
        told = [f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else []
        told += [f"--context={self.context}"] if self.context else []
        return (self.kubectl, *told, *words)

    def calico(self, *words: str) -> tuple[str, ...]:
        """A calicoctl command; it shares kubectl's configuration through the environment."""
        return (self.calicoctl, *words)

    def inventory(self, stamp: str) -> Iterator[Command]:
        """What is asked once."""
        folder = f"inventory/{stamp}"

        def get(member: str, *words: str, optional: bool = False) -> Command:
            form = "json" if member.endswith(".json") else "yaml"
            return Command(self.kube("get", *words, "-o", form), f"{folder}/{member}", optional)

        yield get("nodes.json", "nodes")
        yield get("pods.json", "pods", "--all-namespaces", "-l", LOGGED)
        yield get("daemonsets.json", "daemonsets", "--all-namespaces", "-l", NODE_LABEL)
        for namespace in ("kube-system", "calico-system", "default"):
            name = f"events-{namespace}.json"
            yield get(name, "events", "--namespace", namespace, optional=namespace != "kube-system")
        yield get("caliconodestatuses.yaml", "caliconodestatuses.crd.projectcalico.org", optional=True)
        for kind, member in (
            ("nodes", "calico-nodes"), ("bgppeers", "bgppeers"), ("bgpconfigurations", "bgpconfiguration"),
        ):  # fmt: skip
            words = self.calico("get", kind, "-o", "yaml", "--allow-version-mismatch")
            yield Command(words, f"{folder}/{member}.yaml")

    def of_pod(self, pod: Pod, stamp: str) -> Iterator[Command]:
        """Logs of a pod and, of a calico-node pod, what its daemon and its host say."""
        home = f"nodes/{pod.node}"
        logs = f"{home}/var/log/pods/{pod.namespace}_{pod.name}_{pod.uid}"
        for container, restarts in pod.containers:
            words = self.kube(
                "logs", "--namespace", pod.namespace, pod.name, "-c", container, "--timestamps", f"--since={self.since}"
            )
            yield Command(words, f"{logs}/{container}/{restarts}.log")
            if restarts:
                yield Command((*words, "--previous"), f"{logs}/{container}/{restarts - 1}.log", optional=True)
        if not pod.is_calico_node:
            return
        for script, member in (
            (BIRDCL, f"birdcl/{stamp}.txt"), (SYSCTL, f"sysctl/{stamp}.txt"), (UNAME, f"uname/{stamp}.txt"),
            (NSTAT, f"nstat/{stamp}.txt"), (BIRD_CFG, "bird.cfg"),
        ):  # fmt: skip
            words = self.kube("exec", "--namespace", pod.namespace, pod.name, "-c", "calico-node", "--", "sh", "-c")
            yield Command((*words, script), f"{home}/{member}")

    def rotated_folder(self, pod: Pod, container: str) -> Command:
        """The listing of a container's log folder, through the kubelet's read-only log handler."""
        path = f"/api/v1/nodes/{pod.node}/proxy/logs/pods/{pod.namespace}_{pod.name}_{pod.uid}/{container}/"
        return Command(self.kube("get", "--raw", path), "", optional=False)

    def rotated_file(self, pod: Pod, container: str, name: str) -> Command:
        """One rotated log file."""
        folder = self.rotated_folder(pod, container)
        home = f"nodes/{pod.node}/var/log/pods/{pod.namespace}_{pod.name}_{pod.uid}/{container}"
        return Command((*folder.words[:-1], folder.words[-1] + name), f"{home}/{name.removesuffix('.gz')}")


def every_command(cluster: Cluster, stamp: str) -> Iterator[Command]:
    """The commands of a collection without asking the cluster: words in capitals stand for what it answers."""
    yield from cluster.inventory(stamp)
    pod = Pod("NAMESPACE", "POD", "UID", "NODE", (("CONTAINER", 1),), is_calico_node=True)
    yield from cluster.of_pod(pod, stamp)
    if cluster.rotated:
        yield cluster.rotated_folder(pod, "CONTAINER")
        yield cluster.rotated_file(pod, "CONTAINER", "FILE")
