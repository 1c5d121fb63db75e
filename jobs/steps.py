"""The scheduled job and its steps; each is safe to repeat."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from jobs.console import Context, print_data, print_json
from pipeline import steps
from pipeline.engines.local import InputOptions, Summary, ingest
from pipeline.engines.processes import Ahead
from pipeline.errors import UsageError
from pipeline.native.library import available
from pipeline.sources.archives import Refusal
from pipeline.sources.discover import walk_sources
from pipeline.sources.identify import SNIFF_BYTES, identify
from pipeline.warehouse.space import check_space
from pipeline.warehouse.writer import Warehouse

PROGRESS_SECONDS = 0.2


@dataclass(frozen=True)
class Engine:
    """Who parses; ``master`` and ``conf`` are Spark's."""

    name: str = "local"
    master: str | None = None
    conf: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, master: str | None, conf: Sequence[str] | None) -> Engine:
        """From the options of the command line.

        Raises:
            UsageError: an option of Spark without Spark, or a setting that is no KEY=VALUE.
        """
        if name != "spark" and (master or conf):
            raise UsageError("--spark-master and --spark-conf belong to --engine spark; give that too")
        pairs = [text.partition("=") for text in conf or ()]
        if wrong := [key for key, sign, _ in pairs if not sign]:
            raise UsageError(f"--spark-conf {wrong[0]}: no KEY=VALUE; write for example spark.executor.memory=4g")
        return cls(name, master, {key: value for key, _, value in pairs})

    def ingest(
        self, ctx: Context, warehouse: Warehouse, paths: Sequence[str], options: InputOptions, ahead: Ahead | None
    ) -> Summary:
        """Read the paths into the warehouse."""
        if self.name == "local":
            return ingest(warehouse, paths, options, ctx.settings, progress=_progress(ctx), ahead=ahead)
        from pipeline.engines import spark

        return spark.ingest(
            warehouse, paths, options, ctx.settings, master=self.master, conf=self.conf, progress=_progress(ctx)
        )


LOCAL = Engine()


def _open(ctx: Context) -> Warehouse:
    return Warehouse.open(ctx.warehouse, ctx.settings.lock_seconds, memory_limit=ctx.settings.database_memory)


def run(
    ctx: Context,
    paths: Sequence[str],
    *,
    cluster: str,
    node: str | None,
    tz: str,
    output: str,
    overlap: str = "keep",
    archive: bool = False,
    engine: Engine = LOCAL,
    ahead: Ahead | None = None,
) -> None:
    """Ingest, mine, analyse and publish; prints what was done."""
    options = InputOptions(cluster, node, tz, overlap, archive)
    steps.check_zone(tz)
    with _open(ctx) as warehouse:
        done = run_into(ctx, warehouse, paths, options, engine=engine, ahead=ahead)
    if output == "json":
        print_json(done)
        return
    for line in _told(done):
        ctx.say(line)
    print_data("`peerscope report` prints the findings; `peerscope sql` asks the data.")


def run_into(
    ctx: Context,
    warehouse: Warehouse,
    paths: Sequence[str],
    options: InputOptions,
    *,
    last: bool = True,
    engine: Engine = LOCAL,
    ahead: Ahead | None = None,
) -> dict[str, Any]:
    """The steps over an open warehouse; only the ``last`` of several calls mines and publishes for all."""
    check_space(ctx.warehouse, ctx.settings.free_bytes, 0, "a load")
    steps.prepare()
    summary = engine.ingest(ctx, warehouse, paths, options, ahead)
    _report_refused(ctx, summary)
    done: dict[str, Any] = {name: value for name, value in asdict(summary).items() if name != "refused"}
    done["files_refused"] = len(summary.refused)
    if last:
        done["templates"] = steps.mine(warehouse, ctx.settings)
        with steps.begun(warehouse) as file:
            done["incidents"] = steps.analyze(warehouse, clusters=None)
            done["snapshot"] = str(steps.publish(warehouse, ctx.settings, file))
    return done


def ingest_only(
    ctx: Context,
    paths: Sequence[str],
    *,
    cluster: str,
    node: str | None,
    tz: str,
    overlap: str = "keep",
    archive: bool = False,
) -> None:
    """The first step alone."""
    steps.check_zone(tz)
    with _open(ctx) as warehouse:
        check_space(ctx.warehouse, ctx.settings.free_bytes, 0, "a load")
        summary = ingest(
            warehouse, paths, InputOptions(cluster, node, tz, overlap, archive), ctx.settings, _progress(ctx)
        )
    _report_refused(ctx, summary)
    for line in _told({**asdict(summary), "files_refused": len(summary.refused)}):
        ctx.say(line)


def mine_only(ctx: Context) -> None:
    """The second step alone."""
    with _open(ctx) as warehouse:
        ctx.say(f"{steps.mine(warehouse, ctx.settings)} templates")


def analyze_only(ctx: Context) -> None:
    """The third step alone."""
    with _open(ctx) as warehouse:
        ctx.say(f"{steps.analyze(warehouse, clusters=None)} incidents")


def publish_only(ctx: Context) -> None:
    """The last step alone."""
    with _open(ctx) as warehouse:
        ctx.say(f"published {steps.publish(warehouse, ctx.settings)}")


def dry_run(ctx: Context, paths: Sequence[str], output: str) -> None:
    """Says for each source what it would be read as, and why; writes nothing."""
    rows = []
    for item in walk_sources(paths, ctx.settings):
        if isinstance(item, Refusal):
            rows.append({"path": item.path, "kind": "refused", "why": f"{item.reason}: {item.detail}"})
            continue
        identity = identify(item.stream.read(SNIFF_BYTES))
        rows.append({"path": item.path, "kind": identity.kind, "why": identity.why})
    if output == "json":
        print_json(rows)
        return
    for row in rows:
        print_data(f"{row['path']}\n    {row['kind']}: {row['why']}")


def _report_refused(ctx: Context, summary: Summary) -> None:
    for refusal in summary.refused:
        ctx.say(f"not read: {refusal.path}: {refusal.reason} ({refusal.detail})")


def _told(done: dict[str, Any]) -> list[str]:
    lines = [
        f"{done['files_read']} files read, {done['files_known']} known before, {done['files_refused']} not readable",
        f"{done['lines_read']} lines read = {done['lines_parsed']} parsed + {done['lines_unparsed']} unparsed"
        f" + {done['lines_rejected']} rejected",
    ]
    if done["lines_read"] and not available():
        lines.append("read without the compiled scan: it takes several times as long; install again with a C compiler")
    if done["lines_known"]:
        lines.append(f"{done['lines_known']} lines were in other dumps of the same container (--overlap dedupe)")
    if done["lines_waiting"]:
        lines.append(f"{done['lines_waiting']} last lines are not finished yet and wait (unfinished_seconds)")
    if "incidents" in done:
        lines.append(f"{done['templates']} templates, {done['incidents']} incidents, published {done['snapshot']}")
    return lines


def _progress(ctx: Context) -> Callable[[str], None]:
    """On a terminal the file being read, rewritten in place; with -v a line for each file; else nothing."""
    if ctx.verbosity > 0:
        return ctx.detail
    if ctx.verbosity < 0 or not sys.stderr.isatty():
        return lambda _: None
    last = [0.0]

    def show(path: str) -> None:
        now = time.monotonic()
        if now - last[0] >= PROGRESS_SECONDS:
            last[0] = now
            sys.stderr.write(f"\r\x1b[Kreading {path[-70:]}\r")

    return show
