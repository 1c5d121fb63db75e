"""Every recording through the whole pipeline: its incidents against its truth, and no others.

Compared are the cause, the nodes and sessions that suffer, whether it was planned work, and the times within one
observation interval (the loss is seen when a hold timer expires or when somebody next looks). Then each again
with a part of it missing: no wrong cause may be claimed with more than even confidence, and the right one with no
more than before.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.engines.local import InputOptions, ingest
from pipeline.findings import Analysis, Finding, analyse, investigate
from pipeline.sessions import ClusterFacts, build_address_book, load_cluster
from pipeline.sessions.speakers import build_sessions
from pipeline.settings import Settings
from pipeline.warehouse.writer import Warehouse
from tests.findings.missing import WAYS

SAMPLES = Path(__file__).resolve().parents[2] / "sample_logs"
RECORDINGS = sorted(path.parent.name for path in SAMPLES.glob("*/truth.json"))
Recorded = tuple[dict[str, Any], Analysis, ClusterFacts, dict[str, pl.DataFrame]]
MORE_NODES = {"duplicate-node-address"}
"""Recordings in which the fault shakes sessions of further nodes for moments, which the truth does not count."""


@pytest.fixture(scope="module", params=RECORDINGS)
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """The truth of a recording, what is found in it, the facts it was found from, and the tables that are stored."""
    name = str(request.param)
    bundle = SAMPLES / name / "collected.tar.gz"
    if not bundle.exists():
        pytest.skip(f"{name}: no collected.tar.gz")
    truth = json.loads((SAMPLES / name / "truth.json").read_text(encoding="utf-8"))
    with Warehouse.open(tmp_path_factory.mktemp(name)) as warehouse:
        ingest(warehouse, [str(bundle)], InputOptions(cluster=name), Settings())
        facts = load_cluster(warehouse.connection, name)
        return truth, investigate(facts), facts, analyse(warehouse.connection, name)


def test_incidents(recorded: Recorded) -> None:
    truth, analysis, *_ = recorded
    found = [(f.best.cause.id, f.incident.started_at) for f in analysis.findings]
    assert [cause for cause, _ in found] == [incident["cause"] for incident in truth["incidents"]], found
    for expected, finding in zip(truth["incidents"], analysis.findings, strict=True):
        compare(expected, finding, truth)


def compare(expected: dict[str, Any], finding: Finding, truth: dict[str, Any]) -> None:
    """One incident against its truth."""
    incident = finding.incident
    assert finding.best.confidence >= 0.5
    assert (incident.kind == "planned") == expected["planned"]
    sessions = {tuple(sorted(pair)) for pair in expected["sessions"]}
    seen = {tuple(sorted(name for name in pair)) for pair in incident.sessions}
    if truth["scenario"] in MORE_NODES:
        assert set(expected["nodes"]) <= set(incident.nodes)
        assert sessions <= seen
    else:
        assert set(incident.nodes) == set(expected["nodes"])
        assert seen == sessions
    slack = timedelta(seconds=truth["observation_interval_seconds"])
    assert incident.started_at is not None
    assert abs(incident.started_at - _time(expected["started_at"])) <= slack
    assert (incident.ended_at is None) == (expected["ended_at"] is None)
    if incident.ended_at is not None:
        assert abs(incident.ended_at - _time(expected["ended_at"])) <= slack


def test_what_is_not_loaded_changes_nothing(recorded: Recorded) -> None:
    _, analysis, _, stored = recorded
    for name, table in analysis.tables.items():
        assert_frame_equal(stored[name], table)


def test_slices_of_sessions_change_nothing(recorded: Recorded) -> None:
    _, _, facts, _ = recorded
    book = build_address_book(facts)
    whole, sliced = (build_sessions(facts, book, rows=rows) for rows in (10**9, 1))
    for name in ("intervals", "tables", "pairs"):
        assert_frame_equal(getattr(sliced, name), getattr(whole, name))


def test_groups(recorded: Recorded) -> None:
    truth, analysis, *_ = recorded
    found = {frozenset(group.reflectors): group for group in analysis.groups if group.kind == "reflector"}
    for expected in truth["groups"]:
        if expected["kind"] == "reflector":
            group = found[frozenset(expected["reflectors"])]
            assert set(expected["members"]) <= set(group.members)
            assert group.md5 == expected["md5"]


def test_every_incident_has_evidence_that_can_be_looked_up(recorded: Recorded) -> None:
    _, analysis, *_ = recorded
    for finding in analysis.findings:
        supports = [proof for role, proof in finding.best.evidence if role == "supports"]
        assert any(proof.source_path and proof.byte_offset is not None for proof in supports)
        assert finding.best.summary
        assert finding.best.remedy


def test_with_a_part_missing_nothing_wrong_is_claimed(recorded: Recorded) -> None:
    truth, analysis, facts, _ = recorded
    before = {finding.best.cause.id: finding.best.confidence for finding in analysis.findings}
    bold = []
    for way in WAYS:
        for finding in investigate(way(facts, truth)).findings:
            cause, confidence = finding.best.cause.id, finding.best.confidence
            if cause != "undetermined" and confidence > before.get(cause, 0.5):
                bold.append((way.__name__, cause, confidence))
    assert bold == []


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
