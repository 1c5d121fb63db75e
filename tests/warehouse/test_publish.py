"""Snapshots are immutable, complete and swapped at once; readers never see anything in between."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipeline.errors import NotPublishedError, WarehouseError
from pipeline.warehouse import narrow, pieces, snapshot_file
from pipeline.warehouse.memory import let_go
from pipeline.warehouse.publish import PUBLISHED, begun, publish
from pipeline.warehouse.reader import open_snapshot
from pipeline.warehouse.snapshots import POINTER_NAME, SNAPSHOT_FOLDER, current_snapshot, list_snapshots
from pipeline.warehouse.writer import Warehouse
from tests.warehouse.build import CLUSTER, UP, build, counts_frame, record, records_frame, source

ROOT = Path(__file__).parents[2]


def change(warehouse: Warehouse, number: int) -> None:
    """One change that shows in two tables: a consistent snapshot has ``number`` in both."""
    nodes = pl.DataFrame({"node": [f"n{n}" for n in range(number)]})
    coverage = nodes.with_columns(component=pl.lit("bird"))
    assert warehouse.replace_derived("growing", {"nodes": nodes, "coverage": coverage})


def test_a_snapshot_is_read_only_and_complete(small: Path) -> None:
    path = current_snapshot(small)
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with open_snapshot(small) as snapshot:
        names = set(snapshot.frame("SELECT table_name FROM duckdb_tables()")["table_name"])
        meta = snapshot.frame("FROM meta").row(0, named=True)
    assert names == {*PUBLISHED, "meta"}
    assert meta["snapshot"] == snapshot.sequence
    assert meta["ruleset_version"] == "r1"


def test_nothing_changed_nothing_published(tmp_path: Path) -> None:
    before = current_snapshot(build(tmp_path))
    with Warehouse.open(tmp_path) as warehouse:
        info = publish(warehouse)
    assert (info.created, info.path) == (False, before)


def test_only_the_last_few_are_kept(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path) as warehouse:
        paths = []
        for number in range(1, 6):
            change(warehouse, number)
            paths.append(publish(warehouse, keep=3).path)
        assert list_snapshots(tmp_path) == paths[-3:]
        change(warehouse, 9)
        info = publish(warehouse, keep=0)
        assert list_snapshots(tmp_path) == [info.path]
        assert info.removed == tuple(paths[-3:])


def test_an_attempt_that_was_killed_leaves_no_trace(tmp_path: Path) -> None:
    folder = tmp_path / SNAPSHOT_FOLDER
    folder.mkdir()
    (folder / ".peerscope-new.duckdb").write_bytes(b"half a file")
    (folder / ".peerscope-new.duckdb.wal").write_bytes(b"half a log")
    with pytest.raises(NotPublishedError):
        open_snapshot(tmp_path)
    with Warehouse.open(tmp_path) as warehouse:
        publish(warehouse)
    assert [path.name for path in folder.iterdir()] == [current_snapshot(tmp_path).name]


def test_a_failed_publish_leaves_the_old_one_current(tmp_path: Path) -> None:
    before = current_snapshot(build(tmp_path))
    with Warehouse.open(tmp_path) as warehouse:
        change(warehouse, 1)
        warehouse.connection.execute("DROP VIEW sessions")
        with pytest.raises(WarehouseError, match="cannot be written"):
            publish(warehouse)
        assert current_snapshot(tmp_path) == before
        # The connection is usable again, and nothing is left attached.
        assert warehouse.frame("SELECT count(*) AS n FROM duckdb_databases() WHERE NOT internal")["n"].item() == 1


def test_a_rebuilt_warehouse_does_not_reuse_a_name(tmp_path: Path) -> None:
    old = current_snapshot(build(tmp_path))
    (tmp_path / "peerscope.duckdb").unlink()
    with open_snapshot(tmp_path) as reader:
        build(tmp_path)
        assert current_snapshot(tmp_path).name > old.name
        assert reader.frame("SELECT count(*) AS n FROM nodes")["n"].item() == 3


def test_a_warehouse_from_a_backup_does_not_overwrite_a_newer_snapshot(tmp_path: Path) -> None:
    backup = build(tmp_path).joinpath("peerscope.duckdb").read_bytes()
    with Warehouse.open(tmp_path) as warehouse:
        change(warehouse, 1)
        newer = publish(warehouse).path
    (tmp_path / "peerscope.duckdb").write_bytes(backup)
    with Warehouse.open(tmp_path) as warehouse:
        info = publish(warehouse)
    assert info.created
    assert info.path.name > newer.name


@pytest.mark.parametrize(
    "content", ["../../etc/passwd", "peerscope-1.duckdb/../../x", "", "peerscope-00000001.duckdb.wal"]
)
def test_a_pointer_that_names_no_snapshot_is_refused_and_mended(tmp_path: Path, content: str) -> None:
    build(tmp_path)
    (tmp_path / POINTER_NAME).write_text(content)
    with pytest.raises(WarehouseError, match="peerscope publish"):
        open_snapshot(tmp_path)
    with Warehouse.open(tmp_path) as warehouse:
        assert publish(warehouse).created
    open_snapshot(tmp_path).close()


def test_comments_are_published(small: Path) -> None:
    with open_snapshot(small) as snapshot:
        bare = snapshot.frame(
            "SELECT table_name, NULL AS column_name FROM duckdb_tables() WHERE coalesce(comment, '') = '' "
            "UNION ALL SELECT table_name, column_name FROM duckdb_columns() "
            "WHERE NOT internal AND coalesce(comment, '') = ''"
        )
    assert bare.rows() == []


def test_log_events_are_sorted_by_category_and_time(small: Path) -> None:
    with open_snapshot(small) as snapshot:
        rows = snapshot.frame("SELECT category, ts FROM log_events").rows()
    assert rows == sorted(rows)


@pytest.mark.parametrize(("most", "rows"), [(2, pieces.PIECE_ROWS), (narrow.MOST_NAMES, 2)])
def test_large_tables_say_the_same_in_the_same_order(
    tmp_path: Path, most: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrow, "LEAST_ROWS", 0)
    monkeypatch.setattr(narrow, "MOST_NAMES", most)
    monkeypatch.setattr(pieces, "PIECE_ROWS", rows)
    monkeypatch.setattr(pieces, "SAMPLE", "")
    build(tmp_path)
    with Warehouse.open(tmp_path) as warehouse:
        with warehouse.load(cluster=CLUSTER, engine="local") as load:
            load.add_source(source("pod.log", 2))
            unnamed = [record(n, UP, node=None, pod=pod, level="") for n, pod in enumerate(("calico-1", None))]
            unnamed[1] |= {"ts": None, "ts_source": "none"}
            load.add_records(records_frame(unnamed), "pod.log")
            load.add_counts(counts_frame([(0, "node7", UP, 2)]))
        warehouse.replace_derived(CLUSTER, {"pod_nodes": pl.DataFrame({"pod": ["calico-1"], "node": ["node7"]})})
        publish(warehouse)
        with open_snapshot(tmp_path) as snapshot:
            for name, order in PUBLISHED.items():
                assert snapshot.frame(f"FROM {name}").equals(warehouse.frame(f"FROM {name} ORDER BY {order}")), name
        # nothing is left behind that would be in the way of the next one
        change(warehouse, 1)
        assert publish(warehouse).created


def test_pieces_hold_each_row_once_and_follow_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_ROWS", 2)
    monkeypatch.setattr(pieces, "SAMPLE", "")
    build(tmp_path)
    with Warehouse.open(tmp_path) as warehouse:
        for name, facts in (("log_events", "records"), ("session_states", "state_observations")):
            parts = pieces.pieces(warehouse.connection, name, facts)
            rows = [warehouse.frame(f"FROM {name} WHERE {part} ORDER BY {PUBLISHED[name]}") for part in parts]
            assert len(parts) > 1, name
            assert pl.concat(rows).equals(warehouse.frame(f"FROM {name} ORDER BY {PUBLISHED[name]}")), name
        assert pieces.pieces(warehouse.connection, "nodes", "nodes") == ["true"]


@pytest.mark.parametrize("pod", [None, "calico-1"])
def test_a_snapshot_begun_before_the_analysis_holds_what_it_found(tmp_path: Path, pod: str | None) -> None:
    """A record that only its pod's node names must not be written before that is known."""
    build(tmp_path)
    with Warehouse.open(tmp_path) as warehouse:
        with warehouse.load(cluster=CLUSTER, engine="local") as load:
            load.add_source(source("pod.log", 1))
            load.add_records(records_frame([record(0, UP, node=None, pod=pod)]), "pod.log")
            load.add_counts(counts_frame([(0, "node7", UP, 1)]))
        with begun(warehouse) as file:
            nodes = {"pod": ["calico-1", "calico-node-x"], "node": ["node7", "node2"]}
            warehouse.replace_derived(CLUSTER, {"pod_nodes": pl.DataFrame(nodes)})
            change(warehouse, 2)
            let_go(warehouse.connection)
            publish(warehouse, file=file)
        with open_snapshot(tmp_path) as snapshot:
            for name, order in PUBLISHED.items():
                assert snapshot.frame(f"FROM {name}").equals(warehouse.frame(f"FROM {name} ORDER BY {order}")), name
        with begun(warehouse) as file:
            assert file is None  # nothing has changed since


def test_a_snapshot_that_was_begun_in_vain_leaves_no_trace(tmp_path: Path) -> None:
    before = current_snapshot(build(tmp_path))
    with Warehouse.open(tmp_path) as warehouse:
        change(warehouse, 1)
        with pytest.raises(ZeroDivisionError), begun(warehouse):
            raise ZeroDivisionError
        assert current_snapshot(tmp_path) == before
        assert publish(warehouse).created
    assert len(list((tmp_path / SNAPSHOT_FOLDER).iterdir())) == 2


def test_what_could_not_be_written_early_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_file, "_settled", lambda _: ["log_events", "log_events"])
    with Warehouse.open(build(tmp_path)) as warehouse:
        change(warehouse, 1)
        with begun(warehouse) as file:
            assert file is not None
            publish(warehouse, file=file)
    with open_snapshot(tmp_path) as snapshot:
        names = snapshot.frame("SELECT table_name FROM duckdb_tables()")["table_name"].to_list()
    assert sorted(names) == sorted([*PUBLISHED, "meta"])


READER = """
import sys
from pathlib import Path
from pipeline.warehouse.reader import open_snapshot

directory = Path(sys.argv[1])
seen = []
print("ready", flush=True)
while not (directory / "stop").exists():
    with open_snapshot(directory) as snapshot:
        for _ in range(3):
            row = snapshot.frame(
                "SELECT (SELECT count(*) FROM nodes) AS nodes, (SELECT count(*) FROM coverage) AS coverage, "
                "(SELECT snapshot FROM meta) AS snapshot").row(0)
            assert row[0] == row[1], row
            assert row[2] == snapshot.sequence, row
            assert not seen or row[0] >= seen[-1], (seen[-1], row)
            seen.append(row[0])
print(len(set(seen)), flush=True)
"""


def test_readers_see_one_consistent_snapshot_each_while_twenty_are_published(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path) as warehouse:
        change(warehouse, 1)
        publish(warehouse)
        command = [sys.executable, "-c", textwrap.dedent(READER), str(tmp_path)]
        readers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        try:
            for reader in readers:
                assert reader.stdout is not None
                assert reader.stdout.readline() == "ready\n"
            for number in range(2, 22):
                change(warehouse, number)
                publish(warehouse, keep=2)
        finally:
            (tmp_path / "stop").touch()
            outputs = [reader.communicate(timeout=60)[0] for reader in readers]
    assert [reader.returncode for reader in readers] == [0, 0]
    assert all(int(output) > 1 for output in outputs)


def test_a_job_killed_while_publishing_leaves_the_old_one_current(tmp_path: Path) -> None:
    before = current_snapshot(build(tmp_path))
    script = textwrap.dedent(
        f"""
        import os, signal
        from pipeline.warehouse import publish
        from pipeline.warehouse.writer import Warehouse
        from tests.warehouse.test_publish import change
        os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)
        warehouse = Warehouse.open({str(tmp_path)!r})
        change(warehouse, 1)
        publish(warehouse)
        """
    )
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert killed.returncode == -9
    assert current_snapshot(tmp_path) == before
    with open_snapshot(tmp_path) as snapshot:
        assert snapshot.frame("SELECT count(*) AS n FROM nodes")["n"].item() == 3
    with Warehouse.open(tmp_path) as warehouse:
        assert publish(warehouse).created


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    build(tmp_path)
    (tmp_path / SNAPSHOT_FOLDER).chmod(0o500)
    with Warehouse.open(tmp_path) as warehouse:
        change(warehouse, 1)
        with pytest.raises(WarehouseError, match=SNAPSHOT_FOLDER):
            publish(warehouse)


def test_the_file_format_is_one_that_older_clients_read(small: Path) -> None:
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{current_snapshot(small)}' AS s (READ_ONLY)")
        tags = con.sql("SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 's'").fetchall()
    assert tags[0][0].startswith("v1.")


def test_the_published_cluster_is_the_loaded_one(small: Path) -> None:
    with open_snapshot(small) as snapshot:
        assert snapshot.frame("SELECT DISTINCT cluster FROM loads")["cluster"].to_list() == [CLUSTER]
