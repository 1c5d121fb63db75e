"""``peerscope collect``: a bundle from a live cluster, and a plain word on what is not in it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from jobs.console import Context, print_data, print_json
from pipeline.collection import Cluster, Collected, collect, every_command

TOLD = 20


def default_target(now: datetime) -> Path:
    """Name of the bundle when none is given."""
    return Path(f"peerscope-{now:%Y%m%dT%H%M%SZ}.tar.gz")


def dry_run(cluster: Cluster) -> None:
    """Print every command; words in capitals stand for what the cluster answers."""
    for command in every_command(cluster, "TIME"):
        command.check(cluster.programs)
        print_data(str(command))


def run(ctx: Context, cluster: Cluster, target: Path | None, *, seconds: float, threads: int, output: str) -> None:
    """Collect, then say what was got and what could not be."""
    bundle = target or default_target(datetime.now(UTC))
    done = collect(cluster, bundle, seconds=seconds, threads=threads, progress=ctx.detail)
    if output == "json":
        print_json(asdict(done))
        return
    _tell(ctx, done)
    print_data(str(done.bundle))


def _tell(ctx: Context, done: Collected) -> None:
    ctx.say(f"{len(done.members)} files from {len(done.nodes)} nodes, {done.commands} commands, all of them read-only")
    for command, reason in done.missing[:TOLD]:
        ctx.say(f"could not get: {command}\n    {reason}")
    if len(done.missing) > TOLD:
        ctx.say(f"could not get {len(done.missing) - TOLD} more; collection.json in the bundle names them all")
    for command, reason in done.absent:
        ctx.detail(f"not there: {command}\n    {reason}")
    ctx.say(f"`peerscope run --cluster NAME {done.bundle}` reads it. kubectl logs gives the newest file of each")
    ctx.say("container only; --rotated asks the kubelets for the older ones (needs the right to get nodes/proxy).")
