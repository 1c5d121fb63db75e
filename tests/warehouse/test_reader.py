"""The sandbox: one read-only statement, no files, no settings, bounded time, rows and bytes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipeline.errors import NotPublishedError, QueryError, WarehouseError
from pipeline.warehouse import reader as reader_module
from pipeline.warehouse.reader import Snapshot, open_file, open_snapshot
from pipeline.warehouse.snapshots import current_snapshot
from tests.warehouse.build import HOSTILE, build
from tests.warehouse.test_lock import held_by_another

HARMLESS = [
    "SELECT 1",
    "WITH a AS (SELECT 1 AS x) SELECT * FROM a",
    "FROM nodes",
    "DESCRIBE nodes",
    "DESCRIBE SELECT 1",
    "SHOW TABLES",
    "EXPLAIN SELECT * FROM nodes",
    "EXPLAIN ANALYZE SELECT * FROM nodes",
    "SUMMARIZE nodes",
    "PIVOT nodes ON is_reflector USING count(*)",
    "VALUES (1)",
    "-- a comment first\nSELECT 1;\n-- and last\n",
]
FORBIDDEN = [
    "COPY nodes TO '/tmp/peerscope-out.csv'",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY nodes FROM '/etc/passwd'",
    "ATTACH '/tmp/other.duckdb'",
    "DETACH peerscope",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "SET GLOBAL lock_configuration = false",
    "RESET enable_external_access",
    "PRAGMA enable_profiling",
    "PRAGMA database_list",
    "CALL pragma_version()",
    "INSERT INTO nodes (node) VALUES ('x')",
    "UPDATE nodes SET node = 'x'",
    "DELETE FROM nodes",
    "DROP TABLE nodes",
    "ALTER TABLE nodes ADD COLUMN x INTEGER",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "TRUNCATE nodes",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "EXPORT DATABASE '/tmp/peerscope-export'",
    "IMPORT DATABASE '/tmp/peerscope-export'",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "USE temp",
    "SET VARIABLE x = 1",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE nodes",
    "",
    "   -- nothing\n",
]
# Statements that look like a query; the connection itself refuses them.
REFUSED_INSIDE = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '/etc/hosts.csv'",
    "SELECT * FROM read_csv('https://example.org/x.csv')",
    "FROM query('COPY nodes TO ''/tmp/peerscope-out.csv''')",
    "WITH x AS (INSERT INTO nodes (node) VALUES ('x') RETURNING *) SELECT * FROM x",
    "EXPLAIN ANALYZE INSERT INTO nodes (node) VALUES ('x')",
    "EXPLAIN ANALYZE COPY nodes TO '/tmp/peerscope-out.csv'",
    "SELECT getenv('HOME')",
    "SELECT * FROM duckdb_secrets()",
    "SELECT nextval('x')",
]


@pytest.mark.parametrize("sql", HARMLESS)
def test_queries_run(snapshot: Snapshot, sql: str) -> None:
    assert snapshot.query(sql).frame.height > 0


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_other_statements_are_refused(snapshot: Snapshot, sql: str) -> None:
    with pytest.raises(QueryError, match=r"not allowed|one statement expected|Parser Error"):
        snapshot.query(sql)


@pytest.mark.parametrize("sql", REFUSED_INSIDE)
def test_what_hides_in_a_query_is_refused(snapshot: Snapshot, sql: str) -> None:
    with pytest.raises(QueryError):
        snapshot.query(sql)
    assert not Path("/tmp/peerscope-out.csv").exists()
    assert snapshot.frame("SELECT count(*) AS n FROM nodes")["n"].item() == 3


def test_variables_of_the_program_are_out_of_reach(snapshot: Snapshot) -> None:
    secret = pl.DataFrame({"password": ["x"]})
    with pytest.raises(QueryError, match="secret"):
        snapshot.query("SELECT * FROM secret")
    assert secret.height == 1


def test_a_temporary_table_does_not_outlive_its_query(snapshot: Snapshot) -> None:
    snapshot.query("EXPLAIN ANALYZE CREATE TEMP TABLE left_behind AS SELECT 1")
    with pytest.raises(QueryError, match="left_behind"):
        snapshot.query("FROM left_behind")


def test_a_long_query_is_interrupted_and_the_next_one_runs(snapshot: Snapshot) -> None:
    started = time.monotonic()
    with pytest.raises(QueryError, match=r"interrupted after 0.3 s.*sql_seconds"):
        snapshot.query(
            "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range % 7 = b.range", timeout_s=0.3
        )
    assert time.monotonic() - started < 5
    assert snapshot.query("SELECT 1 AS one").frame.item() == 1


def test_a_query_that_trickles_is_interrupted_too(snapshot: Snapshot) -> None:
    sql = "SELECT a.range FROM range(10000000) a, range(10000000) b WHERE hash(a.range, b.range) % 100000000 = 1"
    with pytest.raises(QueryError, match="interrupted"):
        snapshot.query(sql, timeout_s=0.3)


def test_too_many_rows_are_cut_and_said(snapshot: Snapshot) -> None:
    result = snapshot.query("FROM range(10000)", max_rows=100)
    assert result.frame.height == 100
    assert result.truncated is not None
    assert "first 100 rows" in result.truncated
    assert snapshot.query("FROM range(100)", max_rows=100).truncated is None
    assert snapshot.query("FROM range(5)", max_rows=0).frame.height == 0


def test_too_many_bytes_are_cut_and_said(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "RESULT_BYTES", 1 << 20)
    result = snapshot.query("SELECT repeat('x', 1000) AS x FROM range(100000)")
    assert result.truncated is not None
    assert result.frame.height < 10_000
    with pytest.raises(QueryError, match="too large"):
        snapshot.frame("SELECT repeat('x', 1000) AS x FROM range(100000)")


def test_too_much_memory_is_refused_and_nothing_is_spilled(small: Path) -> None:
    with (
        open_file(current_snapshot(small), memory_limit="64MB") as snapshot,
        pytest.raises(QueryError, match="sql_memory"),
    ):
        snapshot.query("SELECT * FROM range(50000000) ORDER BY hash(range)")
    assert [path.suffix for path in current_snapshot(small).parent.iterdir()] == [".duckdb"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("selec 1", r"syntax error.*\(line 1, column 1\)"),
        ("SELECT\n  foo\nFROM nodes", r"foo.*\(line 2, column 3\)"),
        ("SELECT 1 FROM nope", r"nope.*\(line 1, column 15\)"),
        ("SELECT CAST('x' AS INTEGER)", "Conversion Error"),
    ],
)
def test_mistakes_are_shown_with_their_place(snapshot: Snapshot, sql: str, message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        snapshot.query(sql)
    assert "\n" not in str(caught.value)


def test_named_parameters(snapshot: Snapshot) -> None:
    sql = "SELECT node FROM nodes WHERE node = $node"
    assert snapshot.query(sql, {"node": "rr1"}).frame.rows() == [("rr1",)]
    assert snapshot.query(sql, {"node": "' OR 1 = 1 --"}).frame.rows() == []
    with pytest.raises(QueryError, match=r"\$node has no value.*-p node=VALUE"):
        snapshot.query(sql)
    with pytest.raises(QueryError, match=r"no parameter \$nodes; it has: node"):
        snapshot.query(sql, {"node": "a", "nodes": "b"})


def test_times_are_utc_whatever_the_machine_says(small: Path) -> None:
    script = (
        "from pipeline.warehouse.reader import open_snapshot\n"
        f"with open_snapshot({str(small)!r}) as first, open_snapshot({str(small)!r}) as second:\n"
        "    for s in (first, second):\n"
        '        print(s.query("SELECT min(ts) AS t, CAST(min(ts) AS VARCHAR) AS x, "\n'
        '                      "hour(min(ts)) AS h FROM log_events").frame.row(0))\n'
    )
    run = subprocess.run(
        [sys.executable, "-c", script], env={"TZ": "America/New_York", "PATH": "/usr/bin:/bin"}, check=True,
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    first, second = run.stdout.splitlines()
    assert first == second
    assert "'2024-05-01 12:00:00+00', 12)" in first


def test_columns_of_one_name_are_numbered(snapshot: Snapshot) -> None:
    assert snapshot.query("SELECT 1 AS a, 2 AS a, 3 AS a_2").columns == ["a", "a_2", "a_2_2"]


def test_everyday_types(snapshot: Snapshot) -> None:
    row = snapshot.query(
        "SELECT severity, CAST(5 AS HUGEINT) AS n, 1.5::DECIMAL(4, 2) AS d FROM log_events LIMIT 1"
    ).frame
    assert row.dtypes == [pl.String, pl.Int64, pl.Decimal(4, 2)]
    huge = snapshot.query("SELECT CAST(10 AS HUGEINT) ** 1, CAST('100000000000000000000' AS HUGEINT) AS n").frame
    assert int(huge["n"].item()) == 10**20


def test_text_comes_back_as_it_was(snapshot: Snapshot) -> None:
    assert snapshot.frame("SELECT message FROM log_events WHERE category = 'unclassified'").item() == HOSTILE


def test_many_threads_share_a_snapshot(snapshot: Snapshot) -> None:
    found: list[int] = []

    def ask(number: int) -> None:
        found.append(snapshot.query("SELECT CAST($n AS INTEGER) AS n", {"n": number}).frame.item())

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(20))


def test_nothing_published_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(NotPublishedError, match=r"nothing is published yet; `peerscope run PATH…`"):
        open_snapshot(tmp_path / "nowhere")


def test_a_snapshot_that_is_gone_names_the_command(tmp_path: Path) -> None:
    current_snapshot(build(tmp_path)).unlink()
    with pytest.raises(NotPublishedError, match="is gone; run `peerscope publish`"):
        open_snapshot(tmp_path)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = current_snapshot(build(tmp_path))
    path.unlink()
    path.write_bytes(b"x" * 10_000)
    with pytest.raises(WarehouseError, match=path.name):
        open_snapshot(tmp_path)


def test_a_client_that_opened_it_read_write_does_not_lock_readers_out(tmp_path: Path) -> None:
    path = current_snapshot(build(tmp_path))
    path.chmod(0o644)
    with held_by_another(tmp_path, f"import duckdb; c = duckdb.connect({str(path)!r})"):
        with pytest.raises(duckdb.IOException):
            duckdb.connect(str(path), read_only=True)
        with open_snapshot(tmp_path) as snapshot:
            assert snapshot.frame("SELECT count(*) AS n FROM nodes")["n"].item() == 3
            copy = Path(snapshot.frame("SELECT path FROM duckdb_databases() WHERE NOT internal").item(0, 0))
            assert copy != path
            assert copy.exists()
        assert not copy.parent.exists()


def test_other_limits_in_the_same_process_work(small: Path) -> None:
    with open_snapshot(small, memory_limit="200MB") as one, open_snapshot(small, memory_limit="300MB") as two:
        assert one.frame("FROM nodes").equals(two.frame("FROM nodes"))


def test_the_snapshot_stays_readable_when_it_is_removed(tmp_path: Path) -> None:
    with open_snapshot(build(tmp_path)) as snapshot:
        shutil.rmtree(tmp_path / "snapshots")
        assert snapshot.frame("SELECT count(*) AS n FROM nodes")["n"].item() == 3


def test_parameters_may_be_times(snapshot: Snapshot) -> None:
    moment = datetime(2024, 5, 1, 12, 1, tzinfo=UTC)
    rows = snapshot.query("SELECT count(*) AS n FROM log_events WHERE ts = $at", {"at": moment}).frame
    assert rows.item() == 1
