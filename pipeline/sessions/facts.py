"""All that one cluster's analysis reads: a few plain frames.

``load_cluster`` fills them from the writer's tables; a test builds them from a few rows with ``ClusterFacts.of``.
Times are ``Datetime('us', 'UTC')``; every row carries the file and byte offset that it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import duckdb
import polars as pl

from pipeline.sessions.pooled import NAME, SLICE_ROWS, Pool, as_texts
from pipeline.warehouse.memory import let_go

TIME = pl.Datetime("us", "UTC")
_TEXT = pl.String
_PLACE: dict[str, Any] = {"source_path": NAME, "byte_offset": pl.UInt64}

SCHEMAS: dict[str, dict[str, Any]] = {
    "states": {
        "ts": TIME, "node": NAME, "protocol": NAME, "peer": NAME, "state": NAME, "bgp_state": NAME,
        "last_error": NAME, "observed_by": NAME, "since": TIME, **_PLACE,
    },
    "records": {
        "ts": TIME, "node": NAME, "pod": NAME, "component": NAME, "message": _TEXT,
        "rule": NAME, "category": NAME, "severity": NAME, "protocol": NAME, "peer": NAME,
        "peers": pl.List(NAME), "params": NAME, **_PLACE,
    },
    "resources": {
        "kind": _TEXT, "namespace": _TEXT, "name": _TEXT, "observed_at": TIME, "body": _TEXT,
        "source_path": _TEXT, "byte_offset": pl.UInt64,
    },
    "node_facts": {
        "node": _TEXT, "fact": _TEXT, "value": _TEXT, "observed_at": TIME,
        "source_path": _TEXT, "byte_offset": pl.UInt64,
    },
    "observed": {
        "node": _TEXT, "component": _TEXT, "source_path": _TEXT, "first_ts": TIME, "last_ts": TIME,
        "lines": pl.UInt64,
    },
    "marks": {"node": _TEXT, "component": _TEXT, "rule": _TEXT, "minute": TIME, "events": pl.UInt64},
    "tellers": {"node": _TEXT, "pod": _TEXT, "last_ts": TIME},
}  # fmt: skip
"""The columns of each table. ``states`` and ``records`` have a row for each line of a log: all but what differs
from line to line is a :data:`~pipeline.sessions.pooled.NAME` there."""


def table(name: str, rows: Iterable[Mapping[str, Any]] = ()) -> pl.DataFrame:
    """Rows as a frame with the columns and types of fact table ``name``; what a row leaves out is null."""
    schema = SCHEMAS[name]
    filled = [{column: row.get(column) for column in schema} for row in rows]
    return pl.DataFrame(filled, schema=schema, orient="row")


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """The facts of one cluster; see ``SCHEMAS`` for the columns of each frame."""

    cluster: str = "default"
    states: pl.DataFrame = field(default_factory=partial(table, "states"))
    records: pl.DataFrame = field(default_factory=partial(table, "records"))
    resources: pl.DataFrame = field(default_factory=partial(table, "resources"))
    node_facts: pl.DataFrame = field(default_factory=partial(table, "node_facts"))
    observed: pl.DataFrame = field(default_factory=partial(table, "observed"))
    marks: pl.DataFrame = field(default_factory=partial(table, "marks"))
    tellers: pl.DataFrame = field(default_factory=partial(table, "tellers"))
    """Who told the records, also those that are not among ``records``, in the order of the first ones."""

    @classmethod
    def of(cls, cluster: str = "default", **rows: Iterable[Mapping[str, Any]]) -> ClusterFacts:
        """Facts from plain dictionaries, one keyword for each table."""
        tables = {name: table(name, given) for name, given in rows.items()}
        records = tables.get("records", table("records"))
        return cls(cluster, **{"tellers": tellers_of(records), **tables})


_COLUMNS = {
    "states": ("state_observations", {}),
    "records": ("records", {
        "params": "CAST(to_json(records.params) AS VARCHAR)",
    }),
    "resources": ("resources", {"body": "CAST(body AS VARCHAR)"}),
    "node_facts": ("node_facts", {}),
    "observed": ("observed_minutes", {}),
}  # fmt: skip


def _select(name: str) -> str:
    source, special = _COLUMNS[name]
    columns = ", ".join(f"{special.get(column, f'{source}.{column}')} AS {column}" for column in SCHEMAS[name])
    return f"SELECT {columns} FROM {source} WHERE {source}.cluster = $cluster" + (_MATTERS if name == "records" else "")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records somebody asks for. In a cluster in trouble they are the smaller part of all."""

    categories: frozenset[str]
    """All records of these; of those in ``grave`` the ones that are a warning or worse."""
    grave: frozenset[str]
    rules: frozenset[str]
    pattern: str
    """Found in the message of any other record that is wanted."""


_MATTERS = """
  AND (category <> 'benign' OR level IN ('warning', 'error', 'fatal')
       OR rule IN ('bird.reconfiguring', 'bird.reconfiguration_queued'))
"""
"""Of what is harmless only some examples are kept, and which ones the order of loads decides: nothing may follow
from them. Reloads are counted; their examples show what such a line looks like."""


_MARKS = """
SELECT node, minute_counts.component AS component, rule, minute, CAST(sum(events) AS UBIGINT) AS events
FROM minute_counts JOIN shapes USING (shape_id)
WHERE cluster = $cluster AND rule IN ('bird.started', 'bird.reconfiguring', 'bird.reconfiguration_queued')
GROUP BY ALL
"""
"""Steps of a daemon that are harmless in themselves, hence only counted; they tell restarts and reloads."""


_TELLERS = f"""
SELECT source_path, node, pod, max(ts) AS last_ts, min(byte_offset) AS byte_offset
FROM records WHERE cluster = $cluster {_MATTERS} GROUP BY ALL
"""
_ASKED = """coalesce(category IN (SELECT unnest($categories)) OR rule IN (SELECT unnest($rules))
  OR (category IN (SELECT unnest($grave)) AND severity IN ('warning', 'error', 'critical')), false)"""


def load_cluster(connection: duckdb.DuckDBPyConnection, cluster: str, wanted: Wanted | None = None) -> ClusterFacts:
    """Read one cluster from the writer's tables (not from a published snapshot); of records what is ``wanted``.

    Rows come back in a fixed order, so that what is derived from them does not depend on the order of loading.
    """
    params = {"cluster": cluster}
    # What is few comes first, as the database keeps what it read beside what was made of it.
    frames = {"tellers": tellers_of(_typed(connection.sql(_TELLERS, params=params).pl(), _TOLD))}
    for name, schema in SCHEMAS.items():
        if name in frames:
            continue
        pool = Pool(schema)
        if name == "records" and wanted is not None:
            _take_wanted(pool, connection, cluster, wanted)
        else:
            pool.add(slices(connection.sql(_MARKS if name == "marks" else _select(name), params=params), schema))
        let_go(connection)
        frames[name] = pool.ordered(_order(name))
    let_go(connection)
    return ClusterFacts(cluster, **_with_nodes(frames))


def slices(found: duckdb.DuckDBPyRelation, schema: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
    """What a query finds, a slice at a time, in the columns and types of a schema."""
    for part in found.to_arrow_reader(SLICE_ROWS):
        yield _typed(pl.DataFrame(part), schema)


def _take_wanted(pool: Pool, connection: duckdb.DuckDBPyConnection, cluster: str, wanted: Wanted) -> None:
    """Records that are wanted for what they are; of the others the messages are looked through, a slice at a time."""
    schema = SCHEMAS["records"]
    params: dict[str, Any] = {name: sorted(getattr(wanted, name)) for name in ("categories", "grave", "rules")}
    params["cluster"] = cluster
    pool.add(slices(connection.sql(f"{_select('records')} AND {_ASKED}", params=params), schema))
    others = f"SELECT rowid, message FROM records WHERE cluster = $cluster {_MATTERS} AND NOT {_ASKED}"
    rows: list[pl.Series] = []
    for part in connection.sql(others, params=params).to_arrow_reader(SLICE_ROWS):
        messages = pl.DataFrame(part)
        rows.append(messages.filter(pl.col("message").str.contains(wanted.pattern))["rowid"])
    found = pl.DataFrame({"rowid": pl.concat(rows)}) if rows else pl.DataFrame(schema={"rowid": pl.Int64})
    connection.register("wanted_rows", found.to_arrow())
    told = f"{_select('records')} AND rowid IN (SELECT rowid FROM wanted_rows)"
    try:
        pool.add(slices(connection.sql(told, params={"cluster": cluster}), schema))
    finally:
        connection.unregister("wanted_rows")


_TOLD: dict[str, Any] = {**SCHEMAS["tellers"], "source_path": _TEXT, "byte_offset": pl.UInt64}


def tellers_of(records: pl.DataFrame) -> pl.DataFrame:
    """Table ``tellers`` from records, or from the first and last of them for each file, node and pod."""
    last, place = pl.col("ts" if "ts" in records.columns else "last_ts"), ["source_path", "byte_offset"]
    return as_texts(records.sort(place).group_by("node", "pod", maintain_order=True).agg(last_ts=last.max()))


def _typed(frame: pl.DataFrame, schema: Mapping[str, Any]) -> pl.DataFrame:
    return frame.select(
        pl.col(name).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
        if isinstance(kind, pl.Datetime) and isinstance(frame.schema[name], pl.Datetime)
        and frame.schema[name].time_zone is not None  # type: ignore[attr-defined]
        else pl.col(name).cast(kind)
        for name, kind in schema.items()
    )  # fmt: skip


def _order(name: str) -> list[str]:
    if "byte_offset" in SCHEMAS[name]:
        return ["source_path", "byte_offset", *[c for c in ("peer", "fact", "kind", "name") if c in SCHEMAS[name]]]
    return ["node", "component", *[c for c in ("source_path", "first_ts", "rule", "minute") if c in SCHEMAS[name]]]


def _with_nodes(frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Fill the node of records that name only their pod, from the Pod resources and from other records."""
    from pipeline.sessions.addresses import pods_to_nodes

    pods = pods_to_nodes(frames["resources"], frames["tellers"])
    if pods.is_empty():
        return frames
    found = dict(frames)
    for name in ("records", "tellers"):
        frame = frames[name]
        if not frame["node"].has_nulls():
            continue
        told = frame.select(pl.col("pod").cast(pl.String)).join(pods, on="pod", how="left", maintain_order="left")
        found[name] = frame.with_columns(pl.col("node").fill_null(told["node"].cast(frame.schema["node"])))
    return found
