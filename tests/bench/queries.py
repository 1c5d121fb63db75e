"""The saved questions over many events: a small published warehouse whose events are repeated in time."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import duckdb

from pipeline import steps
from pipeline.engines.local import InputOptions, ingest
from pipeline.settings import Settings
from pipeline.warehouse.library import load_library
from pipeline.warehouse.writer import Warehouse
from tests.bench.corpus import write_corpus

_REPEATS = 5
_SEED_BYTES = 20_000_000
_COPIES = 20


def time_queries(events: int) -> None:
    """Print the median time of each question over ``events`` rows of log_events, and the median and worst of all."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_corpus(Path(folder, "corpus"), _SEED_BYTES, files=4, mix="storm")
        with Warehouse.open(Path(folder, "warehouse")) as warehouse:
            ingest(warehouse, [str(path) for path in paths], InputOptions(cluster="bench"), Settings())
            steps.mine(warehouse, Settings())
            published = steps.publish(warehouse, Settings())
        con = duckdb.connect(str(Path(folder, "many.duckdb")))
        con.execute("SET enable_progress_bar = false")
        con.execute(f"ATTACH '{published}' AS seed (READ_ONLY); COPY FROM DATABASE seed TO many")
        _repeat(con, events)
        medians = {}
        for entry in load_library().values():
            sql, values = entry.bind({})
            times = []
            for _ in range(_REPEATS):
                start = time.perf_counter()
                con.execute(sql, values).fetchall()
                times.append(time.perf_counter() - start)
            medians[entry.name] = statistics.median(times)
        for name, took in sorted(medians.items(), key=lambda item: -item[1]):
            print(f"{took * 1000:8.1f} ms  {name}")
        print(f"median {statistics.median(medians.values()):.3f} s, worst {max(medians.values()):.3f} s")


def _repeat(con: duckdb.DuckDBPyConnection, events: int) -> None:
    """Copies of the events and counts, each an hour later than the one before, in the published order."""
    have = con.sql("SELECT count(*) FROM log_events").fetchall()[0][0]
    copies = max(events // have, 1)
    for table, stamp in (("log_events", "ts"), ("event_counts", "minute")):
        con.execute(f"CREATE TABLE more AS FROM {table} LIMIT 0")
        for (category,) in con.sql(f"SELECT DISTINCT category FROM {table} ORDER BY 1").fetchall():
            # a part of the copies at a time: maps and lists are not sorted on disk
            for first in range(0, copies, _COPIES):
                con.execute(
                    f"INSERT INTO more SELECT e.* REPLACE (e.{stamp} + to_hours(n.n) AS {stamp}) FROM {table} AS e, "
                    "(SELECT unnest(range($first, $last)) AS n) AS n WHERE category = $category "
                    f"ORDER BY n.n, e.{stamp}",
                    {"first": first, "last": min(first + _COPIES, copies), "category": category},
                )
        con.execute(f"DROP TABLE {table}; ALTER TABLE more RENAME TO {table}")
    print(f"{have * copies:,} events")
