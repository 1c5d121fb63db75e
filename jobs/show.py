"""Commands that read the published snapshot: report, sql, status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from jobs.console import Context, print_data, print_json, printable
from pipeline.errors import UsageError
from pipeline.warehouse.library import load_library, question
from pipeline.warehouse.output import write_result
from pipeline.warehouse.reader import open_snapshot
from pipeline.warehouse.status import render_status
from pipeline.warehouse.status import status as read_status


def report(
    ctx: Context, form: str, *, since: str | None, cluster: str | None, group: str | None, fail_on: str | None
) -> None:
    """Print the report; leaves with 1 when an open incident is at least as severe as ``fail_on``."""
    from pipeline.findings.report import FAIL_LEVELS, build_report, render

    with open_snapshot(ctx.warehouse) as snapshot:
        built = build_report(snapshot, cluster=cluster, group=group, since=since)
    text = render(built, form)
    print_data(printable(text) if form == "text" else text)
    if fail_on and built.worst in FAIL_LEVELS[FAIL_LEVELS.index(fail_on) :]:
        sys.exit(1)


def sql(
    ctx: Context,
    query: str | None,
    file: Path | None,
    name: str | None,
    params: Sequence[str],
    form: str,
    target: Path | None,
) -> None:
    """Run one statement in the sandbox and print its rows."""
    if sum(given is not None for given in (query, file, name)) != 1:
        raise UsageError("give one of: a query, --file F, or --query NAME (`--query list` names the saved ones)")
    if name == "list":
        for saved in load_library().values():
            print_data(f"{saved.name}: {saved.question}")
        return
    values = dict(_pair(text) for text in params)
    text, bound = query or "", dict(values)
    if file is not None:
        text = _read(file)
    elif name is not None:
        text, bound = question(name).bind(values)
    with open_snapshot(ctx.warehouse, memory_limit=ctx.settings.sql_memory) as snapshot:
        result = snapshot.query(text, bound, timeout_s=ctx.settings.sql_seconds, max_rows=ctx.settings.sql_rows)
    write_result(result, form, target)
    if result.truncated:
        ctx.say(f"cut: {result.truncated}")


def status(ctx: Context, form: str) -> None:
    """Print freshness, coverage, ledger totals and rejects."""
    state = read_status(ctx.warehouse)
    if form == "json":
        print_json(state)
    else:
        print_data(printable(render_status(state)))


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise UsageError(f"-p {text}: write key=value")
    return key, value


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"--file {file}: cannot be read: {exc}") from exc
