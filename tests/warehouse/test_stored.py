"""Warehouses as released versions wrote them are brought forward with every row."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.engines.content import hash_of
from pipeline.warehouse.migrate import known_version, schema_version
from pipeline.warehouse.publish import PUBLISHED, publish
from pipeline.warehouse.reader import open_snapshot
from pipeline.warehouse.writer import Warehouse
from tests.warehouse.build import build, contents
from tests.warehouse.store import stored_versions, unpack

# Tables that came after the oldest stored release, and counts that depend on them, cannot have the same rows.
LATER = dict.fromkeys(
    ("schema_info", "derived_digests", "exposure", "forecasts", "missing_sessions", "incident_sessions"), 0
)


def test_a_warehouse_of_the_first_release_is_stored() -> None:
    assert "0.1.0" in stored_versions()


@pytest.mark.parametrize("version", stored_versions())
def test_a_stored_warehouse_comes_forward(version: str, tmp_path: Path) -> None:
    old = contents(unpack(version, tmp_path / "old"))
    new = contents(build(tmp_path / "new"))
    assert {name: len(rows) for name, rows in old.items()} | LATER == {
        name: len(rows) for name, rows in new.items()
    } | LATER
    with Warehouse.open(tmp_path / "old") as warehouse:
        assert schema_version(warehouse.connection) == known_version()
        publish(warehouse)
    with open_snapshot(tmp_path / "old") as snapshot:
        for name in PUBLISHED:
            snapshot.query(f"FROM {name}")
        assert snapshot.frame("SELECT sum(events)::BIGINT AS n FROM event_counts")["n"].item() == 8


def test_the_columns_are_those_of_a_new_warehouse(tmp_path: Path) -> None:
    query = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal ORDER BY ALL"
    with Warehouse.open(unpack("0.1.0", tmp_path / "old")) as old, Warehouse.open(tmp_path / "new") as new:
        assert old.frame(query).equals(new.frame(query))


def test_a_stored_warehouse_goes_on_with_its_hash(tmp_path: Path) -> None:
    """What it read would be read again if its content were told by another one."""
    with Warehouse.open(unpack("0.1.0", tmp_path / "old")) as old, Warehouse.open(tmp_path / "new") as new:
        names = [warehouse.frame("FROM content_hash")["name"].item() for warehouse in (old, new)]
        hashes = [hash_of(warehouse.connection)() for warehouse in (old, new)]
    assert names == ["blake2b", "blake3"]
    for digest in hashes:
        digest.update(b"peerscope")
        follows = digest.copy()
        digest.update(memoryview(b"!"))
        assert len(digest.digest()) == 16
        assert digest.digest() != follows.digest()
    assert hashes[0].digest() != hashes[1].digest()
