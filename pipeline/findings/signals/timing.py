"""When and for how long: restarts, returns, losses that come together."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from pipeline.findings.case import Case
from pipeline.findings.columns import NEVER, Ints, span
from pipeline.findings.names import listed
from pipeline.findings.proofs import Proof, Sign
from pipeline.findings.signals.base import signal


@signal
def planned_work(case: Case, kinds: list[str]) -> Sign:
    """The losses were recognised as planned work of one of ``kinds``: restart, removed, reconfigured."""
    seen = case.incident.work in kinds
    return Sign(seen, case.quoted() if seen else ())


@signal
def restarted(case: Case, at: str = "any") -> Sign:
    """A daemon at one end was seen to start around the loss; ``at`` is any, hub or member."""
    found = case.restarts
    if at == "hub":
        found = [(node, moment) for node, moment in found if node in case.incident.hubs]
    elif at == "member":
        found = [(node, moment) for node, moment in found if node not in case.incident.hubs]
    if not found:
        return Sign(False)
    proofs = tuple(
        Proof("the routing daemon starts", moment, node)
        for node, moment in sorted(set(found), key=lambda pair: (pair[1], pair[0]))[:4]
    )
    return Sign(True, proofs, {"restarted": listed(node for node, _ in found)})


@signal
def came_back(case: Case, within: float = 0) -> Sign:
    """All sessions are up again (within so many seconds of their loss, where given)."""
    if case.incident.is_open:
        return Sign(False)
    spans = _spans(case)
    if not len(spans):
        return Sign(None)
    longest = timedelta(microseconds=int(spans.max()))
    seen = within == 0 or longest <= timedelta(seconds=within)
    return Sign(seen, (), {"longest": f"{longest.total_seconds():.0f} s"})


def _spans(case: Case) -> Ints:
    """How long the losses lasted of which both begin and end are known, in microseconds."""
    losses, failures = case.incident.losses, case.incident.failures
    begun, ended = losses.started[failures], losses.ended[failures]
    known = (begun != NEVER) & (ended != NEVER)
    return np.asarray(ended[known] - begun[known], np.int64)


@signal
def still_down(case: Case) -> Sign:
    """At least one session had not come back when the data ends."""
    return Sign(case.incident.is_open)


@signal
def had_been_up(case: Case) -> Sign:
    """The sessions had been established before."""
    if not len(case.incident.failures):
        return Sign(None)
    return Sign(bool(case.incident.losses.had_been_up[case.incident.failures].all()))


@signal
def lost_together(case: Case, least: int = 3, within: float = 120) -> Sign:
    """At least ``least`` sessions were lost within so many seconds."""
    starts = np.sort(case.incident.losses.started[case.incident.failures])
    starts = starts[starts != NEVER]
    if not len(starts):
        return Sign(None)
    until = np.searchsorted(starts, starts + span(timedelta(seconds=within)), side="right")
    together = until - np.arange(len(starts))
    enough = np.flatnonzero(together >= least)
    return Sign(True, (), {"lost_together": str(together[enough[0]])}) if len(enough) else Sign(False)


@signal
def lasts(case: Case, seconds: float) -> Sign:
    """The incident lasted at least so many seconds."""
    begun, done = case.incident.started_at, case.incident.ended_at or case.world.data_end
    if begun is None or done is None:
        return Sign(None)
    return Sign((done - begun).total_seconds() >= seconds, (), {"duration": f"{(done - begun).total_seconds():.0f} s"})


@signal
def over_within(case: Case, seconds: float) -> Sign:
    """The whole incident was over within so many seconds."""
    if case.incident.records is not None:
        away = [_silence(case, node) for node in case.incident.nodes]
        known = [length for length in away if length is not None]
        if not known or len(known) < len(away):
            return Sign(None)
        return Sign(max(known) <= seconds)
    spans = _spans(case)
    if not len(spans) or len(spans) < len(case.incident.failures):
        return Sign(False if len(case.incident.failures) else None)
    return Sign(timedelta(microseconds=int(spans.max())).total_seconds() <= seconds)


def _silence(case: Case, node: str) -> float | None:
    """Seconds from a node's first record of the incident until its daemon printed a table again."""
    records = case.incident.records
    if records is None:
        return None
    mine = records.filter(pl.col("node") == node)["ts"].drop_nulls()
    first, last = mine.min(), mine.max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return None
    back = case.world.table_after(node, last)
    return None if back is None else (back[0] - first).total_seconds()


@signal
def loss_seen_by_peer(case: Case) -> Sign:
    """The end that was not restarted was observed, so it is known how long the other one was away."""
    found = {node for node, _ in case.restarts}
    others = ~case.column("node").among(found) & ~case.column("how_started").among(("unobserved",))
    return Sign(True, case.quoted(others, 2)) if others.any() else Sign(None)


@signal
def waited(case: Case) -> Sign:
    """A daemon began a graceful restart, and its end came late or was not seen (an incident of such records)."""
    records, own = case.incident.records, case.own_records
    if records is None or own is None or case.incident.category != "graceful_restart":
        return Sign(False)
    fields = {"wait_nodes": listed(case.incident.nodes) or "this node", "wait_state": "is in"}
    spans = records.group_by("node", "component", "source_path").agg(span=pl.col("ts").max() - pl.col("ts").min())
    longest = spans["span"].max()
    if isinstance(longest, timedelta) and longest:
        fields = {"wait_nodes": fields["wait_nodes"], "waited": f"{longest.total_seconds():.0f} s"}
    elif records["message"].str.contains("done|timeout").any():
        fields["wait_state"] = "began and ended"
    return Sign(True, own.proofs, fields)


@signal
def wait_not_measured(case: Case) -> Sign:
    """A daemon began a graceful restart, and nothing tells how long it took."""
    found = waited(case)
    return Sign(bool(found.seen) and "waited" not in found.fields)
