"""Every recording that is checked in is sound."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sample_logs.lab import PASSWORD, bundle
from sample_logs.lab.readme import render
from sample_logs.lab.scenario import load_all
from sample_logs.lab.truth import dump, with_labels

ROOT = Path(__file__).resolve().parents[2] / "sample_logs"
SCENARIOS = load_all()
RECORDINGS = sorted(path.parent.name for path in ROOT.glob("*/truth.json"))
MEGABYTE = 1_000_000

STATES = {"start", "wait", "feed", "up", "stop", "flush", "down"}
SECRET = re.compile(rb'password "([^"]*)"')


def truth_of(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / name / "truth.json").read_text(encoding="utf-8"))
    return document


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_every_scenario_is_recorded_and_listed() -> None:
    assert set(RECORDINGS) == set(SCENARIOS)
    index = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"]({name}/README.md)" in index for name in RECORDINGS)


def test_recordings_stay_small() -> None:
    total = sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file())
    assert total < 15 * MEGABYTE


@pytest.mark.parametrize("name", RECORDINGS)
def test_truth_is_complete(name: str) -> None:
    truth = truth_of(name)
    assert truth["scenario"] == name
    assert moment(truth["started_at"]) < moment(truth["ended_at"])
    assert truth["bird_version"].startswith("1.6.")
    assert truth["cause"] == SCENARIOS[name].truth.cause
    assert truth["categories"] == list(SCENARIOS[name].truth.categories)
    assert len(truth["incidents"]) == (truth["cause"] is not None)
    for node in truth["nodes"]:
        assert set(node) == {"name", "address", "role", "optmem_max"}
        assert node["role"] in {"reflector", "client", "mesh", "outside"}
    for group in truth["groups"]:
        assert group["kind"] in {"reflector", "mesh", "external"}
        assert group["configured_peers_start"] > 0


@pytest.mark.parametrize("name", RECORDINGS)
def test_readme_and_labels_are_up_to_date(name: str) -> None:
    truth = truth_of(name)
    assert with_labels(truth, SCENARIOS[name]) == truth
    assert dump(truth) == (ROOT / name / "truth.json").read_text(encoding="utf-8")
    assert render(SCENARIOS[name], truth) == (ROOT / name / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", RECORDINGS)
def test_sessions_have_sound_intervals(name: str) -> None:
    truth = truth_of(name)
    nodes = {node["name"] for node in truth["nodes"]}
    for session in truth["sessions"]:
        assert {session["node"], session["peer_node"]} <= nodes
        assert session["intervals"]
        for interval in session["intervals"]:
            assert interval["state"] is None or interval["state"] in STATES
            assert moment(interval["from"]) <= moment(interval["to"])


@pytest.mark.parametrize("name", RECORDINGS)
def test_incident_is_about_nodes_and_sessions_that_exist(name: str) -> None:
    truth = truth_of(name)
    nodes = {node["name"] for node in truth["nodes"]}
    ends = {(item["node"], item["peer_node"]) for item in truth["sessions"]}
    for incident in truth["incidents"]:
        assert incident["group"] in {group["name"] for group in truth["groups"]}
        assert incident["sessions"]
        assert set(incident["culprits"]) | set(incident["nodes"]) <= nodes
        for first, second in incident["sessions"]:
            assert (first, second) in ends or (second, first) in ends
        assert incident["ended_at"] is None or moment(incident["started_at"]) < moment(incident["ended_at"])


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_lab_itself_did_not_disturb_the_network(name: str) -> None:
    """A machine whose neighbour table is full makes errors that no scenario asked for."""
    truth = truth_of(name)
    failed = {frozenset(pair) for incident in truth["incidents"] for pair in incident["sessions"]}
    for session in truth["sessions"]:
        if frozenset((session["node"], session["peer_node"])) not in failed:
            assert not any("No route" in (item["last_error"] or "") for item in session["intervals"])


@pytest.mark.parametrize("name", RECORDINGS)
def test_archive_is_canonical_and_complete(name: str) -> None:
    path = ROOT / name / "collected.tar.gz"
    files = bundle.read(path)
    ended = int(moment(truth_of(name)["ended_at"]).timestamp())
    assert bundle.archive(files, ended) == path.read_bytes()
    for node in truth_of(name)["nodes"]:
        own = [item for item in files if item.startswith(f"nodes/{node['name']}/")]
        assert any("/birdcl/" in item for item in own)
        assert any(item.endswith(".log") for item in own)
    inventories = {item.split("/")[1] for item in files if item.startswith("inventory/")}
    assert len(inventories) == 2


@pytest.mark.parametrize("name", RECORDINGS)
def test_no_password_but_the_labs_own(name: str) -> None:
    for text in bundle.read(ROOT / name / "collected.tar.gz").values():
        for secret in SECRET.findall(text):
            assert secret in {PASSWORD.encode(), b"lab-not-the-same"}


@pytest.mark.parametrize(
    ("name", "reflectors", "failed"),
    [("md5-key-limit-grown", 3, 5), ("md5-key-limit-cold-start", 1, 5), ("md5-key-limit-cured", 1, 5)],
)
def test_the_kernel_held_150_keys(name: str, reflectors: int, failed: int) -> None:
    incident = truth_of(name)["incidents"][0]
    assert len(incident["sessions"]) == reflectors * failed
    assert len(incident["nodes"]) == failed
    files = bundle.read(ROOT / name / "collected.tar.gz")
    logs = b"".join(text for path, text in files.items() if path.endswith(".log"))
    assert logs.count(b"Socket error: TCP_MD5SIG: Cannot allocate memory") == reflectors * failed
