"""What log lines, kernel counters and resources say around the incident."""

from __future__ import annotations

import json
import re
from typing import Any

import polars as pl

from pipeline.findings.case import Case
from pipeline.findings.columns import distinct
from pipeline.findings.excerpts import Excerpt
from pipeline.findings.names import listed
from pipeline.findings.proofs import Proof, Sign, shortened
from pipeline.findings.signals.base import compiled, signal
from pipeline.inventory.fingerprints import inferred_versions

STRANGERS = "unexpected_peer"


@signal
def record(
    case: Case, categories: list[str] | None = None, pattern: str = "", where: str = "nodes", least: int = 1
) -> Sign:
    """Records of ``categories`` and/or with ``pattern``, told ``least`` so often.

    ``where``: on the nodes concerned (an incident of records: its own ones), ``beside`` these, or ``anywhere``.
    """
    chosen = (pattern, tuple(categories or ()))
    records: Excerpt = case.remembered((*chosen, where), lambda: case.within(case.world.select(*chosen), where))
    if not len(records) or (len(records) < least and _told(records) < least):
        return Sign(False)
    fields = {"record_count": str(len(records))}
    if records.nodes:
        fields["record_nodes"] = listed(records.nodes)
    first = records.first
    found = compiled(pattern).search(first["message"] or "") if pattern else None
    if found is not None:
        fields |= {k: v for k, v in found.groupdict().items() if v is not None}
    fields |= {f"param_{k}": v for k, v in _params(first["params"]).items()}
    if first["peer"]:
        fields["record_peer"] = first["peer"]
    return Sign(True, records.proofs, fields)


def _told(records: Excerpt) -> int:
    """How often these were told: a row of events stands for as many as it counts."""
    counts = (_params(text).get("count", "") for text in records.told("params"))
    return sum(int(count) if count.isdigit() else 1 for count in counts)


def _params(text: str | None) -> dict[str, str]:
    try:
        values = json.loads(text or "{}")
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in values.items()} if isinstance(values, dict) else {}


@signal
def counted(case: Case, rule: str, least: int) -> Sign:
    """So many lines of a kind that is only counted, on the nodes concerned and in the window."""
    begun, done = case.window
    marks = case.world.facts.marks.filter(pl.col("rule") == rule)
    if case.names:
        marks = marks.filter(pl.col("node").is_in(list(case.names)))
    if begun is not None:
        marks = marks.filter(pl.col("minute").is_null() | (pl.col("minute") >= begun))
    if done is not None:
        marks = marks.filter(pl.col("minute").is_null() | (pl.col("minute") <= done))
    number = int(marks["events"].sum())
    kept = case.within(case.world.of_rule(rule))
    return Sign(number >= least, kept.quoted(2), {"counted_lines": str(number)})


_COUNTERS = {
    "TcpExtTCPMD5NotFound": "unsigned packets arrive where a password is set",
    "TcpExtTCPMD5Unexpected": "signed packets arrive where no password is set",
    "TcpExtTCPMD5Failure": "the signatures are wrong",
}


@signal
def counter_grew(case: Case, names: list[str]) -> Sign:
    """One of the kernel counters grew (or, seen once, is not zero) on a node concerned."""
    facts = case.world.facts.node_facts
    mine = facts.filter(pl.col("fact").is_in(names) & (pl.col("node").is_in(list(case.names))))
    if mine.is_empty():
        return Sign(None)
    proofs: list[Proof] = []
    nodes: set[str] = set()
    says: set[str] = set()
    for (node, fact), rows in mine.sort("observed_at", nulls_last=False).group_by("node", "fact", maintain_order=True):
        values = [int(v) for v in rows["value"].to_list() if v is not None and v.strip().isdigit()]
        grew = bool(values) and (values[-1] > values[0] if len(values) > 1 else values[-1] > 0)
        if grew:
            last = rows.row(-1, named=True)
            before = f" from {values[0]}" if len(values) > 1 else ""
            text = f"counter {fact} grew{before} to {values[-1]}" if len(values) > 1 else f"{fact} {values[-1]}"
            proofs.append(Proof(text, last["observed_at"], str(node), None, last["source_path"], last["byte_offset"]))
            nodes.add(str(node))
            says.add(_COUNTERS.get(str(fact), str(fact)))
    if not proofs:
        return Sign(False, (), {"counter_nodes": listed(mine["node"].drop_nulls().unique().to_list())})
    return Sign(True, tuple(proofs[:4]), {"counter_nodes": listed(nodes), "counter_says": "; ".join(sorted(says))})


@signal
def version_before(case: Case, fixed: list[str]) -> Sign:
    """A node concerned runs a Calico version older than the fix of its branch; ``fixed`` in rising order."""
    nodes = case.world.nodes
    known = nodes.filter(pl.col("node").is_in(list(case.names)) & pl.col("calico_version").is_not_null())
    told = known.select("node", "calico_version").rows()
    inferred = inferred_versions(case.world.facts.node_facts, set(case.names) - set(known["node"]))
    if not told and not inferred:
        return Sign(None)
    for node, version in told:
        if _affected(version, fixed):
            proof = Proof(f"runs Calico {version}", node=node)
            return Sign(True, (proof,), {"version": version, "fixed_in": ", ".join(fixed)})
    for node, releases in inferred.items():
        if all(_affected(".".join(map(str, last)), fixed) for last in releases.branches()):
            proof = Proof(f"runs one of Calico {releases} (inferred from the lines of its logs)", node=node)
            return Sign(True, (proof,), {"version": str(releases), "fixed_in": ", ".join(fixed)})
    return Sign(False) if told else Sign(None)


def _affected(version: str, fixed: list[str]) -> bool:
    mine = _numbers(version)
    if mine is None:
        return False
    fixes = [number for number in map(_numbers, fixed) if number is not None]
    same = [fix for fix in fixes if fix[:2] == mine[:2]]
    if same:
        return mine < min(same)
    return bool(fixes) and mine < min(fixes)


def _numbers(version: str) -> tuple[int, int, int] | None:
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return (int(found.group(1)), int(found.group(2)), int(found.group(3) or 0)) if found else None


@signal
def resource_says(case: Case, kind: str, pattern: str) -> Sign:
    """A collected resource of this kind holds a text."""
    resources = case.world.facts.resources.filter(pl.col("kind") == kind)
    if resources.is_empty():
        return Sign(None)
    hits = resources.filter(pl.col("body").fill_null("").str.contains(pattern))
    if hits.is_empty():
        return Sign(False)
    row: dict[str, Any] = hits.row(0, named=True)
    text = shortened(f"{kind} {row['name']}: {row['body']}", 160)
    proof = Proof(text, row["observed_at"], None, None, row["source_path"], row["byte_offset"])
    return Sign(True, (proof,), {"resource": str(row["name"])})


@signal
def counters_silent(case: Case, names: list[str]) -> Sign:
    """The kernel counters were collected on a node concerned, and none of them moved."""
    found = counter_grew(case, names)
    if found.seen is None:
        return Sign(None)
    return Sign(not found.seen, (), found.fields)


@signal
def stranger(case: Case, known: bool) -> Sign:
    """A daemon refuses connections from an unknown address that a node has (``known``), or that none has."""
    refused: Excerpt = case.remembered("refused", lambda: case.within(case.world.select("", (STRANGERS,))))
    if not len(refused):
        return Sign(False)
    book, peers = case.world.book, refused.peers
    if known:
        mine = refused.only(peers.among(book.node_of))
    else:
        inventory = {a for a, nodes in case.world.registered.items() if nodes}
        expected = inventory if case.world.inventory else {peer for peer in case.told("peer") if peer}
        mine = refused.only(~peers.among({None, *expected}))
    if not len(mine):
        return Sign(False)
    names = [book.node_of.get(peer, peer) if known else peer for peer in distinct(mine.peers)]
    return Sign(True, mine.proofs, {"strangers": listed(names), "stranger_seen_by": listed(mine.nodes)})


@signal
def own_address_differs(case: Case) -> Sign:
    """A node's own BGP configuration names an address that its Node resource does not have."""
    for node in case.incident.nodes:
        registered = {a for a, nodes in case.world.registered.items() if node in nodes}
        own = [a for a in case.world.book.configured.get(node, ()) if a not in registered]
        if registered and own:
            proof = Proof(f"its configuration names {own[0]}, its Node resource {min(registered)}", node=node)
            return Sign(True, (proof,), {"own_address": own[0], "registered": min(registered)})
    return Sign(False)
