"""What the ends of the failing sessions say."""

from __future__ import annotations

import numpy as np

from pipeline.findings.case import Case
from pipeline.findings.columns import Bools, distinct
from pipeline.findings.names import listed
from pipeline.findings.proofs import Sign
from pipeline.findings.signals.base import compiled, signal
from pipeline.sessions.reasons import BARE

DIALS = ("Connect", "Active")


@signal
def error_text(case: Case, pattern: str, share: float = 0.0) -> Sign:
    """An end's last error matches ``pattern``; with ``share``, ends of at least so many of the sessions."""
    if not case.has_ends:
        return Sign(None)
    matching = _matching(case, pattern)
    if not matching.any():
        return Sign(False)
    sessions = len(case.incident.losses.sessions_of(case.incident.losses.failure[case.rows[matching]]))
    if sessions < share * case.incident.session_count:
        return Sign(False)
    first = case.errors.codes[int(np.argmax(matching))]
    fields = {
        "error_text": first_match(pattern, case.errors.values[first]) or "", "error_sessions": str(sessions),
        "error_nodes": listed(distinct(case.places.at(matching))),
        "error_peers": listed(distinct(case.far.at(matching))),
    }  # fmt: skip
    return Sign(True, case.quoted(matching), fields)


def _matching(case: Case, pattern: str) -> Bools:
    """For each end whether the pattern is found in one of its error texts."""
    found: Bools = case.remembered(("matching", pattern), lambda: _search(case, pattern))
    return found


def _search(case: Case, pattern: str) -> Bools:
    table, values = case.incident.losses.matches(pattern), case.errors.values
    unknown = case.error_codes[table[case.error_codes] < 0]
    table[unknown] = [first_match(pattern, values[code]) is not None for code in unknown.tolist()]
    return np.asarray(table[case.errors.codes] == 1, np.bool_)


def first_match(pattern: str, texts: tuple[str, ...]) -> str | None:
    """The first of the texts in which the pattern is found."""
    return next((text for text in texts if compiled(pattern).search(text)), None)


@signal
def error_at_one_end_only(case: Case, pattern: str) -> Sign:
    """Of the sessions seen from both ends, at least half have a text like ``pattern`` at one end only."""
    told = _matching(case, pattern)
    if not told.any():
        return Sign(None)
    speakers = case.column("speaker")
    failure = case.incident.losses.failure[case.rows]
    sides = failure * len(speakers.values) + speakers.codes
    telling = np.unique(sides[told])
    looked, counts = np.unique(telling // len(speakers.values), return_counts=True)
    lonely = np.isin(sides, telling) & np.isin(failure, looked[counts == 1])
    ways = len(np.unique(case.incident.losses.way[case.rows[lonely]]))
    return Sign(2 * ways >= len(looked), case.quoted(lonely, 2))


@signal
def category(case: Case, categories: list[str]) -> Sign:
    """The incident's own category, or that of one of its ends, is one of ``categories``."""
    if case.own_records is not None:
        seen = case.incident.category in categories
        return Sign(seen, case.own_records.proofs if seen else ())
    matching = case.column("category").among(categories)
    if not matching.any():
        return Sign(False, (), {"category_nodes": ""})
    return Sign(True, case.quoted(matching), {"category_nodes": listed(distinct(case.places.at(matching)))})


@signal
def bare_state(case: Case) -> Sign:
    """Every end that was seen is not established and names no error."""
    if not case.has_ends:
        return Sign(None)
    if case.told("category") != [BARE] or any(case.told("last_error")):
        return Sign(False)
    return Sign(True, case.quoted())


@signal
def both_ends_seen(case: Case) -> Sign:
    """Both ends of a failing session were observed."""
    return Sign(True) if case.both_seen else Sign(None)


@signal
def passive_everywhere(case: Case, version: int = 0, least: int = 1) -> Sign:
    """Every end that was seen waits for the other one to dial: ``least`` so many, of one IP ``version`` if asked."""
    states = [state for state in case.told("bgp_state") if state]
    if "Passive" not in states:
        return Sign(False if states else None)
    if len(states) > 1:
        return Sign(False)
    waiting = case.column("bgp_state").among(("Passive",))
    ends = distinct(case.far.at(waiting))
    if len(ends) < least or (version and any((end.count(":") > 1) != (version == 6) for end in ends)):
        return Sign(False)
    fields = {
        "passive_places": listed(place.lstrip("?") for place in distinct(case.places.at(waiting))),
        "passive_peers": listed(distinct(case.far.at(waiting))),
    }
    return Sign(True, case.quoted(waiting), fields)


@signal
def alike_towards_all(case: Case, pattern: str = "", least: int = 2) -> Sign:
    """One speaker fails alike towards all its peers, none of which was observed.

    Alike is: each end's error has ``pattern``; without one, each end dials (Connect, Active) and names no error.
    """
    speakers = case.told("speaker")
    if len(speakers) != 1 or len(case.unseen) < least:
        return Sign(False if case.has_ends else None)
    (speaker,) = speakers
    if len(case.unseen) < len(case.far_names) or case.up_elsewhere(speaker)[0]:
        return Sign(False)
    if pattern:
        alike = bool(_matching(case, pattern).all())
    else:
        alike = bool((case.column("bgp_state").among(DIALS) & case.errors.among(((),))).all())
    place = case.places.values[case.places.codes[0]]
    fields = {"alike_node": place.lstrip("?"), "alike_ends": str(len(case.unseen))}
    return Sign(alike, case.quoted() if alike else (), fields if alike else {})


@signal
def only_probes(case: Case) -> Sign:
    """Nothing but readiness verdicts speaks of the sessions."""
    if not case.has_ends:
        return Sign(None)
    return Sign(case.told("observed_by") == ["probe"], case.quoted())


@signal
def second_protocol(case: Case) -> Sign:
    """The failing end has a twin: another protocol of the same daemon to the same address that is up."""
    if not case.has_ends:
        return Sign(False)
    twins = case.world.twins(case.incident.losses).at(case.rows)
    having = ~twins.among((None,))
    if not having.any():
        return Sign(False)
    row = int(np.argmax(having))
    protocols = case.column("protocol")
    fields = {"protocol": protocols.values[protocols.codes[row]], "twin": twins.values[twins.codes[row]]}
    return Sign(True, case.quoted(np.arange(len(case.rows)) == row), fields)
