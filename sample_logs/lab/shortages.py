"""Actions that let something run out: descriptors, memory, or room for tracked connections."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sample_logs.lab.birdconf import host_routes
from sample_logs.lab.netns import LabError

if TYPE_CHECKING:
    from sample_logs.lab.runner import Lab

PROGRAM = Path(__file__).parent / "flows.py"


def limit(lab: Lab, args: Mapping[str, Any]) -> None:
    """Limit what BIRD on these nodes may take, by a name of prlimit(1): ``nofile`` open files, ``as`` bytes."""
    for node in lab.cluster.select(list(args["nodes"])):
        lab.daemons[node.name].limit(str(args["resource"]), int(args["value"]))


def announce(lab: Lab, args: Mapping[str, Any]) -> None:
    """Let nodes announce so many single addresses beside their block; none, and they take them back."""
    for node in lab.cluster.select(list(args["nodes"])):
        node.extra_config = host_routes(int(args["routes"]))
        lab.reload(node)


class Flows:
    """A program in a node's namespace that keeps its connection tracking table full, but for ``spare`` flows."""

    def __init__(self, namespace: str, spare: int) -> None:
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, str(PROGRAM), str(spare)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )

    def wait_until_full(self) -> None:
        """Return when the table is full."""
        if self._process.stdout is None or self._process.stdout.readline() != b"full\n":
            raise LabError("the connection tracking table cannot be filled")

    def kill(self) -> None:
        """End the program; its flows stay until they time out."""
        self._process.kill()
        self._process.wait(timeout=10)


def fill_conntrack(lab: Lab, args: Mapping[str, Any]) -> None:
    """Fill the connection tracking tables of these nodes' namespaces, each as large as the machine's own.

    Nothing is tracked in a namespace before an ``nft`` rule asks for it.
    """
    for node in lab.cluster.select(list(args["nodes"])):
        flows = Flows(lab.network.namespace(node), int(args.get("spare", 0)))
        lab.extra_processes.append(flows)
        flows.wait_until_full()
        lab.tracking.add(node.name)
