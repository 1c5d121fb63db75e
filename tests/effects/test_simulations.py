"""The experiments of ``simulate`` with few runs: bounds that only a broken method would miss."""

from __future__ import annotations

import pytest

from tests.effects.simulate import EXPERIMENTS, simulate

# What 30 runs of a 5 % test exceed once in 300 times.
FALSE = 0.17
RUNS = 30


@pytest.mark.parametrize("name", ["no effect, 60 groups, versions go with size", "no effect, 16 groups, wide spread"])
def test_nothing_is_seldom_supported(name: str) -> None:
    values = simulate(name, RUNS).values
    assert {k: v for k, v in values.items() if k.endswith(" supported") and v > FALSE} == {}


def test_a_limit_in_the_rates_is_found() -> None:
    values = simulate("limit: rate x10 above 150, 30 groups", 25).values
    assert values["threshold supported"] >= 0.8
    assert values["threshold interval holds 150"] >= 0.8


def test_simpson_and_its_reverse() -> None:
    bad_version = simulate("simpson: bad version (x4) on large groups", 20).values
    assert bad_version["version supported"] >= 0.85
    assert bad_version["size supported"] <= 0.2
    assert bad_version["crude size excludes 1"] >= 0.4, "the crude answer misleads"
    large = simulate("reverse: size (x4 above 150), new version on large groups", 20).values
    assert large["size supported"] >= 0.85
    assert large["version supported"] <= 0.2


def test_what_cannot_be_separated_is_called_so() -> None:
    values = simulate("inseparable: all large groups run the bad version", 20).values
    assert values["version confounded"] >= 0.85
    assert values["version supported"] <= 0.1


def test_unobserved_time_changes_the_width_only() -> None:
    whole = simulate("version x2, everything observed", 12).values
    quarter = simulate("version x2, a quarter observed", 12).values
    assert quarter["version ratio"] == pytest.approx(whole["version ratio"], rel=0.15)
    assert quarter["version width"] >= whole["version width"]


@pytest.mark.parametrize("name", [n for n in EXPERIMENTS if n.startswith("no limit")])
def test_no_limit_is_seldom_supported(name: str) -> None:
    assert simulate(name, RUNS).values["saturation supported"] <= FALSE


@pytest.mark.parametrize("name", [n for n in EXPERIMENTS if n.startswith("limit by saturation")])
def test_a_hard_limit_is_found(name: str) -> None:
    values = simulate(name, 15).values
    assert values["saturation supported"] >= 0.8
    assert values["interval holds 150"] >= 0.8


def test_one_group_gives_a_limit_but_no_effect_of_size() -> None:
    values = simulate("one group past its limit", RUNS).values
    assert values["saturation supported"] >= 0.8
    assert values["rule says one group"] == values["saturation supported"]
    assert values["size not_enough_data"] == 1.0


def test_upgrades() -> None:
    assert simulate("upgrade without effect, 12 groups", RUNS).values["version supported"] <= FALSE
    assert simulate("upgrade x3, 12 groups", RUNS).values["version supported"] >= 0.85


def test_forecasts_hold_the_day() -> None:
    assert simulate("forecast", 100).values["interval holds the day"] >= 0.88


def test_the_same_seed_gives_the_same_figures() -> None:
    assert simulate("forecast", 5).values == simulate("forecast", 5).values
