"""From a cluster's facts to everything that is derived from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from pipeline.findings.absent import build_absent_incidents
from pipeline.findings.case import Case
from pipeline.findings.catalogue import UNDETERMINED, Catalogue, load_catalogue
from pipeline.findings.claims import Claim, judge
from pipeline.findings.expected import find_missing, missing_frame
from pipeline.findings.failures import build_failures
from pipeline.findings.groups import Group, build_groups, configured_peers, groups_frame, md5_protocols
from pipeline.findings.incidents import Bundler, Incident, content_id, may_be_one
from pipeline.findings.loose import build_loose_incidents, build_quiet_incidents, is_explained, origins_first
from pipeline.findings.nodes import build_nodes
from pipeline.findings.planned import PlannedWork
from pipeline.findings.sizes import build_sizes
from pipeline.findings.wanted import wanted
from pipeline.findings.world import World
from pipeline.sessions.addresses import build_address_book, pods_to_nodes
from pipeline.sessions.coverage import build_coverage
from pipeline.sessions.facts import TIME, ClusterFacts, load_cluster
from pipeline.sessions.intervals import build_intervals
from pipeline.sessions.observations import SNAPSHOTS, build_observations
from pipeline.sessions.settings import DEFAULTS, SessionSettings

_TEXT = pl.String
SCHEMAS: dict[str, dict[str, Any]] = {
    "session_intervals": {
        "cluster": _TEXT, "node": _TEXT, "protocol": _TEXT, "peer": _TEXT, "peer_node": _TEXT, "state": _TEXT,
        "category": _TEXT, "started_at": TIME, "ended_at": TIME, "how_started": _TEXT, "how_ended": _TEXT,
        "reason": _TEXT, "seen_from": TIME,
    },
    "incidents": {
        "incident_id": _TEXT, "cluster": _TEXT, "group_name": _TEXT, "category": _TEXT, "severity": _TEXT,
        "started_at": TIME, "ended_at": TIME, "nodes": pl.UInt32, "sessions": pl.UInt32, "events": pl.UInt64,
        "cause": _TEXT, "confidence": pl.Float64, "planned": pl.Boolean,
    },
    "incident_sessions": {
        "cluster": _TEXT, "incident_id": _TEXT, "node": _TEXT, "protocol": _TEXT, "peer": _TEXT, "peer_node": _TEXT,
        "category": _TEXT, "started_at": TIME, "ended_at": TIME, "last_error": _TEXT, "source_path": _TEXT,
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


@dataclass(frozen=True)
class Analysis:
    """All that was derived for one cluster: findings as objects, and every table as a frame."""

    findings: tuple[Finding, ...]
    groups: tuple[Group, ...]
    tables: dict[str, pl.DataFrame]


def analyse(connection: duckdb.DuckDBPyConnection, cluster: str) -> dict[str, pl.DataFrame]:
    """The derived tables of one cluster, from the writer's tables (contract section 2, without statistics)."""
    causes = load_catalogue()
    return investigate(load_cluster(connection, cluster, wanted(causes)), causes).tables


_OF_FAILURES = ("first_error", "last_error", "errors", "bgp_state", "observed_by", "observations", "is_first")


def investigate(
    facts: ClusterFacts, catalogue: Catalogue | None = None, settings: SessionSettings = DEFAULTS
) -> Analysis:
    """Derive everything from the facts alone: no clock, no files, the same result for the same facts."""
    causes = catalogue or load_catalogue()
    world = _world(facts, causes, settings)
    facts = world.facts
    losses = build_failures(world.intervals, world.data_end)
    # What only failures are told by is in these now.
    world = replace(world, intervals=world.intervals.drop(_OF_FAILURES))
    bundler = Bundler(facts.cluster, losses, world.groups, world.planned)
    findings = _joined([_finding(incident, world, causes) for incident in bundler.incidents()], world, causes, bundler)
    absent = build_absent_incidents(facts.cluster, world.missing, world.groups)
    findings += [_finding(incident, world, causes) for incident in absent]
    loose = [
        _finding(incident, world, causes) for incident in build_loose_incidents(facts, world.records, world.planned)
    ]
    for finding in (loose[k] for k in origins_first([(f.incident, f.best.cause, f.best.confidence) for f in loose])):
        known = [(f.incident, f.best.cause) for f in findings]
        if not is_explained(finding.incident, finding.best.cause, known):
            findings.append(finding)
    findings += _quiet(facts, world, causes, findings)
    ordered = sorted(findings, key=_order)
    return Analysis(tuple(ordered), tuple(world.groups), _tables(world, ordered, causes.version, settings))


def _quiet(facts: ClusterFacts, world: World, causes: Catalogue, findings: list[Finding]) -> list[Finding]:
    """Ordinary records that a cause makes something of, unless what was found already explains them.

    What is told for information only is told when there is nothing else to tell.
    """
    known = [(f.incident, f.best.cause) for f in findings if f.best.cause.id != UNDETERMINED]
    chosen: list[Finding] = []
    for incident in build_quiet_incidents(facts, world.records, world.worth_a_look):
        finding = _finding(incident, world, causes)
        if finding.best.cause.id == UNDETERMINED or is_explained(incident, finding.best.cause, known):
            continue
        if finding.severity != "info" or not (findings or chosen):
            chosen.append(finding)
    return chosen


def _world(facts: ClusterFacts, causes: Catalogue, settings: SessionSettings) -> World:
    book = build_address_book(facts)
    observations = build_observations(facts, book, settings)
    intervals = build_intervals(facts, observations, settings)
    data_end = _data_end(facts, intervals)
    groups = build_groups(facts, book, intervals)
    configured = configured_peers(facts)
    nodes = build_nodes(facts, book, {name for group in groups for name in group.reflectors})
    sizes = build_sizes(facts.cluster, groups, observations, intervals, nodes, md5_protocols(configured))
    planned = PlannedWork(facts, data_end)
    missing = find_missing(facts, book, observations)
    return World(
        _lean(facts), book, groups, nodes, sizes, intervals, planned, data_end, _printed(observations), missing,
        configured, causes.patterns,
    )  # fmt: skip


def _lean(facts: ClusterFacts) -> ClusterFacts:
    """The facts without the columns that sessions alone are made of."""
    return replace(
        facts, states=facts.states.drop("state", "bgp_state", "last_error", "since"),
        records=facts.records.drop("pod", "protocol", "peers"),
    )  # fmt: skip


def _printed(observations: pl.DataFrame) -> pl.DataFrame:
    """Where status tables stand. All else that was observed is in the intervals, and is let go of."""
    by_table = pl.col("observed_by").is_in(SNAPSHOTS) & pl.col("ts").is_not_null()
    return observations.lazy().filter(by_table).select("speaker", "ts", "source_path", "byte_offset").collect()


def _data_end(facts: ClusterFacts, intervals: pl.DataFrame) -> datetime | None:
    ends = [intervals["ended_at"].max(), facts.observed["last_ts"].max(), facts.states["ts"].max()]
    known = [end for end in ends if isinstance(end, datetime)]
    return max(known, default=None)


def _finding(incident: Incident, world: World, causes: Catalogue) -> Finding:
    return Finding(incident, tuple(judge(Case(incident, world), causes)))


def _joined(findings: list[Finding], world: World, causes: Catalogue, bundler: Bundler) -> list[Finding]:
    """Put together the incidents of sessions that turned out to have one cause, at one place and time."""
    kept: list[tuple[Incident, list[Finding]]] = []
    for finding in findings:
        cause = finding.best.cause.id
        twin = next(
            (
                k for k, (whole, parts) in enumerate(kept)
                if cause == parts[0].best.cause.id != UNDETERMINED and may_be_one(whole, finding.incident)
            ),
            None,
        )  # fmt: skip
        if twin is None:
            kept.append((finding.incident, [finding]))
        else:
            whole, parts = kept[twin]
            kept[twin] = (bundler.merged(whole, finding.incident), [*parts, finding])
    return [finding for whole, parts in kept for finding in _one_or_parts(whole, parts, world, causes)]


def _one_or_parts(whole: Incident, parts: list[Finding], world: World, causes: Catalogue) -> list[Finding]:
    """The joint finding when the whole has the cause of its parts, else these."""
    if len(parts) == 1:
        return parts
    joint = _finding(whole, world, causes)
    return [joint] if joint.best.cause.id == parts[0].best.cause.id else parts


_SEVERITY = {"critical": 0, "error": 1, "warning": 2, "info": 3}


def _order(finding: Finding) -> tuple[object, ...]:
    """What to do first: what still lasts, the gravest, the largest, the earliest."""
    incident = finding.incident
    return (
        _SEVERITY[finding.severity], not incident.is_open, -incident.session_count,
        str(incident.started_at), incident.incident_id,
    )  # fmt: skip


def _tables(world: World, findings: list[Finding], version: str, settings: SessionSettings) -> dict[str, pl.DataFrame]:
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
    parts = [
        finding.incident.losses.rows(finding.incident.failures).with_columns(
            incident_id=pl.lit(finding.incident.incident_id)
        )
        for finding in findings if len(finding.incident.failures)
    ]  # fmt: skip
    if not parts:
        return _frame("incident_sessions", [])
    return pl.concat(parts).select(
        "incident_id", *(name for name in SCHEMAS["incident_sessions"] if name not in ("incident_id", "cluster")),
        cluster=pl.lit(cluster),
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
