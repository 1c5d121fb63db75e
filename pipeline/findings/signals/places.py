"""Where the failing sessions are: one reflector, one node, and what else those nodes do meanwhile."""

from __future__ import annotations

import numpy as np

from pipeline.findings.case import Case
from pipeline.findings.columns import combinations, distinct, used
from pipeline.findings.names import listed
from pipeline.findings.proofs import PROOFS, Proof, Sign
from pipeline.findings.signals.base import compiled, signal


@signal
def whole_hub(case: Case, share: float = 0.5, least: int = 3) -> Sign:
    """At least ``share`` of the sessions of one reflector (and ``least`` of them) fail together."""
    for hub in case.incident.hubs:
        near, far = case.column("node").among((hub,)), case.far.among((hub,))
        lost = {*distinct(case.far.at(near)), *distinct(case.places.at(far))}
        total = max(case.world.end_counts.get(hub, 0), len(lost))
        if len(lost) >= least and len(lost) >= share * total:
            fields = {"hub": hub, "hub_lost": str(len(lost)), "hub_total": str(total)}
            return Sign(True, case.quoted(near | far), fields)
    return Sign(False if case.incident.hubs else None)


@signal
def one_node(case: Case) -> Sign:
    """All failing sessions belong to one node that suffers, and others on the same reflectors do not."""
    return Sign(len(case.incident.nodes) == 1, (), {"node": case.incident.nodes[0] if case.incident.nodes else ""})


@signal
def few_sessions(case: Case, most: int = 5) -> Sign:
    """No more than ``most`` sessions fail."""
    return Sign(case.incident.session_count <= most)


@signal
def far_end_alive(case: Case) -> Sign:
    """Of most failing sessions both speakers lived meanwhile: another session up, or a status table printed."""
    both = case.seen_at_both
    if not both.any():
        return Sign(None)
    names = case.incident.losses.names
    one, other = (side[both] for side in case.incident.sides)
    lives = {k: _life(case, names[k]) for k in used(np.r_[one, other], len(names)).tolist()}
    lively = [k for k, life in lives.items() if life]
    alive = np.flatnonzero(np.isin(one, lively) & np.isin(other, lively))
    if 2 * len(alive) <= case.incident.session_count:
        return Sign(False)
    first = (lives[int(one[alive[0]])], lives[int(other[alive[0]])])
    return Sign(True, tuple(life for life in first if life))


def _complained_of(case: Case) -> set[str]:
    """Far nodes of which an end names an error."""
    telling = ~case.column("last_error").among((None, ""))
    return {node for node in distinct(case.column("peer_node").at(telling)) if node}


@signal
def far_end_answers(case: Case) -> Sign:
    """A far end that others complain of was alive meanwhile by its own account."""
    complained = _complained_of(case)
    if not complained:
        return Sign(None)
    known = [node for node in sorted(complained) if node in case.world.seen]
    lives = [life for life in (_life(case, node) for node in known) if life]
    if not known:
        return Sign(None)
    return Sign(bool(lives), tuple(lives[:2]), {"alive": listed(p.node or "" for p in lives)})


@signal
def far_end_silent(case: Case) -> Sign:
    """A far end that others complain of had been observed before, and nothing came from it meanwhile."""
    complained = _complained_of(case)
    silent = [n for n in sorted(complained) if n in case.world.seen and not _life(case, n)]
    if not complained or not (complained & case.world.seen):
        return Sign(None)
    proofs = tuple(
        Proof("nothing was printed or logged here meanwhile", case.incident.started_at, n) for n in silent[:2]
    )
    return Sign(bool(silent), proofs, {"silent": listed(silent)})


def _life(case: Case, node: str) -> Proof | None:
    """A sign of life of a node's daemon after the incident began."""
    count, row = case.up_elsewhere(node)
    if count:
        text = f"session with {row['peer_node'] or row['peer']} is up meanwhile"
        return Proof(text, row["started_at"], node, row["peer"], row["source_path"], row["byte_offset"])
    return case.printed(node)


@signal
def members_fine_elsewhere(case: Case) -> Sign:
    """Nodes that lost a session to one reflector kept another session meanwhile."""
    seen = [node for node in case.incident.nodes if node in case.world.end_counts]
    if not seen or not case.incident.hubs:
        return Sign(None)
    proofs = [proof for proof in (_up_proof(case, node) for node in seen[:50]) if proof]
    return Sign(2 * len(proofs) >= len(seen[:50]), tuple(proofs[:2]))


def _up_proof(case: Case, node: str) -> Proof | None:
    count, row = case.up_elsewhere(node)
    if not count:
        return None
    text = f"session with {row['peer_node'] or row['peer']} stays up"
    return Proof(text, row["started_at"], node, row["peer"], row["source_path"], row["byte_offset"])


@signal
def mesh_protocol(case: Case) -> Sign:
    """The failing sessions are sessions of the node-to-node mesh."""
    kinds = set(distinct(case.incident.losses.kinds.at(case.rows)))
    return Sign(kinds == {"Mesh"} if kinds else None)


@signal
def hub_has_no_end(case: Case) -> Sign:
    """A far daemon that was observed meanwhile has no session configured for the node that tries."""
    lacking = _lacking(case)
    if not any(node in case.world.end_counts for node in case.told("peer_node")):
        return Sign(None)
    proofs = tuple(
        p for p in (case.printed(far, f"no session with {near} is listed") for far, near in lacking[:3]) if p
    )
    return Sign(bool(lacking), proofs, {"lacking": listed(far for far, _ in lacking)})


def _lacking(case: Case) -> list[tuple[str, str]]:
    """(far node, near node) where the far daemon printed its table meanwhile without the near one in it."""
    found: list[tuple[str, str]] = case.remembered("lacking", lambda: _find_lacking(case))
    return found


def _find_lacking(case: Case) -> list[tuple[str, str]]:
    found = []
    begun = case.incident.started_at
    known = (far for far in case.told("peer_node") if far and far in case.world.end_counts)
    looked_at = {far for far in known if case.printed(far)}
    pairs = combinations(case.column("peer_node"), case.column("node"))
    for far, near in sorted((far, near) for far, near in pairs if far in looked_at and near):
        until = case.world.last_configured(far)
        if near not in until or (begun is not None and (until[near] or begun) <= begun):
            found.append((far, near))
    return found


@signal
def configured_but_absent(case: Case) -> Sign:
    """A daemon does not run a session that its own file or the cluster's resources have."""
    lacking = _lacking(case)
    for far, near in lacking:
        addresses = set(case.world.book.addresses_of.get(near, ()))
        for name, told in case.world.configured.get(far, {}).items():
            if told.get("neighbor") in addresses and "has_password" in told:
                return Sign(
                    True, (Proof(f"its file has {name}, the running daemon has not", node=far),), {"absent_at": far}
                )
        if _asked_for(case, far, near):
            text = f"the cluster's resources ask for a session with {near}"
            return Sign(True, (Proof(text, node=far),), {"absent_at": far})
    return Sign(False if case.has_ends else None)


@signal
def not_listed(case: Case, file: str) -> Sign:
    """A session of the inventory is not in a daemon's table; its rendered ``file`` has it, or lacks it."""
    if case.incident.kind != "missing":
        return Sign(False)
    looked: list[bool] = []
    for end in case.ends:
        rendered = [t for t in case.world.configured.get(end.place, {}).values() if "has_password" in t]
        if rendered:
            looked.append(True)
            if any(told.get("neighbor") == end.peer for told in rendered) == (file == "has"):
                proofs = case.quoted(case.places.among((end.place,)))
                return Sign(True, proofs, {"absent_here": end.place, "absent_far": end.far})
    return Sign(False if looked else None)


def _asked_for(case: Case, far: str, near: str) -> bool:
    """Whether the inventory asks for a session of ``far`` with ``near``; without one, whether their group does."""
    expected = case.world.expected
    if expected:
        return (far, near) in expected
    group = case.incident.group
    return group is not None and group.holds({far, near})


@signal
def hub_serves_others(case: Case, least: int = 1) -> Sign:
    """The reflectors keep sessions with other nodes up while these fail."""
    if not case.incident.hubs:
        return Sign(None)
    proofs: list[Proof] = []
    count = 0
    for hub in case.incident.hubs:
        number, row = case.up_elsewhere(hub)
        count += number
        if number:
            text = f"session with {row['peer_node'] or row['peer']} is up meanwhile"
            proofs.append(Proof(text, row["started_at"], hub, row["peer"], row["source_path"], row["byte_offset"]))
    if count == 0 and not any(hub in case.world.end_counts for hub in case.incident.hubs):
        return Sign(None)
    return Sign(count >= least, tuple(proofs[:PROOFS]), {"healthy_sessions": str(count)})


@signal
def one_speaker_serves_others(case: Case) -> Sign:
    """All that is known comes from one daemon, which keeps other sessions up meanwhile."""
    speakers = case.told("speaker")
    if len(speakers) != 1:
        return Sign(None)
    count, _ = case.up_elsewhere(min(speakers))
    return Sign(count > 0)


@signal
def other_group_healthy(case: Case, password: bool = True) -> Sign:
    """Another group (with a password, if asked) had sessions up and none failing meanwhile."""
    mine = case.incident.group
    begun, done = case.incident.started_at, case.incident.ended_at or case.world.data_end
    for group in case.world.groups:
        if mine is None or group.name == mine.name or (password and not group.md5):
            continue
        frame = case.world.intervals
        inside = frame.filter(frame["node"].is_in(list(group.reflectors or group.members)))
        if group.reflectors:
            inside = inside.filter(
                inside["peer_node"].is_in(list(group.members)) | inside["peer"].is_in(list(group.members))
            )
        if begun is not None and done is not None:
            inside = inside.filter((inside["ended_at"] >= begun) & (inside["started_at"] <= done))
        up = inside.filter(inside["state"].is_in(["up"]))
        down = inside.filter(inside["state"].is_in(["down"]) & inside["how_ended"].is_in(["end of data"]))
        if not up.is_empty() and down.is_empty():
            row = up.row(0, named=True)
            text = f"{up['end'].n_unique()} sessions of {listed(group.reflectors or [group.name])} stay established"
            proof = Proof(text, row["started_at"], row["node"], row["peer"], row["source_path"], row["byte_offset"])
            fields = {
                "other_group": listed(group.reflectors) or group.name,
                "other_sessions": str(up["end"].n_unique()),
            }
            return Sign(True, (proof,), fields)
    return Sign(None if mine is None or len(case.world.groups) < 2 else False)


@signal
def peer_not_in_inventory(case: Case) -> Sign:
    """The nodes were collected, and the failing sessions go to addresses that none of them has."""
    if not case.world.inventory or not case.has_ends:
        return Sign(None)
    seen = not case.column("peer").among((None, "")).any() and not any(case.told("peer_node"))
    return Sign(seen, case.quoted() if seen else (), {"stale": listed(case.told("peer"))} if seen else {})


@signal
def far_address(case: Case, pattern: str) -> Sign:
    """The address of every failing far end is like ``pattern``."""
    ends = sorted(name.lstrip("?") for name in case.far_names)
    if not ends:
        return Sign(None)
    if not all(compiled(pattern).search(end) for end in ends):
        return Sign(False)
    return Sign(True, (Proof(f"the far end is dialled at {listed(ends)}"),), {"far_addresses": listed(ends)})


@signal
def mesh_larger_than(case: Case, nodes: int) -> Sign:
    """The sessions are part of a full mesh of more than ``nodes`` nodes."""
    group = case.incident.group
    if group is None:
        # A log that names no node makes no group; but each protocol of the mesh is one more node.
        size = case.world.mesh_protocols + 1
        if size == 1:
            return Sign(None)
    else:
        size = len(group.members) if group.kind == "mesh" else 0
    fields = {"mesh_nodes": str(size), "mesh_sessions": str(size * (size - 1) // 2)}
    return Sign(size > nodes, (), fields if size > nodes else {})


@signal
def address_claimed_twice(case: Case) -> Sign:
    """Two nodes claim one address, in the inventory or in their own configuration."""
    known = set(case.told("peer"))
    for address, nodes in sorted(case.world.book.conflicts.items()):
        if address in known or set(nodes) & set(case.names):
            proof = Proof(f"{address} is claimed by {listed(nodes)}", node=nodes[0], peer=address)
            return Sign(True, (proof,), {"address": address, "claimants": listed(nodes)})
    return Sign(False)


@signal
def no_inventory(case: Case) -> Sign:
    """The Node resources were not collected."""
    return Sign(not case.world.inventory)
