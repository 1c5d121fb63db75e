"""Damaged recordings and examples: nothing stops a run, nothing is lost from the count.

The damage is drawn from a fixed seed, so a failure is the same everywhere and can be looked at.
"""

from __future__ import annotations

import random
import tempfile
from functools import lru_cache
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from pipeline.engines.local import InputOptions, ingest
from pipeline.settings import Settings
from pipeline.sources.archives import Refusal
from pipeline.sources.discover import walk_sources
from pipeline.warehouse.writer import Warehouse
from tests.conftest import SAMPLES
from tests.inputs.reading import Sample, facts_of, piece_of, sources_of, unreconciled

RECORDINGS = ("as-mismatch", "md5-password-one-side", "reflector-frozen")
SLICE = 6000
"""Bytes of a file that take part: damage needs neighbours, not length."""
NOISE = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"\n\n\n", b"\x1b[31m", b"\xc3", b"{", b"}", b'"', b"[", b"---\n",
    b"bird: ", b"| | |", b" <*> ", "٣".encode(), b"2024-13-45T99:99:99Z stdout F ", b"items:\n- ", b"&a [*a]", b"\t" * 40,
    b"==== START logs for container c of pod a/b ====\n", b"A" * 3000, b"0x" + b"f" * 200, b"%s%n", b"' or 1=1 --",
)  # fmt: skip


@lru_cache(maxsize=1)
def material() -> tuple[Sample, ...]:
    """One slice of every kind of file among the recordings, and every small example."""
    found = {sample.name: Sample(sample.name, sample.data[:SLICE]) for sample in sources_of()}
    bundles = [str(SAMPLES / name / "collected.tar.gz") for name in RECORDINGS]
    for source in walk_sources(bundles, Settings()):
        assert not isinstance(source, Refusal)
        kind = Path(source.path).name.lstrip("0123456789TZ")
        found.setdefault(kind, Sample(source.path, source.stream.read()[:SLICE]))
    return tuple(found.values())


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The bytes after one to four accidents."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(out))
        end = min(at + chance.randint(1, 400), len(out))
        kind = chance.randrange(7)
        if kind == 0:
            del out[at:end]
        elif kind == 1:
            out[at:at] = out[at:end]
        elif kind == 2:
            out[at:at] = chance.choice(NOISE)
        elif kind == 3 and at < len(out):
            out[at] = chance.randrange(256)
        elif kind == 4:
            other = chance.choice(material()).data
            out[at:at] = other[: chance.randint(0, 600)]
        elif kind == 5:
            lines = bytes(out).split(b"\n")
            chance.shuffle(lines)
            out = bytearray(b"\n".join(lines))
        else:
            del out[at:]
    return bytes(out)


@seed(20241218)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(min_value=0, max_value=2**64))
def test_damaged_sources_are_parsed_and_counted(number: int) -> None:
    chance = random.Random(number)
    pieces = []
    for src in range(24):
        sample = chance.choice(material())
        piece = piece_of(sample, damaged(sample.data, chance), src)
        if piece.identity.family != "binary":
            pieces.append(piece)
    facts = facts_of(*pieces)
    assert unreconciled(facts).is_empty()
    read = dict(facts.tally.select("src", "lines_read").iter_rows())
    for piece in pieces:
        data = bytes(piece.data)
        physical = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
        if piece.identity.family != "export":
            assert read[piece.src] == physical, (piece.path, piece.identity.kind)


@pytest.mark.parametrize("number", range(4))
def test_a_run_over_damaged_files_loads_them_all(number: int, tmp_path: Path) -> None:
    chance = random.Random(number)
    folder = tmp_path / "input"
    folder.mkdir()
    for n in range(40):
        sample = chance.choice(material())
        (folder / f"{n:02}-{Path(sample.name).name}").write_bytes(damaged(sample.data, chance))
    with tempfile.TemporaryDirectory(dir=tmp_path) as place:
        with Warehouse.open(Path(place) / "w") as warehouse:
            summary = ingest(warehouse, [str(folder)], InputOptions("damaged"), Settings(unfinished_seconds=0))
        assert summary.lines_read == summary.lines_parsed + summary.lines_unparsed + summary.lines_rejected
        with duckdb.connect(str(Path(place) / "w" / "peerscope.duckdb"), read_only=True) as stored:
            rows = stored.execute("SELECT count(DISTINCT source_path), sum(lines_read) FROM sources").fetchone()
            counted = stored.execute("SELECT sum(events) FROM minute_counts").fetchone()
    assert rows is not None
    assert counted is not None
    names = {path.name for path in folder.iterdir()}
    assert rows[0] + summary.files_known >= len(names)
    assert rows[1] == summary.lines_read
    assert counted[0] == summary.lines_parsed + summary.lines_unparsed
