"""When a limit is met, and plans."""

from __future__ import annotations

import polars as pl
import pytest

from pipeline.effects.forecast import capacity, crossing, forecast
from tests.effects.tables import at
from tests.effects.test_saturation import sizes


def daily(counts: list[int], limit: int | None = 150) -> pl.DataFrame:
    return sizes([(24.0 * day, "a", n, n) for day, n in enumerate(counts)], limit)


def test_steady_growth_meets_its_limit_on_the_day() -> None:
    row = forecast(daily([100, 102, 104, 106, 108, 110, 112])).row(0, named=True)
    assert (row["limit_name"], row["headroom"], row["growth_per_day"]) == ("md5_key_limit", 38, 2.0)
    assert row["meets_at"] == row["meets_earliest"] == row["meets_latest"] == at(24 * 25)
    assert row["verdict"] == "growing"


def test_uneven_growth_has_an_interval() -> None:
    row = forecast(daily([100, 100, 108, 108, 108, 116, 118, 118])).row(0, named=True)
    assert row["meets_earliest"] < row["meets_at"]
    assert row["meets_latest"] is None or row["meets_latest"] > row["meets_at"]


@pytest.mark.parametrize(
    ("counts", "limit", "verdict"),
    [([100, 100, 100, 100, 100, 100, 100], 150, "not_growing"), ([100, 110], 150, "not_enough_data"),
     ([140, 155], 150, "reached"), ([100] * 9, None, "not_enough_data")],
)  # fmt: skip
def test_verdicts(counts: list[int], limit: int | None, verdict: str) -> None:
    assert forecast(daily(counts, limit))["verdict"].to_list() == [verdict]


def test_a_supported_threshold_is_a_limit_too() -> None:
    found = pl.DataFrame({"cluster": ["all"], "category": ["any"], "threshold": [120.0], "verdict": ["supported"], "explained_by": [None]},
                         schema_overrides={"explained_by": pl.String})  # fmt: skip
    row = forecast(daily([100] * 7), thresholds=found).row(0, named=True)
    assert (row["limit_name"], row["limit_value"]) == ("size_threshold", 120.0)


def test_the_interval_widens_with_the_spread_of_steps() -> None:
    narrow, wide = crossing(50, 1.0, 0.1, 30, 29), crossing(50, 1.0, 4.0, 30, 29)
    assert narrow.days == wide.days == 50
    assert narrow.earliest is not None
    assert wide.earliest is not None
    assert wide.earliest < narrow.earliest < 50


def test_plans() -> None:
    small = capacity(155, md5=True, optmem_max=20480)
    assert (small.limit, small.fits, small.headroom, small.needed_optmem_max) == (150, False, -5, 131072)
    assert "131072" in small.advice
    assert capacity(150, md5=True, kernel="5.4.0-81-generic").fits
    assert capacity(900, md5=True, kernel="6.8.0").fits
    assert capacity(900, md5=True).fits is None
    assert capacity(5000).fits
