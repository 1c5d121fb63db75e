"""Peers as other speakers list them: ``cilium bgp peers``, ``gobgp neighbor``, ``show bgp summary`` of Arista and
Juniper, and ``show bgp neighbors`` of FRR, Cisco and Arista.

Formats: cilium:cilium-dbg and cilium-cli ``bgp peers``, osrg/gobgp:cmd/gobgp/neighbor.go, the vendors' command
references, frr:bgpd/bgp_vty.c ``bgp_show_peer``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.status.lines import Line
from pipeline.status.names import address_only
from pipeline.status.sink import Sink

_WORD = r"(?i:estab(?:l|lished)?|idle|connect|active|opensent|openconfirm|sent|confirm|unknown)"
_STATE = rf"{_WORD}(?:\((?:Admin|PfxCt|Adm|NoIf)\))?"
_UP = r"(?:never|\d[\w:.]*(?: \d\d:\d\d:\d\d)?)"
#: heading -> row; a row says who and in which state, and may say how long it has been so
_TABLES: dict[str, tuple[re.Pattern[str], re.Pattern[str]]] = {
    "cilium bgp peers": (
        re.compile(r"^(?:Node\s+)?Local AS\s+Peer AS\s+Peer Address\s+Session(?: State)?\s+Uptime\s+Family\s"),
        re.compile(
            rf"^(?:(?:(?P<node>\S+)\s+)?(?P<local>\d+)\s+)?(?P<asn>\d+)\s+(?P<who>\S+)\s+(?P<state>{_STATE})\s+"
            r"(?P<up>\S+)\s+\S+/\S+\s+\d+\s+\d+$"
        ),
    ),
    "gobgp neighbor": (
        re.compile(r"^Peer\s+AS\s+Up/Down\s+State\s+\|#(?:Received|Advertised)"),
        re.compile(rf"^(?P<who>\S+)\s+(?P<asn>\d+)\s+(?P<up>{_UP})\s+(?P<state>{_STATE})\s*\|"),
    ),
    "show bgp summary (Arista)": (
        re.compile(r"^(?:Description\s+)?Neighbor\s+(?:V\s+)?AS\s+MsgRcvd\s+MsgSent\s+InQ\s+OutQ\s+Up/Down\s+State\b"),
        re.compile(
            r"^(?:\S+\s+)??(?P<who>[0-9A-Fa-f.:%]+\S*)\s+(?:4\s+)?(?P<asn>[\d.]+)\s+\d+\s+\d+\s+\d+\s+\d+\s+"
            rf"(?P<up>\S+)\s+(?P<state>{_STATE})(?:\s|$)"
        ),
    ),
    "show bgp summary (Juniper)": (
        re.compile(r"^Peer\s+AS\s+InPkt\s+OutPkt\s+OutQ\s+Flaps\s+Last Up/Dwn\s+State"),
        re.compile(
            r"^(?P<who>[0-9A-Fa-f.:]+)\s+(?P<asn>[\d.]+)\s+\d+\s+\d+\s+\d+\s+\d+\s+(?P<up>\S+(?: \d+:\d+:\d+)?)\s+"
            rf"(?P<state>{_STATE}|\d+/\d+/\d+(?:/\d+)?)(?:\s|$)"
        ),
    ),
}
_FRAME = re.compile(
    r"^(?:BGP summary information for VRF|Router identifier [\d.]+, local AS|Neighbor Status Codes:|"
    r"Groups: \d+ Peers: \d+|Table\s+Tot Paths\s+Act Paths\s|"
    r"(?:inet|inet6|bgp)\.\S+\s+\d+\s+\d+\s+\d+\s+\d+\s+\d+\s+\d+$)"
)
_BELOW = re.compile(r"^(?:ipv[46]|l2vpn)\S*/\S+\s+\d+\s+\d+$|^\S*(?:inet|bgp)\S*\.\d+: \d+/\d+")
_FULL = {
    "establ": "Established", "estab": "Established", "sent": "OpenSent", "confirm": "OpenConfirm",
    "opensent": "OpenSent", "openconfirm": "OpenConfirm", "unknown": "Idle",
}  # fmt: skip
_NEIGHBOR = re.compile(
    r"^BGP neighbor (?:is|on \S+:?) ?(?P<who>[0-9A-Fa-f.:]+)?.*?,\s+(?:vrf \S+,\s+)?remote AS (?P<asn>[\d.]+)"
)
_BGP_STATE = re.compile(
    r"^BGP state (?:=|is) (?P<state>\w+)(?:\s*\((?P<why>\w+)\))?(?:, (?:up for|down for) (?P<up>\S+))?"
)
_BLOCK = "show bgp neighbors"


def _named(word: str) -> tuple[str, str]:
    """Protocol state and BGP state of a word such as ``Establ``, ``active``, ``Idle(Admin)`` or ``3/3/3/0``."""
    if word[0].isdigit():
        return "up", "Established"
    name = word.partition("(")[0].lower()
    full = _FULL.get(name, name.capitalize())
    return ("up" if full == "Established" else "down" if "adm" in word.lower() else "start"), full


def _row(line: Line, sink: Sink, who: str, word: str, params: dict[str, str], node: str | None = None) -> None:
    state, bgp_state = _named(word)
    peer = address_only(who) or (who if who.count(":") > 1 else None)
    sink.peer_row(
        line,
        component=_component(sink.segment),
        state=state,
        bgp_state=bgp_state,
        who=who,
        peer=peer,
        params=params,
        node=node,
    )


def _component(segment: str) -> str:
    names = {"cilium": "cilium", "gobgp": "gobgp", "(Arista)": "arista", "(Juniper)": "junos"}
    return next((name for mark, name in names.items() if mark in segment), "frr")


def read_speakers(lines: Sequence[Line], i: int, sink: Sink) -> int:
    """A heading or row of such a table, or a line of a neighbour's description."""
    line = lines[i]
    text = line.bare
    for segment, (head, _) in _TABLES.items():
        if head.match(text):
            sink.enter(segment)
            sink.frame(line, _component(segment))
            return 1
    if _FRAME.match(text):
        sink.frame(line, "console")
        return 1
    if sink.segment in _TABLES:
        match = _TABLES[sink.segment][1].match(text)
        if match:
            found = match.groupdict()
            params = {"as": found["asn"], "since": found["up"]}
            _row(line, sink, found["who"], found["state"], params, found.get("node"))
            return 1
        if _BELOW.match(text):
            sink.frame(line, _component(sink.segment))
            return 1
        return 0
    neighbor = _NEIGHBOR.match(text)
    if neighbor:
        sink.enter(_BLOCK)
        sink.neighbor = neighbor["who"] or ""
        sink.frame(line, "frr")
        return 1
    if sink.segment in (_BLOCK, "gobgp neighbors") and line.text[:1].isspace():
        state = _BGP_STATE.match(text)
        if state and sink.neighbor:
            if state["state"].islower():
                sink.segment = "gobgp neighbors"
            word = f"{state['state']}({state['why'] or ''})"
            _row(line, sink, sink.neighbor, word, {"since": state["up"] or ""})
        else:
            # what is told of the past ("last reset", "last socket-error") says nothing about now
            sink.record([line], role="detail", component="frr")
        return 1
    return 0
