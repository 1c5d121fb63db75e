"""Hard limits in counts of sessions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from pipeline.effects.saturation import Course, courses, judge_plateau, plateau, separate
from pipeline.findings.sizes import SCHEMA
from tests.effects.tables import at, frame
from tests.effects.worlds import courses as made_up


def sizes(rows: Sequence[tuple[float, str, int, int]], limit: int | None = 150) -> pl.DataFrame:
    return frame(SCHEMA, [
        {"ts": at(hour), "group_name": group, "reflector": f"rr-{group}", "configured_peers": n, "established_peers": e,
         "failed_peers": n - e, "md5_peers": n, "md5_key_limit": limit}
        for hour, group, n, e in rows
    ])  # fmt: skip


def test_one_group_that_grew_past_a_computed_limit() -> None:
    found = separate(courses(sizes([(0, "a", 148, 148), (1, "a", 155, 150), (2, "a", 155, 150), (0, "b", 12, 12)])))
    assert len(found) == 1
    scope, _, limit = found[0]
    word = judge_plateau(limit, 1.0)
    assert "group a only" in scope
    assert (limit.at, word.word, limit.explained) == (150, "supported", True)
    assert "one group only" in word.rule


def test_without_a_computed_limit_one_group_is_a_suggestion() -> None:
    rows = [(0, "a", 148, 148), (1, "a", 155, 150), (2, "a", 160, 150)]
    _, _, limit = separate(courses(sizes(rows, None)))[0]
    assert judge_plateau(limit, 1.0).word == "suggestive"
    _, _, once = separate(courses(sizes(rows[:2], None)))[0]
    assert judge_plateau(once, 1.0).word == "not_enough_data"


def test_several_groups_at_the_same_number_support_an_unknown_limit() -> None:
    found = plateau(made_up(np.random.default_rng(1), 30), 999)
    assert found is not None
    assert found.low <= 150 <= found.high
    assert judge_plateau(found, found.p).word == "supported"


def test_a_broad_loss_is_no_plateau() -> None:
    rows = [
        Course("c", f"g{n}", np.array([200.0 + n]), np.array([100.0 + 9 * n]), 100.0 + 9 * n, None) for n in range(9)
    ]
    found = plateau(rows, 99)
    assert found is not None
    assert judge_plateau(found, 1.0).word in ("not_distinguishable", "suggestive")


def test_everything_established_has_no_plateau() -> None:
    assert plateau(courses(sizes([(0, "a", 100, 100), (1, "a", 120, 119)]))) is None
    assert plateau([]) is None


def test_the_largest_reflector_speaks_for_its_group() -> None:
    twice = sizes([(0, "a", 10, 10)]).with_columns(reflector=pl.lit("small"))
    found = courses(pl.concat([twice, sizes([(0, "a", 155, 150)])]))
    assert [course.size for course in found] == [155.0]


def test_groups_with_other_limits_are_looked_at_apart() -> None:
    mixed = pl.concat([sizes([(0, "a", 155, 150)]), sizes([(0, "b", 400, 400)], 963)])
    assert [(scope, p.at) for scope, _, p in separate(courses(mixed))] == [("configured peers of group a only", 150.0)]


@pytest.mark.parametrize("seed", range(3))
def test_no_limit_is_found_where_none_is(seed: int) -> None:
    found = plateau(made_up(np.random.default_rng(seed), 30, None), 99)
    assert found is None or judge_plateau(found, found.p).word != "supported"
