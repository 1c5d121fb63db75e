"""Tables that are replaced as a whole for a cluster, where anything of them is not as it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import polars as pl

from pipeline.errors import WarehouseError
from pipeline.warehouse.kept import with_kept
from pipeline.warehouse.tables import digest, insert

# Tables that an analysis replaces as a whole for its cluster.
DERIVED_TABLES = (
    "bgp_groups",
    "coverage",
    "diagnoses",
    "effects",
    "evidence",
    "exposure",
    "forecasts",
    "group_sizes",
    "incident_sessions",
    "incidents",
    "missing_sessions",
    "node_addresses",
    "nodes",
    "pod_nodes",
    "session_intervals",
    "size_thresholds",
)

STATISTICS = ("effects", "exposure", "forecasts", "size_thresholds")
"""Derived tables that rest on the others, of all clusters."""
# What the statistics in the warehouse rest on; kept among the digests, where it is no table of any cluster.
_SETTLED = "('', 'statistics')"
_RESTS_ON = """
    SELECT md5(string_agg(concat_ws(chr(0), cluster, table_name, digest), chr(1) ORDER BY cluster, table_name))
    FROM derived_digests WHERE table_name IN (SELECT unnest(?))
"""


@dataclass(frozen=True, slots=True)
class Replacement:
    """The rows of a cluster to come; ``changed`` are the digests of the tables that are not as stored."""

    cluster: str
    tables: Mapping[str, pl.DataFrame]
    changed: Mapping[str, str]


def replacement(con: duckdb.DuckDBPyConnection, cluster: str, tables: Mapping[str, pl.DataFrame]) -> Replacement:
    """Any tables that belong to a cluster (none: to no one), compared with what was stored last."""
    digests = {name: digest(frame) for name, frame in tables.items()}
    query = "SELECT table_name, digest FROM derived_digests WHERE cluster = ?"
    stored = con.execute(query, [cluster]).fetchall()
    changed = {name: value for name, value in digests.items() if (name, value) not in stored}
    return Replacement(cluster, tables, changed)


def derived(con: duckdb.DuckDBPyConnection, cluster: str, tables: Mapping[str, pl.DataFrame]) -> Replacement:
    """The derived tables of a cluster, with its kept findings; the frames may leave out ``cluster``.

    Raises:
        WarehouseError: a table that is not derived, rows of another cluster.
    """
    for name, frame in tables.items():
        if name not in DERIVED_TABLES:
            raise WarehouseError(f"{name!r} is not a derived table; they are {', '.join(DERIVED_TABLES)}")
        if "cluster" in frame.columns and not frame.select((pl.col("cluster") == cluster).all()).item():
            raise WarehouseError(f"table {name}: rows of another cluster than {cluster!r}")
    return replacement(con, cluster, with_kept(con, cluster, tables))


def write(con: duckdb.DuckDBPyConnection, found: Replacement) -> bool:
    """Write what changed, all in one transaction; False when nothing did.

    Raises:
        WarehouseError: a column that a table does not have, or a value that does not fit.
    """
    if not found.changed:
        return False
    cluster, changed = found.cluster, list(found.changed)
    con.begin()
    try:
        for name in changed:
            # The mined templates belong to no cluster: they are replaced as a whole.
            of_cluster = "cluster = $cluster" if name in DERIVED_TABLES else "$cluster = ''"
            con.execute(f'DELETE FROM "{name}" WHERE {of_cluster}', {"cluster": cluster})
            insert(con, name, found.tables[name], {"cluster": cluster})
        con.execute(
            "DELETE FROM derived_digests WHERE cluster = ? AND table_name IN (SELECT unnest(?))", [cluster, changed]
        )
        now = list(found.changed.values())
        con.execute("INSERT INTO derived_digests SELECT ?, unnest(?), unnest(?)", [cluster, changed, now])
        con.execute("UPDATE warehouse_state SET change_seq = change_seq + 1")
        con.commit()
    except BaseException:
        con.rollback()
        raise
    return True


def statistics_are_due(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the statistics rest on other tables than those stored: one changed, or a run ended between the two."""
    stored = con.execute(f"SELECT digest FROM derived_digests WHERE (cluster, table_name) = {_SETTLED}").fetchall()
    return stored != [(_rests_on(con),)]


def settle_statistics(con: duckdb.DuckDBPyConnection) -> None:
    """Keep what the statistics, all written now, rest on."""
    con.begin()
    try:
        con.execute(f"DELETE FROM derived_digests WHERE (cluster, table_name) = {_SETTLED}")
        con.execute("INSERT INTO derived_digests VALUES ('', 'statistics', ?)", [_rests_on(con)])
        con.commit()
    except BaseException:
        con.rollback()
        raise


def _rests_on(con: duckdb.DuckDBPyConnection) -> str:
    names = [name for name in DERIVED_TABLES if name not in STATISTICS]
    return str(con.execute(_RESTS_ON, [names]).fetchall()[0][0] or "")
