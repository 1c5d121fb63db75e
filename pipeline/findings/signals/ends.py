"""What the ends of the failing sessions say."""

from __future__ import annotations

from pipeline.findings.case import Case
from pipeline.findings.failures import End
from pipeline.findings.proofs import Sign, listed, proofs_of_ends, proofs_of_records
from pipeline.findings.signals.base import compiled, signal
from pipeline.sessions.reasons import BARE

DIALS = ("Connect", "Active")


def _at(case: Case, where: str) -> tuple[End, ...]:
    if where == "hub":
        return case.hub_ends
    if where == "member":
        return tuple(end for end in case.ends if end.node not in case.incident.hubs)
    return case.ends


@signal
def error_text(case: Case, pattern: str, at: str = "any", share: float = 0.0) -> Sign:
    """An end's last error matches ``pattern``; ``at`` is any, hub or member; ``share`` of the sessions at least."""
    ends = _at(case, at)
    if not ends:
        return Sign(None)
    regex = compiled(pattern)
    regex_of = {text: bool(regex.search(text)) for text in {text for end in ends for text in end.errors}}
    found = [(end, next((text for text in end.errors if regex_of[text]), None)) for end in ends]
    matching = [end for end, text in found if text is not None]
    told = {id(end) for end in matching}
    sessions = {s.session for s in case.incident.failures if any(id(end) in told for end in s.ends)}
    if not matching or len(sessions) < share * len(case.incident.sessions):
        return Sign(False)
    fields = {
        "error_text": next(text for _, text in found if text is not None), "error_sessions": str(len(sessions)),
        "error_nodes": listed(end.place for end in matching), "error_peers": listed(end.far for end in matching),
    }  # fmt: skip
    return Sign(True, proofs_of_ends(matching), fields)


@signal
def error_at_one_end_only(case: Case, pattern: str) -> Sign:
    """Of the sessions seen from both ends, at least half have a text like ``pattern`` at one end only."""
    regex = compiled(pattern)
    looked, lonely = 0, []
    for failure in case.incident.failures:
        told: dict[str, bool] = {}
        for end in failure.ends:
            told[end.speaker] = told.get(end.speaker, False) or any(regex.search(text) for text in end.errors)
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
    matching = [end for end in case.ends if end.category in categories]
    return Sign(bool(matching), proofs_of_ends(matching), {"category_nodes": listed(e.place for e in matching)})


@signal
def bare_state(case: Case) -> Sign:
    """Every end that was seen is not established and names no error."""
    if not case.ends:
        return Sign(None)
    if any(end.category != BARE or end.last_error for end in case.ends):
        return Sign(False)
    return Sign(True, proofs_of_ends(case.ends))


@signal
def both_ends_seen(case: Case) -> Sign:
    """Both ends of a failing session were observed."""
    return Sign(True) if case.both_seen else Sign(None)


@signal
def passive_everywhere(case: Case) -> Sign:
    """Every end that was seen waits for the other one to dial."""
    states = [end.bgp_state for end in case.ends if end.bgp_state]
    if not states:
        return Sign(None)
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
    speakers = {end.speaker for end in case.ends}
    if len(speakers) != 1 or len(case.unseen) < least:
        return Sign(False if case.ends else None)
    (speaker,) = speakers
    if len(case.unseen) < len({end.far for end in case.ends}) or case.up_elsewhere(speaker):
        return Sign(False)
    if pattern:
        regex = compiled(pattern)
        alike = all(any(regex.search(text) for text in end.errors) for end in case.ends)
    else:
        alike = all(end.bgp_state in DIALS and not end.errors for end in case.ends)
    fields = {"alike_node": case.ends[0].place.lstrip("?"), "alike_ends": str(len(case.unseen))}
    return Sign(alike, proofs_of_ends(case.ends) if alike else (), fields if alike else {})


@signal
def only_probes(case: Case) -> Sign:
    """Nothing but readiness verdicts speaks of the sessions."""
    if not case.ends:
        return Sign(None)
    return Sign(all(end.observed_by == "probe" for end in case.ends), proofs_of_ends(case.ends))


@signal
def second_protocol(case: Case) -> Sign:
    """The failing end has a twin: another protocol of the same daemon to the same address that is up."""
    for end in case.ends:
        frame = case.world.ends.get(end.speaker)
        if frame is None or end.peer is None or end.protocol is None:
            continue
        twins = frame.filter(
            (frame["peer"] == end.peer) & (frame["protocol"] != end.protocol) & (frame["state"] == "up")
        )
        if not twins.is_empty():
            twin = twins.row(0, named=True)
            return Sign(True, proofs_of_ends([end]), {"protocol": end.protocol, "twin": twin["protocol"]})
    return Sign(False)
