"""Older warehouses are brought forward, newer ones refused; views follow their files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.errors import SchemaError
from pipeline.warehouse import sqlfiles
from pipeline.warehouse.migrate import known_version, schema_version
from pipeline.warehouse.writer import Warehouse
from tests.warehouse.build import build


@pytest.fixture
def sql_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the SQL files that a test may change."""
    copy = tmp_path / "sql"
    shutil.copytree(sqlfiles.sql_dir(), copy)
    monkeypatch.setattr(sqlfiles, "sql_dir", lambda: copy)
    return copy


def test_migrations_are_numbered_without_gaps() -> None:
    assert [version for version, _ in sqlfiles.migrations()] == list(range(1, known_version() + 1))


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path) as warehouse:
        first = (warehouse.change_seq, warehouse.frame("FROM schema_info").rows())
    with Warehouse.open(tmp_path) as warehouse:
        assert (warehouse.change_seq, warehouse.frame("FROM schema_info").rows()) == first


def test_an_older_warehouse_is_migrated_with_its_rows(tmp_path: Path, sql_copy: Path) -> None:
    build(tmp_path / "w")
    new = known_version() + 1
    (sql_copy / "schema" / f"{new:04d}_more.sql").write_text("ALTER TABLE coverage ADD COLUMN how VARCHAR;")
    with Warehouse.open(tmp_path / "w") as warehouse:
        assert schema_version(warehouse.connection) == new
        assert warehouse.frame("SELECT how FROM coverage")["how"].to_list() == [None, None]
        assert warehouse.frame("SELECT count(*) AS n FROM log_events")["n"].item() == 6


def test_a_failing_migration_leaves_the_warehouse_as_it_was(tmp_path: Path, sql_copy: Path) -> None:
    build(tmp_path / "w")
    new = sql_copy / "schema" / f"{known_version() + 1:04d}_bad.sql"
    new.write_text("DROP TABLE records; ALTER TABLE nothing ADD COLUMN x INTEGER;")
    with pytest.raises(SchemaError, match=r"_bad.sql failed, the warehouse is as it was"):
        Warehouse.open(tmp_path / "w")
    new.unlink()
    with Warehouse.open(tmp_path / "w") as warehouse:
        assert warehouse.frame("SELECT count(*) AS n FROM log_events")["n"].item() == 6


def test_a_newer_warehouse_is_refused_with_what_to_run(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path) as warehouse:
        warehouse.connection.execute("INSERT INTO schema_info VALUES (99, '0099_future.sql', now(), '9.9')")
    with pytest.raises(SchemaError, match=r"schema is version 99.*newer peerscope.*--warehouse"):
        Warehouse.open(tmp_path)


def test_a_changed_view_is_created_again_and_counts_as_a_change(tmp_path: Path, sql_copy: Path) -> None:
    with Warehouse.open(tmp_path / "w") as warehouse:
        before = warehouse.change_seq
    (sql_copy / "views" / "99_extra.sql").write_text("CREATE OR REPLACE VIEW extra AS SELECT 1 AS one;")
    with Warehouse.open(tmp_path / "w") as warehouse:
        assert warehouse.frame("FROM extra").rows() == [(1,)]
        assert warehouse.change_seq == before + 1


def test_sql_files_are_found_in_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(sqlfiles.sql_dir(), tmp_path / "_sql")
    monkeypatch.setattr(sqlfiles, "_PACKAGE", tmp_path)
    assert sqlfiles.sql_dir() == tmp_path / "_sql"
