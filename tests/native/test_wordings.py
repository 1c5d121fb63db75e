"""Heads and wordings of container lines: what is said of a line holds for all lines of its wording."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines.kinds import Kinds
from pipeline.grammar import load_ruleset
from pipeline.native.library import available
from pipeline.native.wordings import NO_HEAD, NO_WORDING, SURELY_FOUR, TELLING, Wordings
from tests.native.lines_of import STAMP, scanned, texts

RULESET = load_ruleset()
pytestmark = pytest.mark.skipif(not available(), reason="peerscope was installed without a C compiler")


@given(lines=st.lists(texts, min_size=2, max_size=60), varied=st.randoms(use_true_random=False))
@settings(max_examples=400)
def test_lines_of_one_wording_have_one_shape(lines: list[str], varied: object) -> None:
    """The same texts with other numbers, so that wordings are shared; unsure ones are read anyway."""
    other = ["".join(str(varied.randrange(10)) if char.isdigit() else char for char in line) for line in lines]  # type: ignore[attr-defined]
    both = lines + other
    found, seen, _ = scanned([(STAMP + line).encode() for line in both])
    unsure = Kinds(RULESET, frozenset(), frozenset()).unsure
    keys = RULESET.shape_keys(pl.Series(both, dtype=pl.String), trimmed=True).to_list()
    by_wording: dict[int, str] = {}
    for number, key, said in zip(found.wording.tolist(), keys, found.said.tolist(), strict=True):
        if number != NO_WORDING and not said & TELLING and not unsure.search(seen.text(number)):
            assert by_wording.setdefault(number, key) == key


@given(st.lists(st.binary(max_size=300).map(lambda data: data.replace(b"\n", b"")), max_size=20), st.booleans())
def test_any_bytes_can_be_scanned(lines: list[bytes], headed: bool) -> None:
    found, seen, _ = scanned([STAMP.encode() + line if headed else line for line in lines] or [b""])
    assert np.all(found.wording < len(seen))
    assert np.all((found.begin == NO_HEAD) | headed)


def test_numbers_join_no_words() -> None:
    said = [
        "bird: Mesh_10_0_0_1: Got KEEPALIVE", "bird: Mesh_10_0_0_2: Got KEEPALIVE", "bird: Node_10_0_0_2: Got KEEPALIVE",
        "bird6: Mesh_fd00__1: Got KEEPALIVE", "x MD5 y 5", "x MD6 y 5", "lists 1,2,3 end", "lists 4,5 end", "lists 4, 5 end",
    ]  # fmt: skip
    found, seen, _ = scanned([(STAMP + text).encode() for text in said])
    numbers = found.wording.tolist()
    assert numbers == [0, 0, 1, 2, 3, 4, 5, 5, 6]
    assert seen.text(0) == b"bird: Mesh_\0: Got KEEPALIVE"
    assert seen.text(3) == b"x MD5 y \0"
    assert [bool(bits & SURELY_FOUR) for bits in found.said.tolist()[:4]] == [True, True, True, False]


def test_what_may_tell_of_a_secret_is_seen_in_wiped_words() -> None:
    found, _, _ = scanned([(STAMP + text).encode() for text in ("a x1_token=abc1", "a x1_taken=abc1")])
    assert [bool(bits & TELLING) for bits in found.said.tolist()] == [True, False]


@pytest.mark.parametrize(
    ("head", "moment"),
    [
        ("2024-02-29T23:59:59.1Z stderr F ", datetime(2024, 2, 29, 23, 59, 59, 100_000, UTC)),
        ("2024-12-18T07:00:00.123456789+05:30 stdout F ", datetime(2024, 12, 18, 1, 30, 0, 123_456, UTC)),
        ("2024-12-18T07:00:00.5-03:00 stdout F ", datetime(2024, 12, 18, 10, 0, 0, 500_000, UTC)),
        *((head, None) for head in (
            "2023-02-29T23:59:59.1Z stdout F ", "2024-12-18T24:00:00.1Z stdout F ", "2024-12-18T07:00:60.1Z stdout F ",
            "2024-12-18T07:00:00.1234567890Z stdout F ", "2024-12-18T07:00:00.Z stdout F ", "2024-12-18 07:00:00.1Z stdout F ",
            "2024-12-18T07:00:00.1Z stdout P ", "2024-12-18T07:00:00.1Z stdout F:tag ", "2024-12-18T07:00:00.1Z stdin F ",
        )),
    ],
)  # fmt: skip
def test_heads_of_containers(head: str, moment: datetime | None) -> None:
    found, _, _ = scanned([(head + "bird: device1: Scanning interfaces").encode()])
    if moment is None:
        assert (found.begin[0], found.wording[0]) == (NO_HEAD, NO_WORDING)
    else:
        assert found.begin[0] == len(head)
        assert datetime.fromtimestamp(0, UTC) + (moment - datetime.fromtimestamp(0, UTC)) == moment
        assert found.ts[0] == int(moment.timestamp()) * 1_000_000 + moment.microsecond
        assert bool(found.stream[0]) == ("stderr" in head)


def test_the_wordings_of_hostile_lines_are_bounded() -> None:
    """More wordings than there is room for: the ones that were seen stay, the others are left to be read."""
    seen = Wordings()
    letters = "abcdefghijklmnop"
    for first in letters:
        lines = [STAMP + first + "".join(letters[n >> shift & 15] for shift in (0, 4, 8, 12)) for n in range(8192)]
        found, _, _ = scanned([line.encode() for line in lines], seen)
    assert seen.full
    assert len(seen) <= 1 << 16
    assert np.count_nonzero(found.wording == NO_WORDING)
    again, _, _ = scanned([(STAMP + "aaaaa").encode()], seen)
    assert again.wording[0] == 0
