"""The Spark engine: the work items of the local engine, parsed by the executors of a cluster.

The driver walks the input, cuts it and loads, as the local engine does. Items are laid into a staging folder that
executors can reach (``<warehouse>/staging`` unless told otherwise; see ``staging``), each task reads its item and
writes the facts as Parquet beside it. A task that is tried again, or twice at the same time, gives the same facts
under the same name, so nothing doubles.

The master may be a server of Spark Connect (``sc://host:15002``): then this side needs no Java, and what executors
need (this package, at this version) is installed there. pyspark is imported here and nowhere else.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from pipeline import __version__
from pipeline.engines.items import run_item
from pipeline.engines.local import InputOptions, Summary, ingest_with
from pipeline.engines.parts import Parsed, Part, spooled_bytes
from pipeline.engines.processes import REUSED
from pipeline.engines.staging import Staging, new_staging, staging_at
from pipeline.errors import DependencyError, PeerscopeError, UsageError
from pipeline.grammar import grammar_version, load_ruleset
from pipeline.redact import redact
from pipeline.settings import Settings
from pipeline.warehouse.writer import Warehouse

ATTEMPTS = 4
# A task costs Spark some 80 ms: a few for each core keep all busy to the end, more only cost.
TASKS_PER_CORE = 4
# Jobs at a time: the second takes the cores that the last tasks of the first leave free.
JOBS = 2
CONNECT_PORT = 15002
CONNECT_SECONDS = 10.0
_RAISED = re.compile(r"(?:[\w.]+\.)?\w*(?:Error|Exception|Interrupt): .")
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
    staging = new_staging(settings.spark_staging or str(warehouse.directory / "staging"))
    try:
        session = start_session(master, conf or {})
        try:
            tasks = SparkTasks(session, staging, settings)
            return ingest_with(warehouse, paths, options, settings, tasks, "spark", progress)
        finally:
            session.stop()
    finally:
        staging.remove()


def start_session(master: str | None, conf: Mapping[str, str]) -> Any:
    """A Spark session; ``local`` masters get retries, which Spark otherwise gives to clusters only.

    Raises:
        DependencyError: pyspark or Java is not there; the message says how to get it.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as exc:
        raise DependencyError("the spark engine needs pyspark: pip install 'peerscope[spark]'") from exc
    if is_connect(master):
        return _connected(SparkSession, str(master), conf)
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
        **{f"spark.executorEnv.{name}": value for name, value in REUSED.items()},
        "spark.executorEnv.PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        **conf,
    }
    for name, value in given.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def is_connect(master: str | None) -> bool:
    """Whether a master is a server of Spark Connect."""
    return (master or "").startswith("sc://")


def _connected(kind: Any, master: str, conf: Mapping[str, str]) -> Any:
    """A session of a Spark Connect server; its settings are the server's, ``conf`` holds what a session may set.

    Raises:
        DependencyError: a package is missing.
        UsageError: nobody answers there.
    """
    where = urlsplit(master)
    name = f"sc://{where.hostname}:{where.port or CONNECT_PORT}"  # a token may stand behind it
    try:
        # pyspark itself tries again for many minutes
        socket.create_connection((where.hostname or "", where.port or CONNECT_PORT), CONNECT_SECONDS).close()
    except OSError as exc:
        raise UsageError(f"{name}: no Spark Connect server answers: {exc}") from exc
    try:
        builder = kind.builder.remote(master)
        for key, value in conf.items():
            builder = builder.config(key, value)
        return builder.getOrCreate()
    except ImportError as exc:
        raise DependencyError("sc:// needs more of pyspark: pip install 'peerscope[spark]'") from exc


def cores_of(session: Any) -> int:
    """How many tasks the executors take at a time; a Connect server does not tell, so its ranges are counted."""
    if type(session).__module__.startswith("pyspark.sql.connect"):
        from pyspark.sql.functions import spark_partition_id

        return int(session.range(0, 1 << 12).select(spark_partition_id().alias("part")).distinct().count())
    return int(session.sparkContext.defaultParallelism)


class SparkTasks:
    """Takes items like the local processes do; they are parsed in jobs of some tasks for each core.

    A job runs while the driver lays down the items of the next one and loads the facts of the one before.
    """

    first_bytes = sys.maxsize  # facts wait on the disk, and a task costs more than the rest of a small item

    def __init__(self, session: Any, staging: Staging, settings: Settings) -> None:
        self._session = session
        self._staging = staging
        self._items = self._begun = 0
        self._jobs: list[Future[None]] = []
        self._job_of: list[int] = []
        self._threads = ThreadPoolExecutor(JOBS, thread_name_prefix="peerscope-spark")
        self.count = max(cores_of(session) * TASKS_PER_CORE, 1)
        staging.put("settings", pickle.dumps((_edition(), settings)))

    def submit(self, parts: Sequence[Part], size: int) -> Future[Parsed]:
        """Lay an item into the staging folder; spooled bytes go with it."""
        del size
        carried = [_carrying(part) for part in parts]
        for path in {part.spool for part in parts if part.spool is not None}:
            os.truncate(path, 0)  # many items wait: memory is not for so many
        self._staging.put(f"{self._items}.item", pickle.dumps(carried, protocol=5))
        answer = _Answer(self, self._items)
        self._items += 1
        if self._items - self._begun == self.count:
            self._begin()
        return answer

    def close(self) -> None:
        """Jobs that did not begin are given up; the session is its caller's."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def parsed(self, number: int) -> Parsed:
        """The facts of an item, once its job is done."""
        if number >= self._begun:
            self._begin()
        self._jobs[self._job_of[number]].result()
        return self._staging.read(str(number))

    def _begin(self) -> None:
        """Have the items parsed that no job has yet."""
        first, self._begun = self._begun, self._items
        self._job_of += [len(self._jobs)] * (self._items - first)
        self._jobs.append(self._threads.submit(self._run, first, self._items))

    def _run(self, first: int, last: int) -> None:
        numbers = self._session.range(first, last, 1, last - first)
        written = numbers.mapInArrow(partial(parse_items, self._staging.place), "item long, lines long")
        try:
            written.agg({"lines": "sum"}).collect()
        except Exception as exc:
            raise PeerscopeError(f"Spark gave up; nothing was written: {_cause(exc)}") from exc


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
    return part if part.spool is None else replace(part, data=spooled_bytes(part), spool=None)


def _edition() -> str:
    return f"{__version__} with rules {grammar_version()}"


def _cause(error: Exception) -> str:
    """The line of a Python worker's traceback that says what happened, and what to do where that is known."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if _RAISED.match(line)), lines[0] if lines else type(error).__name__)
    if "No module named 'pipeline" in said:
        return f"{said}; install peerscope where the executors run, at the version of this side"
    return redact(said)[:500]


def parse_items(staging: str, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """On an executor: parse the items whose numbers come in, and say how many lines each had."""
    place = staging_at(staging)
    edition, settings = pickle.loads(place.get("settings"))  # noqa: S301 - written by this program's driver
    if edition != _edition():
        raise PeerscopeError(f"executors have peerscope {_edition()}, the driver has {edition}: install the same")
    for batch in batches:
        numbers = batch.column(0).to_pylist()
        lines = [_parse_one(place, number, settings) for number in numbers]
        yield pa.RecordBatch.from_pydict({"item": pa.array(numbers, pa.int64()), "lines": pa.array(lines, pa.int64())})


def _parse_one(place: Staging, number: int, settings: Settings) -> int:
    parts = pickle.loads(place.get(f"{number}.item"))  # noqa: S301 - written by this program's driver
    parsed = run_item(parts, load_ruleset(), settings)
    place.write(parsed, str(number))
    return int(parsed.frames["tally"]["lines_read"].sum())
