"""The Spark engine on local[2]: the first load of a session and the second, which finds it warm."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.engines import spark
from pipeline.engines.local import InputOptions, ingest, ingest_with
from pipeline.engines.staging import new_staging
from pipeline.settings import Settings
from pipeline.warehouse.writer import Warehouse


@contextmanager
def new_warehouse() -> Iterator[tuple[str, Warehouse]]:
    """A new warehouse, as the command line opens one, and the folder around it."""
    memory = Settings().database_memory
    with tempfile.TemporaryDirectory() as folder, Warehouse.open(f"{folder}/warehouse", memory_limit=memory) as opened:
        yield folder, opened


def time_spark(paths: list[Path], size: int) -> None:
    """Print MB/s of ingest alone for both loads."""
    session = spark.start_session("local[2]", {})
    try:
        names = [str(path) for path in paths]
        for name in ("first", "warm"):
            with new_warehouse() as (folder, warehouse):
                start = time.perf_counter()
                tasks = spark.SparkTasks(session, new_staging(folder), Settings())
                ingest_with(warehouse, names, InputOptions(cluster="bench"), Settings(), tasks, "spark")
                took = time.perf_counter() - start
            print(f"spark local[2], {name}: ingest {took:.2f} s, {size / took / 1e6:.1f} MB/s")
        with new_warehouse() as (_, warehouse):
            start = time.perf_counter()
            ingest(warehouse, names, InputOptions(cluster="bench"), Settings())
            alone = time.perf_counter() - start
        print(f"local engine: ingest {alone:.2f} s; spark, warm / local: {alone / took:.2f}")
    finally:
        session.stop()
