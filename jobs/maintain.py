"""``peerscope maintain``: lets age take what is due, gives room back, and relabels when told to."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import duckdb

from jobs.console import Context, print_data, print_json
from pipeline import steps
from pipeline.engines.archive import prune
from pipeline.grammar import load_ruleset
from pipeline.warehouse import compact as files
from pipeline.warehouse.relabel import relabel
from pipeline.warehouse.retention import expire
from pipeline.warehouse.writer import DATABASE_NAME, Warehouse, failed


def maintain(
    ctx: Context, *, anew: bool, rewrite: bool, dry_run: bool, output: str, now: datetime | None = None
) -> None:
    """Retention, relabelling when ``anew``, clean-up and compaction (always when ``rewrite``); then publish."""
    moment = now or datetime.now(UTC)
    done: dict[str, Any] = {"dry_run": dry_run}
    warehouse = Warehouse.open(ctx.warehouse, ctx.settings.lock_seconds, memory_limit=ctx.settings.database_memory)
    try:
        settings = ctx.settings
        changes = expire(warehouse.connection, moment, settings.record_days, settings.rollup_days, dry_run=dry_run)
        done["changes"] = [asdict(change) for change in changes]
        if anew:
            done["relabelled"] = asdict(relabel(warehouse, load_ruleset(), moment, dry_run=dry_run))
        gone = prune(warehouse.directory, settings.archive_days, moment.date(), dry_run=dry_run)
        done["archive"] = [str(path) for path in gone]
        done["leftovers"] = [str(path) for path in files.leftovers(warehouse.directory)]
        done["freed_bytes"] = 0 if dry_run else files.remove_leftovers(warehouse.directory)
        done["free_share"] = _free_share(warehouse)
        if dry_run:
            done["compact"] = rewrite or done["free_share"] >= settings.compact_share
        else:
            if changes or anew:
                steps.mine(warehouse, settings)
                steps.analyze(warehouse, clusters=None)
            if rewrite or _free_share(warehouse) >= settings.compact_share:
                warehouse, size = files.compact(warehouse, settings.free_bytes)
                done["compacted"] = asdict(size)
            done["snapshot"] = str(steps.publish(warehouse, settings))
        done["file_bytes"] = (warehouse.directory / DATABASE_NAME).stat().st_size
    except duckdb.Error as exc:
        raise failed(ctx.warehouse, exc) from exc
    finally:
        with contextlib.suppress(duckdb.Error):
            warehouse.close()
    if output == "json":
        print_json(done)
        return
    for line in _told(done):
        print_data(line)


def _free_share(warehouse: Warehouse) -> float:
    """Part of the working file that holds nothing."""
    free, total = warehouse.connection.sql("SELECT free_blocks, total_blocks FROM pragma_database_size()").fetchall()[0]
    return round(free / total, 3) if total else 0.0


def _told(done: dict[str, Any]) -> list[str]:
    would = "would " if done["dry_run"] else ""
    lines = [
        f"{would}{change['action']}: {change['rows']:,} rows of {change['table']} ({change['detail']})"
        for change in done["changes"]
    ]
    if not lines:
        lines.append("nothing is old enough to leave (record_days, rollup_days)")
    if done["archive"]:
        lines.append(f"{would}remove: {len(done['archive'])} days of the archive (archive_days)")
    if "relabelled" in done:
        told = done["relabelled"]
        lines.append(
            f"{would}relabel: {told['shapes']:,} shapes, {told['lines']:,} lines, {told['records']:,} records; "
            f"{told['kept']:,} shapes stay as they were, for want of a kept text"
        )
    if done["leftovers"]:
        lines.append(f"{would}remove: {', '.join(done['leftovers'])} ({done['freed_bytes']:,} bytes)")
    if done.get("compact"):
        lines.append(f"would compact: {100 * done['free_share']:.0f} % of the working file are free")
    if "compacted" in done:
        lines.append(f"compact: {done['compacted']['before']:,} bytes became {done['compacted']['after']:,}")
    if "snapshot" in done:
        lines.append(f"published {done['snapshot']}")
    return lines
