"""One network namespace per node, all wired to a bridge that has a namespace of its own."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from sample_logs.lab import PREFIX
from sample_logs.lab.cluster import Node

CHAINS = {"input": ("input", 0), "output": ("output", 0), "raw_in": ("prerouting", -300), "raw_out": ("output", -300)}
"""Chains that a scenario's rules may name: hook and priority. The raw ones come before connection tracking."""


class LabError(RuntimeError):
    """The lab cannot go on, with the reason."""


def run(argv: Sequence[str], stdin: str | None = None, check: bool = True) -> str:
    """Run a command and return what it printed; its error text is in the exception."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def batch(lines: Iterable[str], namespace: str | None = None) -> None:
    """Give many commands to one ``ip`` process."""
    where = ["-n", namespace] if namespace else []
    run(["ip", *where, "-batch", "-"], "\n".join(lines) + "\n")


def mac(node: Node) -> str:
    """The link address of a node: locally administered, made of its number."""
    return f"02:00:00:00:{node.index >> 8:02x}:{node.index & 255:02x}"


class Network:
    """The namespaces of one run; nothing in the machine's own namespace is changed."""

    def __init__(self, run_id: str, prefix_length: int) -> None:
        self.prefix = f"{PREFIX}{run_id}-"
        self._length = prefix_length
        self._switch = f"{self.prefix}switch"

    def create(self) -> None:
        """Make the bridge."""
        batch([f"netns add {self._switch}"])
        # Snooping would make the bridge wait for multicast queries, of no use here.
        batch(["link add br0 type bridge mcast_snooping 0", "link set br0 up"], self._switch)

    def namespace(self, node: Node) -> str:
        """Name of a node's namespace."""
        return f"{self.prefix}{node.name}"

    def add(self, nodes: Sequence[Node]) -> None:
        """Make namespaces for nodes, each with ``eth0`` on the bridge."""
        batch(f"netns add {self.namespace(node)}" for node in nodes)
        wires: list[str] = []
        for node in nodes:
            port = f"p{node.index}"
            wires += [
                f"link add {port} type veth peer name eth0 address {mac(node)} netns {self.namespace(node)}",
                f"link set {port} master br0",
                f"link set {port} up",
            ]
        batch(wires, self._switch)
        for node in nodes:
            address = f"address add {node.address}/{self._length} dev eth0"
            batch(["link set lo up", address, "link set eth0 up"], self.namespace(node))
            if node.optmem_max is not None:
                self.sysctl(node, "net.core.optmem_max", str(node.optmem_max))

    def inside(self, node: Node, argv: Sequence[str], stdin: str | None = None, check: bool = True) -> str:
        """Run a command in a node's namespace."""
        return run(["ip", "netns", "exec", self.namespace(node), *argv], stdin, check)

    def sysctl(self, node: Node, key: str, value: str) -> None:
        """Set a kernel parameter of a node's namespace."""
        self.inside(node, ["sysctl", "-q", "-w", f"{key}={value}"])

    def optmem_max(self, node: Node) -> int:
        """The limit as the node's namespace has it now."""
        return int(self.inside(node, ["sysctl", "-n", "net.core.optmem_max"]))

    def pin_neighbours(self, node: Node, others: Iterable[Node]) -> None:
        """Tell a node the link addresses of others for good.

        All namespaces of a machine share one neighbour table, which holds 1024 learned entries by default;
        a large cluster would fill it and take the machine's own network down. Permanent entries do not count.
        """
        entry = "neighbour replace {} lladdr {} dev eth0 nud permanent"
        batch((entry.format(other.address, mac(other)) for other in others), self.namespace(node))

    def listens(self, node: Node, port: int) -> bool:
        """Whether something in the node's namespace listens on a TCP port."""
        return bool(self.inside(node, ["ss", "-Hltn", f"sport = :{port}"]).strip())

    def inode(self, node: Node) -> int:
        """The number by which the kernel's log names a node's namespace."""
        return (Path("/run/netns") / self.namespace(node)).stat().st_ino

    def link(self, node: Node, state: str) -> None:
        """Take the node's cable out (``down``) or put it in (``up``), at the bridge's end."""
        batch([f"link set p{node.index} {state}"], self._switch)

    def set_address(self, node: Node, address: str) -> None:
        """Replace the address of ``eth0``."""
        flush = ["address flush dev eth0", f"address add {address}/{self._length} dev eth0"]
        batch(flush, self.namespace(node))

    def filter(self, node: Node, rules: Sequence[str]) -> None:
        """Put nftables rules (``input …``, ``output …``, or before tracking ``raw_in …``) into a node's namespace."""
        chains = [
            f"add chain inet lab {name} {{ type filter hook {hook} priority {priority}; }}"
            for name, (hook, priority) in CHAINS.items()
            if any(rule.startswith(f"{name} ") for rule in rules)
        ]
        text = "\n".join(["add table inet lab", *chains, *(f"add rule inet lab {rule}" for rule in rules)])
        self.inside(node, ["nft", "-f", "-"], text + "\n")

    def unfilter(self, node: Node) -> None:
        """Take the rules out again."""
        self.inside(node, ["nft", "delete", "table", "inet", "lab"])

    def remove(self) -> None:
        """Remove every namespace of this run, with what still runs in it."""
        remove_namespaces(leftovers(self.prefix))


def new_run_id() -> str:
    """A name for a run that no other run has; it tells whose run it is."""
    return f"{os.getpid():x}.{secrets.token_hex(2)}"


def owner(namespace: str) -> int | None:
    """The process whose run a namespace belongs to, if that process still lives."""
    match = re.match(rf"{PREFIX}([0-9a-f]+)\.", namespace)
    pid = int(match[1], 16) if match else 0
    return pid if pid and Path(f"/proc/{pid}").exists() else None


def leftovers(prefix: str = PREFIX) -> list[str]:
    """Namespaces of the lab that exist."""
    names = [line.split()[0] for line in run(["ip", "netns", "list"]).splitlines() if line.strip()]
    return [name for name in names if name.startswith(prefix)]


def abandoned() -> list[str]:
    """Namespaces of runs that were killed: their process is gone."""
    return [name for name in leftovers() if owner(name) is None]


def remove_namespaces(names: Sequence[str]) -> None:
    """End what runs in namespaces of the lab, then remove them."""
    for name in names:
        for pid in run(["ip", "netns", "pids", name], check=False).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    batch(f"netns del {name}" for name in names)
