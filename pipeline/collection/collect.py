"""One collection: ask for the inventory, then every node at a time in a few threads, and pack what came."""

from __future__ import annotations

import json
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.collection.commands import Cluster, Command, Pod
from pipeline.collection.run import Answer, run
from pipeline.errors import InputError, UsageError

# kubelet's names of rotated files; anything else in the listing is not asked for.
_ROTATED = re.compile(r'href="(\d{1,6}\.log\.\d{8}-\d{6}(?:\.gz)?)"')
_NODE_NAME = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")


@dataclass
class Collected:
    """What a collection got: members of the bundle, and what it could not get, with the reason."""

    bundle: Path
    stamp: str
    members: list[str] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    absent: list[tuple[str, str]] = field(default_factory=list)
    commands: int = 0


def collect(
    cluster: Cluster,
    target: Path,
    *,
    seconds: float = 60.0,
    threads: int = 8,
    now: datetime | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Collected:
    """Write a bundle to ``target``; it appears there when it is complete.

    Raises:
        InputError: the cluster could not be asked at all.
        UsageError: the target cannot be written.
    """
    stamp = f"{(now or datetime.now(UTC)).astimezone(UTC):%Y%m%dT%H%M%SZ}"
    done = Collected(target, stamp)
    folder = target.absolute().parent
    part = folder / f".{target.name}.part"
    try:
        with tempfile.TemporaryDirectory(prefix=".peerscope-collect-", dir=folder) as scratch:
            work = _Work(cluster, Path(scratch), seconds, done, progress)
            with tarfile.open(part, "w:gz", compresslevel=6) as tar, ThreadPoolExecutor(threads) as pool:
                _fill(work, tar, pool)
        part.replace(target)
    except OSError as exc:
        raise UsageError(f"--output {target}: cannot be written: {exc.strerror or exc}") from exc
    finally:
        part.unlink(missing_ok=True)
    return done


@dataclass
class _Work:
    cluster: Cluster
    scratch: Path
    seconds: float
    done: Collected
    progress: Callable[[str], None]

    def ask(self, command: Command) -> Answer:
        return run(command, self.cluster.programs, self.scratch, self.seconds)

    def note(self, answer: Answer) -> None:
        self.done.commands += 1
        if answer.problem is not None:
            entry = (str(answer.command), answer.problem)
            (self.done.absent if answer.command.optional else self.done.missing).append(entry)


def _fill(work: _Work, tar: tarfile.TarFile, pool: ThreadPoolExecutor) -> None:
    done, pods = work.done, []
    for answer in pool.map(work.ask, work.cluster.inventory(done.stamp)):
        if answer.command.member.endswith("/pods.json"):
            pods = _pods(answer, work.cluster.nodes)
            if answer.problem is not None:
                raise InputError(
                    f"the cluster cannot be asked: {answer.command}: {answer.problem}; check context and rights"
                )
        _keep(work, tar, answer)
    if not pods:
        raise InputError("the cluster has no pod with the label k8s-app=calico-node; check the context and the nodes")
    done.nodes = sorted({pod.node for pod in pods})
    work.progress(f"{len(done.nodes)} nodes, {len(pods)} pods")
    for answer in pool.map(work.ask, [c for pod in pods for c in work.cluster.of_pod(pod, done.stamp)]):
        work.progress(str(answer.command))
        _keep(work, tar, answer)
    if work.cluster.rotated:
        for answers in pool.map(lambda pod: list(_rotated(work, pod)), pods):
            for answer in answers:
                _keep(work, tar, answer)
    _add_manifest(work, tar)


def _keep(work: _Work, tar: tarfile.TarFile, answer: Answer) -> None:
    work.note(answer)
    if answer.path is None:
        return
    if answer.command.member:
        member = tarfile.TarInfo(answer.command.member)
        member.size = answer.path.stat().st_size
        member.mtime = int(_moment(work.done.stamp).timestamp())
        member.mode = 0o644
        with answer.path.open("rb") as stream:
            tar.addfile(member, stream)
        work.done.members.append(answer.command.member)
    answer.path.unlink()


def _moment(stamp: str) -> datetime:
    return datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _pods(answer: Answer, wanted: Iterable[str]) -> list[Pod]:
    """The pods to ask; names come from the cluster and become paths, so odd ones are left out."""
    if answer.path is None:
        return []
    try:
        items: list[dict[str, Any]] = json.loads(answer.path.read_text(encoding="utf-8"))["items"]
        pods = [Pod.of(item) for item in items]
    except (ValueError, KeyError, TypeError) as exc:
        raise InputError(f"the cluster cannot be asked: {answer.command}: no list of pods in the answer") from exc
    chosen = set(wanted)
    plain = [pod for pod in pods if all(_NODE_NAME.match(text) for text in (pod.node, pod.name, pod.namespace))]
    return [pod for pod in plain if not chosen or pod.node in chosen]


def _rotated(work: _Work, pod: Pod) -> Iterator[Answer]:
    for container, _ in pod.containers:
        listing = work.ask(work.cluster.rotated_folder(pod, container))
        names = _ROTATED.findall(listing.path.read_text(encoding="utf-8", errors="replace")) if listing.path else []
        yield listing
        for name in sorted(set(names)):
            yield work.ask(work.cluster.rotated_file(pod, container, name))


def _add_manifest(work: _Work, tar: tarfile.TarFile) -> None:
    """What was and was not got, as a resource that ``peerscope run`` stores beside the others."""
    done = work.done
    body = {
        "apiVersion": "peerscope/v1",
        "kind": "Collection",
        "metadata": {"name": done.stamp, "creationTimestamp": f"{_moment(done.stamp):%Y-%m-%dT%H:%M:%SZ}"},
        "spec": {"since": work.cluster.since, "rotated": work.cluster.rotated, "peerscope": __version__},
        "status": {
            "nodes": done.nodes,
            "commands": done.commands,
            "missing": [{"command": command, "reason": reason} for command, reason in done.missing],
            "absent": [{"command": command, "reason": reason} for command, reason in done.absent],
        },
    }
    data = json.dumps(body, indent=1).encode() + b"\n"
    member = tarfile.TarInfo(f"inventory/{done.stamp}/collection.json")
    member.size, member.mode, member.mtime = len(data), 0o644, int(_moment(done.stamp).timestamp())
    tar.addfile(member, BytesIO(data))
    done.members.append(member.name)
