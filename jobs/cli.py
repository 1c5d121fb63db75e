"""The command line: one executable, thin commands over the library.

Heavy libraries are imported inside the commands, so that ``--help`` is quick.
"""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from jobs import logs
from jobs.console import Context, print_data, print_json
from pipeline import __version__
from pipeline.errors import PeerscopeError, SettingError
from pipeline.settings import load_settings

app = typer.Typer(
    name="peerscope",
    help="Finds out why BGP sessions fail in Calico clusters, from logs and status output.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class TextOrJson(StrEnum):
    """Output of commands that print data."""

    text = "text"
    json = "json"


Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Log files, folders, globs or bundles.")]
Cluster = Annotated[str, typer.Option("--cluster", help="Name of the cluster that the input belongs to.")]
Node = Annotated[str | None, typer.Option("--node", help="Node of files that do not name theirs.")]
Zone = Annotated[str, typer.Option("--tz", help="Zone of stamps that carry none, such as Asia/Shanghai.")]


class EngineName(StrEnum):
    """Who parses: processes of this machine, or Spark."""

    local = "local"
    spark = "spark"


EngineOption = Annotated[EngineName, typer.Option("--engine", help="Who parses: this machine, or Spark.")]
SparkMaster = Annotated[
    str | None,
    typer.Option("--spark-master", metavar="URL", help="Master of Spark, such as local[2] or spark://host:7077."),
]
SparkConf = Annotated[
    list[str] | None, typer.Option("--spark-conf", metavar="KEY=VALUE", help="Setting of Spark; may be given again.")
]
Format = Annotated[TextOrJson, typer.Option("--format", help="text for people, json for programs.")]


def _version(value: bool) -> None:
    if value:
        print_data(f"peerscope {__version__}")
        raise typer.Exit


@app.callback()
def _globals(
    ctx: typer.Context,
    warehouse: Annotated[
        str | None,
        typer.Option("--warehouse", metavar="DIR", help="Folder of the warehouse (PEERSCOPE_WAREHOUSE, ./warehouse)."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="TOML file with settings (PEERSCOPE_CONFIG).",
            envvar="PEERSCOPE_CONFIG",
        ),
    ] = None,
    log_format: Annotated[
        str | None,
        typer.Option("--log-format", metavar="text|json", help="What the job says of itself, on standard error."),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say only what failed.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more; tracebacks of internal errors.")] = False,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    settings, origins = load_settings({"warehouse": warehouse, "log_format": log_format}, config)
    if settings.log_format not in ("text", "json"):
        raise SettingError(f"setting log_format: {settings.log_format!r} is neither text nor json")
    logs.configure(settings.log_format, ctx.invoked_subcommand or "")
    ctx.obj = Context(settings, origins, -1 if quiet else int(verbose))


@app.command()
def run(
    ctx: typer.Context,
    paths: Paths,
    cluster: Cluster = "default",
    node: Node = None,
    tz: Zone = "UTC",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be read as what, and stop.")] = False,
    output: Format = TextOrJson.text,
    engine: EngineOption = EngineName.local,
    spark_master: SparkMaster = None,
    spark_conf: SparkConf = None,
) -> None:
    """The scheduled job: ingest, mine, analyse and publish in one go.

    Example: peerscope run --cluster prod /var/log/pods bundle.tar.gz
    """
    from jobs import steps

    if dry_run:
        steps.dry_run(ctx.obj, paths, output)
        return
    chosen = steps.Engine.of(engine.value, spark_master, spark_conf)
    steps.run(ctx.obj, paths, cluster=cluster, node=node, tz=tz, output=output, engine=chosen)


@app.command()
def ingest(ctx: typer.Context, paths: Paths, cluster: Cluster = "default", node: Node = None, tz: Zone = "UTC") -> None:
    """Read input into the warehouse; what was read before is skipped.

    Example: peerscope ingest --cluster prod node-7/calico-node.log
    """
    from jobs import steps

    steps.ingest_only(ctx.obj, paths, cluster=cluster, node=node, tz=tz)


@app.command()
def mine(ctx: typer.Context) -> None:
    """Mine templates from everything that was read.

    Example: peerscope mine
    """
    from jobs import steps

    steps.mine_only(ctx.obj)


@app.command()
def analyze(ctx: typer.Context) -> None:
    """Follow sessions, find incidents and their causes.

    Example: peerscope analyze
    """
    from jobs import steps

    steps.analyze_only(ctx.obj)


@app.command()
def publish(ctx: typer.Context) -> None:
    """Publish a snapshot for readers (report, SQL, app).

    Example: peerscope publish
    """
    from jobs import steps

    steps.publish_only(ctx.obj)


@app.command()
def demo(ctx: typer.Context) -> None:
    """Run the whole pipeline over the recordings in sample_logs/ and print the report.

    Example: peerscope demo
    """
    from jobs import demo as job

    job.demo(ctx.obj)


class ReportFormat(StrEnum):
    """Forms of the report."""

    text = "text"
    markdown = "markdown"
    html = "html"
    json = "json"
    prometheus = "prometheus"


class FailOn(StrEnum):
    """Severity from which ``--fail-on`` leaves with exit code 1."""

    warning = "warning"
    error = "error"
    critical = "critical"


@app.command()
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


class Receiver(StrEnum):
    """Kinds of receivers that ``notify`` knows."""

    generic = "generic"
    alertmanager = "alertmanager"


@app.command()
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


@app.command()
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


class SqlFormat(StrEnum):
    """Forms of a query's result."""

    table = "table"
    csv = "csv"
    json = "json"
    jsonl = "jsonl"
    parquet = "parquet"


@app.command()
def sql(
    ctx: typer.Context,
    query: Annotated[str | None, typer.Argument(help="One SELECT statement.")] = None,
    file: Annotated[Path | None, typer.Option("--file", metavar="F", help="Read the statement from a file.")] = None,
    name: Annotated[
        str | None,
        typer.Option("--query", metavar="NAME", help="A saved question of sql/library; `--query list` names them."),
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("-p", metavar="KEY=VALUE", help="Value of a parameter ($key).")
    ] = None,
    output: Annotated[SqlFormat, typer.Option("--format", help="Form of the result.")] = SqlFormat.table,
    target: Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write to a file.")] = None,
) -> None:
    """Ask the published snapshot, read-only.

    Example: peerscope sql "select template, events from templates order by events desc limit 10"
    """
    from jobs import show

    show.sql(ctx.obj, query, file, name, param or [], output.value, target)


@app.command()
def path(ctx: typer.Context) -> None:
    """Print the path of the published DuckDB file.

    Example: duckdb -readonly "$(peerscope path)"
    """
    from pipeline.warehouse.snapshots import current_snapshot

    print_data(str(current_snapshot(ctx.obj.warehouse)))


@app.command()
def status(ctx: typer.Context, output: Format = TextOrJson.text) -> None:
    """Freshness, coverage, ledger totals and whether they reconcile, rejected input.

    Example: peerscope status --format json
    """
    from jobs import show

    show.status(ctx.obj, output.value)


@app.command()
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


@app.command()
def maintain(
    ctx: typer.Context,
    relabel: Annotated[
        bool, typer.Option("--relabel", help="Read what is stored with today's grammar; history changes its names.")
    ] = False,
    compact: Annotated[
        bool, typer.Option("--compact", help="Rewrite the working file, however little is free in it.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and stop.")] = False,
    output: Format = TextOrJson.text,
) -> None:
    """Let age take old records, roll counts up, give room back to the disk.

    Example: peerscope maintain --dry-run
    """
    from jobs import maintain as job

    job.maintain(ctx.obj, anew=relabel, rewrite=compact, dry_run=dry_run, output=output.value)


@app.command()
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


@app.command("app")
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


@app.command()
def config(ctx: typer.Context, output: Format = TextOrJson.text) -> None:
    """Print every setting, its value and where the value came from.

    Example: peerscope config
    """
    origins = ctx.obj.origins
    if output is TextOrJson.json:
        print_json([vars(origin) for origin in origins])
        return
    for origin in origins:
        print_data(f"{origin.name} = {origin.value!r}  ({origin.origin})\n    {origin.reason}")


def main(argv: list[str] | None = None) -> None:
    """Entry point: runs a command and leaves with the exit codes of the contract."""
    words = sys.argv[1:] if argv is None else argv
    started = time.monotonic()
    code, problem = _call(words)
    logs.finish(code, problem, time.monotonic() - started)
    sys.exit(code)


def _call(words: list[str]) -> tuple[int, str | None]:
    """Exit code of a command, and what to say when it failed."""
    try:
        app(args=words, prog_name="peerscope", standalone_mode=True)
    except SystemExit as exc:
        return (exc.code if isinstance(exc.code, int) else int(exc.code is not None)), None
    except PeerscopeError as exc:
        return exc.exit_code, str(exc)
    except BrokenPipeError:
        sys.stderr.close()
        return 0, None
    except KeyboardInterrupt:
        return 130, "interrupted"
    except Exception as exc:
        if {"-v", "--verbose"} & set(words):
            raise
        return 5, f"internal error: {type(exc).__name__}: {exc}; run again with -v and report it"
    return 0, None
