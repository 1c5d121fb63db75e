"""Incidents that no session shows: records that carry a fault by themselves.

A fault told only by lines (a datastore that is away, an address taken twice, a crash) is an incident of its
own, unless an incident of sessions at that place and time already explains such lines. What a node says in the
first minute after its start is noise when it stops by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import polars as pl

from pipeline.findings.catalogue import Cause
from pipeline.findings.incidents import Incident, content_id
from pipeline.findings.lines import LINE, told_by
from pipeline.findings.planned import PlannedWork
from pipeline.sessions.facts import ClusterFacts
from pipeline.sessions.pooled import NAME, in_order

GAP = timedelta(minutes=10)
"""Records of one kind that lie further apart are two incidents."""
STARTUP = timedelta(seconds=60)
"""How long a node may complain after its daemon started (`BIRD waits for confd's first configuration`)."""
STILL = timedelta(minutes=10)
"""An incident whose last record is this close to the end of the data is taken to last."""
CATEGORIES: dict[str, tuple[str, int]] = {
    "md5_kernel_setup_failed": ("error", 1), "md5_hash_mismatch": ("warning", 3),
    "connection_refused": ("error", 1), "connection_reset": ("error", 1), "hold_timer_expired": ("error", 1),
    "no_route_to_host": ("error", 1), "connect_timeout": ("error", 1), "network_unreachable": ("error", 1),
    "cannot_assign_address": ("error", 1), "bad_peer_as": ("error", 1), "open_error": ("error", 1),
    "unexpected_peer": ("warning", 5), "bird_socket_unavailable": ("error", 1), "bird_config_error": ("error", 1),
    "confd_error": ("error", 1), "datastore_unreachable": ("error", 1), "felix_not_ready": ("warning", 1),
    "address_conflict": ("error", 1), "resource_exhaustion": ("error", 1), "process_restart": ("error", 1),
    "probe_exec_failed": ("warning", 1), "duplicate_instance": ("error", 1),
    "route_programming_error": ("warning", 1), "invalid_route": ("warning", 1), "ip_autodetection": ("error", 1),
}  # fmt: skip
"""Categories that may be an incident alone: the least severity of a record, and how many it takes where sessions
were observed as well (a few pasted lines are all there is, so one of them is enough)."""
_RANK = {"info": 0, "warning": 1, "error": 2, "critical": 3}
_ANY = ""
_WAITING = {
    "bird_socket_unavailable": _ANY, "felix_not_ready": _ANY, "unexpected_peer": _ANY, "connection_refused": _ANY,
    "probe_exec_failed": _ANY, "datastore_unreachable": _ANY, "bird_config_error": "Unable to open|No such file",
}  # fmt: skip
"""What a node that has just started may say while it waits for others; a pattern narrows it."""
STORMS = {"bird.reconfiguration_queued": 5, "bird.reconfiguring": 40}
"""Harmless now and then. So many lines in a row are a storm: reloads that meet the one before, or reloads at all,
of which each gives two or three lines."""
QUIET = ("ip_autodetection", "bgp_not_established")
"""Categories of which most records are ordinary: one is only an incident when a cause looks for its very text."""
WAITS = "graceful_restart"
LONG_WAIT = timedelta(seconds=180)
"""BIRD waits up to 240 s for its peers after a graceful restart; a cluster that is well is done in half a minute."""
_GR_BEGINS, _GR_ENDS = r"^Graceful (restart|recovery) started$", r"^Graceful (restart|recovery) (done|timeout)$"
_GR_PENDING = r"restart recovery in progress|graceful restart in progress"
_ORDERLY = r"^(Shutdown completed|Shutting down|Shutdown requested|Received SIGTERM)"


_HELD = ["row", "ts", "node", "component", "message", "source_path"]
"""What an incident keeps of its records: the rest is found by their numbers."""
_KEPT = [*_HELD, "byte_offset"]


def build_loose_incidents(facts: ClusterFacts, numbered: pl.DataFrame, planned: PlannedWork) -> list[Incident]:
    """Incidents made of records (``numbered``: all, with their numbers), one for each category and stretch of time."""
    found: list[Incident] = []
    lines_only = facts.states.is_empty()
    # Where nothing but lines was given, a warning is all that some faults leave.
    least = {name: min(_RANK[level], 1) if lines_only else _RANK[level] for name, (level, _) in CATEGORIES.items()}
    enough = (
        pl.col("severity").replace_strict(_RANK, default=0, return_dtype=pl.Int8)
        >= pl.col("category").replace_strict(least, default=len(_RANK), return_dtype=pl.Int8)
    )  # fmt: skip
    grave = _untold(numbered, numbered.select(pl.col("row").filter(enough)).to_series(), facts.states)
    known = numbered.select(_KEPT)
    last = _last_told(facts)
    for category in grave["category"].unique(maintain_order=True).to_list():
        records = known[grave.filter(pl.col("category") == category)["row"]]
        records = records.filter(~pl.col("message").fill_null("").str.contains(_ORDERLY))
        waiting = pl.col("message").fill_null("").str.contains(_WAITING[category]) if category in _WAITING else None
        quiet = records if waiting is None else pl.concat(
            [records.filter(~waiting), _without_startup(records.filter(waiting), planned)]
        )  # fmt: skip
        for part in _stretches(quiet):
            if part.height >= (1 if lines_only else CATEGORIES[category][1]):
                found.append(_incident(facts.cluster, category, part, last))
    found += _storms(facts, numbered, last)
    return sorted(found, key=lambda i: (i.started_at is not None, str(i.started_at), i.incident_id))


def _untold(numbered: pl.DataFrame, grave: pl.Series, states: pl.DataFrame) -> pl.DataFrame:
    """Row and category of those of the grave records whose line tells nothing of a session's state."""
    named = pl.col("peer").is_not_null() | (pl.col("protocol").is_not_null() & (pl.col("protocol") != "BGP"))
    telling = states.select(named).to_series()
    lines = states.select(LINE) if telling.all() else states.select(LINE).filter(telling)
    return numbered.select("row", "category")[grave.filter(~pl.Series(told_by(numbered, grave, lines)))]


def build_quiet_incidents(facts: ClusterFacts, numbered: pl.DataFrame, telling: pl.DataFrame) -> list[Incident]:
    """Incidents of records that are ordinary in themselves; without a cause they are none.

    ``telling`` holds the records in which a cause looks for a text.
    """
    last = _last_told(facts)
    found = [
        _incident(facts.cluster, str(name), part, last, "quiet")
        for (name,), records in telling.filter(pl.col("category").is_in(QUIET))
        .partition_by("category", as_dict=True, maintain_order=True).items()
        for part in _stretches(records)
    ]  # fmt: skip
    waits = _long_waits(numbered.filter(pl.col("category") == WAITS), facts.states.is_empty())
    found += [_incident(facts.cluster, WAITS, part, last, "quiet") for part in _stretches(waits)]
    return sorted(found, key=lambda i: (i.started_at is not None, str(i.started_at), i.incident_id))


def _last_told(facts: ClusterFacts) -> datetime | None:
    """The time of the last record, or minute of counted lines."""
    told = [facts.tellers["last_ts"].max(), facts.marks["minute"].max()]
    return max((moment for moment in told if isinstance(moment, datetime)), default=None)


def _long_waits(records: pl.DataFrame, lines_only: bool) -> pl.DataFrame:
    """Begin and end of the graceful restarts that took long; undated ones where there is nothing but lines."""
    text = pl.col("message").fill_null("")
    # a log goes on in other files, but what names no node may be of any
    lane = ["_place", "component"]
    steps = (
        records.filter(text.str.contains(f"{_GR_BEGINS}|{_GR_ENDS}|{_GR_PENDING}"))
        .with_columns(_place=pl.coalesce(pl.lit("node ") + pl.col("node"), "source_path"))
        .sort(*lane, "ts", "source_path", "byte_offset", nulls_last=False)
    )
    begins, ends = text.str.contains(_GR_BEGINS), text.str.contains(_GR_ENDS)
    wait = pl.when(ends & begins.shift(1).over(lane)).then(pl.col("ts") - pl.col("ts").shift(1).over(lane))
    marked = steps.with_columns(_wait=wait, _pending=text.str.contains(_GR_PENDING))
    long = (pl.col("_wait") >= LONG_WAIT).fill_null(False)
    undated = pl.lit(lines_only) & pl.col("ts").is_null()
    kept = long | long.shift(-1).over(lane).fill_null(False) | undated | (pl.col("_pending") & pl.lit(lines_only))
    return marked.filter(kept).drop("_wait", "_pending", "_place")


def _storms(facts: ClusterFacts, numbered: pl.DataFrame, last: datetime | None) -> Iterable[Incident]:
    """Reloads that pile up on a node. Their lines are counted, and only the first of them are kept as records."""
    for rule, least in STORMS.items():
        counted = facts.marks.filter(pl.col("rule") == rule)
        examples = numbered.filter(pl.col("rule") == rule)
        for (node,), minutes in counted.sort("node", "minute").partition_by("node", as_dict=True).items():
            kept = examples.filter(pl.col("node").eq_missing(node))
            apart = (pl.col("minute").diff() > GAP).fill_null(False).cum_sum()
            for stretch in minutes.with_columns(_no=apart).partition_by("_no", maintain_order=True):
                if kept.is_empty() or stretch["events"].sum() < least:
                    continue
                found = _incident(facts.cluster, "bird_config_error", kept, last)
                first, until = stretch["minute"].min(), stretch["minute"].max()
                if isinstance(first, datetime) and isinstance(until, datetime):
                    until += timedelta(minutes=1)
                    over = last is not None and last - until > STILL
                    known = content_id(facts.cluster, rule, str(node), str(first))
                    found = replace(found, incident_id=known, started_at=first, ended_at=until if over else None)
                yield found


def _without_startup(records: pl.DataFrame, planned: PlannedWork) -> pl.DataFrame:
    """Drop what a node said within the first minute after a start of its daemon."""
    starts = [
        (node, moment) for node in records["node"].drop_nulls().unique().to_list() for moment in planned.starts_of(node)
    ]
    if not starts:
        return records
    begun = pl.DataFrame(starts, schema={"node": NAME, "_start": records.schema["ts"]}, orient="row").sort("_start")
    dated = records.filter(pl.col("ts").is_not_null()).sort("ts", maintain_order=True)
    joined = dated.join_asof(
        begun, left_on="ts", right_on="_start", by="node", strategy="nearest", check_sortedness=False
    )
    away = (pl.col("ts") - pl.col("_start")).abs()
    kept = joined.filter(pl.col("_start").is_null() | (away > STARTUP)).drop("_start")
    return pl.concat([records.filter(pl.col("ts").is_null()), kept])


def _stretches(records: pl.DataFrame) -> Iterable[pl.DataFrame]:
    ordered = in_order(records, ["ts", "source_path", "byte_offset"]).select(_HELD)
    apart = (pl.col("ts") - pl.col("ts").shift(1) > GAP).fill_null(False)
    begins = ordered.select(apart.arg_true()).to_series().to_list()
    # neighbours: no part is a copy
    return [ordered[first:last] for first, last in pairwise([0, *begins, ordered.height]) if first < last]


def _incident(
    cluster: str, category: str, records: pl.DataFrame, last: datetime | None, kind: str = "record"
) -> Incident:
    first_ts, last_ts = records["ts"].min(), records["ts"].max()
    started = first_ts if isinstance(first_ts, datetime) else None
    ended = last_ts if isinstance(last_ts, datetime) else None
    lasts = ended is None or last is None or last - ended <= STILL
    nodes = tuple(sorted(records["node"].drop_nulls().unique().to_list()))
    return Incident(
        incident_id=content_id(cluster, kind, category, str(started)),
        kind="record", category=category, started_at=started, ended_at=None if lasts else ended,
        records=records, nodes=nodes,
    )  # fmt: skip


def origins_first(found: list[tuple[Incident, Cause, float]]) -> list[int]:
    """The order in which incidents of records are taken up: what others follow from, then the surer ones."""

    def follows(mine: tuple[Incident, Cause, float]) -> bool:
        return any(
            mine[0].category in other.explains and incident.category not in mine[1].explains
            and _overlap(mine[0], incident)
            for incident, other, _ in found
            if incident is not mine[0]
        )  # fmt: skip

    def order(k: int) -> tuple[bool, float, str, str, str]:
        incident, _, confidence = found[k]
        return follows(found[k]), -confidence, str(incident.started_at), incident.category, incident.incident_id

    return sorted(range(len(found)), key=order)


def is_explained(incident: Incident, cause: Cause, known: list[tuple[Incident, Cause]]) -> bool:
    """Whether another incident, at an overlapping place and time, has the same cause or explains such records."""
    for other, other_cause in known:
        if not _overlap(incident, other):
            continue
        if other_cause.id == cause.id or incident.category in other_cause.explains:
            return True
        if incident.category in other.end_categories:
            return True
    return False


def _overlap(incident: Incident, other: Incident) -> bool:
    mine = set(incident.nodes)
    if mine and other.involved and mine.isdisjoint(other.involved):
        return False
    if incident.started_at is None or other.started_at is None:
        return True
    before = other.ended_at is not None and incident.started_at > other.ended_at + GAP
    after = incident.ended_at is not None and incident.ended_at < other.started_at - GAP
    return not (before or after)
