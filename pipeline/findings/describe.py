"""Plain words for an incident: its names and numbers, and what each side of its sessions shows."""

from __future__ import annotations

import numpy as np

from pipeline.findings.case import Case
from pipeline.findings.columns import Ints, distinct, latest, used
from pipeline.findings.losses import End
from pipeline.findings.names import listed
from pipeline.findings.proofs import Proof, shortened, shown_by
from pipeline.sessions.reasons import BARE

KINDS_SHOWN = 3
"""Different views of one side that are told; the rest is a number."""


def common_fields(case: Case) -> dict[str, str]:
    """Fields that every sentence may use; what is not known is empty."""
    incident = case.incident
    count = incident.session_count
    fields = {
        "nodes": listed(incident.nodes), "node_count": _count(len(incident.nodes), "node") if incident.nodes else "",
        "hubs": listed(incident.hubs), "sessions": _count(count, "session") if count else "",
        "group": incident.group.name if incident.group else "",
        "started": incident.started_at.strftime("%Y-%m-%d %H:%M:%S UTC") if incident.started_at else "",
        "ended": incident.ended_at.strftime("%Y-%m-%d %H:%M:%S UTC") if incident.ended_at else "",
        "events": str(incident.events), "category": incident.category.replace("_", " "),
        "peers": listed(set(case.far_names) - set(incident.nodes)),
        "places": listed(place.lstrip("?") for place in case.place_names),
        "peer_addresses": listed(peer for peer in case.told("peer") if peer),
    }  # fmt: skip
    if incident.kind == "missing":
        fields["sessions"] = ""
        fields["absent"] = f"{_count(count, 'session')} of {', '.join(sorted(case.place_names))}"
    if incident.records is not None:
        fields["records"] = _count(incident.records.height, "log line")
        fields["record_text"] = _first_text(case)
    return fields


def _first_text(case: Case) -> str:
    records = case.incident.records
    if records is None or records.is_empty():
        return ""
    return shortened(str(records["message"][0] or ""), 160)


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def ends_paragraph(case: Case) -> str:
    """Which side shows what: one line for each side and view, then what was not seen."""
    if not case.has_ends:
        return ""
    # What an end showed last is what counts.
    losses = case.incident.losses
    last = latest(losses.way[case.rows], losses.ways)
    at_hub = case.column("node").among(case.incident.hubs)[last]
    lines = [line for positions in (last[at_hub], last[~at_hub]) for line in _views(case, positions)]
    if case.unseen:
        lines.append(f"Not seen: {listed(case.unseen)} (nothing was collected from there).")
    return "What each end shows:\n" + "\n".join(lines)


def _views(case: Case, positions: Ints) -> list[str]:
    """The views of some ends, one position for each speaker and far end, the most frequent first."""
    losses = case.incident.losses
    shown = losses.alike[1][case.rows[positions]]
    told = {code: _view(losses.shown[code]) for code in used(shown, len(losses.shown)).tolist()}
    views = list(dict.fromkeys(told.values()))
    number = dict(zip(views, range(len(views)), strict=True))
    table = np.zeros(len(losses.shown), np.int64)
    table[list(told)] = [number[view] for view in told.values()]
    kinds = table[shown]
    counts = np.bincount(kinds, minlength=len(views)).tolist()
    ranked = sorted(range(len(views)), key=lambda kind: (-counts[kind], views[kind]))
    lines = []
    for kind in ranked[:KINDS_SHOWN]:
        places = listed((place.lstrip("?") for place in distinct(case.places.at(positions[kinds == kind]))), 6)
        lines.append(f"{places}: {views[kind]} ({_count(counts[kind], 'session')})")
    if len(ranked) > KINDS_SHOWN:
        lines.append(f"{sum(counts[kind] for kind in ranked[KINDS_SHOWN:])} more with other texts")
    return lines


def _view(end: End) -> str:
    if end.observed_by == "inventory":
        return "the session is not in the daemon's table"
    if end.category == BARE:
        return "not established, no error text at all"
    if end.bgp_state in (None, "Idle", "Connect", "Active", "OpenSent", "OpenConfirm"):
        return end.told_error or shown_by(end)
    return shown_by(end)


def unseen_proofs(case: Case) -> list[Proof]:
    """What was not collected, and how to get it."""
    if not case.unseen:
        return []
    names = listed(case.unseen)
    return [
        Proof(
            f"the other end was not seen: {names}. Collect its log and status: "
            "kubectl logs -n calico-system -l k8s-app=calico-node --tail=-1 (pod on that node), "
            "and birdcl show protocols all"
        )
    ]
