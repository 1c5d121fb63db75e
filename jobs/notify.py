"""``peerscope notify``: tells a webhook what is open, once, and what is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobs.console import Context, print_data
from pipeline.errors import UsageError
from pipeline.findings.report import build_report
from pipeline.notify import SentRecord, Webhook, notices_of, payload, send
from pipeline.warehouse.reader import open_snapshot


def notify(
    ctx: Context,
    url: str,
    kind: str,
    *,
    least: str,
    cluster: str | None,
    token_file: Path | None,
    dry_run: bool,
    now: datetime | None = None,
) -> None:
    """Send what is due to ``url`` and remember it; with ``dry_run`` print it instead."""
    moment = now or datetime.now(UTC)
    settings = ctx.settings
    hook = Webhook(url, kind, _token(token_file), settings.webhook_seconds, settings.webhook_attempts)
    hook.target  # noqa: B018 - an address that cannot be one is said before anything is read
    alive = timedelta(hours=settings.alert_hours)
    with open_snapshot(ctx.warehouse) as snapshot:
        notices = notices_of(build_report(snapshot, cluster=cluster), least)
    # Alertmanager forgets what it does not hear again; any other receiver is told once.
    again = alive / 2 if kind == "alertmanager" else None
    with SentRecord(ctx.warehouse, f"{kind} {cluster or ''} {url}") as record:
        due = record.due(notices, moment, again)
        if dry_run:
            print_data(payload(kind, due, moment, alive).decode())
            return
        if due:
            send(hook, payload(kind, due, moment, alive))
            record.keep(due, moment)
    over = sum(notice.is_over for notice in due)
    ctx.say(f"{len(due) - over} open and {over} ended incidents told, {len(notices)} looked at")


def _token(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"--token-file {path}: cannot be read: {exc}") from exc
