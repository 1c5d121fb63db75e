"""Commands that bring input into the warehouse: ``run`` and its steps, ``demo``, ``collect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.options import (
    ArchiveOption,
    Cluster,
    EngineName,
    EngineOption,
    Format,
    Node,
    Overlap,
    OverlapOption,
    Paths,
    SparkConf,
    SparkMaster,
    TextOrJson,
    Zone,
)
from pipeline.engines.processes import Ahead


def run(
    ctx: typer.Context,
    paths: Paths,
    cluster: Cluster = "default",
    node: Node = None,
    tz: Zone = "UTC",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be read as what, and stop.")] = False,
    output: Format = TextOrJson.text,
    overlap: OverlapOption = Overlap.keep,
    archive: ArchiveOption = False,
    engine: EngineOption = EngineName.local,
    spark_master: SparkMaster = None,
    spark_conf: SparkConf = None,
) -> None:
    """The scheduled job: ingest, mine, analyse and publish in one go.

    Example: peerscope run --cluster prod /var/log/pods bundle.tar.gz
    """
    alone = dry_run or engine is not EngineName.local
    with Ahead(ctx.obj.settings, [] if alone else paths, ctx.obj.warehouse) as ahead:
        from jobs import steps

        if dry_run:
            steps.dry_run(ctx.obj, paths, output)
            return
        steps.run(
            ctx.obj,
            paths,
            cluster=cluster,
            node=node,
            tz=tz,
            output=output,
            overlap=overlap.value,
            archive=archive,
            engine=steps.Engine.of(engine.value, spark_master, spark_conf),
            ahead=ahead,
        )


def ingest(
    ctx: typer.Context,
    paths: Paths,
    cluster: Cluster = "default",
    node: Node = None,
    tz: Zone = "UTC",
    overlap: OverlapOption = Overlap.keep,
    archive: ArchiveOption = False,
) -> None:
    """Read input into the warehouse; what was read before is skipped.

    Example: peerscope ingest --cluster prod node-7/calico-node.log
    """
    from jobs import steps

    steps.ingest_only(ctx.obj, paths, cluster=cluster, node=node, tz=tz, overlap=overlap.value, archive=archive)


def mine(ctx: typer.Context) -> None:
    """Mine templates from everything that was read.

    Example: peerscope mine
    """
    from jobs import steps

    steps.mine_only(ctx.obj)


def analyze(ctx: typer.Context) -> None:
    """Follow sessions, find incidents and their causes.

    Example: peerscope analyze
    """
    from jobs import steps

    steps.analyze_only(ctx.obj)


def publish(ctx: typer.Context) -> None:
    """Publish a snapshot for readers (report, SQL, app).

    Example: peerscope publish
    """
    from jobs import steps

    steps.publish_only(ctx.obj)


def demo(ctx: typer.Context) -> None:
    """Run the whole pipeline over the recordings in sample_logs/ and print the report.

    Example: peerscope demo
    """
    from jobs import demo as job

    job.demo(ctx.obj)


def collect(
    ctx: typer.Context,
    target: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Bundle to write (peerscope-TIME.tar.gz).")
    ] = None,
    since: Annotated[str, typer.Option("--since", help="How far back logs go, as kubectl has it: 90m, 24h.")] = "24h",
    rotated: Annotated[
        bool, typer.Option("--rotated", help="Older log files too, through the kubelets (right to get nodes/proxy).")
    ] = False,
    nodes: Annotated[
        list[str] | None, typer.Option("--node", metavar="NODE", help="Only this node; may be given again.")
    ] = None,
    context: Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.")] = None,
    kubeconfig: Annotated[str | None, typer.Option("--kubeconfig", help="File for kubectl.")] = None,
    kubectl: Annotated[str, typer.Option("--kubectl", metavar="PROGRAM", help="Program to call.")] = "kubectl",
    calicoctl: Annotated[str, typer.Option("--calicoctl", metavar="PROGRAM", help="Program to call.")] = "calicoctl",
    seconds: Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=1, help="For each command.")] = 60.0,
    threads: Annotated[int, typer.Option("--parallel", min=1, max=64, help="Commands at once.")] = 8,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print every command, and run none.")] = False,
    output: Format = TextOrJson.text,
) -> None:
    """Write a bundle from a live cluster with kubectl and calicoctl; nothing is changed there.

    Example: peerscope collect --context prod --since 6h --output prod.tar.gz
    """
    from jobs import collect as job
    from pipeline.collection import Cluster as Live

    live = Live(kubectl, calicoctl, context, kubeconfig, since, rotated, tuple(nodes or ()))
    if dry_run:
        job.dry_run(live)
        return
    job.run(ctx.obj, live, target, seconds=seconds, threads=threads, output=output.value)
