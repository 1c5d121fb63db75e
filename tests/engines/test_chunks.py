"""Where a source is cut, and how many processes parse, decides nothing."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import steps
from pipeline.engines.local import InputOptions, ingest
from pipeline.settings import Settings
from pipeline.sources.windows import read_window, stream_windows
from pipeline.warehouse.writer import Warehouse
from tests.engines.corpus import write_hard_corpus

SAMPLES = Path(__file__).resolve().parents[2] / "sample_logs"
# Small reaches, so that a few hundred kilobytes hold many cuts, and records and gaps that go past them.
HARD = replace(Settings(), record_bytes=2048, neighbour_bytes=8192, line_bytes=10_000)
QUESTIONS = {
    "records": "SELECT * EXCLUDE (load_id) FROM records ORDER BY ALL",
    "counts": "SELECT minute, node, component, level, shape_id, sum(events) AS events FROM minute_counts GROUP BY ALL ORDER BY ALL",
    "states": "SELECT * EXCLUDE (load_id) FROM state_observations ORDER BY ALL",
    "resources": "SELECT * EXCLUDE (load_id) FROM resources ORDER BY ALL",
    "facts": "SELECT * EXCLUDE (load_id) FROM node_facts ORDER BY ALL",
    "rejects": "SELECT * EXCLUDE (load_id) FROM rejects ORDER BY ALL",
    "shapes": "SELECT * FROM shapes ORDER BY ALL",
    "observed": "SELECT * EXCLUDE (load_id) FROM observed_minutes ORDER BY ALL",
    "sources": "SELECT * EXCLUDE (load_id) FROM sources ORDER BY ALL",
    "templates": "SELECT * FROM mined JOIN template_texts USING (template_id) ORDER BY ALL",
}


def told(folder: Path, paths: list[Path], chosen: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that a warehouse holds after reading the paths."""
    with Warehouse.open(folder) as warehouse:
        ingest(warehouse, [str(path) for path in paths], InputOptions(cluster="c"), chosen)
        steps.mine(warehouse, chosen)
        return {name: warehouse.connection.sql(query).fetchall() for name, query in QUESTIONS.items()}


def check_same(one: dict[str, list[tuple[Any, ...]]], other: dict[str, list[tuple[Any, ...]]]) -> None:
    for name, rows in one.items():
        if rows != other[name]:
            lost = [row for row in rows if row not in other[name]][:3]
            new = [row for row in other[name] if row not in rows][:3]
            pytest.fail(f"{name}: {len(rows)} and {len(other[name])} rows; only first: {lost}; only second: {new}")


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hard_corpus(tmp_path_factory.mktemp("hard"))


@pytest.fixture(scope="module")
def whole(hard: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    return told(tmp_path_factory.mktemp("whole"), [hard], replace(HARD, processes=1))


@pytest.mark.parametrize(("item_bytes", "processes"), [(4096, 2), (10_007, 1), (65_536, 5), (300_000, 2), (1 << 24, 2)])
def test_cuts_and_processes_change_nothing(
    item_bytes: int, processes: int, hard: Path, whole: dict[str, list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    chosen = replace(HARD, item_bytes=item_bytes, processes=processes)
    check_same(whole, told(tmp_path, [hard], chosen))


@pytest.mark.parametrize(("item_bytes", "processes"), [(4096, 2), (1 << 20, 5)])
def test_a_recording_reads_the_same(item_bytes: int, processes: int, tmp_path: Path) -> None:
    bundle = [SAMPLES / "router-id-conflict" / "collected.tar.gz"]
    chosen = replace(Settings(), processes=1)
    one = told(tmp_path / "one", bundle, chosen)
    check_same(
        one, told(tmp_path / "two", bundle, replace(chosen, item_bytes=item_bytes, processes=processes, batch_files=7))
    )


def test_reading_in_parts_what_is_known_leaves_nothing(hard: Path, tmp_path: Path) -> None:
    chosen = replace(HARD, item_bytes=50_000, processes=2)
    first = told(tmp_path, [hard], chosen)
    renamed = tmp_path / "again" / "nodes" / "a" / "ns"
    renamed.mkdir(parents=True)
    source = hard / "nodes" / "a" / "ns" / "calico-node-aaaaa.log"
    (renamed / "calico-node-aaaaa.log.1").write_bytes(source.read_bytes())
    moved = hard / "nodes" / "e" / "0.log.gz"
    again = tmp_path / "again" / "nodes" / "e" / "other.gz"
    again.parent.mkdir(parents=True)
    again.write_bytes(moved.read_bytes())
    check_same(first, told(tmp_path, [again], chosen))


LINES = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=60)


@settings(max_examples=150, deadline=None)
@given(LINES, st.integers(1, 90), st.integers(0, 60), st.booleans(), st.integers(1, 12))
def test_windows_hold_every_line_once(lines: list[bytes], item: int, context: int, ended: bool, keep: int) -> None:
    data = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    starts = [0] + [i + 1 for i, byte in enumerate(data) if byte == 10 and i + 1 < len(data)] if data else []
    blocks = iter([data[i : i + 7] for i in range(0, len(data), 7)])
    streamed = list(stream_windows(lambda: next(blocks, b""), b"", lambda: item, context, keep))
    ranged = [
        read_window(io.BytesIO(data), begin, min(begin + item, len(data)), len(data), context, keep)
        for begin in range(0, len(data), item)
    ]
    for windows in (streamed, [window for window in ranged if window]):
        found: list[int] = []
        for window in windows:
            place = window.offset
            for line in _lines(window.data):
                if window.begin <= place and (window.end is None or place < window.end):
                    found.append(place)
                    stop = data.find(b"\n", place)
                    assert (data[place : stop + 1] if stop >= 0 else data[place:]).startswith(line[:keep])
                place += len(line)
        assert found == starts


def _lines(data: bytes) -> list[bytes]:
    pieces = data.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def test_orders_and_splits_give_the_same_templates(tmp_path: Path) -> None:
    """Ten orders of the files, each read in eight sizes of pieces over one to five loads."""
    hard = write_hard_corpus(tmp_path / "hard", 40)
    files = sorted(path for path in hard.rglob("*") if path.is_file())
    shapes: set[tuple[Any, ...]] = set()
    for order in range(10):
        rnd = random.Random(order)
        rnd.shuffle(files)
        for split in range(8):
            chosen = replace(HARD, item_bytes=2000 * 3**split, processes=1)
            parts = [files[n :: split % 5 + 1] for n in range(split % 5 + 1)]
            shapes.add(tuple(map(tuple, templates_of(tmp_path / f"{order}-{split}", parts, chosen))))
    assert len(shapes) == 1


def templates_of(folder: Path, loads: list[list[Path]], chosen: Settings) -> list[tuple[Any, ...]]:
    with Warehouse.open(folder) as warehouse:
        for paths in loads:
            ingest(warehouse, [str(path) for path in paths], InputOptions(cluster="c"), chosen)
        steps.mine(warehouse, chosen)
        return warehouse.connection.sql(
            "SELECT template_id, template, shape_id FROM mined JOIN template_texts USING (template_id) ORDER BY ALL"
        ).fetchall()
