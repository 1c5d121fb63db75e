"""From a cluster's facts to everything that is derived from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import duckdb
import polars as pl

from pipeline.findings.absent import build_absent_incidents
from pipeline.findings.case import Case
from pipeline.findings.catalogue import UNDETERMINED, Catalogue, load_catalogue
from pipeline.findings.claims import judge
from pipeline.findings.derived import Finding, derived_tables
from pipeline.findings.expected import find_missing
from pipeline.findings.failures import build_failures
from pipeline.findings.groups import Group, build_groups, configured_peers, md5_protocols
from pipeline.findings.incidents import Bundler, Incident, may_be_one
from pipeline.findings.loose import build_loose_incidents, build_quiet_incidents, is_explained, origins_first
from pipeline.findings.nodes import build_nodes
from pipeline.findings.planned import PlannedWork
from pipeline.findings.sizes import build_sizes
from pipeline.findings.wanted import wanted
from pipeline.findings.world import World
from pipeline.native.heap import give_back
from pipeline.sessions.addresses import AddressBook, build_address_book
from pipeline.sessions.facts import ClusterFacts, load_cluster
from pipeline.sessions.observations import session_records
from pipeline.sessions.settings import DEFAULTS, SessionSettings
from pipeline.sessions.speakers import Sessions, build_sessions


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
    book = build_address_book(facts)
    # What sessions alone are made of is let go of as soon as it has served.
    seen = replace(facts, records=session_records(facts.records))
    facts = replace(facts, records=facts.records.drop("pod", "protocol", "peers"))
    sessions = build_sessions(seen, book, settings)
    facts = replace(facts, states=facts.states.drop("state", "bgp_state", "last_error", "since"))
    del seen
    world, told = _world(facts, book, sessions, causes), facts.records.with_row_index("row")
    # Incidents of records first: they need much memory for a moment, and the failures are not there yet.
    incidents = build_loose_incidents(facts, told, world.planned)
    # The texts of intervals are for failures alone: they go with the whole ones.
    facts, whole = replace(facts, states=_asked_on(facts.states)), world.intervals
    world = replace(world, facts=facts, intervals=whole.drop(_OF_FAILURES))
    del sessions, told
    loose = [_finding(incident, world, causes) for incident in incidents]
    losses = build_failures(whole, world.data_end)
    del whole
    give_back()
    bundler = Bundler(facts.cluster, losses, world.groups, world.planned)
    findings = _joined([_finding(incident, world, causes) for incident in bundler.incidents()], world, causes, bundler)
    absent = build_absent_incidents(facts.cluster, world.missing, world.groups)
    findings += [_finding(incident, world, causes) for incident in absent]
    for finding in (loose[k] for k in origins_first([(f.incident, f.best.cause, f.best.confidence) for f in loose])):
        known = [(f.incident, f.best.cause) for f in findings]
        if not is_explained(finding.incident, finding.best.cause, known):
            findings.append(finding)
    findings += _quiet(facts, world, causes, findings)
    ordered = sorted(findings, key=_order)
    give_back()
    # The questions are answered: records, and what was found in them, give way to the tables.
    world, facts = replace(world, facts=replace(facts, records=facts.records.clear())), ClusterFacts()
    return Analysis(tuple(ordered), tuple(world.groups), derived_tables(world, ordered, causes.version, settings))


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


def _world(facts: ClusterFacts, book: AddressBook, sessions: Sessions, causes: Catalogue) -> World:
    intervals = sessions.intervals
    data_end = _data_end(facts, intervals)
    groups = build_groups(facts, book, intervals)
    configured = configured_peers(facts)
    nodes = build_nodes(facts, book, {name for group in groups for name in group.reflectors})
    sizes = build_sizes(facts.cluster, groups, sessions.tables, intervals, nodes, md5_protocols(configured))
    planned = PlannedWork(facts, data_end)
    missing = find_missing(facts, book, sessions)
    return World(
        facts, book, groups, nodes, sizes, intervals, planned, data_end, _printed(sessions.tables), missing,
        configured, causes.patterns,
    )  # fmt: skip


def _asked_on(states: pl.DataFrame) -> pl.DataFrame:
    """What is still asked of the states when incidents of records are known: status tables, and the protocols."""
    return states.filter((pl.col("observed_by") != "log") | pl.col("protocol").is_first_distinct())


def _printed(tables: pl.DataFrame) -> pl.DataFrame:
    """Where status tables stand. All else that was observed is in the intervals, and is let go of."""
    return tables.filter(pl.col("ts").is_not_null()).select("speaker", "ts", "source_path", "byte_offset")


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
