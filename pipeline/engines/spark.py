"""The Spark engine: the work items of the local engine, parsed by the executors of a cluster.

The driver walks the input, cuts it and loads, as the local engine does. Items are laid into a staging folder that
executors can reach (``<warehouse>/staging`` unless told otherwise), each task reads its item, writes the facts as
Parquet beside it under a name of its own and renames that folder into place. A task that is tried again, or twice at
the same time, gives the same facts under the same name: the first rename stands, so nothing doubles.

pyspark is imported here and nowhere else.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from pipeline.engines.items import Parsed, Part, run_item
from pipeline.engines.local import InputOptions, Summary, ingest_with
from pipeline.errors import DependencyError
from pipeline.grammar import load_ruleset
from pipeline.settings import Settings
from pipeline.sources.identify import Identity
from pipeline.warehouse.writer import Warehouse

ATTEMPTS = 4
# A task costs Spark some 80 ms: a few for each core keep all busy to the end, more only cost.
TASKS_PER_CORE = 4
_LOCAL = re.compile(r"^local(?:\[(?P<cores>\d+|\*)\])?$")


def ingest(
    warehouse: Warehouse,
    paths: Sequence[str],
    options: InputOptions,
    settings: Settings,
    *,
    master: str | None = None,
    conf: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Summary:
    """As ``local.ingest``, with the parsing done by Spark; plain files must be readable by the executors.

    Raises:
        DependencyError: pyspark or Java is not there.
        MissingInputError: nothing could be read at all.
    """
    folder = Path(settings.spark_staging or warehouse.directory / "staging")
    folder.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix="load-", dir=folder)).absolute()
    session = start_session(master, conf or {})
    try:
        tasks = SparkTasks(session, staging, settings)
        return ingest_with(warehouse, paths, options, settings, tasks, "spark", progress)
    finally:
        session.stop()
        shutil.rmtree(staging, ignore_errors=True)


def start_session(master: str | None, conf: Mapping[str, str]) -> Any:
    """A Spark session; ``local`` masters get retries, which Spark otherwise gives to clusters only.

    Raises:
        DependencyError: pyspark or Java is not there; the message says how to get it.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as exc:
        raise DependencyError("the spark engine needs pyspark: pip install 'peerscope[spark]'") from exc
    home = os.environ.get("JAVA_HOME")
    if not (home and Path(home, "bin", "java").exists()) and shutil.which("java") is None:
        raise DependencyError(
            "the spark engine needs Java 17 or 21: apt install openjdk-17-jre-headless, or set JAVA_HOME"
        )
    local = _LOCAL.match(master or "local[*]")
    where = f"local[{local['cores'] or '*'},{ATTEMPTS}]" if local else str(master)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(where).appName("peerscope")
    given = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.executorEnv.POLARS_MAX_THREADS": "1",
        "spark.executorEnv.PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        **conf,
    }
    for name, value in given.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


class SparkTasks:
    """Takes items like the local processes do; all are parsed in one job when the first answer is asked for."""

    # every item is handed out before the first answer is needed
    count = 1 << 40

    def __init__(self, session: Any, staging: Path, settings: Settings) -> None:
        self._session = session
        self._staging = staging
        self._items = 0
        self._done = 0
        (staging / "settings").write_bytes(pickle.dumps(settings))

    def submit(self, parts: Sequence[Part], size: int) -> Future[Parsed]:
        """Lay an item into the staging folder; spooled bytes go with it."""
        del size
        carried = [_carrying(part) for part in parts]
        (self._staging / f"{self._items}.item").write_bytes(pickle.dumps(carried, protocol=5))
        answer = _Answer(self, self._items)
        self._items += 1
        return answer

    def close(self) -> None:
        """Nothing is left running: the session is its caller's."""

    def parsed(self, number: int) -> Parsed:
        """The facts of an item; runs the job over the items that have none yet."""
        if number >= self._done:
            self._run(self._done, self._items)
            self._done = self._items
        return read_facts(self._staging / str(number))

    def _run(self, first: int, last: int) -> None:
        cores = self._session.sparkContext.defaultParallelism
        slices = max(min(last - first, cores * TASKS_PER_CORE), 1)
        numbers = self._session.range(first, last, 1, slices)
        written = numbers.mapInArrow(partial(parse_items, str(self._staging)), "item long, lines long")
        written.agg({"lines": "sum"}).collect()


class _Answer(Future[Parsed]):
    def __init__(self, tasks: SparkTasks, number: int) -> None:
        super().__init__()
        self._tasks, self._number = tasks, number

    def result(self, timeout: float | None = None) -> Parsed:
        """The facts, read from disk each time: the driver never holds those of all items."""
        del timeout  # the job has its own limits
        return self._tasks.parsed(self._number)


def _carrying(part: Part) -> Part:
    """A spool file lies on the driver: its bytes travel in the item."""
    if part.spool is None:
        return part
    spool = Path(part.spool)
    carried = replace(part, data=spool.read_bytes(), spool=None)
    spool.unlink()
    return carried


def parse_items(staging: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """On an executor: parse the items whose numbers come in, and say how many lines each had."""
    folder = Path(staging)
    settings = pickle.loads((folder / "settings").read_bytes())  # noqa: S301 - written by this program's driver
    for batch in batches:
        numbers = batch.column(0).to_pylist()
        lines = [_parse_one(folder, number, settings) for number in numbers]
        yield pa.RecordBatch.from_pydict({"item": pa.array(numbers, pa.int64()), "lines": pa.array(lines, pa.int64())})


def _parse_one(folder: Path, number: int, settings: Settings) -> int:
    parts = pickle.loads((folder / f"{number}.item").read_bytes())  # noqa: S301 - written by this program's driver
    parsed = run_item(parts, load_ruleset(), settings)
    write_facts(parsed, folder / str(number))
    return int(parsed.frames["tally"]["lines_read"].sum())


def write_facts(parsed: Parsed, target: Path) -> None:
    """Facts as a folder of Parquet files that appears whole or not at all."""
    draft = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    draft.mkdir()
    for name, frame in parsed.frames.items():
        frame.write_parquet(draft / f"{name}.parquet", compression="zstd", compression_level=1)
    told = {str(src): asdict(identity) for src, identity in parsed.identities.items()}
    (draft / "identities.json").write_text(json.dumps(told), encoding="utf-8")
    try:
        draft.rename(target)
    except OSError:
        # another attempt was first: its facts are these
        shutil.rmtree(draft)
        if not target.is_dir():
            raise


def read_facts(folder: Path) -> Parsed:
    """What ``write_facts`` wrote."""
    told = json.loads((folder / "identities.json").read_text(encoding="utf-8"))
    identities = {int(src): Identity(**{**one, "chain": tuple(one["chain"])}) for src, one in told.items()}
    return Parsed({path.stem: pl.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}, identities)
