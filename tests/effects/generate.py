"""Writes made-up clusters as the files that people would collect, with a truth that was chosen before.

``python -m tests.effects.generate OUT --groups 60 --days 30 --truth limit`` writes logs, status tables and
inventory in the formats of the recorded samples. Nothing in them happened: every folder carries a notice, and
every node name begins with ``generated-``. The same options and seed give the same bytes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from pipeline.findings.limits import md5_key_limit

START = datetime(2024, 5, 1, tzinfo=UTC)
NOTICE = (
    "# Generated\n\nNothing here was recorded: tests/effects/generate.py wrote these files from a chosen truth "
    "(`truth.json`)\nto try out the statistics. No daemon, node or cluster of these names ever ran.\n"
)
KERNEL = "5.10.0-28-amd64"


@dataclass(frozen=True)
class Truth:
    """What is so in the made-up clusters; rates are failures per session-hour."""

    groups: int = 60
    clusters: int = 3
    days: int = 30
    smallest: int = 30
    largest: int = 260
    growth: float = 0.08
    base: float = 0.0005
    spread: float = 0.3
    versions: tuple[str, str] = ("v3.22.4", "v3.26.1")
    version_ratio: float = 1.0
    size_ratio: float = 1.0
    size_step: int = 120
    large_run_new: float = 0.0
    upgraded: float = 0.2
    password: bool = False
    optmem_max: int = 20480
    gaps: float = 0.2
    seed: int = 1

    @property
    def limit(self) -> int | None:
        """Most sessions that a reflector can hold."""
        return md5_key_limit(self.optmem_max) if self.password else None


TRUTHS: dict[str, Truth] = {
    "none": Truth(),
    "limit": Truth(password=True),
    "version": Truth(version_ratio=4.0, large_run_new=0.5),
    "size": Truth(size_ratio=6.0, large_run_new=0.5),
}


@dataclass
class Group:
    """One reflector with its clients; ``joined`` is the day on which each client was added (0 at first)."""

    number: int
    cluster: str
    joined: list[int]
    factor: float
    new: bool
    upgrade_day: int | None
    gap: tuple[int, int] | None
    lines: list[tuple[datetime, str]] = field(default_factory=list)
    events: dict[int, list[tuple[datetime, datetime]]] = field(default_factory=dict)
    stuck: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the group."""
        return f"group-{self.number:02d}"

    @property
    def reflector(self) -> str:
        """Its reflector's node name."""
        return f"generated-rr-{self.number:02d}"

    def client(self, place: int) -> str:
        """A client's node name."""
        return f"generated-{self.number:02d}-{place:03d}"

    def address(self, place: int) -> str:
        """Address of a client, or of the reflector at place -1."""
        return f"10.{self.number + 1}.{(place + 2) // 250}.{(place + 2) % 250 + 1}"

    def protocol(self, place: int) -> str:
        """Name of the reflector's protocol for a client."""
        return "Node_" + self.address(place).replace(".", "_")

    def version(self, day: float, truth: Truth) -> str:
        """Version that its clients run on a day."""
        changed = self.upgrade_day is not None and day >= self.upgrade_day
        return truth.versions[int(self.new or changed)]

    def size(self, day: float) -> int:
        """Clients configured on a day."""
        return sum(since <= day for since in self.joined)


def plan(truth: Truth) -> list[Group]:
    """The groups with their sizes, growth, versions, upgrades and gaps."""
    rng = np.random.default_rng(truth.seed)
    sizes = np.rint(np.exp(rng.uniform(np.log(truth.smallest), np.log(truth.largest), truth.groups))).astype(int)
    middle = float(np.median(sizes))
    found = []
    for number, size in enumerate(sizes):
        added = int(rng.poisson(size * truth.growth * truth.days / 30))
        joined = [0] * int(size) + sorted(int(d) for d in rng.integers(1, truth.days, added))
        chance = 0.5 + (1 if size > middle else -1) * truth.large_run_new / 2
        new = bool(rng.random() < chance)
        upgrade = int(truth.days // 2) if not new and rng.random() < truth.upgraded else None
        width = max(1, truth.days // 6)
        begin = int(rng.integers(1, max(2, truth.days - width)))
        gap = (begin, begin + width) if rng.random() < truth.gaps else None
        factor = float(rng.gamma(1 / truth.spread, truth.spread))
        cluster = f"generated-{number * truth.clusters // truth.groups}"
        found.append(Group(number, cluster, joined, factor, new, upgrade, gap))
    return found


def live(group: Group, truth: Truth) -> None:
    """Let the group's sessions come up, fail and be restarted; fills its log lines."""
    rng = np.random.default_rng([truth.seed, group.number])
    for place, day in enumerate(group.joined):
        moment = START + timedelta(days=day, hours=12 if day else 0, milliseconds=place)
        _begin(group, place, moment, stuck=truth.limit is not None and place >= truth.limit)
    for place, day in enumerate(group.joined):
        if place not in group.stuck:
            _failures(group, place, day, truth, rng)
    _upgrade(group, truth)
    for hour in range(truth.days * 24):
        text = "felix/summary.go 100: Summarising 12 dataplane reconciliation loops over 1m3s: avg=5ms longest=20ms"
        moment = START + timedelta(hours=hour, seconds=7)
        group.lines.append((moment, f"{moment:%Y-%m-%d %H:%M:%S}.000 [INFO][71] {text}"))
    group.lines.sort()


def _begin(group: Group, place: int, moment: datetime, stuck: bool) -> None:
    name = group.protocol(place)
    if moment > START + timedelta(hours=1):
        group.lines.append((moment, f"bird: Adding protocol {name}"))
    for text in ("Initializing", "Starting", "State changed to start"):
        group.lines.append((moment, f"bird: {name}: {text}"))
    if stuck:
        group.stuck.append(place)
        group.lines.append((moment, f"bird: {name}: Socket error: TCP_MD5SIG: Cannot allocate memory"))
        group.lines.append((moment, f"bird: {name}: State changed to down"))
    else:
        _rise(group, place, moment + timedelta(seconds=2))


def _rise(group: Group, place: int, moment: datetime) -> None:
    for text in ("Connected to table master", "State changed to feed", "State changed to up"):
        group.lines.append((moment, f"bird: {group.protocol(place)}: {text}"))


def _fall(group: Group, place: int, moment: datetime, back: datetime, said: str) -> None:
    for text in (said, "State changed to stop", "State changed to down", "Starting", "State changed to start"):
        group.lines.append((moment, f"bird: {group.protocol(place)}: {text}"))
    _rise(group, place, back)
    group.events.setdefault(place, []).append((moment, back))


def _failures(group: Group, place: int, since: int, truth: Truth, rng: np.random.Generator) -> None:
    for day in range(since, truth.days):
        large = group.size(day) > truth.size_step
        new = group.version(day, truth) == truth.versions[1]
        rate = truth.base * group.factor * (truth.size_ratio if large else 1) * (truth.version_ratio if new else 1)
        for _ in range(rng.poisson(rate * 24)):
            moment = START + timedelta(days=day, seconds=float(rng.uniform(46800, 86000)))
            _fall(group, place, moment, moment + timedelta(seconds=float(rng.uniform(100, 180))),
                  "Error: Hold timer expired")  # fmt: skip


def _upgrade(group: Group, truth: Truth) -> None:
    """A rolling restart of the clients: planned work, which must not count against the new version."""
    if group.upgrade_day is None:
        return
    for place, since in enumerate(group.joined):
        if since < group.upgrade_day and place not in group.stuck:
            moment = START + timedelta(days=group.upgrade_day, hours=1, seconds=20 * place)
            _fall(group, place, moment, moment + timedelta(seconds=12), "Received: Administrative shutdown")


def write(truth: Truth, folder: Path) -> list[Path]:
    """Write all clusters below ``folder``; returns the folder of each cluster."""
    groups = plan(truth)
    for group in groups:
        live(group, truth)
        _write_logs(group, truth, folder / group.cluster / "nodes" / group.reflector)
    clusters = sorted({group.cluster for group in groups})
    for cluster in clusters:
        own = [group for group in groups if group.cluster == cluster]
        for day in sorted({0, truth.days // 2, truth.days}):
            _write_inventory(own, truth, day, folder / cluster / "inventory" / f"{_moment(day):%Y%m%dT%H%M%SZ}")
        (folder / cluster / "GENERATED.md").write_text(NOTICE)
    (folder / "truth.json").write_text(json.dumps(truth.__dict__, indent=2) + "\n")
    return [folder / cluster for cluster in clusters]


def _moment(day: int) -> datetime:
    return START + timedelta(days=day, minutes=5) if day else START


def _seen(group: Group, moment: datetime) -> bool:
    if group.gap is None:
        return True
    begin, end = (START + timedelta(days=day) for day in group.gap)
    return not begin <= moment < end


def _write_logs(group: Group, truth: Truth, folder: Path) -> None:
    logs = folder / "var/log/pods" / f"kube-system_calico-node-g{group.number:04d}_generated" / "calico-node"
    logs.mkdir(parents=True)
    kept = [(moment, text) for moment, text in group.lines if _seen(group, moment)]
    end = START + timedelta(days=group.gap[0] if group.gap else 0)
    pieces = {"0.log": [line for line in kept if line[0] >= end]}
    if group.gap:
        pieces[f"0.log.{end:%Y%m%d-%H%M%S}"] = [line for line in kept if line[0] < end]
    for name, lines in pieces.items():
        text = "".join(f"{moment:%Y-%m-%dT%H:%M:%S.%f}000Z stdout F {line}\n" for moment, line in lines)
        (logs / name).write_text(text)
    (folder / "birdcl").mkdir()
    for day in range(1, truth.days + 1):
        moment = START + timedelta(days=day) - timedelta(minutes=5)
        if _seen(group, moment):
            (folder / "birdcl" / f"{moment:%Y%m%dT%H%M%SZ}.txt").write_text("\n".join(_table(group, moment)) + "\n")


def _table(group: Group, moment: datetime) -> Iterator[str]:
    day = (moment - START).total_seconds() / 86400
    yield f"{moment:%a %b %d %H:%M:%S UTC %Y}"
    yield "BIRD 1.6.8 ready."
    yield "name     proto    table    state  since       info"
    for place in range(group.size(day - 0.5)):
        down = any(start <= moment < back for start, back in group.events.get(place, ()))
        state = "start  00:00:00    Active        " if down else "up     00:00:00    Established   "
        if place in group.stuck:
            state = "down   00:00:00    Error: Kernel MD5 auth failed"
        yield f"{group.protocol(place):<8s} BGP      master   {state}"


def _write_inventory(groups: list[Group], truth: Truth, day: int, folder: Path) -> None:
    folder.mkdir(parents=True)
    for group in groups:
        nodes, pods = [_node(group, -1, truth)], [_pod(group, -1, truth.versions[0], day)]
        for place in range(group.size(day)):
            nodes.append(_node(group, place, truth))
            pods.append(_pod(group, place, group.version(day, truth), day))
        for kind, items in (("nodes", nodes), ("pods", pods)):
            body = {"apiVersion": "v1", "kind": "List", "items": items}
            (folder / f"{kind}-{group.name}.json").write_text(json.dumps(body))
    key = {"password": {"secretKeyRef": {"name": "bgp-password", "key": "password"}}} if truth.password else {}
    peers = [
        {
            "apiVersion": "projectcalico.org/v3", "kind": "BGPPeer", "metadata": {"name": f"clients-of-{group.name}"},
            "spec": {
                "nodeSelector": f"bgp-group == '{group.name}'", "peerSelector": f"route-reflector == '{group.name}'",
                **key,
            },
        }
        for group in groups
    ]  # fmt: skip
    config = {
        "apiVersion": "projectcalico.org/v3", "kind": "BGPConfiguration", "metadata": {"name": "default"},
        "spec": {"asNumber": 64512, "nodeToNodeMeshEnabled": False},
    }  # fmt: skip
    (folder / "bgp.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [*peers, config]}))


def _node(group: Group, place: int, truth: Truth) -> dict[str, object]:
    name = group.reflector if place < 0 else group.client(place)
    label = {"route-reflector": group.name} if place < 0 else {"bgp-group": group.name}
    notes = {"projectcalico.org/IPv4Address": f"{group.address(place)}/8"}
    if place < 0:
        notes |= {"projectcalico.org/RouteReflectorClusterID": f"244.0.0.{group.number + 1}",
                  "peerscope/optmem_max": str(truth.optmem_max)}  # fmt: skip
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **label}, "annotations": notes},
        "status": {
            "addresses": [{"type": "InternalIP", "address": group.address(place)}],
            "nodeInfo": {"kernelVersion": KERNEL, "kubeletVersion": "v1.23.17", "osImage": "generated"},
        },
    }  # fmt: skip


def _pod(group: Group, place: int, version: str, day: int) -> dict[str, object]:
    name = group.reflector if place < 0 else group.client(place)
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": f"calico-node-{name}-{day}", "namespace": "kube-system"},
        "spec": {"nodeName": name,
                 "containers": [{"name": "calico-node", "image": f"docker.io/calico/node:{version}"}]},
    }  # fmt: skip


def main() -> None:
    """Write clusters with one of the truths of ``TRUTHS``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--truth", choices=sorted(TRUTHS), default="limit")
    parser.add_argument("--groups", type=int, default=60)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    truth = replace(TRUTHS[given.truth], groups=given.groups, days=given.days, seed=given.seed)
    for folder in write(truth, given.out):
        print(folder)


if __name__ == "__main__":
    main()
