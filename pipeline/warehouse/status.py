"""What ``peerscope status`` says: how fresh the published data is, what it covers and whether it adds up.

Read from the published snapshot alone, so it works while a job writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import NotPublishedError
from pipeline.warehouse.lock import holder_pid
from pipeline.warehouse.reader import Snapshot, open_snapshot
from pipeline.warehouse.snapshots import list_snapshots

# Clocks of two machines may differ by so much without a word.
AHEAD_SECONDS = 300
_LEDGER = """
SELECT count(*) AS loads,
       coalesce(sum(files_read), 0) AS files_read, coalesce(sum(bytes_read), 0) AS bytes_read,
       coalesce(sum(lines_read), 0) AS lines_read, coalesce(sum(lines_parsed), 0) AS lines_parsed,
       coalesce(sum(lines_unparsed), 0) AS lines_unparsed, coalesce(sum(lines_rejected), 0) AS lines_rejected,
       max(finished_at) AS last_load_at
FROM loads
"""
_COUNTS = """
SELECT coalesce(sum(events), 0) AS events,
       coalesce(sum(events) FILTER (category = 'unclassified'), 0) AS unclassified,
       coalesce(sum(events) FILTER (template_id IS NULL), 0) AS not_mined
FROM event_counts
"""
_COVERAGE = """
SELECT cluster, component, count(DISTINCT node) AS nodes,
       min(started_at) AS first_at, max(ended_at) AS last_at,
       round(sum(date_part('epoch', ended_at - started_at)) / 3600, 2) AS observed_hours
FROM coverage GROUP BY cluster, component ORDER BY cluster, component
"""
_REJECTS = """
SELECT reason, count(*) AS times, sum(lines) AS lines FROM rejects GROUP BY reason ORDER BY reason
"""


def status(directory: Path | str, now: datetime | None = None) -> dict[str, Any]:
    """State of the warehouse in ``directory``; ``snapshot`` is None when nothing is published.

    ``now`` is what ages are measured from (default: the clock). Times are aware datetimes, ages seconds.

    Raises:
        WarehouseError: the published snapshot cannot be read.
    """
    folder = Path(directory)
    about: dict[str, Any] = {"warehouse": str(folder), "writer_pid": holder_pid(folder), "snapshot": None}
    try:
        snapshot = open_snapshot(folder)
    except NotPublishedError as exc:
        return about | {"message": str(exc)}
    with snapshot:
        return about | _published(snapshot, folder, now or datetime.now(UTC))


def render_status(state: Mapping[str, Any]) -> str:
    """What ``status`` found, as lines for people; file names and reasons in it are text from outside."""
    lines = [f"warehouse     {state['warehouse']}"]
    if state["writer_pid"]:
        lines.append(f"writing now   process {state['writer_pid']}")
    if state["snapshot"] is None:
        return "\n".join([*lines, state["message"]])
    snapshot, fresh, ledger = state["snapshot"], state["freshness"], state["ledger"]
    lines += [
        f"snapshot      {snapshot['path']} ({snapshot['bytes']:,} bytes, {snapshot['kept']} kept)",
        f"published     {_moment(snapshot['published_at'])} ({_ago(fresh['published_age_seconds'])})",
        f"last load     {_moment(fresh['last_load_at'])}",
        f"last event    {_moment(fresh['last_event_at'])} ({_ago(fresh['last_event_age_seconds'])})",
        f"ledger        {ledger['loads']:,} loads, {ledger['files_read']:,} files, {ledger['bytes_read']:,} bytes",
        f"lines         {ledger['lines_read']:,} read = {ledger['lines_parsed']:,} parsed "
        f"+ {ledger['lines_unparsed']:,} unparsed + {ledger['lines_rejected']:,} rejected",
        f"counted       {state['events_counted']:,}: "
        + ("everything adds up" if state["reconciles"] else "DOES NOT ADD UP with the lines read"),
    ]
    if state["unclassified_share"] is not None:
        share = f"{100 * state['unclassified_share']:.2f} %"
        lines.append(f"unclassified  {state['unclassified_events']:,} lines ({share})")
    for row in state["rejects"]:
        lines.append(f"rejected      {row['reason']}: {row['times']:,} times, {row['lines']:,} lines")
    lines += _coverage_lines(state["coverage"])
    return "\n".join(lines)


def _coverage_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each cluster; the single components are in the JSON form and in the table coverage."""
    lines = []
    for cluster in dict.fromkeys(row["cluster"] for row in rows):
        own = [row for row in rows if row["cluster"] == cluster]
        hours = ", ".join(f"{row['component']} {row['observed_hours']:,}" for row in own)
        first, last = min(row["first_at"] for row in own), max(row["last_at"] for row in own)
        nodes = max(row["nodes"] for row in own)
        span = f"{_moment(first)} to {_moment(last)}"
        lines.append(f"coverage      {cluster}: {nodes:,} nodes, {span}; node-hours: {hours}")
    return lines


def _moment(moment: datetime | None) -> str:
    return "never" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _ago(seconds: float | None) -> str:
    if seconds is not None and seconds < -AHEAD_SECONDS:
        return f"{_span(-seconds)} ahead: a clock ran ahead, or the zone is wrong (--tz)"
    return f"{_span(None if seconds is None else max(seconds, 0))} ago"


def _span(seconds: float | None) -> str:
    """An age in its two largest units."""
    if seconds is None:
        return "unknown time"
    minutes = int(seconds) // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def _published(snapshot: Snapshot, folder: Path, now: datetime) -> dict[str, Any]:
    meta, ledger, counts = (_row(snapshot, query) for query in ("FROM meta", _LEDGER, _COUNTS))
    last_event = _row(snapshot, "SELECT max(minute) AS at FROM event_counts")["at"]
    lines = ledger["lines_parsed"] + ledger["lines_unparsed"]
    return {
        "snapshot": {
            "path": str(snapshot.path),
            "bytes": snapshot.path.stat().st_size,
            "kept": len(list_snapshots(folder)),
            **meta,
        },
        "freshness": {
            "published_age_seconds": _age(meta["published_at"], now),
            "last_load_at": ledger.pop("last_load_at"),
            "last_event_at": last_event,
            "last_event_age_seconds": _age(last_event, now),
        },
        "ledger": ledger,
        "reconciles": ledger["lines_read"] == lines + ledger["lines_rejected"] and counts["events"] == lines,
        "events_counted": counts["events"],
        "events_not_mined": counts["not_mined"],
        "unclassified_events": counts["unclassified"],
        "unclassified_share": counts["unclassified"] / counts["events"] if counts["events"] else None,
        "rejects": snapshot.frame(_REJECTS).to_dicts(),
        "coverage": snapshot.frame(_COVERAGE).to_dicts(),
    }


def _row(snapshot: Snapshot, query: str) -> dict[str, Any]:
    return snapshot.frame(query).row(0, named=True)


def _age(moment: datetime | None, now: datetime) -> float | None:
    return None if moment is None else (now - moment).total_seconds()
