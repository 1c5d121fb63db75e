"""Each word with the rule that gives it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.effects.verdicts import Finding, Verdict, judge, judge_crude, q_values

CLEAR = Finding(
    failures=200, groups=40, smaller_side=15, p_crude=0.001, p_adjusted=0.001, q_adjusted=0.004, ci_low=1.5, ci_high=4.0,
    inflation=1.2, overlap=15, other="size",
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "word", "rule"),
    [
        ({}, "supported", "q 0.004 with size held fixed"),
        ({"failures": 4}, "not_enough_data", "4 of at least 5 failures"),
        ({"groups": 7}, "not_enough_data", "7 of at least 8 groups"),
        ({"smaller_side": 2}, "not_enough_data", "smaller side"),
        ({"inflation": 9.0}, "confounded", "moves together with size"),
        ({"inflation": float("inf")}, "confounded", "without bound"),
        ({"overlap": 1}, "confounded", "only 1 groups"),
        ({"q_adjusted": 0.06}, "suggestive", "in the family"),
        ({"ci_low": 0.9}, "suggestive", "the interval holds 1"),
        ({"p_adjusted": 0.5, "q_adjusted": 0.8, "ci_low": 0.7}, "not_distinguishable", "p 0.50"),
    ],
)  # fmt: skip
def test_words(change: dict[str, float], word: str, rule: str) -> None:
    verdict = judge(replace(CLEAR, **change))  # type: ignore[arg-type]
    assert verdict.word == word
    assert rule in verdict.rule


def test_what_is_inseparable_but_shows_nothing_is_not_called_confounded() -> None:
    nothing = replace(CLEAR, inflation=9.0, p_crude=0.6, p_adjusted=0.6, q_adjusted=0.8, ci_low=0.5)
    assert judge(nothing).word == "not_distinguishable"


def test_a_crude_effect_must_outlast_the_adjustment() -> None:
    none = Verdict("not_distinguishable", "p 0.5")
    assert judge_crude(0.001, none, "version").word == "confounded"
    assert judge_crude(0.4, none, "version") is none
    assert judge_crude(0.001, Verdict("supported", ""), "version").word == "supported"


def test_questions_without_data_leave_the_family() -> None:
    q = q_values([0.01, float("nan"), 0.04])
    assert q[0] == pytest.approx(0.02)
    assert q[1] != q[1]
    assert q[2] == pytest.approx(0.04)
    assert q_values([]) == []
