"""Sessions that the inventory asks for, and those of them that nobody ever saw.

A session that neither end shows is a finding only where a daemon was looked at: its status table was printed when
the resources were already there, it lists other peers of that address family, and this one is not among them.
Elsewhere it is unknown, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from pipeline.findings.inventories import inventory_versions
from pipeline.inventory.groups import ExpectedSession, expected_sessions
from pipeline.sessions.addresses import AddressBook
from pipeline.sessions.facts import TIME, ClusterFacts
from pipeline.sessions.observations import GONE
from pipeline.sessions.speakers import Sessions

RENDERED = timedelta(minutes=5)
"""A peering this old is in the daemon's configuration: confd renders within seconds, start-up waits a minute."""
NOT_LISTED, NO_TABLE, NOT_OBSERVED, FAR_SHOWS = "not listed", "no table", "not observed", "far end shows it"
SCHEMA: dict[str, Any] = {
    "cluster": pl.String, "node": pl.String, "peer": pl.String, "peer_node": pl.String, "group_name": pl.String,
    "made_by": pl.String, "reason": pl.String, "looked_at": TIME, "source_path": pl.String, "byte_offset": pl.UInt64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Missing:
    """One end of a session that should be there and was never seen.

    ``reason`` is 'not listed' (the daemon's table was printed without it), 'far end shows it' (the same, and the
    other end does have the session), 'no table' (the node was observed, but no table of its daemon that could
    tell) or 'not observed'. ``looked_at`` and the place are those of the table.
    """

    expected: ExpectedSession
    reason: str
    looked_at: datetime | None = None
    source_path: str | None = None
    byte_offset: int | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    ts: datetime | None
    source_path: str | None
    byte_offset: int | None


def expected_of(facts: ClusterFacts) -> tuple[list[ExpectedSession], datetime | None, dict[str, datetime]]:
    """Sessions of the latest inventory, when that was collected, and when its resources were made (by name)."""
    versions = inventory_versions(facts.resources)
    if not versions:
        return [], None, {}
    seen, bodies = versions[-1]
    if not bodies["Node"] or not (bodies["BGPPeer"] or bodies["BGPConfiguration"]):
        return [], seen, {}
    made = {}
    for kind in ("Node", "BGPPeer"):
        for body in bodies[kind]:
            metadata = body.get("metadata") or {}
            moment = _moment(metadata.get("creationTimestamp"))
            if moment is not None:
                made[f"{kind} {metadata.get('name')}"] = moment
    return expected_sessions(bodies["Node"], bodies["BGPPeer"], bodies["BGPConfiguration"]), seen, made


def find_missing(facts: ClusterFacts, book: AddressBook, sessions: Sessions) -> list[Missing]:
    """Expected ends that were never seen, in order of node and peer; nothing without an inventory."""
    wanted, seen, made = expected_of(facts)
    if not wanted:
        return []
    shown = _shown(sessions.pairs)
    tables = _tables(sessions.tables)
    observed = set(sessions.pairs["node"].drop_nulls()) | set(facts.observed["node"].drop_nulls())
    found = []
    for session in wanted:
        far = {session.peer_address, session.peer_node}
        if far & shown.get(session.node, set()):
            continue
        if session.node not in observed:
            found.append(Missing(session, NOT_OBSERVED))
            continue
        table = _telling(tables.get((session.node, ":" in session.peer_address), []), _since(session, seen, made))
        if table is None:
            found.append(Missing(session, NO_TABLE))
            continue
        near = {session.node, *book.addresses_of.get(session.node, ())}
        told = bool(near & shown.get(session.peer_node or "", set()))
        reason = FAR_SHOWS if told else NOT_LISTED
        found.append(Missing(session, reason, table.ts, table.source_path, table.byte_offset))
    return found


def missing_frame(cluster: str, missing: Iterable[Missing]) -> pl.DataFrame:
    """Table ``missing_sessions``."""
    rows = [
        (cluster, m.expected.node, m.expected.peer_address, m.expected.peer_node, m.expected.group_name,
         m.expected.source, m.reason, m.looked_at, m.source_path, m.byte_offset)
        for m in missing
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _shown(pairs: pl.DataFrame) -> dict[str, set[str]]:
    """Far ends, by address and name, that each node was ever seen to have a session with."""
    shown: dict[str, set[str]] = {}
    for node, peer, far in pairs.filter(pl.col("node").is_not_null()).iter_rows():
        shown.setdefault(node, set()).update(name for name in (peer, far) if name)
    return shown


def _tables(tables: pl.DataFrame) -> dict[tuple[str, bool], list[_Table]]:
    """Full status tables of each node and family (True: IPv6), the latest first."""
    rows = tables.filter(
        (pl.col("status") != GONE) & pl.col("node").is_not_null() & pl.col("peer").is_not_null()
    ).with_columns(six=pl.col("peer").cast(pl.String).str.contains(":", literal=True))  # fmt: skip
    kind = ["node", "six", "observed_by"]
    counted = rows.group_by(*kind, "ts").agg(
        rows=pl.col("end").n_unique(),
        source_path=pl.col("source_path").first(),
        byte_offset=pl.col("byte_offset").min(),
    )
    full = counted.filter(pl.col("rows") * 2 >= pl.col("rows").max().over(kind)).sort(
        "ts", "source_path", descending=True, nulls_last=True
    )
    found: dict[tuple[str, bool], list[_Table]] = {}
    for node, six, ts, path, offset in full.select("node", "six", "ts", "source_path", "byte_offset").iter_rows():
        found.setdefault((node, six), []).append(_Table(ts, path, offset))
    return found


def _since(session: ExpectedSession, seen: datetime | None, made: dict[str, datetime]) -> datetime | None:
    """From when on the daemon must have the session; None where no time is known."""
    names = [f"Node {session.node}", *([f"Node {session.peer_node}"] if session.peer_node else [])]
    names += [] if session.source == "mesh" else [f"BGPPeer {session.source}"]
    born = [made.get(name) for name in names]
    known = [moment for moment in born if moment is not None]
    start = max(known) if len(known) == len(born) else seen
    return None if start is None else start + RENDERED


def _telling(tables: list[_Table], since: datetime | None) -> _Table | None:
    if since is None:
        return tables[0] if tables else None
    return next((table for table in tables if table.ts is not None and table.ts >= since), None)


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
