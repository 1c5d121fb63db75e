"""What the ends of the failing sessions say."""

from __future__ import annotations

from functools import lru_cache

from pipeline.findings.case import Case
from pipeline.findings.proofs import Sign, listed, proofs_of_ends, proofs_of_records
from pipeline.findings.signals.base import compiled, signal
from pipeline.sessions.reasons import BARE

DIALS = ("Connect", "Active")


@signal
def error_text(case: Case, pattern: str, share: float = 0.0) -> Sign:
    """An end's last error matches ``pattern``; with ``share``, ends of at least so many of the sessions."""
    if not case.ends:
        return Sign(None)
    found = [(group, text) for group in case.end_groups if (text := first_match(pattern, group.errors)) is not None]
    sessions = set().union(*(group.sessions for group, _ in found))
    if not found or len(sessions) < share * len(case.incident.sessions):
        return Sign(False)
    _, told = min(found, key=lambda pair: pair[0].positions[0])
    fields = {
        "error_text": told, "error_sessions": str(len(sessions)),
        "error_nodes": listed(name for group, _ in found for name in group.places),
        "error_peers": listed(name for group, _ in found for name in group.far),
    }  # fmt: skip
    # Ends that are quoted in the same place keep their order, so the positions come in order.
    positions = sorted(k for group, _ in found for k in group.positions)
    return Sign(True, case.quoted(positions), fields)


@lru_cache(maxsize=200_000)
def first_match(pattern: str, texts: tuple[str, ...]) -> str | None:
    """The first of the texts in which the pattern is found."""
    return next((text for text in texts if compiled(pattern).search(text)), None)


@signal
def error_at_one_end_only(case: Case, pattern: str) -> Sign:
    """Of the sessions seen from both ends, at least half have a text like ``pattern`` at one end only."""
    looked, lonely = 0, []
    for failure in case.incident.failures:
        told: dict[str, bool] = {}
        for end in failure.ends:
            told[end.speaker] = told.get(end.speaker, False) or first_match(pattern, end.errors) is not None
        if any(told.values()):
            looked += 1
            if sum(told.values()) == 1:
                lonely += [end for end in failure.ends if told[end.speaker]]
    if not looked:
        return Sign(None)
    return Sign(2 * len({(e.speaker, e.far) for e in lonely}) >= looked, proofs_of_ends(lonely, 2))


@signal
def category(case: Case, categories: list[str]) -> Sign:
    """The incident's own category, or that of one of its ends, is one of ``categories``."""
    if case.incident.records is not None:
        seen = case.incident.category in categories
        return Sign(seen, proofs_of_records(case.incident.records) if seen else ())
    matching = [k for k, name in enumerate(case.column("category")) if name in categories]
    return Sign(bool(matching), case.quoted(matching), {"category_nodes": listed(case.places[k] for k in matching)})


@signal
def bare_state(case: Case) -> Sign:
    """Every end that was seen is not established and names no error."""
    if not case.ends:
        return Sign(None)
    if set(case.column("category")) != {BARE} or any(case.column("last_error")):
        return Sign(False)
    return Sign(True, case.quoted())


@signal
def both_ends_seen(case: Case) -> Sign:
    """Both ends of a failing session were observed."""
    return Sign(True) if case.both_seen else Sign(None)


@signal
def passive_everywhere(case: Case) -> Sign:
    """Every end that was seen waits for the other one to dial."""
    states = [state for state in case.column("bgp_state") if state]
    if "Passive" not in states:
        return Sign(False if states else None)
    waiting = [end for end in case.ends if end.bgp_state == "Passive"]
    if len(waiting) < len(states):
        return Sign(False)
    fields = {
        "passive_places": listed(end.place.lstrip("?") for end in waiting),
        "passive_peers": listed(end.far for end in waiting),
    }
    return Sign(True, proofs_of_ends(waiting), fields)


@signal
def alike_towards_all(case: Case, pattern: str = "", least: int = 2) -> Sign:
    """One speaker fails alike towards all its peers, none of which was observed.

    Alike is: each end's error has ``pattern``; without one, each end dials (Connect, Active) and names no error.
    """
    speakers = set(case.column("speaker"))
    if len(speakers) != 1 or len(case.unseen) < least:
        return Sign(False if case.ends else None)
    (speaker,) = speakers
    if len(case.unseen) < len(set(case.far)) or case.up_elsewhere(speaker)[0]:
        return Sign(False)
    if pattern:
        alike = all(first_match(pattern, group.errors) is not None for group in case.end_groups)
    else:
        alike = all(end.bgp_state in DIALS and not end.errors for end in case.ends)
    fields = {"alike_node": case.ends[0].place.lstrip("?"), "alike_ends": str(len(case.unseen))}
    return Sign(alike, case.quoted() if alike else (), fields if alike else {})


@signal
def only_probes(case: Case) -> Sign:
    """Nothing but readiness verdicts speaks of the sessions."""
    if not case.ends:
        return Sign(None)
    return Sign(set(case.column("observed_by")) == {"probe"}, case.quoted())


@signal
def second_protocol(case: Case) -> Sign:
    """The failing end has a twin: another protocol of the same daemon to the same address that is up."""
    up = case.world.protocols_up
    ways = dict.fromkeys(zip(case.column("speaker"), case.column("peer"), case.column("protocol"), strict=True))
    for speaker, peer, protocol in ways:
        if peer is None or protocol is None:
            continue
        twin = next((name for name in up.get((speaker, peer), ()) if name != protocol), None)
        if twin is not None:
            end = next(e for e in case.ends if (e.speaker, e.peer, e.protocol) == (speaker, peer, protocol))
            return Sign(True, proofs_of_ends([end]), {"protocol": protocol, "twin": twin})
    return Sign(False)
