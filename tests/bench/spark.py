"""The Spark engine on local[2]: the first load of a session and the second, which finds it warm."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from pipeline.engines import spark
from pipeline.engines.local import InputOptions, ingest_with
from pipeline.engines.staging import new_staging
from pipeline.settings import Settings
from pipeline.warehouse.writer import Warehouse


def time_spark(paths: list[Path], size: int) -> None:
    """Print MB/s of ingest alone for both loads."""
    session = spark.start_session("local[2]", {})
    try:
        for name in ("first", "warm"):
            with tempfile.TemporaryDirectory() as folder, Warehouse.open(Path(folder, "warehouse")) as warehouse:
                start = time.perf_counter()
                tasks = spark.SparkTasks(session, new_staging(folder), Settings())
                names = [str(path) for path in paths]
                ingest_with(warehouse, names, InputOptions(cluster="bench"), Settings(), tasks, "spark")
                took = time.perf_counter() - start
            print(f"spark local[2], {name}: ingest {took:.2f} s, {size / took / 1e6:.1f} MB/s")
    finally:
        session.stop()
