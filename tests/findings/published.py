"""The published tables of an analysis, for tests of reports: a DuckDB in memory that answers queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import polars as pl

from pipeline.findings import Analysis

_REST = """
CREATE TABLE loads AS SELECT 'small' AS cluster;
CREATE TABLE sources AS SELECT 'small' AS cluster, 1200 AS lines_read, 3 AS lines_rejected;
CREATE TABLE event_counts AS SELECT 'small' AS cluster, 'unclassified' AS category, 12 AS events
  UNION ALL SELECT 'small', 'benign', 1185;
CREATE TABLE rejects AS SELECT 'small' AS cluster, 'not text' AS reason, 3 AS lines;
CREATE TABLE effects (cluster VARCHAR);
CREATE TABLE size_thresholds (cluster VARCHAR, category VARCHAR, threshold DOUBLE, verdict VARCHAR, explained_by VARCHAR);
CREATE TABLE sessions AS SELECT cluster, node, protocol, arg_max(state, coalesce(started_at, '1970-01-01')) AS state
  FROM session_intervals GROUP BY ALL;
"""


class Published:
    """Answers the report's queries from an analysis."""

    def __init__(self, analysis: Analysis) -> None:
        self._con = duckdb.connect()
        self._con.execute("SET TimeZone = 'UTC'")
        for name, frame in analysis.tables.items():
            self._con.register("incoming", frame.to_arrow())
            self._con.execute(f"CREATE TABLE {name} AS FROM incoming")
            self._con.unregister("incoming")
        for statement in _REST.split(";\n"):
            self._con.execute(statement)

    def frame(self, sql: str, params: Mapping[str, Any] | None = None) -> pl.DataFrame:
        """Rows of a query; parameters that it does not name are left out."""
        given = {name: value for name, value in (params or {}).items() if f"${name}" in sql}
        frame: pl.DataFrame = self._con.sql(sql, params=given).pl()
        return frame
