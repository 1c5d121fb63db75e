"""Commands about the data and the warehouse itself: ``sql``, ``path``, ``status``, ``maintain``, ``config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jobs.console import print_data, print_json
from jobs.options import Format, SqlFormat, TextOrJson


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


def path(ctx: typer.Context) -> None:
    """Print the path of the published DuckDB file.

    Example: duckdb -readonly "$(peerscope path)"
    """
    from pipeline.warehouse.snapshots import current_snapshot

    print_data(str(current_snapshot(ctx.obj.warehouse)))


def status(ctx: typer.Context, output: Format = TextOrJson.text) -> None:
    """Freshness, coverage, ledger totals and whether they reconcile, rejected input.

    Example: peerscope status --format json
    """
    from jobs import show

    show.status(ctx.obj, output.value)


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
