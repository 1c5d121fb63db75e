"""Hours and failures: what counts, what does not, and under which size and version."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from pipeline.effects.exposure import ANY, EXCEPT_LIMIT, build_exposure, cells
from pipeline.effects.losses import with_incidents
from tests.effects.tables import at, stretch, tables

PLANNED = {"incident_id": "i", "group_name": "g", "category": "hold_timer_expired", "cause": "planned_restart"}


def any_rows(given: dict[str, pl.DataFrame]) -> list[dict[str, Any]]:
    return cells(build_exposure(given)).sort("started_at").to_dicts()


def test_down_time_is_observed_and_a_loss_counts_once_for_both_ends() -> None:
    far = {"node": "1", "peer": "10.0.0.9", "peer_node": "rr", "protocol": "Node_rr"}
    rows = any_rows(tables([
        stretch("1", "up", 0, 2), stretch("1", "down", 2, 3), stretch("1", "up", 3, 10),
        stretch("1", "up", 0, 2) | far, stretch("1", "down", 2.001, 3) | far, stretch("1", "up", 3, 9) | far,
    ], [(0, 1)]))  # fmt: skip
    assert [(r["session_hours"], r["failures"], r["incidents"]) for r in rows] == [(10.0, 1, 1)]


def test_unknown_time_is_neither_healthy_nor_failed() -> None:
    rows = any_rows(tables([
        stretch("1", "up", 0, 2), stretch("1", "unknown", 2, 6),
        stretch("1", "down", 6, 7, how_started="unobserved"), stretch("1", "up", 7, 8),
    ], [(0, 1)]))  # fmt: skip
    assert rows[0]["session_hours"] == pytest.approx(4.0)
    assert rows[0]["failures"] == 0, "it failed while nobody looked"


def test_planned_work_leaves_numerator_and_denominator() -> None:
    given = [stretch("1", "up", 0, 2), stretch("1", "down", 2, 3), stretch("1", "up", 3, 10)]
    incident = PLANNED | {"started_at": at(2), "ended_at": at(3)}
    rows = any_rows(tables(given, [(0, 1)], [incident]))
    assert (rows[0]["session_hours"], rows[0]["failures"]) == (pytest.approx(9.0), 0)


def test_a_failure_beside_planned_work_stays_a_failure() -> None:
    given = [stretch("1", "up", 0, 2), stretch("1", "down", 2, 3), stretch("1", "up", 3, 10)]
    planned = PLANNED | {"started_at": at(1), "ended_at": at(4), "category": "cease_admin_shutdown"}
    failed = planned | {"incident_id": "j", "cause": "path_loss", "category": "hold_timer_expired"}
    rows = any_rows(tables(given, [(0, 1)], [planned, failed]))
    assert (rows[0]["session_hours"], rows[0]["failures"]) == (10.0, 1)


def test_coming_up_at_first_is_no_failure_but_never_coming_up_is() -> None:
    given = [
        stretch("1", "down", 0, 0.02), stretch("1", "up", 0.02, 10),
        stretch("2", "down", 1, 10, how_ended="end of data"),
    ]  # fmt: skip
    rows = any_rows(tables(given, [(0, 2)]))
    assert rows[0]["failures"] == 1


def test_two_losses_of_one_incident() -> None:
    given = [s for c in ("1", "2") for s in (stretch(c, "up", 0, 2), stretch(c, "down", 2, 3), stretch(c, "up", 3, 4))]
    incident = PLANNED | {"cause": "path_loss", "started_at": at(2), "ended_at": at(3)}
    rows = any_rows(tables(given, [(0, 2)], [incident]))
    assert (rows[0]["failures"], rows[0]["incidents"]) == (2, 1)


def test_size_is_what_was_configured_before_and_a_dip_does_not_count() -> None:
    given = [stretch("1", "up", 0, 5), stretch("1", "down", 5, 6), stretch("1", "up", 6, 30)]
    rows = any_rows(tables(given, [(0, 100), (5.5, 60), (10, 100), (20, 120)]))
    assert {r["size"]: (r["session_hours"], r["failures"]) for r in rows} == {100: (10.0, 1), 120: (20.0, 0)}


def test_a_growth_holds_since_the_count_before_it() -> None:
    given = [stretch("1", "up", 0, 30), stretch("2", "down", 12, 30, how_ended="end of data")]
    rows = any_rows(tables(given, [(0, 148), (24, 155)]))
    assert {r["size"]: r["failures"] for r in rows} == {155: 1}


def test_hours_are_split_at_a_change_of_version() -> None:
    given = [stretch("1", "up", 0, 5), stretch("1", "down", 5, 6), stretch("1", "up", 6, 10)]
    nodes = [
        {"node": "1", "calico_version": "v1", "valid_from": at(1), "valid_to": at(4)},
        {"node": "1", "calico_version": "v2", "valid_from": at(4)},
    ]
    rows = any_rows(tables(given, [(0, 1)], nodes=nodes))
    told = {r["calico_version"]: (r["session_hours"], r["failures"]) for r in rows}
    assert told == {"v1": (4.0, 0), "v2": (6.0, 1)}


def test_mesh_and_sessions_between_reflectors_have_their_role() -> None:
    mesh = {"group_name": "mesh", "kind": "mesh", "reflectors": [], "members": ["a", "b", "c"]}
    pair = {"group_name": "g", "kind": "reflector", "reflectors": ["rr", "rr2"], "members": ["1"]}
    given = [
        stretch("1", "up", 0, 1), stretch("rr2", "up", 0, 1),
        stretch("b", "up", 0, 1) | {"node": "a"}, stretch("c", "up", 0, 1) | {"node": "a"},
    ]  # fmt: skip
    found = cells(build_exposure(tables(given, groups=[mesh, pair])))
    assert dict(found.select("role", "size").iter_rows()) == {"client": 2, "between reflectors": 2, "mesh": 2}


def test_every_category_of_a_group_has_a_row_with_the_same_hours() -> None:
    given = [
        stretch("1", "up", 0, 2), stretch("1", "down", 2, 3), stretch("1", "up", 3, 4),
        stretch("2", "up", 0, 3), stretch("2", "down", 3, 3.5, category="md5_kernel_setup_failed"),
        stretch("2", "up", 3.5, 4),
    ]  # fmt: skip
    exposure = build_exposure(tables(given, [(0, 2)]))
    assert dict(exposure.select("category", "failures").iter_rows()) == {
        ANY: 2, "hold_timer_expired": 1, "md5_kernel_setup_failed": 1
    }  # fmt: skip
    assert exposure["session_hours"].to_list() == [8.0] * 3
    assert cells(exposure, EXCEPT_LIMIT)["failures"].to_list() == [1]


def test_nothing_gives_an_empty_table() -> None:
    assert build_exposure(tables([])).is_empty()


def test_an_incident_takes_its_losses_by_group_category_and_time() -> None:
    def incident(name: str, group: str | None, category: str, cause: str, begun: float) -> dict[str, Any]:
        return {"incident_id": name, "cluster": "c", "group_name": group, "category": category, "cause": cause,
                "started_at": at(begun), "ended_at": at(9)}  # fmt: skip

    losses = pl.DataFrame({
        "cluster": "c", "group_name": ["g", "g", "g", "other", "g"], "category": ["x", "y", "x", "x", "x"],
        "start": [at(2), at(2), at(4), at(4), at(20)],
    })  # fmt: skip
    incidents = pl.DataFrame([
        incident("late", "g", "z", "path_loss", 3), incident("same", "g", "x", "planned_restart", 1),
        incident("any", None, "w", "path_loss", 1), incident("elsewhere", "g", "x", "path_loss", 1) | {"cluster": "d"},
    ])  # fmt: skip
    found = with_incidents(losses, incidents)
    # the same category first, though it is planned; else what began last and nobody planned; else a loss is alone
    assert found["planned"].to_list() == [True, False, True, False, False]
    numbers = found["incident"].to_list()
    assert numbers[0] == numbers[2] and numbers[1] == numbers[3] and len(set(numbers)) == 3
