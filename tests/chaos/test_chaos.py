"""Small campaigns: what ``make chaos`` does at length."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import campaign, told
from tests.chaos.escapes import escape
from tests.chaos.fuzz import fuzz
from tests.warehouse.build import build


@pytest.mark.xdist_group("chaos")
def test_a_disturbed_warehouse_ends_as_an_undisturbed_one() -> None:
    outcome = campaign(11, seed=1)
    assert not outcome.troubles, told(outcome)
    assert (outcome.lost, outcome.doubled) == (0, 0), told(outcome)
    assert outcome.survived == 11


def test_hostile_inputs_raise_nothing_and_lose_nothing(tmp_path: Path) -> None:
    found = fuzz(tmp_path, 60, seed=1)
    assert not found.troubles


def test_nothing_gets_out_of_the_sandbox(tmp_path: Path) -> None:
    tried = escape(build(tmp_path / "w"), tmp_path / "canary", 50, seed=1)
    assert not tried.escapes
    assert tried.attempts > 400
