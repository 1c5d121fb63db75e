"""How bytes are read, record by record: what ``peerscope explain`` prints."""

from __future__ import annotations

import json
from typing import Any

from pipeline.engines.inferred import inferred_releases
from pipeline.engines.parse import Piece, understand_pieces
from pipeline.grammar import load_ruleset
from pipeline.inventory.fingerprints import FACT
from pipeline.mining.templates import template_id
from pipeline.settings import Settings
from pipeline.sources.identify import identify


def explain_bytes(data: bytes, path: str, settings: Settings) -> list[dict[str, Any]]:
    """One dictionary for each record, in the order of the stages that filled it."""
    ruleset = load_ruleset()
    identity = identify(data)
    piece = Piece(0, path, identity, data)
    rows = []
    for row in understand_pieces([piece], ruleset, settings).spoken.iter_rows(named=True):
        rule = ruleset.rule(row["rule"]) if row["rule"] else None
        rows.append(
            {
                "message": row["message"],
                "read_as": identity.kind,
                "because": identity.why,
                "envelope": " > ".join(identity.chain) or None,
                "place": f"byte {row['offset']}, {row['lines']} line(s)",
                "time": row["ts"],
                "time_from": row["ts_source"],
                "node": row["node"],
                "pod": row["pod"],
                "component": row["component"],
                "level": row["level"],
                "family": row["family"],
                "masked": row["shape"],
                "template": template_id(row["component"], row["shape"]),
                "rule": f"{rule.id} ({rule.file})" if rule else "none: unclassified",
                "meaning": rule.meaning if rule else None,
                "category": row["category"],
                "severity": row["severity"],
                "protocol": row["protocol"],
                "peer": row["peer"],
                "peers": row["peers"],
                "params": _params(row),
            }
        )
    return rows


def _params(row: dict[str, Any]) -> dict[str, str]:
    """What the rule took out of the record, and the releases that its place in the source allows."""
    params: dict[str, str] = json.loads(row["params"])
    releases = inferred_releases(row["rule"], row["code"], row["message"])
    return {**params, FACT: releases} if releases else params
