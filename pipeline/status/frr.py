"""``show [ip] bgp summary`` of FRR, as text and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pipeline.status.lines import Line
from pipeline.status.names import is_address
from pipeline.status.sink import Sink

#: A summary of a thousand peers is some 20 lines a peer; a longer block is left as text.
MAX_JSON_LINES = 50_000
#: After so many brackets that open no summary the source holds something else; looking on would cost time.
MAX_JSON_FAILURES = 16

_HEAD = re.compile(r"^Neighbor\s+V\s+AS\s+MsgRcvd\s+MsgSent\s+TblVer\s+InQ\s+OutQ\s+Up/Down\s+State/PfxRcd")
_ROW = re.compile(
    r"^(?P<who>\S+)\s+4\s+(?P<asn>\d+)\s+(?P<rcvd>\d+)\s+(?P<sent>\d+)\s+\d+\s+(?P<inq>\d+)\s+"
    r"(?P<outq>\d+)\s+(?P<up>\S+)\s+(?P<state>\d+|\(Policy\)|[A-Z][A-Za-z]+(?: \(\w+\))?)(?:\s+"
    r"(?P<rest>\S.*))?$"
)
_ROUTER = re.compile(r"^BGP router identifier (?P<id>[0-9.]+), local AS number (?P<asn>\d+)")
_FRAMES = (
    "BGP table version",
    "RIB entries",
    "Peers ",
    "Peer groups",
    "Total number of neighbors",
    "Displayed ",
    "Desc ",
)
_FAMILY = re.compile(r"^(?:IPv4|IPv6|L2VPN)[\w/ ]* Summary(?: \(VRF .*\))?:$")
_STATES = {"Clearing": "Close", "Deleted": "Close"}


def session_of(word: str) -> tuple[str, str]:
    """Protocol state and BGP state of FRR's State/PfxRcd cell (a number or ``(Policy)`` is established)."""
    if word.isdigit() or word.startswith("(Policy") or word == "Established":
        return "up", "Established"
    name = word.split(" ")[0]
    state = "down" if "Admin" in word else "start"
    return state, _STATES.get(name, name)


def _read_json(lines: Sequence[Line], i: int, sink: Sink) -> int:
    depth = 0
    text: list[str] = []
    for line in lines[i : i + MAX_JSON_LINES]:
        text.append(line.text)
        depth += line.text.count("{") - line.text.count("}")
        if depth <= 0:
            break
    else:
        return 0
    try:
        value = json.loads("\n".join(text))
    except (ValueError, RecursionError):
        return 0
    blocks = _blocks(value)
    if not blocks:
        return 0
    sink.enter("show bgp summary")
    counts = [_json_block(lines[i], block, sink) for block in blocks]
    body = f"show bgp summary json: {sum(c[0] for c in counts)} peers, {sum(c[1] for c in counts)} established"
    sink.record(lines[i : i + len(text)], role="detail", component="frr", body=body, message=body)
    return len(text)


def _blocks(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, dict):
        return []
    found = [value] if isinstance(value.get("peers"), dict) else []
    return found + [v for v in value.values() if isinstance(v, dict) and isinstance(v.get("peers"), dict)]


def _json_block(line: Line, block: dict[str, Any], sink: Sink) -> tuple[int, int]:
    if isinstance(block.get("routerId"), str):
        sink.fact(line, "router_id", block["routerId"])
    up = 0
    for who, peer in block["peers"].items():
        if not isinstance(peer, dict):
            continue
        state, bgp_state = session_of(str(peer.get("state", "")))
        up += state == "up"
        sink.state(
            line,
            observed_by="show protocols",
            state=state,
            bgp_state=bgp_state or None,
            last_error=None,
            protocol=None if is_address(who) else who,
            peer=who if is_address(who) else None,
        )
        sink.record(
            [line],
            role="row",
            family="status",
            component="frr",
            body=f"{state} {bgp_state}",
            message=f"neighbor {who} {bgp_state}",
            peer=who if is_address(who) else None,
            params={name: str(peer[name]) for name in ("remoteAs", "pfxRcd", "peerUptime") if name in peer},
            shared=True,
        )
    return len(block["peers"]), up


def read_frr(lines: Sequence[Line], i: int, sink: Sink) -> int:
    """A heading, row or JSON block of a BGP summary."""
    line = lines[i]
    text = line.bare
    if text.startswith("{") and sink.json_failures < MAX_JSON_FAILURES:
        taken = _read_json(lines, i, sink)
        sink.json_failures += not taken
        return taken
    router = _ROUTER.match(text)
    if router or _FAMILY.match(text) or _HEAD.match(text):
        sink.enter("show bgp summary")
        if router:
            sink.fact(line, "router_id", router["id"])
        sink.frame(line, "frr")
        return 1
    if sink.segment != "show bgp summary":
        return 0
    row = _ROW.match(text)
    if row:
        state, bgp_state = session_of(row["state"])
        inner = row["who"].partition("(")[2].rstrip(")")
        peer = next((text for text in (row["who"], inner) if is_address(text)), None)
        params = {"as": row["asn"], "since": row["up"], "in_queue": row["inq"], "out_queue": row["outq"]}
        sink.peer_row(line, component="frr", state=state, bgp_state=bgp_state, who=row["who"], peer=peer, params=params)
        return 1
    if text.startswith(_FRAMES):
        sink.frame(line, "frr")
        return 1
    return 0
