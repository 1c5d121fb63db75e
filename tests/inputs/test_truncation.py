"""A file that ends too early gives its rows, or a counted reject; no line is lost from the count.

Every example is cut at each line end (for most kinds that is a record's end), in the middle of each line, and at a
few places that fall inside of characters, stamps and brackets.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipeline.engines.parse import Piece
from pipeline.settings import Settings
from pipeline.sources.archives import Refusal
from pipeline.sources.discover import walk_sources
from tests.inputs.reading import EXAMPLES, Sample, facts_of, piece_of, sources_of, unreconciled

SAMPLES = {sample.name: sample for sample in sources_of() if "!" not in sample.name}
PACKED = [
    path.name for path in sorted(EXAMPLES.iterdir()) if path.suffix in (".gz", ".zst", ".xz", ".bz2", ".tar", ".zip")
]
BY_OBJECT = ("export",)
"""Families that count an object as one line, however many it is written on."""


def cuts_of(data: bytes) -> list[int]:
    """Places to cut at: line ends with and without their newline, middles of lines, odd places."""
    ends = [place + 1 for place, byte in enumerate(data) if byte == 10]
    starts = [0, *ends]
    middles = [(a + b) // 2 for a, b in zip(starts, [*ends, len(data)], strict=True)]
    odd = [len(data) * part // 17 for part in range(1, 17)]
    places = {*ends, *(end - 1 for end in ends), *middles, *odd}
    return sorted(place for place in places if 0 < place < len(data))


def lines_in(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n"))


@pytest.mark.parametrize("name", [name for name in SAMPLES if name not in PACKED])
def test_a_cut_example_gives_rows_or_a_counted_reject(name: str) -> None:
    sample = SAMPLES[name]
    pieces = [piece_of(sample, sample.data[:cut], src) for src, cut in enumerate(cuts_of(sample.data))]
    pieces = [piece for piece in pieces if piece.identity.family != "binary"]
    facts = facts_of(*pieces)
    assert unreconciled(facts).is_empty()
    read = dict(facts.tally.select("src", "lines_read").iter_rows())
    gives = {
        int(src) for frame in (facts.records, facts.node_facts, facts.resources, facts.rejects) for src in frame["src"]
    }
    for piece in pieces:
        if piece.identity.family not in BY_OBJECT:
            assert read[piece.src] == lines_in(bytes(piece.data)), bytes(piece.data[-40:])
        elif bytes(piece.data).strip():
            assert read[piece.src] > 0 or piece.src in gives, piece.data[-40:]


def parts_of(sample: Sample) -> list[Piece]:
    """The sample cut at each line end, as far as it is still told apart as what it is."""
    kind = piece_of(sample).identity.kind
    cuts = [place + 1 for place, byte in enumerate(sample.data) if byte == 10 and place + 1 < len(sample.data)]
    pieces = [piece_of(sample, sample.data[:cut], src) for src, cut in enumerate(cuts)]
    return [piece for piece in pieces if piece.identity.kind == kind]


LOGS = {
    name: parts
    for name, sample in SAMPLES.items()
    if piece_of(sample).identity.family in ("log", "export") and (parts := parts_of(sample))
}


@pytest.mark.parametrize("name", LOGS)
def test_records_before_a_cut_at_a_line_end_stay_as_they_are(name: str) -> None:
    told = ["byte_offset", "rule", "peer", "component", "message"]
    all_of_it = facts_of(piece_of(SAMPLES[name])).records
    some = facts_of(*LOGS[name]).records
    for piece in LOGS[name]:
        ends_before = all_of_it.filter(pl.col("byte_offset") + pl.col("byte_length") <= len(piece.data) - 1)
        found = some.filter(pl.col("src") == piece.src)
        # the last record may go on behind the cut, so all but that one must be the same
        expected = ends_before.head(max(ends_before.height - 1, 0)).select(told)
        assert found.head(expected.height).select(told).equals(expected), piece.data[-60:]


@pytest.mark.parametrize("name", PACKED)
def test_a_cut_archive_gives_what_stands_before_the_cut_or_says_why_not(name: str, tmp_path: Path) -> None:
    data = (EXAMPLES / name).read_bytes()
    for part in range(1, 24):
        path = tmp_path / name
        path.write_bytes(data[: len(data) * part // 24])
        told = 0
        for found in walk_sources([str(path)], Settings()):
            if isinstance(found, Refusal):
                assert found.reason
                told += 1
                continue
            content = found.stream.read()
            piece = piece_of(Sample(found.path, content))
            if piece.identity.family != "binary" and content:
                assert unreconciled(facts_of(piece)).is_empty()
            told += bool(content) or bool(found.damage)
        assert told, f"{name} cut after {path.stat().st_size} bytes"
