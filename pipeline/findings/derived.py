"""The findings of a cluster, and the tables that are derived from them and from all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl

from pipeline.findings.claims import Claim
from pipeline.findings.expected import missing_frame
from pipeline.findings.groups import groups_frame
from pipeline.findings.incidents import Incident, content_id
from pipeline.findings.world import World
from pipeline.sessions.addresses import pods_to_nodes
from pipeline.sessions.coverage import build_coverage
from pipeline.sessions.facts import TIME
from pipeline.sessions.pooled import NAME
from pipeline.sessions.settings import SessionSettings

_TEXT = pl.String
SCHEMAS: dict[str, dict[str, Any]] = {
    "session_intervals": {
        "cluster": NAME, "node": NAME, "protocol": NAME, "peer": NAME, "peer_node": NAME, "state": NAME,
        "category": NAME, "started_at": TIME, "ended_at": TIME, "how_started": NAME, "how_ended": NAME,
        "reason": NAME, "seen_from": TIME,
    },
    "incidents": {
        "incident_id": _TEXT, "cluster": _TEXT, "group_name": _TEXT, "category": _TEXT, "severity": _TEXT,
        "started_at": TIME, "ended_at": TIME, "nodes": pl.UInt32, "sessions": pl.UInt32, "events": pl.UInt64,
        "cause": _TEXT, "confidence": pl.Float64, "planned": pl.Boolean,
    },
    "incident_sessions": {
        "cluster": NAME, "incident_id": NAME, "node": NAME, "protocol": NAME, "peer": NAME, "peer_node": NAME,
        "category": NAME, "started_at": TIME, "ended_at": TIME, "last_error": NAME, "source_path": NAME,
        "byte_offset": pl.UInt64,
    },
    "diagnoses": {
        "cluster": _TEXT, "diagnosis_id": _TEXT, "incident_id": _TEXT, "cause": _TEXT, "title": _TEXT,
        "confidence": pl.Float64, "summary": _TEXT, "remedy": _TEXT, "refuted_by": _TEXT, "ruleset_version": _TEXT,
    },
    "evidence": {
        "cluster": _TEXT, "diagnosis_id": _TEXT, "role": _TEXT, "ts": TIME, "node": _TEXT, "peer": _TEXT,
        "text": _TEXT, "source_path": _TEXT, "byte_offset": pl.UInt64, "position": pl.UInt32,
    },
    "node_addresses": {"cluster": _TEXT, "address": _TEXT, "node": _TEXT},
    "pod_nodes": {"cluster": _TEXT, "pod": _TEXT, "node": _TEXT},
}  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """An incident and the claims about it, the strongest first."""

    incident: Incident
    claims: tuple[Claim, ...]

    @property
    def best(self) -> Claim:
        """The claim that names the incident's cause."""
        return self.claims[0]

    @property
    def severity(self) -> str:
        """How grave the cause is in an incident of this kind."""
        return self.best.cause.severity_of(self.incident.kind)


def derived_tables(
    world: World, findings: list[Finding], version: str, settings: SessionSettings
) -> dict[str, pl.DataFrame]:
    """Every table that is derived for a cluster, but the statistics."""
    facts, cluster = world.facts, world.facts.cluster
    incidents, diagnoses, evidence = _finding_rows(cluster, findings, version)
    addresses = world.book.frame().with_columns(cluster=pl.lit(cluster))
    pods = pods_to_nodes(facts.resources, facts.tellers).with_columns(cluster=pl.lit(cluster))
    columns = list(SCHEMAS["session_intervals"])
    return {
        "session_intervals": world.intervals.select(columns),
        "coverage": build_coverage(facts, settings),
        "nodes": world.nodes,
        "bgp_groups": groups_frame(cluster, world.groups),
        "group_sizes": world.sizes,
        "missing_sessions": missing_frame(cluster, world.missing),
        "incidents": _frame("incidents", incidents),
        "incident_sessions": _session_rows(cluster, findings),
        "diagnoses": _frame("diagnoses", diagnoses),
        "evidence": _frame("evidence", evidence),
        "node_addresses": addresses.select(list(SCHEMAS["node_addresses"])),
        "pod_nodes": pods.select(list(SCHEMAS["pod_nodes"])),
    }


def _frame(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMAS[name], orient="row")


def _session_rows(cluster: str, findings: list[Finding]) -> pl.DataFrame:
    """One row for each loss of one end, of all incidents."""
    parts: list[pl.DataFrame] = []
    told = (finding.incident for finding in findings if len(finding.incident.failures))
    for losses, group in groupby(told, lambda incident: incident.losses):
        incidents = [*group]
        rows = [losses.ends_of(incident.failures) for incident in incidents]
        ids = pl.Series("incident_id", [incident.incident_id for incident in incidents], NAME)
        number = np.repeat(np.arange(len(incidents)), [len(mine) for mine in rows])
        parts.append(losses.rows(np.concatenate(rows)).with_columns(ids.gather(number)))
    if not parts:
        return _frame("incident_sessions", [])
    return pl.concat(parts).select(
        "incident_id", *(name for name in SCHEMAS["incident_sessions"] if name not in ("incident_id", "cluster")),
        cluster=pl.lit(cluster, NAME),
    ).select(pl.col(name).cast(kind) for name, kind in SCHEMAS["incident_sessions"].items())  # fmt: skip


Rows = list[dict[str, Any]]


def _finding_rows(cluster: str, findings: list[Finding], version: str) -> tuple[Rows, Rows, Rows]:
    incidents: Rows = []
    diagnoses: Rows = []
    evidence: Rows = []
    for finding in findings:
        incident, best = finding.incident, finding.best
        incidents.append({
            "incident_id": incident.incident_id, "cluster": cluster,
            "group_name": incident.group.name if incident.group else None, "category": incident.category,
            "severity": finding.severity, "started_at": incident.started_at, "ended_at": incident.ended_at,
            "nodes": len(incident.nodes), "sessions": incident.session_count, "events": incident.events,
            "cause": best.cause.id, "confidence": best.confidence, "planned": incident.kind == "planned",
        })  # fmt: skip
        for claim in finding.claims:
            diagnosis = content_id(incident.incident_id, claim.cause.id)
            diagnoses.append({
                "cluster": cluster, "diagnosis_id": diagnosis, "incident_id": incident.incident_id,
                "cause": claim.cause.id, "title": claim.cause.title, "confidence": claim.confidence,
                "summary": claim.summary, "remedy": claim.remedy, "refuted_by": claim.cause.refuted_by,
                "ruleset_version": version,
            })  # fmt: skip
            evidence += [
                {
                    "cluster": cluster, "diagnosis_id": diagnosis, "role": role, "ts": proof.ts, "node": proof.node,
                    "peer": proof.peer, "text": proof.text, "source_path": proof.source_path,
                    "byte_offset": proof.byte_offset, "position": position,
                }
                for position, (role, proof) in enumerate(claim.evidence, 1)
            ]  # fmt: skip
    return incidents, diagnoses, evidence
