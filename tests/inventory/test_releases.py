"""Sets of releases: written, joined, cut with each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.inventory.releases import Releases, combined


@pytest.mark.parametrize(
    ("texts", "written"),
    [
        (["3.22"], "3.22"),
        (["3.22.4"], "3.22.4"),
        (["v3.22.4"], "3.22.4"),
        (["3.22-3.26"], "3.22-3.26"),
        (["3.22", "3.23"], "3.22-3.23"),
        (["3.22.0", "3.23"], "3.22.0, 3.23"),
        (["3.22-3.24.5", "3.25.0"], "3.22-3.24.5, 3.25.0"),
        (["3.24.6-3.24", "3.25.0"], "3.24.6-3.25.0"),
        (["3.11-"], "3.11-"),
        (["3.8.5-3.8, 3.9.4-3.9"], "3.8.5-3.8, 3.9.4-3.9"),
    ],
)  # fmt: skip
def test_ranges_are_written_short(texts: list[str], written: str) -> None:
    assert str(Releases.of(texts)) == written
    assert Releases.of([written]) == Releases.of(texts)


def test_the_worked_example() -> None:
    probe, start = Releases.of(["3.15-3.27"]), Releases.of(["3.22-3.26"])
    assert str(probe & start) == "3.22-3.26"
    assert str(Releases.of(["3.11-"]) & probe) == "3.15-3.27"


def test_after_an_upgrade_the_newest_claims_count() -> None:
    old, new, both = Releases.of(["3.22"]), Releases.of(["3.28"]), Releases.of(["3.15-3.29"])
    assert str(combined([both, old])) == "3.22"
    assert str(combined([old, both, new])) == "3.28"
    assert not combined([])


def test_branches_are_named_by_their_last_release() -> None:
    assert [release[:2] for release in Releases.of(["3.22-3.24.5"]).branches()] == [(3, 22), (3, 23), (3, 24)]
    assert Releases.of(["3.22-3.24.5"]).branches()[-1] == (3, 24, 5)
    assert Releases.of(["3.11-"]).branches()[0][:2] == (3, 11)


@pytest.mark.parametrize("text", ["", "three", "3", "3.x", "3.22-x"])
def test_what_is_no_release_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no release"):
        Releases.of([text])


RELEASE = st.tuples(st.integers(1, 3), st.integers(0, 6), st.integers(0, 4)).map(lambda r: f"{r[0]}.{r[1]}.{r[2]}")


@given(st.lists(RELEASE, max_size=5), st.lists(RELEASE, max_size=5))
def test_sets_behave_as_sets(left: list[str], right: list[str]) -> None:
    a, b = Releases.of(left), Releases.of(right)
    assert a & b == b & a
    assert a | b == b | a
    assert a & a == a
    assert (a & b) | a == a
    assert (bool(a & b)) == bool(set(left) & set(right))
