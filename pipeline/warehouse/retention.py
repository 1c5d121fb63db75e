"""What leaves the warehouse with age, and what is kept longer in a smaller form.

Age counts from when a load was finished, never from the times in the logs: a clock that ran in the future
keeps nothing for ever, and an old bundle read today is not thrown away tomorrow. Two ages matter:

- after ``record_days`` whole records go; minutes become hours and the loads of a day one ledger row; repeated
  observations, resources and facts that say what their neighbours say go as well. Incidents that rest on such
  records stay as they were last judged (``kept_incidents`` …);
- after ``rollup_days`` the rest goes, and its content ids are remembered, so that a file that still lies
  somewhere is not read as if it were new.

Everything happens in one transaction that is rolled back unless the ledger still adds up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from pipeline.errors import ReconcileError, WarehouseError
from pipeline.warehouse.tables import table_columns

# A status table speaks for 15 minutes: one in ten keeps a session observed without a hole.
THIN_MINUTES = 10

_OLD = "(SELECT load_id FROM loads WHERE finished_at < $cutoff)"


@dataclass(frozen=True)
class Change:
    """Rows of a table that an action concerned."""

    action: str
    table: str
    rows: int
    detail: str


@dataclass(frozen=True)
class _Step:
    action: str
    table: str
    query: str


_ENDED = f"""
ended_at IS NOT NULL AND incident_id NOT IN (SELECT incident_id FROM kept_incidents) AND EXISTS (
  SELECT 1 FROM diagnoses AS d JOIN evidence AS e ON e.cluster = d.cluster AND e.diagnosis_id = d.diagnosis_id
  JOIN sources AS s ON s.cluster = e.cluster AND s.source_path = e.source_path
  WHERE d.cluster = incidents.cluster AND d.incident_id = incidents.incident_id AND s.load_id IN {_OLD})
"""
_OF_ENDED = """
incident_id IN (SELECT incident_id FROM kept_incidents)
  AND diagnosis_id NOT IN (SELECT diagnosis_id FROM kept_diagnoses)
"""
_OF_CLAIMS = """
diagnosis_id IN (SELECT diagnosis_id FROM kept_diagnoses)
  AND diagnosis_id NOT IN (SELECT diagnosis_id FROM kept_evidence)
"""
_THIN_STATES = f"""
DELETE FROM state_observations WHERE rowid IN (
  SELECT row_id FROM (
    SELECT rowid AS row_id, load_id,
      (state, bgp_state, last_error) IS NOT DISTINCT FROM lag((state, bgp_state, last_error)) OVER ends AS repeats,
      time_bucket(INTERVAL {THIN_MINUTES} MINUTE, ts) IS NOT DISTINCT FROM
        lag(time_bucket(INTERVAL {THIN_MINUTES} MINUTE, ts)) OVER ends AS same_time
    FROM state_observations WHERE ts IS NOT NULL AND observed_by <> 'log'
    WINDOW ends AS (PARTITION BY cluster, node, protocol, peer, observed_by ORDER BY ts, source_path, byte_offset)
  ) WHERE repeats AND same_time AND load_id IN {_OLD})
"""
_THIN_SAME = """
DELETE FROM {table} WHERE rowid IN (
  SELECT row_id FROM (
    SELECT rowid AS row_id, load_id, {value} IS NOT DISTINCT FROM lag({value}) OVER same
      AND lag(rowid) OVER same IS NOT NULL AND {value} IS NOT DISTINCT FROM lead({value}) OVER same
      AND lead(rowid) OVER same IS NOT NULL AS repeats
    FROM {table} WHERE observed_at IS NOT NULL
    WINDOW same AS (PARTITION BY {key} ORDER BY observed_at, source_path, byte_offset)
  ) WHERE repeats AND load_id IN {old})
"""
_EXPIRE = (
    _Step("expire", "records", f"DELETE FROM records WHERE load_id IN {_OLD}"),
    _Step("expire", "line_marks", f"DELETE FROM line_marks WHERE load_id IN {_OLD}"),
    _Step("thin", "state_observations", _THIN_STATES),
    _Step(
        "thin",
        "resources",
        _THIN_SAME.format(table="resources", value="body", key="cluster, kind, namespace, name", old=_OLD),
    ),
    _Step(
        "thin",
        "node_facts",
        _THIN_SAME.format(table="node_facts", value="value", key="cluster, node, fact", old=_OLD),
    ),
)


def expire(
    con: duckdb.DuckDBPyConnection, now: datetime, record_days: int, rollup_days: int, *, dry_run: bool = False
) -> list[Change]:
    """Let age take what is due; with ``dry_run`` nothing is kept of it but the answer.

    Raises:
        ReconcileError: the counts would not add up afterwards; nothing was changed.
        WarehouseError: the database refused a step; nothing was changed.
    """
    con.begin()
    try:
        changes = _forget(con, now, now - timedelta(days=max(rollup_days, record_days)))
        changes += _shrink(con, now - timedelta(days=record_days))
        _check_ledger(con)
        if dry_run or not changes:
            con.rollback()
            return changes
        note(con, now, changes)
        con.commit()
    except BaseException as exc:
        con.rollback()
        if isinstance(exc, duckdb.Error):
            raise WarehouseError(f"maintenance failed, nothing was changed: {str(exc).splitlines()[0]}") from exc
        raise
    return changes


def note(con: duckdb.DuckDBPyConnection, now: datetime, changes: list[Change]) -> None:
    """Write down what was done, inside the transaction that did it."""
    for change in changes:
        con.execute(
            "INSERT INTO maintenance VALUES (CAST(? AS TIMESTAMPTZ), ?, ?, ?, ?)",
            [now.isoformat(), change.action, change.table, change.rows, change.detail],
        )
    con.execute("UPDATE warehouse_state SET change_seq = change_seq + 1")


def _run(con: duckdb.DuckDBPyConnection, step: _Step, cutoff: datetime) -> list[Change]:
    rows = con.execute(step.query, {"cutoff": cutoff.isoformat()}).fetchall()[0][0]
    detail = f"read before {cutoff.astimezone(UTC):%Y-%m-%d %H:%M}Z"
    return [Change(step.action, step.table, rows, detail)] if rows else []


def _tables_of_loads(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Tables whose rows belong to a load, without the ledger itself."""
    rows = con.sql(
        "SELECT c.table_name FROM duckdb_columns() AS c JOIN duckdb_tables() AS t ON t.table_oid = c.table_oid "
        "WHERE c.column_name = 'load_id' AND t.table_name <> 'loads' AND NOT t.internal AND NOT t.temporary ORDER BY 1"
    ).fetchall()
    return [row[0] for row in rows]


def _forget(con: duckdb.DuckDBPyConnection, now: datetime, cutoff: datetime) -> list[Change]:
    """Remove whole loads; the ids of their contents stay."""
    con.execute(
        f"INSERT INTO forgotten_content SELECT DISTINCT content_id, CAST($now AS TIMESTAMPTZ) FROM sources "
        f"WHERE load_id IN {_OLD}",
        {"cutoff": cutoff.isoformat(), "now": now.isoformat()},
    )
    steps = [_Step("forget", name, f"DELETE FROM {name} WHERE load_id IN {_OLD}") for name in _tables_of_loads(con)]
    steps.append(_Step("forget", "loads", "DELETE FROM loads WHERE finished_at < $cutoff"))
    return [change for step in steps for change in _run(con, step, cutoff)]


def _shrink(con: duckdb.DuckDBPyConnection, cutoff: datetime) -> list[Change]:
    for table, which in (("incidents", _ENDED), ("diagnoses", _OF_ENDED), ("evidence", _OF_CLAIMS)):
        columns = ", ".join(f'"{name}"' for name in table_columns(con, f"kept_{table}"))
        cutoffs = {"cutoff": cutoff.isoformat()} if table == "incidents" else {}
        con.execute(f"INSERT INTO kept_{table} ({columns}) SELECT {columns} FROM {table} WHERE {which}", cutoffs)
    changes = [change for step in _EXPIRE for change in _run(con, step, cutoff)]
    return changes + _roll_up(con, cutoff)


def _roll_up(con: duckdb.DuckDBPyConnection, cutoff: datetime) -> list[Change]:
    """Loads of one cluster and day become one, minutes of their counts hours; every sum stays what it was."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE merged AS SELECT load_id, min(load_id) OVER "
        "(PARTITION BY cluster, engine, date_trunc('day', finished_at)) AS into_id "
        "FROM loads WHERE finished_at < CAST($cutoff AS TIMESTAMPTZ)",
        {"cutoff": cutoff.isoformat()},
    )
    merged = con.sql("SELECT count(*) FROM merged WHERE load_id <> into_id").fetchall()[0][0]
    for table in _tables_of_loads(con) if merged else ():
        con.execute(
            f"UPDATE {table} SET load_id = m.into_id FROM merged AS m "
            f"WHERE m.load_id = {table}.load_id AND m.load_id <> m.into_id"
        )
    changes = _to_hours(con, cutoff)
    if merged:
        _merge_ledger(con)
        changes.append(Change("roll up", "loads", merged, "loads of a day became one"))
    con.execute("DROP TABLE merged")
    return changes


def _to_hours(con: duckdb.DuckDBPyConnection, cutoff: datetime) -> list[Change]:
    before = con.sql("SELECT count(*) FROM minute_counts WHERE load_id IN (SELECT into_id FROM merged)").fetchall()[0][
        0
    ]
    con.execute(
        "CREATE OR REPLACE TEMP TABLE hours AS SELECT load_id, cluster, date_trunc('hour', minute) AS minute, node, "
        "component, level, shape_id, CAST(sum(events) AS UBIGINT) AS events FROM minute_counts "
        "WHERE load_id IN (SELECT into_id FROM merged) GROUP BY ALL"
    )
    after = con.sql("SELECT count(*) FROM hours").fetchall()[0][0]
    if after < before:
        con.execute("DELETE FROM minute_counts WHERE load_id IN (SELECT into_id FROM merged)")
        con.execute("INSERT INTO minute_counts BY NAME FROM hours")
    con.execute("DROP TABLE hours")
    detail = f"minutes read before {cutoff.astimezone(UTC):%Y-%m-%d %H:%M}Z became hours"
    return [Change("roll up", "minute_counts", before - after, detail)] if after < before else []


def _merge_ledger(con: duckdb.DuckDBPyConnection) -> None:
    sums = ("files_read", "files_known", "bytes_read", "lines_read", "lines_parsed", "lines_unparsed", "lines_rejected")
    con.execute(
        "CREATE OR REPLACE TEMP TABLE days AS SELECT m.into_id AS load_id, any_value(l.cluster) AS cluster, "
        "any_value(l.engine) AS engine, arg_max(l.peerscope_version, l.load_id) AS peerscope_version, "
        "arg_max(l.ruleset_version, l.load_id) AS ruleset_version, min(l.started_at) AS started_at, "
        "max(l.finished_at) AS finished_at, "
        + ", ".join(f"CAST(sum(l.{name}) AS UBIGINT) AS {name}" for name in sums)
        + " FROM loads AS l JOIN merged AS m ON m.load_id = l.load_id GROUP BY m.into_id"
    )
    # DuckDB checks a primary key against rows deleted in the same transaction: update one row, delete the others.
    con.execute("DELETE FROM loads WHERE load_id IN (SELECT load_id FROM merged WHERE load_id <> into_id)")
    names = ("peerscope_version", "ruleset_version", "started_at", "finished_at", *sums)
    con.execute(
        f"UPDATE loads SET {', '.join(f'{name} = d.{name}' for name in names)} FROM days AS d "
        "WHERE d.load_id = loads.load_id"
    )
    con.execute("DROP TABLE days")


def _check_ledger(con: duckdb.DuckDBPyConnection) -> None:
    lines, events = con.sql(
        "SELECT (SELECT coalesce(sum(lines_parsed + lines_unparsed), 0) FROM loads), "
        "(SELECT coalesce(sum(events), 0) FROM minute_counts)"
    ).fetchall()[0]
    loads, files = con.sql(
        "SELECT (SELECT coalesce(sum(lines_read), 0) FROM loads), (SELECT coalesce(sum(lines_read), 0) FROM sources)"
    ).fetchall()[0]
    if lines != events or loads != files:
        raise ReconcileError(
            f"maintenance: {lines} lines in the ledger but {events} counted, {loads} read by loads but {files} by "
            "files; nothing was changed"
        )
