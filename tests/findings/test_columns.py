"""Columns as numbers: what goes in comes out, and ends come in the order of quoting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.findings import columns
from pipeline.findings.columns import (
    NEVER,
    coded,
    combinations,
    distinct,
    latest,
    micros,
    micros_of,
    moment_of,
    numbered,
    used,
)
from pipeline.findings.failures import build_failures
from pipeline.findings.groups import Group
from pipeline.findings.losses import NONE, End, losses_of
from pipeline.findings.owners import owners
from pipeline.findings.proofs import spread
from pipeline.sessions.facts import TIME
from pipeline.sessions.intervals import SCHEMA
from pipeline.sessions.pooled import NAME

NAMES = st.lists(st.sampled_from([None, "", "rr-1", "worker-2", "worker-10"]))


@pytest.mark.parametrize("kind", [pl.String, NAME])
@given(names=NAMES)
def test_coded_texts_are_the_texts(kind: pl.DataType, names: list[str | None]) -> None:
    column = coded(pl.Series(names, dtype=kind))
    assert [column.values[k] for k in column.codes] == names
    assert distinct(column) == sorted({name for name in names if name is not None})
    assert column.among({"rr-1", None}).tolist() == [name in ("rr-1", None) for name in names]


@given(NAMES)
def test_combinations_come_in_the_order_of_their_first_rows(names: list[str | None]) -> None:
    one, other = coded(pl.Series(names, dtype=pl.String)), coded(pl.Series(names[::-1], dtype=pl.String))
    assert combinations(one, other) == list(dict.fromkeys(zip(names, names[::-1], strict=True)))
    assert combinations(one, other, one) == list(dict.fromkeys(zip(names, names[::-1], names, strict=True)))


def test_numbers_of_many_values_do_not_run_over() -> None:
    many = 70_000
    one, other = (coded(pl.Series([str(number) for number in order])) for order in (range(many), range(many)[::-1]))
    for chosen in ([one, other], [one, other, one]):
        first, numbers = numbered(*chosen)
        assert len(first) == many
        assert (first[numbers] == np.arange(many)).all()


@pytest.mark.parametrize("block", [1, 2, 50_000])
def test_groups_are_found_a_block_of_failures_at_a_time(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "BLOCK", block)
    rows = [
        (("a", "b"), [_end("a", "b"), _end("b", "a")]), (("a", "c"), [_end("c", "a")]), (("c", "d"), [_end("c", "d")])
    ]  # fmt: skip
    losses = losses_of(rows, np.zeros(3, np.int64))
    groups = [Group("all", "mesh", (), ("a", "b", "c")), Group("rr", "reflector", ("a",), ("c",))]
    assert owners(losses, groups).tolist() == [0, 1, -1]


def _end(near: str, far: str) -> End:
    return End(near, near, f"Node_{far}", None, far, "", None, None, True, "log", None, None, (), None, "log", None, 0)


def test_times_keep_their_microseconds_and_unknown_ones_stay_unknown() -> None:
    moment = datetime(2024, 12, 18, 7, 0, 0, 34480, tzinfo=UTC)
    numbers = micros(pl.Series([moment, None], dtype=TIME))
    assert numbers.tolist() == [micros_of(moment), NEVER]
    assert [moment_of(number) for number in numbers.tolist()] == [moment, None]


def test_both_ends_that_overlap_are_one_failure() -> None:
    begun = datetime(2024, 12, 18, 7, tzinfo=UTC)
    rows = [
        {"speaker": near, "end": f"to-{far}", "node": near, "peer_node": far, "state": state, "category": category,
         "started_at": begun + timedelta(minutes=at), "ended_at": begun + timedelta(minutes=at + 5),
         "how_started": "log", "how_ended": "log", "observed_by": "log", "errors": []}
        for near, far in (("a", "b"), ("b", "a"))
        for at, state, category in ((0, "up", "session_established"), (5, "down", "hold_timer_expired"))
    ]  # fmt: skip
    losses = build_failures(pl.DataFrame(rows, schema=SCHEMA, orient="row"), begun + timedelta(hours=1))
    assert (len(losses), losses.counts.tolist(), losses.pairs(losses.session)) == (1, [2], [("a", "b")])
    assert losses.had_been_up.all()
    assert losses.ends_of(np.array([0])).tolist() == [0, 1]


def test_no_failures_answer_every_question() -> None:
    assert (len(NONE), NONE.pairs(NONE.session), NONE.shown) == (0, [], [])
    assert NONE.rows(np.zeros(0, np.int64)).is_empty()


def test_quotes_come_from_different_places() -> None:
    assert spread([7, 7, 8, 7, 9, 8], limit=4) == [0, 2, 4]
    assert spread([1, 1, 2, 3, 4, 1], limit=4) == [0, 2, 3, 4]


@given(st.lists(st.integers(0, 40), max_size=60), st.sampled_from([41, 5000]))
def test_numbers_below_a_bound_are_marked_or_sorted_alike(codes: list[int], size: int) -> None:
    numbers = np.array(codes, np.int64)
    assert used(numbers, size).tolist() == sorted(set(codes))
    last = {code: place for place, code in enumerate(codes)}
    assert latest(numbers, size).tolist() == [last[code] for code in sorted(last)]
