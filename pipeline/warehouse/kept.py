"""Findings that outlive their records: history is not judged anew from what age has left of it."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import polars as pl

from pipeline.warehouse.tables import plain

_TABLES = ("incidents", "diagnoses", "evidence")


def with_kept(
    con: duckdb.DuckDBPyConnection, cluster: str, tables: Mapping[str, pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """The derived tables of a cluster with its kept findings.

    An incident that the analysis finds again in what is left, at the same time, in the same group and of the
    same category, gives way to the kept one with its diagnoses and evidence.
    """
    given = dict(tables)
    if not set(_TABLES) <= given.keys():
        return given
    kept = {name: _kept(con, name, cluster) for name in _TABLES}
    if kept["incidents"].is_empty():
        return given
    again = _found_again(given["incidents"], kept["incidents"])
    claims = given["diagnoses"].filter(pl.col("incident_id").is_in(again))["diagnosis_id"].implode()
    given["incidents"] = given["incidents"].filter(~pl.col("incident_id").is_in(again))
    given["evidence"] = given["evidence"].filter(~pl.col("diagnosis_id").is_in(claims))
    given["diagnoses"] = given["diagnoses"].filter(~pl.col("incident_id").is_in(again))
    return given | {name: _joined(given[name], kept[name]) for name in _TABLES}


def _kept(con: duckdb.DuckDBPyConnection, name: str, cluster: str) -> pl.DataFrame:
    query = f"SELECT * FROM kept_{name} WHERE cluster = $cluster ORDER BY ALL"
    return plain(con.sql(query, params={"cluster": cluster}).pl())


def _found_again(derived: pl.DataFrame, kept: pl.DataFrame) -> list[str]:
    found = []
    known = kept.select("group_name", "category", "started_at", "ended_at").to_dicts()
    same = kept["incident_id"].to_list()
    for row in derived.iter_rows(named=True):
        overlaps = any(
            row["group_name"] == old["group_name"]
            and row["category"] == old["category"]
            and row["started_at"] is not None
            and row["ended_at"] is not None
            and old["started_at"] is not None
            and row["started_at"] <= old["ended_at"]
            and row["ended_at"] >= old["started_at"]
            for old in known
        )
        if overlaps or row["incident_id"] in same:
            found.append(row["incident_id"])
    return found


def _joined(frame: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """The rows of both in the columns and types of the analysis; kept ones follow."""
    columns = [name for name in frame.columns if name in kept.columns]
    aligned = kept.select(pl.col(name).cast(frame.schema[name]) for name in columns)
    return pl.concat([frame, aligned], how="diagonal")
