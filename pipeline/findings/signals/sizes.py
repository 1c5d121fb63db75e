"""Counts against limits: how many password peers a reflector has, and how many its kernel can hold."""

from __future__ import annotations

from typing import Any

import polars as pl

from pipeline.findings.case import Case
from pipeline.findings.limits import MD5_KEY_BYTES, OPTMEM_NEW_DEFAULT, md5_key_limit, optmem_for
from pipeline.findings.names import listed
from pipeline.findings.proofs import Proof, Sign
from pipeline.findings.signals.base import signal
from pipeline.findings.sizes import optmem_of


@signal
def md5_configured(case: Case) -> Sign:
    """The sessions have a password."""
    group = case.incident.group
    if group is None or group.md5 is None:
        return Sign(None)
    proof = _password_proof(case)
    return Sign(group.md5, (proof,) if group.md5 and proof else ())


@signal
def no_password(case: Case) -> Sign:
    """It is known that the sessions have no password."""
    group = case.incident.group
    return Sign(None) if group is None or group.md5 is None else Sign(not group.md5)


@signal
def password_possible(case: Case) -> Sign:
    """The sessions have a password, and no kernel counter was collected that could tell a wrong one."""
    group = case.incident.group
    return Sign(not _counted(case) and group is not None and group.md5 is True)


@signal
def password_unknown(case: Case) -> Sign:
    """Nobody knows whether the sessions have a password, and no kernel counter could tell."""
    group = case.incident.group
    return Sign(not _counted(case) and (group is None or group.md5 is None))


def _counted(case: Case) -> bool:
    facts = case.world.facts.node_facts
    mine = pl.col("fact").str.starts_with("TcpExtTCPMD5") & pl.col("node").is_in(list(case.names))
    return not facts.filter(mine).is_empty()


def _password_proof(case: Case) -> Proof | None:
    facts = case.world.facts.resources
    peers = facts.filter((pl.col("kind") == "BGPPeer") & pl.col("body").fill_null("").str.contains("password"))
    if peers.is_empty():
        return None
    row = peers.row(0, named=True)
    return Proof(f"BGPPeer {row['name']} names a password", row["observed_at"], None, None, row["source_path"],
                 row["byte_offset"])  # fmt: skip


@signal
def keys_over_limit(case: Case) -> Sign:
    """A reflector has more password peers than MD5 keys fit into its listening socket."""
    rows = [row for row in case.size_rows if row["md5_peers"] is not None and row["md5_key_limit"] is not None]
    if not rows:
        return Sign(None)
    over = [row for row in rows if row["md5_peers"] > row["md5_key_limit"]]
    if not over:
        return Sign(False, (), _limit_fields(case, rows))
    return Sign(True, tuple(_size_proof(case, row) for row in over[:4]), _limit_fields(case, over))


def _limit_fields(case: Case, rows: list[dict[str, Any]]) -> dict[str, str]:
    worst = max(rows, key=lambda row: (row["md5_peers"], row["reflector"]))
    optmem, how = optmem_of(case.world.nodes, worst["reflector"], worst["ts"])
    needed = optmem_for(worst["md5_peers"])
    return {
        "md5_peers": str(worst["md5_peers"]), "limit": str(worst["md5_key_limit"]),
        "optmem": str(optmem), "optmem_how": "" if how == "set" else " (the default of this kernel)",
        "formula": f"ceil({optmem}/{MD5_KEY_BYTES}) - 1", "over": str(worst["md5_peers"] - worst["md5_key_limit"]),
        "reflectors_over": listed(row["reflector"] for row in rows),
        "optmem_new": str(needed), "limit_new": str(md5_key_limit(needed)),
    }  # fmt: skip


def _size_proof(case: Case, row: dict[str, Any]) -> Proof:
    optmem, how = optmem_of(case.world.nodes, row["reflector"], row["ts"])
    source, offset = _size_source(case, row)
    text = (
        f"{row['md5_peers']} password peers, {row['established_peers']} established, room for "
        f"{row['md5_key_limit']} keys (optmem_max {optmem}{'' if how == 'set' else ', kernel default'})"
    )
    return Proof(text, row["ts"], row["reflector"], None, source, offset)


def _size_source(case: Case, row: dict[str, Any]) -> tuple[str | None, int | None]:
    """The status table that was counted, else where the setting was read."""
    counted = next((table for table in case.world.tables.get(row["reflector"], ()) if table[0] == row["ts"]), None)
    if counted is not None:
        return counted[1], counted[2]
    facts = case.world.facts.node_facts
    named = facts.filter((pl.col("node") == row["reflector"]) & pl.col("fact").str.contains("optmem_max"))
    return (None, None) if named.is_empty() else named.select("source_path", "byte_offset").row(0)


@signal
def established_at_limit(case: Case) -> Sign:
    """A reflector has exactly as many established sessions as it can hold MD5 keys."""
    rows = [row for row in case.size_rows if row["md5_key_limit"] is not None]
    if not rows:
        return Sign(None)
    exact = [row for row in rows if row["established_peers"] == row["md5_key_limit"]]
    return Sign(bool(exact), tuple(_size_proof(case, row) for row in exact[:2]), {"established": str(
        exact[0]["established_peers"]) if exact else ""})  # fmt: skip


@signal
def next_limit(case: Case) -> Sign:
    """Always known: what the usual higher setting can hold. Gives fields for the remedy."""
    rows = case.size_rows
    needed = max([row["md5_peers"] or row["configured_peers"] or 0 for row in rows], default=0)
    size = optmem_for(needed)
    return Sign(True, (), {
        "optmem_new": str(size), "limit_new": str(md5_key_limit(size)),
        "kernel_default": str(OPTMEM_NEW_DEFAULT), "kernel_limit": str(md5_key_limit(OPTMEM_NEW_DEFAULT)),
    })  # fmt: skip
