"""The Spark engine gives what the local one gives, also when its Python workers are killed."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from pipeline import steps
from pipeline.engines import spark
from pipeline.engines.local import InputOptions, ingest_with
from pipeline.engines.parts import Parsed
from pipeline.engines.staging import LocalStaging
from pipeline.errors import DependencyError
from pipeline.settings import Settings
from pipeline.warehouse.writer import Warehouse
from tests.engines.corpus import write_hard_corpus
from tests.engines.test_chunks import HARD, QUESTIONS, SAMPLES, check_same, told

CHOSEN = replace(HARD, item_bytes=100_000, processes=1)


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    pytest.importorskip("pyspark", reason="no pyspark here: pip install 'peerscope[spark]'")
    if shutil.which("java") is None:
        pytest.skip("no Java here: apt install openjdk-17-jre-headless")
    running = spark.start_session("local[2]", {})
    yield running
    running.stop()


def killed_once(staging: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """As ``parse_items``; the first worker that comes here parses, writes, and dies before it can say so."""
    marker = Path(staging, "killed")
    first = not marker.exists()
    marker.touch()
    for answer in spark.parse_items(staging, batches):
        if first:
            os.kill(os.getpid(), signal.SIGKILL)
        yield answer


class KilledTasks(spark.SparkTasks):
    """Tasks of which one loses its Python worker."""

    def _run(self, first: int, last: int) -> None:
        numbers = self._session.range(first, last, 1, 4)
        numbers.mapInArrow(partial(killed_once, self._staging.place), "item long, lines long").collect()
        assert Path(self._staging.place, "killed").exists()


def told_by_spark(
    folder: Path, paths: list[Path], chosen: Settings, session: Any, tasks: type[spark.SparkTasks]
) -> dict[str, list[tuple[Any, ...]]]:
    staging = folder / "staging"
    staging.mkdir(parents=True)
    with Warehouse.open(folder / "warehouse") as warehouse:
        names = [str(path) for path in paths]
        parsers = tasks(session, LocalStaging(staging), chosen)
        ingest_with(warehouse, names, InputOptions(cluster="c"), chosen, parsers, "spark")
        steps.mine(warehouse, chosen)
        return {name: warehouse.connection.sql(query).fetchall() for name, query in QUESTIONS.items()}


@pytest.mark.spark
@pytest.mark.parametrize("tasks", [spark.SparkTasks, KilledTasks])
def test_spark_tells_what_the_local_engine_tells(tasks: type[spark.SparkTasks], session: Any, tmp_path: Path) -> None:
    paths = [write_hard_corpus(tmp_path / "hard", 200), SAMPLES / "router-id-conflict" / "collected.tar.gz"]
    check_same(told(tmp_path / "local", paths, CHOSEN), told_by_spark(tmp_path, paths, CHOSEN, session, tasks))


def test_facts_written_twice_stand_once(tmp_path: Path) -> None:
    parsed = Parsed({"tally": pl.DataFrame({"lines_read": [3]})}, {})
    staging = LocalStaging(tmp_path)
    staging.write(parsed, "0")
    staging.write(parsed, "0")
    assert [path.name for path in tmp_path.iterdir()] == ["0"]
    assert staging.read("0").frames["tally"].equals(parsed.frames["tally"])


def test_without_java_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark", reason="no pyspark here: pip install 'peerscope[spark]'")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(DependencyError, match="apt install openjdk-17"):
        spark.start_session(None, {})


def test_without_pyspark_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyspark.sql", None)
    with pytest.raises(DependencyError, match=r"peerscope\[spark\]"):
        spark.start_session(None, {})
