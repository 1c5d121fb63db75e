"""Objects behind URLs are read as files are: the same rows, known ones not opened, changed ones left for later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline import steps
from pipeline.engines import reading
from pipeline.engines.local import InputOptions, Summary, ingest, ingest_with
from pipeline.engines.parts import Parsed, Part
from pipeline.engines.workers import Workers
from pipeline.settings import Settings
from pipeline.warehouse.writer import Warehouse
from tests.engines.corpus import write_hard_corpus
from tests.engines.store import SECRET, s3_bucket
from tests.engines.test_chunks import HARD, QUESTIONS, check_same, told
from tests.engines.test_growing import LARGE, POD, SMALL, lines, same

fsspec = pytest.importorskip("fsspec", reason="no fsspec here: pip install 'peerscope[remote]'")
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)


def put(store: Any, name: str, data: bytes, moment: datetime = LONG_AGO) -> None:
    store.pipe_file(name, data)
    store.store[name].created = moment


def read(warehouse: Path, url: str, settings: Settings = SMALL, **options: Any) -> Summary:
    with Warehouse.open(warehouse) as opened:
        return ingest(opened, [url], InputOptions(cluster="c", **options), settings)


def placed(rows: dict[str, list[tuple[Any, ...]]], prefix: str) -> dict[str, list[tuple[Any, ...]]]:
    """The rows with paths as they are below the prefix."""

    def short(value: Any) -> Any:
        return value.removeprefix(prefix) if isinstance(value, str) else value

    found = {name: [tuple(short(value) for value in row) for row in told] for name, told in rows.items()}
    # what was refused is known by its whole path
    sources = [row[:2] + row[3:] if row[3] == "refused" else row for row in found["sources"]]
    found["sources"] = sorted(sources, key=repr)
    return found


def told_by_url(folder: Path, url: str, settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    with Warehouse.open(folder) as warehouse:
        ingest(warehouse, [url], InputOptions(cluster="c"), settings)
        steps.mine(warehouse, settings)
        return {name: warehouse.connection.sql(query).fetchall() for name, query in QUESTIONS.items()}


@pytest.mark.parametrize("item_bytes", [10_007, 1 << 24])
def test_objects_tell_what_files_tell(item_bytes: int, store: Any, tmp_path: Path) -> None:
    hard = write_hard_corpus(tmp_path / "hard", 200)
    for path in hard.rglob("*"):
        if path.is_file():
            moment = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            put(store, f"/hard/{path.relative_to(hard)}", path.read_bytes(), moment)
    settings = replace(HARD, item_bytes=item_bytes, processes=1)
    local = told(tmp_path / "local", [hard], settings)
    stored = told_by_url(tmp_path / "stored", "memory://hard", settings)
    check_same(placed(local, str(hard)), placed(stored, "memory://hard"))


@pytest.mark.parametrize("settings", [SMALL, LARGE], ids=["small", "large"])
def test_an_unchanged_object_is_not_fetched(
    settings: Settings, store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, f"/logs/{POD}/0.log", lines(0, 100))
    assert read(tmp_path / "w", "memory://logs", settings).files_read == 1
    with monkeypatch.context() as closed:
        closed.setattr(reading.Reading, "read", lambda *_: pytest.fail("opened"))
        summary = read(tmp_path / "w", "memory://logs", settings)
    assert (summary.files_known, summary.files_read, summary.load_id) == (1, 0, None)
    put(store, f"/logs/{POD}/0.log", lines(0, 100), datetime(2024, 2, 1, tzinfo=UTC))
    assert read(tmp_path / "w", "memory://logs", settings).files_known == 1


@pytest.mark.parametrize("settings", [SMALL, LARGE], ids=["small", "large"])
def test_a_file_and_its_copy_in_a_store_are_one_content(settings: Settings, store: Any, tmp_path: Path) -> None:
    path = tmp_path / "logs" / POD / "0.log"
    path.parent.mkdir(parents=True)
    path.write_bytes(lines(0, 100))
    put(store, f"/logs/{POD}/0.log", lines(0, 100))
    read(tmp_path / "w", str(tmp_path / "logs"), settings)
    assert read(tmp_path / "w", "memory://logs", settings).files_read == 0


@pytest.mark.parametrize("settings", [SMALL, LARGE], ids=["small", "large"])
def test_an_object_that_has_grown_is_read_on(settings: Settings, store: Any, tmp_path: Path) -> None:
    put(store, f"/logs/{POD}/0.log", lines(0, 100))
    read(tmp_path / "w", "memory://logs", settings)
    put(store, f"/logs/{POD}/0.log", lines(0, 150), datetime(2024, 2, 1, tzinfo=UTC))
    assert read(tmp_path / "w", "memory://logs", settings).lines_read == 50
    # the shorter state, under another name, is a part of what lies there
    put(store, f"/old/{POD}/0.log", lines(0, 120))
    assert read(tmp_path / "w", "memory://old", settings).files_read == 0
    read(tmp_path / "plain", "memory://logs", settings)
    same(tmp_path / "w", tmp_path / "plain")


class Disturbed:
    """Workers before whose third item something happens."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self._workers, self._happens, self._items = Workers(1, LARGE), happens, 0
        self.count, self.first_bytes = 1, Workers.first_bytes

    def submit(self, parts: Sequence[Part], size: int) -> Future[Parsed]:
        self._items += 1
        if self._items == 3:
            self._happens()
        return self._workers.submit(parts, size)

    def close(self) -> None:
        self._workers.close()


def read_disturbed(warehouse: Path, happens: Callable[[], None]) -> list[str]:
    with Warehouse.open(warehouse) as opened:
        summary = ingest_with(opened, ["memory://logs"], InputOptions(cluster="c"), LARGE, Disturbed(happens), "local")
    return [refusal.reason for refusal in summary.refused]


def test_an_object_that_is_replaced_while_its_ranges_are_read(store: Any, tmp_path: Path) -> None:
    name = f"/logs/{POD}/0.log"
    put(store, "/logs/nodes/b/other.log", lines(0, 3, node=7))
    put(store, name, lines(0, 400))
    other = datetime(2024, 3, 1, tzinfo=UTC)
    assert read_disturbed(tmp_path / "w", lambda: put(store, name, lines(400, 900), other)) == [
        "changed while it was read"
    ]
    read(tmp_path / "w", "memory://logs", LARGE)
    read(tmp_path / "plain", "memory://logs", LARGE)
    same(tmp_path / "w", tmp_path / "plain")


def test_an_object_whose_ranges_cannot_be_had_leaves_nothing(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "/logs/nodes/b/other.log", lines(0, 3, node=7))
    put(store, f"/logs/{POD}/0.log", lines(0, 400))
    real = store.cat_file
    asked: list[int] = []

    def broken(name: str, start: int | None = None, end: int | None = None) -> Any:
        asked.append(start or 0)
        if broken_now and (start or 0) > 5000:
            raise ConnectionError("reset by peer")
        return real(name, start=start, end=end)

    broken_now = False

    def break_it() -> None:
        nonlocal broken_now
        broken_now = True

    monkeypatch.setattr(store, "cat_file", broken)
    assert read_disturbed(tmp_path / "w", break_it) == ["unreadable file"]
    broken_now = False
    read(tmp_path / "w", "memory://logs", LARGE)
    read(tmp_path / "plain", "memory://logs", LARGE)
    same(tmp_path / "w", tmp_path / "plain")


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    yield from s3_bucket("logs")


def test_processes_read_ranges_from_s3(bucket: Any, tmp_path: Path) -> None:
    hard = write_hard_corpus(tmp_path / "hard", 400)
    bucket.put_object(Bucket="logs", Key="hard/", Body=b"")
    for path in hard.rglob("*"):
        if path.is_file():
            bucket.upload_file(str(path), "logs", f"hard/{path.relative_to(hard)}")
    settings = replace(HARD, item_bytes=65_536, processes=2, unfinished_seconds=0)
    local = told(tmp_path / "local", [hard], settings)
    stored = told_by_url(tmp_path / "stored", "s3://logs/hard", settings)
    check_same(placed(local, str(hard)), placed(stored, "s3://logs/hard"))
    again = read(tmp_path / "stored", "s3://logs/hard", settings)
    assert again.files_read == 0
    held = b"".join(path.read_bytes() for path in (tmp_path / "stored").rglob("*") if path.is_file())
    assert SECRET.encode() not in held
