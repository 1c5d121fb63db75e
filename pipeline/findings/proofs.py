"""Facts that somebody can look up, and the words they are told in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from pipeline.findings.losses import End
from pipeline.sessions.reasons import BARE

PROOFS = 4
"""Records quoted for one sign at most; the sentence carries the count."""
LOOKED_THROUGH = 50
"""Ends that are looked through, for each one that is quoted, to find some of different places."""


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


def spread(places: Iterable[int], limit: int = PROOFS) -> list[int]:
    """Which of the first ends to quote, by the numbers of their places: a third of them from one place at most."""
    chosen: list[int] = []
    counts: dict[int, int] = {}
    for position, place in enumerate(places):
        if counts.setdefault(place, 0) >= max(1, limit // 3) and len(counts) < limit:
            continue
        counts[place] += 1
        chosen.append(position)
        if len(chosen) >= limit:
            break
    return chosen


def proof_of_end(end: End) -> Proof:
    """What a single end showed, with the record it was read from."""
    return Proof(shown_by(end), end.started_at, end.node, end.peer, end.source_path, end.byte_offset)


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
