"""A load is all or nothing, reads the same bytes once, and its counts add up."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import ReconcileError, WarehouseError
from pipeline.warehouse import buffers, examples
from pipeline.warehouse.ledger import SourceRow
from pipeline.warehouse.load import Load
from pipeline.warehouse.writer import Warehouse
from tests.warehouse.build import (
    CLUSTER,
    MD5,
    SCAN,
    UP,
    add_small_load,
    build,
    contents,
    counts_frame,
    record,
    records_frame,
    shapes_frame,
    source,
)


def test_rows_and_ledger_arrive_together(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path) as warehouse:
        with warehouse.load(cluster=CLUSTER, engine="local", ruleset_version="r1") as load:
            load.add_known(3)
            add_small_load(load)
        assert load.committed
        ledger = warehouse.frame("FROM loads").row(0, named=True)
        assert (ledger["load_id"], ledger["engine"], ledger["files_read"], ledger["files_known"]) == (1, "local", 2, 3)
        assert (ledger["lines_read"], ledger["lines_parsed"], ledger["lines_rejected"]) == (9, 8, 1)
        assert warehouse.frame("SELECT sum(events) AS n FROM event_counts")["n"].item() == 8
        assert warehouse.known_content_ids() == {"content of node1/bird.log", "content of rr1/bird.log"}
        assert set(warehouse.frame("SELECT DISTINCT load_id FROM records")["load_id"]) == {1}


def test_text_columns_become_typed_ones(tmp_path: Path) -> None:
    with Warehouse.open(build(tmp_path)) as warehouse:
        row = warehouse.frame(
            "SELECT params['state'] AS state, ts, source_path FROM log_events WHERE peer = '10.0.0.9'"
        ).row(0, named=True)
        assert row["state"] == "up"
        assert str(row["ts"]) == "2024-05-01 12:00:00+00:00"
        assert row["source_path"] == "node1/bird.log"
        peers = warehouse.frame("SELECT peers FROM log_events WHERE category = 'md5_kernel_setup_failed'")
        assert peers["peers"].to_list() == [["10.0.0.1", "10.0.0.2"]]


def test_an_exception_leaves_everything_as_it_was(tmp_path: Path) -> None:
    before = contents(build(tmp_path))
    with (
        Warehouse.open(tmp_path) as warehouse,
        pytest.raises(RuntimeError, match="disk on fire"),
        warehouse.load(cluster=CLUSTER, engine="local") as load,
    ):
        load.add_source(source("new.log", 1))
        load.add_records(records_frame([record(0, UP)]), "new.log")
        Load._flush(load, "records", load._buffers["records"])
        raise RuntimeError("disk on fire")
    assert contents(tmp_path) == before


def test_a_killed_job_leaves_everything_as_it_was(tmp_path: Path) -> None:
    before = contents(build(tmp_path))
    script = textwrap.dedent(
        f"""
        import os, sys, time
        from pipeline.warehouse import buffers, examples
        from pipeline.warehouse.writer import Warehouse
        from tests.warehouse.build import *

        buffers.FLUSH_ROWS = 1
        warehouse = Warehouse.open({str(tmp_path)!r})
        with warehouse.load(cluster="prod", engine="local") as load:
            load.add_source(source("killed.log", 50_000))
            load.add_shapes(shapes_frame())
            load.add_records(records_frame([record(n, MD5) for n in range(50_000)]), "killed.log")
            load.add_counts(counts_frame([(0, "node1", MD5, 50_000)]))
            print("in the middle", flush=True)
            time.sleep(60)
        """
    )
    job = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])
    assert job.stdout is not None
    assert job.stdout.readline() == b"in the middle\n"
    job.send_signal(signal.SIGKILL)
    job.wait()
    job.stdout.close()
    assert contents(tmp_path) == before


def test_known_bytes_are_refused_under_any_name(tmp_path: Path) -> None:
    with Warehouse.open(build(tmp_path)) as warehouse:
        known = source("node1/bird.log", 1)
        with pytest.raises(WarehouseError, match="same bytes"), warehouse.load(cluster=CLUSTER, engine="local") as load:
            load.add_source(known)
        with pytest.raises(WarehouseError, match="same bytes"), warehouse.load(cluster=CLUSTER, engine="local") as load:
            load.add_source(source("twice", 1))
            load.add_source(source("twice", 1))


def test_a_load_without_sources_writes_nothing(tmp_path: Path) -> None:
    before = contents(build(tmp_path))
    with Warehouse.open(tmp_path) as warehouse, warehouse.load(cluster=CLUSTER, engine="local") as load:
        load.add_known(2)
    assert not load.committed
    assert contents(tmp_path) == before


@pytest.mark.parametrize("counted", [9, 11])
def test_counts_that_do_not_add_up_are_rolled_back(tmp_path: Path, counted: int) -> None:
    before = contents(build(tmp_path))
    with (
        Warehouse.open(tmp_path) as warehouse,
        pytest.raises(ReconcileError, match=rf"10 parsed \+ 0 unparsed lines, but {counted} were counted"),
        warehouse.load(cluster=CLUSTER, engine="local") as load,
    ):
        load.add_source(source("new.log", 10))
        load.add_counts(counts_frame([(0, "node1", UP, counted)]))
    assert contents(tmp_path) == before


def test_a_source_whose_counts_do_not_add_up_is_refused(tmp_path: Path) -> None:
    with (
        Warehouse.open(tmp_path) as warehouse,
        pytest.raises(ReconcileError, match=r"x\.log: 5 lines read"),
        warehouse.load(cluster=CLUSTER, engine="local") as load,
    ):
        load.add_source(SourceRow("x.log", "c", "log", 10, 5, 3, 1, 0))


def test_counts_of_a_shape_nobody_named_are_refused(tmp_path: Path) -> None:
    with (
        Warehouse.open(tmp_path) as warehouse,
        pytest.raises(ReconcileError, match="shapes that were not added"),
        warehouse.load(cluster=CLUSTER, engine="local") as load,
    ):
        load.add_source(source("new.log", 1))
        load.add_counts(counts_frame([(0, "node1", ("bird", None, "never added"), 1)]))


def test_rows_without_a_source_are_refused(tmp_path: Path) -> None:
    with (
        Warehouse.open(tmp_path) as warehouse,
        pytest.raises(ReconcileError, match="no source"),
        warehouse.load(cluster=CLUSTER, engine="local") as load,
    ):
        load.add_counts(counts_frame([(0, "node1", UP, 1)]))


def test_continuation_and_blank_lines_need_no_shape(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path) as warehouse:
        with warehouse.load(cluster=CLUSTER, engine="local") as load:
            load.add_source(source("new.log", 3))
            load.add_counts(
                counts_frame(
                    [
                        (0, "n", ("bird", None, "(blank line)"), 1),
                        (0, "n", ("bird", None, "(continuation of the record before)"), 2),
                    ]
                )
            )
        counted = warehouse.frame("SELECT category, sum(events) AS n FROM event_counts GROUP BY category")
        assert counted.rows() == [("benign", 3)]


@pytest.mark.parametrize("waiting", [0, 50_000])
@pytest.mark.parametrize("flush_rows", [1, 250_000])
def test_only_the_first_examples_of_a_benign_shape_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush_rows: int, waiting: int
) -> None:
    for module in (buffers, examples):
        monkeypatch.setattr(module, "FLUSH_ROWS", flush_rows)
    monkeypatch.setattr(examples, "MORE", waiting)

    def kept(warehouse: Warehouse) -> list[tuple[str, int]]:
        query = "SELECT source_path, byte_offset FROM log_events WHERE category = 'benign' ORDER BY ALL"
        return [(path, offset) for path, offset in warehouse.frame(query).rows()]

    with Warehouse.open(tmp_path) as warehouse:
        for name in ("b", "a"):
            with warehouse.load(cluster=CLUSTER, engine="local", examples=3) as load:
                load.add_source(source(name, 12))
                load.add_shapes(shapes_frame())
                load.add_counts(counts_frame([(0, "node1", SCAN, 10), (0, "node1", MD5, 2)]))
                rows = [record(offset, SCAN) for offset in (9, 5, 7, 1, 3)]
                load.add_records(records_frame(rows[:3]), name)
                load.add_records(records_frame([*rows[3:], record(20, MD5), record(21, SCAN, level="warning")]), name)
            if name == "b":
                assert kept(warehouse) == [("b", 1), ("b", 3), ("b", 5), ("b", 21)]
        assert kept(warehouse) == [("a", 21), ("b", 1), ("b", 3), ("b", 5), ("b", 21)]
        assert warehouse.frame("SELECT count(*) AS n FROM log_events WHERE severity = 'error'")["n"].item() == 2


def test_examples_do_not_depend_on_the_order_of_work(tmp_path: Path) -> None:
    rows = [record(offset, SCAN) for offset in range(6)]
    found = []
    for number, order in enumerate([rows, rows[::-1]]):
        with Warehouse.open(tmp_path / str(number)) as warehouse:
            with warehouse.load(cluster=CLUSTER, engine="local", examples=2) as load:
                load.add_source(source("x", 6))
                shapes = shapes_frame()
                for example in ("z", "a") if number else ("a", "z"):
                    load.add_shapes(shapes.with_columns(example=pl.lit(example)))
                load.add_counts(counts_frame([(0, "n", SCAN, 6)]))
                for row in order:
                    load.add_records(records_frame([row]), "x")
            found.append(
                (warehouse.frame("SELECT byte_offset FROM records ORDER BY 1").rows(), warehouse.shapes().rows())
            )
    assert found[0] == found[1]
    assert found[0][0] == [(0,), (1,)]


def test_a_value_outside_a_vocabulary_names_the_table(tmp_path: Path) -> None:
    with (
        Warehouse.open(tmp_path) as warehouse,
        pytest.raises(WarehouseError, match=r"table records: rows do not fit: .*dreadful"),
        warehouse.load(cluster=CLUSTER, engine="local") as load,
    ):
        load.add_source(source("x", 1))
        load.add_records(records_frame([record(0, UP, severity="dreadful")]), "x")


def test_an_unknown_column_is_refused(tmp_path: Path) -> None:
    with (
        Warehouse.open(tmp_path) as warehouse,
        pytest.raises(WarehouseError, match="no column 'colour'"),
        warehouse.load(cluster=CLUSTER, engine="local") as load,
    ):
        load.add_source(source("x", 1))
        load.add_node_facts(pl.DataFrame({"fact": ["a"], "colour": ["red"]}), "x")


def test_records_of_a_load_are_sorted_for_reading(tmp_path: Path) -> None:
    with Warehouse.open(build(tmp_path)) as warehouse:
        rows = warehouse.frame("SELECT category, ts FROM records ORDER BY rowid").rows()
        assert rows == sorted(rows)


_MANY_FRAMES = """
import sys
import polars as pl
from pathlib import Path
from pipeline.warehouse.examples import Examples

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

number = pl.int_range(50_000, eager=True)
columns = {name: number for name in ("ts", "shape_id", "byte_offset", "byte_length")}
records = pl.DataFrame(columns).with_columns(
    category=pl.when(pl.col("ts") == 7).then(pl.lit("benign")).otherwise(pl.lit("routing")), level=pl.lit("info")
)
examples = Examples(3)
for _ in range(20):
    examples.split(records)
before = resident()
for _ in range(200):
    examples.split(records)
print((resident() - before) >> 20)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs a system that tells what is resident")
def test_examples_do_not_keep_the_records_around_them_in_memory() -> None:
    told = subprocess.run([sys.executable, "-c", _MANY_FRAMES], capture_output=True, text=True, check=True)
    assert int(told.stdout) < 100  # megabytes; the records are 320
