"""Generated files, read like anybody's, give back the truth they were made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from pipeline.effects.summary import summarise
from tests.effects.generate import NOTICE, Truth, plan, write
from tests.effects.recover import recover

SMALL = Truth(
    groups=12, clusters=2, days=4, smallest=12, largest=60, password=True, optmem_max=5440, base=0.004, spread=0.05,
    upgraded=1.0, gaps=0.5, seed=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """Statistics over a small generated world with a limit of 39 keys."""
    return recover(SMALL, tmp_path_factory.mktemp("generated"))


def test_the_limit_is_found_with_its_cause(found: dict[str, pl.DataFrame]) -> None:
    assert SMALL.limit == 39
    limits = (
        found["size_thresholds"].filter((pl.col("cluster") == "all") & (pl.col("model") == "saturating")).to_dicts()
    )
    assert [(r["threshold"], r["verdict"], r["explained_by"]) for r in limits] == [(39.0, "supported", "md5_key_limit")]


def test_failures_and_hours_are_those_of_the_truth(found: dict[str, pl.DataFrame]) -> None:
    rows = found["exposure"].filter(pl.col("category") == "hold_timer_expired")
    hours = found["exposure"].filter(pl.col("category") == "any")["session_hours"].sum()
    assert int(rows["failures"].sum()) / hours == pytest.approx(SMALL.base, rel=0.3)
    sessions = sum(group.size(SMALL.days) for group in plan(SMALL))
    assert 0.6 * sessions * 24 * SMALL.days < hours < sessions * 24 * SMALL.days


def test_planned_restarts_are_no_failures(found: dict[str, pl.DataFrame]) -> None:
    assert found["incidents"].filter(pl.col("cause") == "planned_restart").height > 0
    assert "cease_admin_shutdown" not in found["exposure"]["category"].to_list()
    version = found["effects"].filter(
        (pl.col("factor") == "version")
        & (pl.col("category") == "hold_timer_expired")
        & (pl.col("outcome") == "failures")
    )
    assert version.filter(pl.col("verdict") == "supported").is_empty()


def test_the_report_says_it(found: dict[str, pl.DataFrame]) -> None:
    said = summarise(found["effects"], found["size_thresholds"], found["forecasts"])
    assert "at most 39 sessions" in said[0]
    assert "net.core.optmem_max" in said[0]
    assert "at or past a limit" in said[3]


def test_the_same_seed_gives_the_same_files_and_all_are_marked(tmp_path: Path) -> None:
    tiny = replace(SMALL, groups=2, days=2)
    for name in ("one", "two"):
        for cluster in write(tiny, tmp_path / name):
            assert (cluster / "GENERATED.md").read_text() == NOTICE
    first, second = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two")
    )
    assert first == second
    assert all("generated" in str(path) for path in first if path.name != "truth.json")
