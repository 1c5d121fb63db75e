"""Facts that somebody can look up, and the words they are told in."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

import polars as pl

from pipeline.findings.failures import End
from pipeline.sessions.reasons import BARE

PROOFS = 4
"""Records quoted for one sign at most; the sentence carries the count."""
LOOKED_THROUGH = 50
"""Ends that are looked through, for each one that is quoted, to find some of different places."""
Name = tuple[tuple[int, int, str], ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """A fact that somebody can look up: the text, and where it stands."""

    text: str
    ts: datetime | None = None
    node: str | None = None
    peer: str | None = None
    source_path: str | None = None
    byte_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Sign:
    """What a signal found: ``seen`` is None where nobody could look."""

    seen: bool | None
    proofs: tuple[Proof, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)


def proofs_of_records(records: pl.DataFrame, limit: int = PROOFS) -> tuple[Proof, ...]:
    """Quotes of the first records, one of each node and text as far as the limit goes."""
    ordered = records.sort("ts", "source_path", "byte_offset", nulls_last=True)
    spread = ordered.unique(["node", "rule"], keep="first", maintain_order=True)
    chosen = (
        spread
        if spread.height >= limit
        else pl.concat([spread, ordered]).unique(["source_path", "byte_offset"], keep="first", maintain_order=True)
    )
    return tuple(
        Proof(
            shortened(row["message"] or ""), row["ts"], row["node"], row["peer"], row["source_path"],
            row["byte_offset"],
        )
        for row in chosen.head(limit).iter_rows(named=True)
    )  # fmt: skip


def proofs_of_ends(ends: Iterable[End], limit: int = PROOFS) -> tuple[Proof, ...]:
    """What single ends showed, each with the record it was read from."""
    return spread_proofs(heapq.nsmallest(LOOKED_THROUGH * limit, ends, key=end_order), limit)


def end_order(end: End) -> tuple[Name, Name]:
    """The order in which ends are quoted: by place, then by far end, numbers as numbers."""
    return natural(end.place), natural(end.far)


def spread_proofs(ordered: Iterable[End], limit: int = PROOFS) -> tuple[Proof, ...]:
    """Proofs of the first ends, a third of them from one place at most."""
    chosen: list[Proof] = []
    places: dict[str, int] = {}
    for end in ordered:
        if places.setdefault(end.place, 0) >= max(1, limit // 3) and len(places) < limit:
            continue
        places[end.place] += 1
        chosen.append(Proof(shown_by(end), end.started_at, end.node, end.peer, end.source_path, end.byte_offset))
        if len(chosen) >= limit:
            break
    return tuple(chosen)


def shown_by(end: End) -> str:
    """One end's view in words: its BGP state and its last error, or that it gave none."""
    if end.observed_by == "inventory":
        return f"no session with {end.far} is listed"
    state = end.bgp_state or ("not established" if end.category == BARE else "")
    if end.told_error:
        return end.told_error if state in ("", "Down") else f"{state}, {end.told_error}"
    return f"{state or 'not established'}, no error text"


def shortened(text: str, limit: int = 240) -> str:
    """Text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def listed(names: Iterable[str], limit: int = 8) -> str:
    """Names in order, the rest as a number."""
    distinct = set(names)
    found = heapq.nsmallest(limit, distinct, key=natural)
    more = len(distinct) - limit
    return ", ".join(found) + (f" and {more} more" if more > 0 else "")


@lru_cache(maxsize=100_000)
def natural(name: str) -> Name:
    """A key that puts names in the order people expect: worker-9 before worker-10."""
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]
    return (*parts, (2, 0, name))  # worker-1 and worker-01 are two names, in an order that does not vary
