"""Commands that tell what was found: ``report``, ``notify``, ``capacity``, ``explain`` and the app."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.options import FailOn, Format, Receiver, ReportFormat, TextOrJson


def report(
    ctx: typer.Context,
    output: Annotated[ReportFormat, typer.Option("--format", help="Form of the report.")] = ReportFormat.text,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="WHEN",
            help="Only incidents that were open after this: 2024-12-18, 2024-12-18T07:00Z, 6h, 7d (before the newest data).",
        ),
    ] = None,
    cluster: Annotated[str | None, typer.Option("--cluster", help="Only this cluster.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Only this peering group.")] = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option("--fail-on", help="Exit with 1 when an open incident is at least this severe."),
    ] = None,
) -> None:
    """Findings for people: what failed, why, what to do, and what was not seen.

    Example: peerscope report --cluster prod --fail-on error
    """
    from jobs import show

    show.report(
        ctx.obj,
        output.value,
        since=since,
        cluster=cluster,
        group=group,
        fail_on=fail_on.value if fail_on else None,
    )


def notify(
    ctx: typer.Context,
    webhook: Annotated[str, typer.Option("--webhook", metavar="URL", help="Where to post.")],
    kind: Annotated[
        Receiver, typer.Option("--kind", help="alertmanager: its v2 API; generic: one JSON object.")
    ] = Receiver.generic,
    least: Annotated[FailOn, typer.Option("--least", help="Tell incidents from this severity on.")] = FailOn.warning,
    cluster: Annotated[str | None, typer.Option("--cluster", help="Only this cluster.")] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="FILE", help="File with the bearer token to send.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, and send nothing.")] = False,
) -> None:
    """Tell a webhook what is open, once each, and what is over.

    Example: peerscope notify --webhook http://alertmanager:9093 --kind alertmanager
    """
    from jobs import notify as job

    job.notify(ctx.obj, webhook, kind.value, least=least.value, cluster=cluster, token_file=token_file, dry_run=dry_run)


def capacity(
    ctx: typer.Context,
    peers: Annotated[
        int | None, typer.Option("--peers", metavar="N", help="Plan: peers of one daemon; without it, the warehouse.")
    ] = None,
    md5: Annotated[
        bool | None, typer.Option("--md5/--no-md5", help="Plan: whether the sessions have a password (yes).")
    ] = None,
    kernel: Annotated[
        str | None, typer.Option("--kernel", metavar="V", help="Plan: what `uname -r` prints on its node.")
    ] = None,
    optmem_max: Annotated[
        int | None, typer.Option("--optmem-max", metavar="BYTES", help="Plan: net.core.optmem_max on its node.")
    ] = None,
    cluster: Annotated[str | None, typer.Option("--cluster", help="Only this cluster.")] = None,
    output: Format = TextOrJson.text,
) -> None:
    """How far each reflector is from its limits, or whether a plan would fit.

    Example: peerscope capacity --peers 200 --md5 --kernel 5.15.0 --optmem-max 20480
    """
    from jobs import capacity as job

    job.check_plan(peers, md5, kernel, optmem_max)
    if peers is None:
        job.of_warehouse(ctx.obj, cluster, output.value)
        return
    job.of_plan(peers, md5=md5 is not False, kernel=kernel, optmem_max=optmem_max, form=output.value)


def explain(
    ctx: typer.Context,
    file: Annotated[str | None, typer.Argument(metavar="[FILE|-]", help="A file, or - for standard input.")] = None,
    line: Annotated[str | None, typer.Option("--line", metavar="TEXT", help="One line to explain.")] = None,
    output: Format = TextOrJson.text,
) -> None:
    """How each record is read: envelope, component, time, shape, category, peer, and the rule that said so.

    Example: peerscope explain --line 'bird: Node_10_0_0_1: Error: Hold timer expired'
    """
    from jobs import explain as job

    job.explain(ctx.obj, file, line, output.value)


def serve_app(
    ctx: typer.Context,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8501,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; whoever reaches it sees the data.")
    ] = "localhost",
) -> None:
    """Serve the investigation UI on the published snapshot.

    Example: peerscope app --port 8501
    """
    from jobs import app as job

    job.app(ctx.obj, host, port)
