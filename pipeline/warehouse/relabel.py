"""Reads what is stored with today's grammar. Only on request: history does not change its meaning by itself.

A shape decides its rule, so each shape's example is read once and the answer holds for all its lines. A shape
whose example is not kept, or which today's masking words otherwise, stays as it was. States of sessions that
log lines gave stay as they were observed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb
import polars as pl

from pipeline.errors import WarehouseError
from pipeline.grammar import Ruleset
from pipeline.shape_ids import shape_id
from pipeline.sources.components import BODY_FAMILIES
from pipeline.warehouse.retention import Change, note
from pipeline.warehouse.tables import insert
from pipeline.warehouse.writer import Warehouse

# What the table readers and their sources write; log lines of a program are in BODY_FAMILIES.
_FAMILIES = {
    **BODY_FAMILIES,
    **dict.fromkeys(("node", "cni", "startup"), "go"),
    "probe": "probe",
    "kube-event": "kube-event",
    "runit": "runit",
    **dict.fromkeys(("birdcl", "calicoctl", "console"), "console"),
}
_FIELDS = ("rule", "category", "severity", "protocol", "peer", "peers", "params")


@dataclass(frozen=True)
class Relabelled:
    """What changes: shapes with another meaning, the lines behind them, shapes that could not be read anew."""

    shapes: int
    lines: int
    records: int
    kept: int


def relabel(warehouse: Warehouse, ruleset: Ruleset, now: datetime, *, dry_run: bool = False) -> Relabelled:
    """Give every stored shape and record the rule that ``ruleset`` gives it; one transaction.

    Raises:
        WarehouseError: the database refused a step; nothing was changed.
    """
    con = warehouse.connection
    shapes = warehouse.shapes()
    moved, kept = _moved(shapes, ruleset)
    con.begin()
    try:
        con.register("moved", moved.to_arrow())
        lines, records = con.sql(
            "SELECT (SELECT coalesce(sum(events), 0)::UBIGINT FROM minute_counts WHERE shape_id IN "
            "(SELECT shape_id FROM moved)), (SELECT count(*) FROM records WHERE shape_id IN "
            "(SELECT shape_id FROM moved))"
        ).fetchall()[0]
        told = Relabelled(moved.height, lines, records, kept)
        if dry_run or moved.is_empty():
            con.rollback()
            return told
        _apply(warehouse, moved, ruleset)
        before = con.sql("SELECT arg_max(ruleset_version, load_id) FROM loads").fetchall()[0][0]
        con.execute("UPDATE loads SET ruleset_version = ?", [ruleset.version])
        note(con, now, [Change("relabel", "shapes", moved.height, f"from grammar {before} to {ruleset.version}")])
        con.commit()
    except BaseException as exc:
        con.rollback()
        if isinstance(exc, duckdb.Error):
            raise WarehouseError(f"relabelling failed, nothing was changed: {str(exc).splitlines()[0]}") from exc
        raise
    return told


def _families(frame: pl.DataFrame, ruleset: Ruleset) -> pl.Series:
    """The family a text was read in: its rule's, where that has one only, else its component's."""
    own: Mapping[str, str] = {rule.id: rule.families[0] for rule in ruleset.rules if len(rule.families) == 1}
    by_rule = frame["rule"].replace_strict(own, default=None, return_dtype=pl.String)
    by_component = frame["component"].replace_strict(_FAMILIES, default="plain", return_dtype=pl.String)
    return frame.select(pl.coalesce(by_rule.alias("family"), by_component)).to_series()


def _moved(shapes: pl.DataFrame, ruleset: Ruleset) -> tuple[pl.DataFrame, int]:
    """Shapes that mean something else today: shape_id, new_id and the new columns; and how many stay unread."""
    readable = shapes.filter(pl.col("example").is_not_null())
    asked = readable.select(
        "shape_id", "component", pl.lit(None, pl.String).alias("level"), old_rule="rule", old_shape="shape",
        old_category="category", old_severity="severity", body="example",
    ).with_columns(family=_families(readable, ruleset))  # fmt: skip
    answer = ruleset.understand(asked)
    known = {rule.id for rule in ruleset.rules}
    same_text = answer["shape"] == answer["old_shape"]
    # Without the file's own family a rule may not be found: a rule that still exists is not taken away.
    lost = answer["rule"].is_null() & answer["old_rule"].is_in(sorted(known)).fill_null(False)
    differs = (
        answer["rule"].ne_missing(answer["old_rule"])
        | (answer["category"] != answer["old_category"])
        | (answer["severity"] != answer["old_severity"])
    )
    # The severity of what no rule knows comes from each line's level, which a shape does not have.
    idle = answer["rule"].is_null() & answer["old_rule"].is_null()
    moved = answer.filter(same_text & ~lost & differs & ~idle)
    ids = [shape_id(row["component"], row["rule"], row["shape"]) for row in moved.iter_rows(named=True)]
    moved = moved.with_columns(new_id=pl.Series("new_id", ids, dtype=pl.UInt64))
    columns = ["shape_id", "new_id", "shape", "component", "rule", "category", "severity", "body", "family"]
    return moved.select(columns), int((~same_text | lost).sum()) + shapes.height - readable.height


def _apply(warehouse: Warehouse, moved: pl.DataFrame, ruleset: Ruleset) -> None:
    con = warehouse.connection
    _apply_records(warehouse, ruleset)
    con.execute(
        "UPDATE minute_counts SET shape_id = m.new_id FROM moved AS m WHERE m.shape_id = minute_counts.shape_id"
    )
    con.execute("DELETE FROM shapes WHERE shape_id IN (SELECT shape_id FROM moved)")
    con.execute("DELETE FROM mined WHERE shape_id IN (SELECT shape_id FROM moved)")
    # What was mined before belongs to other rules now: the next mining must not think it is done.
    con.execute("DELETE FROM derived_digests WHERE cluster = ''")
    known = con.sql("SELECT shape_id FROM shapes").pl()
    fresh = moved.drop("shape_id", "family").rename({"new_id": "shape_id", "body": "example"})
    fresh = fresh.unique("shape_id").join(known, on="shape_id", how="anti").sort("shape_id")
    insert(con, "shapes", fresh, {})


def _apply_records(warehouse: Warehouse, ruleset: Ruleset) -> None:
    """Records take their rule and fields from their own text, one by one."""
    con = warehouse.connection
    found = warehouse.frame(
        "SELECT r.rowid AS row_id, m.new_id, m.family, r.component, r.level, r.message AS body "
        "FROM records AS r JOIN moved AS m ON m.shape_id = r.shape_id ORDER BY row_id"
    )
    if found.is_empty():
        return
    read = ruleset.understand(found).select("row_id", "new_id", *_FIELDS)
    con.register("reread", read.to_arrow())
    con.execute(
        "UPDATE records SET shape_id = n.new_id, rule = n.rule, category = n.category, "
        "severity = CAST(n.severity AS severity_name), protocol = n.protocol, peer = n.peer, peers = n.peers, "
        "params = CAST(CAST(coalesce(n.params, '{}') AS JSON) AS MAP(VARCHAR, VARCHAR)) "
        "FROM reread AS n WHERE n.row_id = records.rowid"
    )
