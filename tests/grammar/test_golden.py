"""Lines with what they must be read as, kept in tests/golden/grammar.jsonl (see tests/grammar/golden.py)."""

from __future__ import annotations

from tests.grammar.golden import read_again, stored


def test_golden_lines_are_read_as_before() -> None:
    rows = stored()
    assert len(rows) > 100
    for was, now in zip(rows, read_again(rows), strict=True):
        assert now == was
