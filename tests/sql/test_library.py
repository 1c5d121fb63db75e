"""Every saved question has a header that is true, and runs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.errors import UsageError
from pipeline.warehouse.library import Parameter, SavedQuery, load_library, question
from pipeline.warehouse.reader import Snapshot, open_snapshot
from tests.warehouse.build import build

LIBRARY = load_library()


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A published snapshot with rows in every table."""
    return open_snapshot(build(tmp_path_factory.mktemp("library")))


def run(snapshot: Snapshot, name: str, **given: str) -> list[dict[str, object]]:
    """Rows of a saved question."""
    sql, params = question(name).bind(given)
    return snapshot.query(sql, params).frame.to_dicts()


def test_there_are_enough() -> None:
    assert len(LIBRARY) >= 15


@pytest.mark.parametrize("query", LIBRARY.values(), ids=LIBRARY)
def test_the_header_is_complete(query: SavedQuery) -> None:
    assert query.question.endswith("?")
    assert query.parameters
    header = [line for line in query.sql.splitlines() if line.startswith("--   ")]
    assert len(header) == len(query.parameters), "a parameter line that cannot be read"
    assert all(line.split()[1] != "parameters:" for line in header)


@pytest.mark.parametrize("query", LIBRARY.values(), ids=LIBRARY)
def test_it_runs_with_its_defaults_and_says_something(snapshot: Snapshot, query: SavedQuery) -> None:
    result = snapshot.query(*query.bind({}))
    if query.name != "ends_disagree":
        assert result.frame.height > 0


@pytest.mark.parametrize("query", LIBRARY.values(), ids=LIBRARY)
def test_rows_come_in_a_fixed_order(query: SavedQuery) -> None:
    assert "ORDER BY" in query.sql


@pytest.mark.parametrize("query", [q for q in LIBRARY.values() if "cluster" in q.bind({})[1]], ids=lambda q: q.name)
def test_another_cluster_has_nothing(snapshot: Snapshot, query: SavedQuery) -> None:
    assert snapshot.query(*query.bind({"cluster": "nowhere"})).frame.is_empty()


def test_sessions_down_shows_both_ends(snapshot: Snapshot) -> None:
    client, reflector = run(snapshot, "sessions_down")
    assert (client["node"], client["bgp_state"], client["last_error"]) == ("node2", "Connect", None)
    assert client["other_last_error"] == "Error: Kernel MD5 auth failed"
    assert (reflector["node"], reflector["other_state"]) == ("rr1", "start")


def test_md5_questions_point_at_the_reflector(snapshot: Snapshot) -> None:
    [said] = run(snapshot, "md5_auth_failed")
    assert (said["node"], said["is_reflector"], said["optmem_max"], said["peers"]) == ("rr1", True, 20480, 1)
    [room] = run(snapshot, "md5_headroom")
    assert (room["md5_peers"], room["md5_key_limit"], room["headroom"]) == (152, 150, -2)


def test_flapping_counts_downs_that_ended(snapshot: Snapshot) -> None:
    [flapping] = run(snapshot, "flapping_sessions")
    assert (flapping["peer_node"], flapping["downs"]) == ("node2", 3)
    assert run(snapshot, "flapping_sessions", least="4") == []


def test_coverage_gaps_and_silent_nodes(snapshot: Snapshot) -> None:
    [gap] = run(snapshot, "coverage_gaps")
    assert (gap["node"], gap["minutes"]) == ("node1", 51.0)
    assert [row["node"] for row in run(snapshot, "nodes_without_logs")] == ["node2", "rr1"]


def test_events_by_hour_between_two_times(snapshot: Snapshot) -> None:
    assert len(run(snapshot, "events_by_hour", since="2024-05-01T12:00", until="2024-05-01T12:01")) == 1
    assert run(snapshot, "events_by_hour", since="2024-05-02") == []


def test_incidents_by_severity_and_their_evidence(snapshot: Snapshot) -> None:
    [incident] = run(snapshot, "incidents", severity="error")
    assert (incident["cause"], incident["remedy"]) == ("md5_key_limit", "raise optmem_max")
    assert run(snapshot, "incidents", severity="critical") == []
    [fact] = run(snapshot, "incident_evidence", incident="i1")
    assert (fact["role"], fact["source_path"], fact["byte_offset"]) == ("supports", "rr1/bird.log", 100)


def test_a_question_can_be_asked_from_either_end(snapshot: Snapshot) -> None:
    assert run(snapshot, "session_history", node="node2", peer="rr1") == run(
        snapshot, "session_history", node="rr1", peer="node2"
    )


def test_the_ledger_reconciles(snapshot: Snapshot) -> None:
    assert [row["reconciles"] for row in run(snapshot, "ledger")] == [True]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "abc", "abc"),
        ("integer", "5", 5),
        ("number", "0.5", 0.5),
        ("time", "2024-05-01T12:00", datetime(2024, 5, 1, 12, 0, tzinfo=UTC)),
        ("time", "2024-05-01T14:00+02:00", datetime(2024, 5, 1, 12, 0, tzinfo=UTC)),
        ("time", "none", None),
    ],
)
def test_parameters_are_typed(kind: str, text: str, value: object) -> None:
    assert Parameter("p", kind, "none", "meaning").convert(text) == value


@pytest.mark.parametrize(("kind", "text"), [("integer", "five"), ("number", "x"), ("time", "yesterday")])
def test_a_value_of_another_type_is_refused(kind: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"parameter p: '{text}' is no {kind}"):
        Parameter("p", kind, "none", "meaning").convert(text)


def test_an_unknown_parameter_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no parameter 'nodes'; it has: cluster"):
        question("ledger").bind({"nodes": "x"})


@pytest.mark.parametrize("name", ["nothing", "../schema/0001_ledger", "ledger.sql", ""])
def test_an_unknown_question_lists_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=r"there are: .*ledger.*templates"):
        question(name)
