"""Incidents of sessions that the inventory asks for and that a daemon, which was looked at, does not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from pipeline.findings.columns import NEVER, micros_of, moment_of
from pipeline.findings.expected import NOT_LISTED, Missing
from pipeline.findings.groups import Group
from pipeline.findings.incidents import Incident, content_id
from pipeline.findings.losses import End, losses_of
from pipeline.findings.owners import owners
from pipeline.sessions.reasons import BARE

Pair = tuple[str, str]


def build_absent_incidents(cluster: str, missing: Iterable[Missing], groups: list[Group]) -> list[Incident]:
    """One incident for each node that lacks sessions; a session that both ends lack counts for the worse one."""
    lacking = [m for m in missing if m.reason == NOT_LISTED]
    pairs: dict[Pair, list[Missing]] = {}
    for entry in lacking:
        pairs.setdefault(_pair(entry), []).append(entry)
    burden = Counter(name for pair in pairs for name in pair if name in {m.expected.node for m in lacking})
    owned: dict[str, dict[Pair, list[Missing]]] = {}
    for pair, entries in pairs.items():
        owner = min((m.expected.node for m in entries), key=lambda name: (-burden[name], name))
        owned.setdefault(owner, {})[pair] = entries
    return [_incident(cluster, owner, found, groups) for owner, found in sorted(owned.items())]


def _pair(entry: Missing) -> Pair:
    near, far = entry.expected.node, entry.expected.peer_node or f"@{entry.expected.peer_address}"
    return (min(near, far), max(near, far))


def _incident(cluster: str, owner: str, found: dict[Pair, list[Missing]], groups: list[Group]) -> Incident:
    ordered = sorted(found.items())
    starts = np.array([micros_of(entries[0].looked_at) for _, entries in ordered], np.int64)
    losses = losses_of([(pair, [_end(entry) for entry in entries]) for pair, entries in ordered], starts)
    known = starts[starts != NEVER]
    group = next((groups[k] for k in owners(losses, groups) if k >= 0), None)
    hubs = set(group.reflectors) & {name for pair in found for name in pair} if group is not None else set()
    nodes = {name for pair in found for name in pair if name not in hubs and not name.startswith("@")} or {owner}
    return Incident(
        incident_id=content_id(cluster, "missing", owner),
        kind="missing", category=BARE, started_at=moment_of(int(known.min())) if len(known) else None, ended_at=None,
        losses=losses, failures=np.arange(len(losses)), group=group,
        nodes=tuple(sorted(nodes)), hubs=tuple(sorted(hubs)),
    )  # fmt: skip


def _end(entry: Missing) -> End:
    wanted = entry.expected
    return End(
        speaker=wanted.node, node=wanted.node, protocol=None, peer=wanted.peer_address, peer_node=wanted.peer_node,
        category=BARE, started_at=entry.looked_at, ended_at=None, is_open=True, how_started="inventory",
        first_error=None, last_error=None, errors=(), bgp_state=None, observed_by="inventory",
        source_path=entry.source_path, byte_offset=entry.byte_offset,
    )  # fmt: skip
