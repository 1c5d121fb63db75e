"""``peerscope demo``: every recording of ``sample_logs/`` through the whole pipeline, then the report."""

from __future__ import annotations

from pathlib import Path

from jobs.console import Context, print_data, printable
from jobs.steps import run_into
from pipeline.engines.local import InputOptions
from pipeline.errors import MissingInputError
from pipeline.findings.report import build_report, render
from pipeline.warehouse.reader import open_snapshot
from pipeline.warehouse.writer import Warehouse

SAMPLES = Path(__file__).resolve().parent.parent / "sample_logs"
FOUNDING_CASE = "md5-key-limit-grown"


def recordings() -> list[Path]:
    """The recordings' bundles, sorted; each is a cluster of its own, named like its folder.

    Raises:
        MissingInputError: this is no checkout, so there are no recordings.
    """
    found = sorted(SAMPLES.glob("*/collected.tar.gz"))
    if not found:
        raise MissingInputError(f"{SAMPLES}: no recordings; the demo needs a checkout of peerscope")
    return found


def _named(bundle: Path) -> str:
    """The path as a person in the checkout would give it, which is how evidence is then named."""
    here = Path.cwd()
    return str(bundle.relative_to(here)) if bundle.is_relative_to(here) else str(bundle)


def demo(ctx: Context) -> None:
    """Run everything, print the report of the founding case and one line for each other recording."""
    bundles = recordings()
    with Warehouse.open(
        ctx.warehouse, ctx.settings.lock_seconds, memory_limit=ctx.settings.database_memory
    ) as warehouse:
        read = 0
        for bundle in bundles:
            done = run_into(
                ctx,
                warehouse,
                [str(bundle)],
                InputOptions(cluster=bundle.parent.name),
                last=bundle == bundles[-1],
            )
            read += done["files_read"]
            ctx.say(f"{bundle.parent.name}: {done['files_read']} files, {done['lines_read']} lines")
    ctx.say("nothing new was found" if read == 0 else f"{read} files read from {len(bundles)} recordings")
    with open_snapshot(ctx.warehouse) as snapshot:
        for bundle in bundles:
            name = bundle.parent.name
            if name != FOUNDING_CASE:
                print_data(printable(build_report(snapshot, cluster=name).headline))
        founding = build_report(snapshot, cluster=FOUNDING_CASE)
    print_data("")
    print_data(printable(render(founding, "text")))
    where = "" if ctx.settings.warehouse == "./warehouse" else f" --warehouse {ctx.settings.warehouse}"
    print_data(
        "\nGo on:\n"
        f"  peerscope{where} app                                the same in the browser\n"
        f"  peerscope{where} report --cluster port-dropped      another recording\n"
        f'  peerscope{where} sql "select template, events from templates order by events desc limit 20"\n'
        f"  peerscope{where} run --cluster prod PATH...          your own logs\n"
        "(from a checkout: .venv/bin/peerscope)"
    )
