"""Each example is told apart by its content and gives what ``expected.toml`` says; the docs name them all."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from typing import Any

import polars as pl
import pytest

from tests.inputs.reading import EXAMPLES, HERE, facts_of, piece_of, sources_of, unreconciled

EXPECTED: dict[str, dict[str, Any]] = {
    source["path"]: source for source in tomllib.loads((HERE / "expected.toml").read_text("utf-8"))["source"]
}
SAMPLES = {sample.name: sample for sample in sources_of()}
DOCS = HERE.parent.parent / "docs" / "inputs.md"


@pytest.mark.parametrize("name", SAMPLES)
def test_an_example_is_read_as_expected(name: str) -> None:
    expected = EXPECTED[name]
    piece = piece_of(SAMPLES[name])
    facts = facts_of(piece)
    assert piece.identity.kind == expected["read_as"]
    assert unreconciled(facts).is_empty()
    tally = facts.tally.row(0, named=True)
    assert tally["lines_read"] == expected["lines"]
    assert tally["lines_unparsed"] == expected.get("unparsed", 0)
    assert tally["lines_rejected"] == expected.get("rejected", 0)
    assert facts.records.height == expected["records"]
    holds(facts.records, expected.get("record", []))
    holds(facts.states, expected.get("state", []))
    holds(facts.node_facts, expected.get("fact", []))
    resources = [f"{kind} {what}" for kind, what in facts.resources.select("kind", "name").iter_rows()]
    assert resources == expected.get("resources", [])


def holds(frame: pl.DataFrame, wanted: list[dict[str, Any]]) -> None:
    """Each wanted row stands in the frame, with the fields it names."""
    rows = frame.to_dicts()
    for row in wanted:
        fields = {key: datetime.fromisoformat(value) if key == "ts" else value for key, value in row.items()}
        assert any(all(found[key] == value for key, value in fields.items()) for found in rows), fields


def test_every_example_is_expected_and_every_expectation_has_its_example() -> None:
    assert sorted(EXPECTED) == sorted(SAMPLES)


def test_the_docs_name_every_example_and_nothing_else() -> None:
    rows = [line.split("|") for line in DOCS.read_text("utf-8").splitlines() if line.startswith("|")]
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row[2])]
    assert len(named) == len(set(named))
    assert sorted(named) == sorted(path.name for path in EXAMPLES.iterdir())


def test_every_row_of_the_docs_says_how_and_what() -> None:
    rows = [line for line in DOCS.read_text("utf-8").splitlines() if re.match(r"\| (?!Input|-)", line)]
    assert len(rows) > 80
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 4, row
        assert all(cells), row
