"""``truth.json``: what really happened in a run, and what an analysis of it must find."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sample_logs.lab.cluster import Group
from sample_logs.lab.inventory import Machine
from sample_logs.lab.observe import Interval, Session, iso
from sample_logs.lab.runner import Lab
from sample_logs.lab.scenario import Scenario

Pair = tuple[str, str]


def ends_of_pairs(lab: Lab) -> dict[Pair, list[Session]]:
    """Both ends of every session that was ever configured; members stand before reflectors."""
    pairs: dict[Pair, list[Session]] = {}
    for session in lab.history.intervals:
        peer = lab.peer_ends[session].peer_node
        first, second = sorted((session[0], peer), key=lambda name: (_is_centre(lab, name), name))
        pairs.setdefault((first, second), []).append(session)
    return pairs


def _is_centre(lab: Lab, name: str) -> bool:
    return lab.cluster.nodes[name].role in ("reflector", "outside")


def _failed(lab: Lab, ends: list[Session]) -> bool:
    """Whether a session failed by the scenario's fault.

    A persistent fault is judged just before its cure (or at the end of the recording), so that what was
    only slow to start is not counted; a passing one at any time since the fault.
    """
    fault = lab.fault_at or 0.0
    judged = lab.cure_at or lab.ended_at
    if lab.scenario.truth.persistent:
        present = [end for end in ends if lab.history.gone.get(end, judged) >= judged]
        return any(_last_before(lab.history.intervals[end], judged) for end in present)
    return any(lab.history.down(end, fault, lab.ended_at) for end in ends)


def _last_before(intervals: list[Interval], moment: float) -> bool:
    """Whether the last answer before ``moment`` was: not established."""
    seen = [interval for interval in intervals if interval.started_at <= moment and interval.row is not None]
    return bool(seen) and not seen[-1].established


def failed_pairs(lab: Lab) -> list[Pair]:
    """Sessions of the fault's group that failed by it."""
    group = lab.scenario.truth.group
    return sorted(
        pair for pair, ends in ends_of_pairs(lab).items() if lab.cluster.group_of(*pair) == group and _failed(lab, ends)
    )


def _ended_at(lab: Lab, pairs: list[Pair]) -> float | None:
    ends = [end for pair, both in ends_of_pairs(lab).items() if pair in set(pairs) for end in both]
    since = [lab.history.up_since(end) for end in ends]
    known = [moment for moment in since if moment is not None]
    return max(known) if known and len(known) == len(since) else None


def incidents(lab: Lab) -> list[dict[str, Any]]:
    """The incident that the scenario made, if it made one."""
    truth = lab.scenario.truth
    if truth.cause is None or lab.fault_at is None:
        return []
    pairs = failed_pairs(lab)
    ended = _ended_at(lab, pairs)
    return [
        {
            "cause": truth.cause,
            "group": truth.group,
            "started_at": iso(lab.fault_at),
            "ended_at": iso(ended) if ended is not None else None,
            "culprits": [node.name for node in lab.cluster.select(list(truth.culprits))],
            "nodes": _affected(lab, pairs),
            "sessions": [list(pair) for pair in pairs],
            "planned": truth.planned,
        }
    ]


def _affected(lab: Lab, pairs: list[Pair]) -> list[str]:
    """Members with a failed session; a reflector only where no other member is at that session."""
    names = {first for first, _ in pairs} | {second for _, second in pairs if not _is_centre(lab, second)}
    names |= {second for first, second in pairs if _is_centre(lab, first)}
    return sorted(name for name in names if lab.cluster.nodes[name].role != "outside")


def _interval(interval: Interval) -> dict[str, Any]:
    row = interval.row
    return {
        "state": row.state if row else None,
        "bgp_state": row.bgp_state if row else None,
        "last_error": row.last_error if row else None,
        "from": iso(interval.started_at),
        "to": iso(interval.ended_at),
    }


def _group(lab: Lab, group: Group) -> dict[str, Any]:
    outside = [name for name in group.reflectors if lab.cluster.nodes[name].role == "outside"]
    return {
        "name": group.spec.name,
        "kind": group.spec.kind,
        "reflectors": [name for name in group.reflectors if name not in outside],
        "members": group.members + outside,
        "md5": group.spec.md5,
        "configured_peers_start": group.peers_at_start,
        "configured_peers_end": lab.cluster.configured_peers(group),
    }


def build(lab: Lab, machine: Machine, optmem_max: Mapping[str, int]) -> dict[str, Any]:
    """The whole document."""
    scenario = lab.scenario
    document = {
        "scenario": scenario.id,
        "title": scenario.title,
        "bird_version": machine.bird_version,
        "kernel": machine.kernel,
        "started_at": iso(lab.started_at),
        "ended_at": iso(lab.ended_at),
        "observation_interval_seconds": scenario.observe_every,
        "nodes": [
            {
                "name": node.name,
                "address": node.address,
                "role": node.role,
                "optmem_max": optmem_max[node.name],
            }
            for node in lab.cluster.nodes.values()
        ],
        "groups": [_group(lab, group) for group in lab.cluster.groups.values()],
        "sessions": [
            {
                "node": session[0],
                "protocol": session[1],
                "peer": lab.peer_ends[session].address,
                "peer_node": lab.peer_ends[session].peer_node,
                "intervals": [_interval(interval) for interval in lab.history.intervals[session]],
            }
            for session in sorted(lab.history.intervals)
        ],
        "categories": [],
        "incidents": incidents(lab),
        "cause": scenario.truth.cause,
        "remedy": None,
    }
    return with_labels(document, scenario)


def with_labels(document: dict[str, Any], scenario: Scenario) -> dict[str, Any]:
    """The document with what stands in the scenario file and does not depend on the run."""
    labels = {
        "title": scenario.title,
        "categories": list(scenario.truth.categories),
        "remedy": list(scenario.truth.remedy) or None,
    }
    return {**document, **labels}


def dump(document: Mapping[str, Any]) -> str:
    """The document with one list entry per line, so that it can be read and compared."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inner = ",\n".join("  " + json.dumps(item) for item in value)
            lines.append(f'"{key}": [\n{inner}\n ]')
        else:
            lines.append(f'"{key}": {json.dumps(value)}')
    return "{\n " + ",\n ".join(lines) + "\n}\n"
