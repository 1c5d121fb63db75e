"""Builds the facts of a small cluster: reflectors, clients, and what went wrong with them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.findings import Analysis, investigate
from pipeline.sessions import ClusterFacts

T0 = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SETTLED = 100.0
END = 1000.0


def at(seconds: float) -> datetime:
    """A time in the small cluster."""
    return T0 + timedelta(seconds=seconds)


class Cluster:
    """Reflectors ``rr-1`` … and clients ``n-1`` … with all sessions up from ``start``; faults are added by tests."""

    def __init__(
        self, clients: int = 5, reflectors: int = 2, *, md5: bool = False, inventory: bool = True,
        mesh: bool = False, optmem_max: int | None = None, kernel: str = "5.4.0-81-generic",
    ) -> None:  # fmt: skip
        self.reflectors = [] if mesh else [f"rr-{i + 1}" for i in range(reflectors)]
        self.clients = [f"n-{i + 1}" for i in range(clients)]
        self.address = {name: f"10.0.{i // 200}.{i % 200 + 1}" for i, name in enumerate(self.reflectors + self.clients)}
        self.mesh = mesh
        self.rows: dict[str, list[dict[str, Any]]] = {
            name: [] for name in ("states", "records", "resources", "node_facts", "observed", "marks")
        }
        self._offset = 0
        self.silent: set[str] = set()
        self.own: set[tuple[str, str]] = set()
        """Sessions that a test tells from the start by itself."""
        if inventory:
            self._inventory(md5, optmem_max, kernel)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All sessions, client first."""
        if self.mesh:
            return [(a, b) for i, a in enumerate(self.clients) for b in self.clients[i + 1 :]]
        return [(client, hub) for client in self.clients for hub in self.reflectors]

    def _inventory(self, md5: bool, optmem_max: int | None, kernel: str) -> None:
        for name, address in self.address.items():
            hub = name in self.reflectors
            annotations = {"projectcalico.org/IPv4Address": f"{address}/16"}
            if hub:
                annotations["projectcalico.org/RouteReflectorClusterID"] = "244.0.0.1"
            if optmem_max is not None:
                annotations["peerscope/optmem_max"] = str(optmem_max)
            labels = {"route-reflector": "true"} if hub else {"role": "client"}
            body = {
                "apiVersion": "v1", "kind": "Node",
                "metadata": {"name": name, "annotations": annotations, "labels": labels},
                "status": {"nodeInfo": {"kernelVersion": kernel}},
            }  # fmt: skip
            self.resource("Node", name, body)
        spec: dict[str, Any] = {"nodeSelector": "role == 'client'", "peerSelector": "route-reflector == 'true'"}
        if md5:
            spec["password"] = {"secretKeyRef": {"name": "bgp", "key": "password"}}
        if not self.mesh:
            peer = {"apiVersion": "projectcalico.org/v3", "metadata": {"name": "to-reflectors"}, "spec": spec}
            self.resource("BGPPeer", "to-reflectors", peer)
        settings = {"metadata": {"name": "default"}, "spec": {"nodeToNodeMeshEnabled": self.mesh}}
        self.resource("BGPConfiguration", "default", {"apiVersion": "projectcalico.org/v3", **settings})

    def _place(self, node: str | None, file: str = "bird.log") -> dict[str, Any]:
        self._offset += 100
        return {"source_path": f"{node or 'lost'}/{file}", "byte_offset": self._offset}

    def resource(self, kind: str, name: str, body: dict[str, Any]) -> None:
        """Add a resource."""
        row = {"kind": kind, "name": name, "observed_at": T0, "body": json.dumps(body)}
        self.rows["resources"].append({**row, **self._place(None, "resources.yaml")})

    def fact(self, node: str, fact: str, value: Any) -> None:
        """Add a fact of a node, seen at the end."""
        row = {"node": node, "fact": fact, "value": str(value), "observed_at": at(END)}
        self.rows["node_facts"].append({**row, **self._place(node, "facts.txt")})

    def record(
        self, node: str | None, seconds: float | None, message: str, category: str, component: str = "bird",
        severity: str = "error", **more: Any,
    ) -> None:  # fmt: skip
        """Add a log record."""
        ts = None if seconds is None else at(seconds)
        row = {
            "node": node, "ts": ts, "message": message, "category": category, "component": component,
            "severity": severity, "params": "{}", **more,
        }  # fmt: skip
        self.rows["records"].append({**row, **self._place(node)})

    def state(
        self, node: str | None, far: str, seconds: float | None, state: str | None, error: str | None = None,
        by: str = "log", bgp: str | None = None, prefix: str | None = None,
    ) -> None:  # fmt: skip
        """Add one observation of one end; ``far`` is a node's name or an address."""
        peer = self.address.get(far, far)
        prefix = prefix or ("Mesh" if self.mesh else "Node")
        row = {
            "ts": None if seconds is None else at(seconds), "node": node, "peer": peer, "state": state,
            "protocol": f"{prefix}_{peer.replace('.', '_')}", "bgp_state": bgp, "last_error": error,
            "observed_by": by, **self._place(node, f"{by.replace(' ', '-')}.txt"),
        }  # fmt: skip
        self.rows["states"].append(row)

    def table(self, node: str, seconds: float, down: dict[str, tuple[str, str | None]] | None = None) -> None:
        """``show protocols`` of a node: everything up but what ``down`` names (far: BGP state, error)."""
        for a, b in self.pairs:
            if node not in (a, b):
                continue
            far = b if node == a else a
            bgp, error = (down or {}).get(far, ("Established", None))
            up = bgp == "Established"
            state = "up" if up else ("down" if bgp == "Down" else "start")
            self.state(node, far, seconds, state, error, "show protocols", None if bgp == "Down" else bgp)

    def lose(
        self, a: str, b: str, seconds: float, back: float | None, error_a: str | None = None, error_b: str | None = None,
    ) -> None:  # fmt: skip
        """Both ends lose the session, with these errors, and get it back at ``back`` (None: never)."""
        for node, far, error in ((a, b, error_a), (b, a, error_b)):
            self.state(node, far, seconds, None if error else "start", error)
            if back is not None:
                self.state(node, far, back, "up")

    def never_up(
        self, a: str, b: str, bgp: str = "Connect", error_a: str | None = None, error_b: str | None = None
    ) -> None:
        """The session never comes up; both daemons print their tables all the time."""
        self.own.add((a, b))
        for node, far, error in ((a, b, error_a), (b, a, error_b)):
            self.state(node, far, 0, "start")
            for seconds in (200, 500, END):
                down = "Down" if error and error.startswith("Error: ") else bgp
                self.state(node, far, seconds, "down" if down == "Down" else "start", error, "show protocols",
                           None if down == "Down" else down)  # fmt: skip

    def facts(self) -> ClusterFacts:
        """Everything, with all sessions that no fault named up from the start."""
        own = {tuple(sorted(pair)) for pair in self.own}
        for a, b in self.pairs:
            if tuple(sorted((a, b))) in own:
                continue
            for node, far in ((a, b), (b, a)):
                self.state(node, far, 0, "start")
                self.state(node, far, 5, "up")
        for node in self.address:
            for component in ("bird", "felix"):
                row = {"node": node, "component": component, "source_path": f"{node}/bird.log", "lines": 9}
                self.rows["observed"].append({**row, "first_ts": T0, "last_ts": at(END)})
        kept = {name: [row for row in rows if row.get("node") not in self.silent] for name, rows in self.rows.items()}
        return ClusterFacts.of("small", **kept)

    def analysis(self) -> Analysis:
        """What is found in it."""
        return investigate(self.facts())


def causes(analysis: Analysis) -> list[tuple[str, float]]:
    """Cause and confidence of each incident."""
    return [(finding.best.cause.id, finding.best.confidence) for finding in analysis.findings]
