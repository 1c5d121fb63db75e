"""Output of ``birdc``/``birdcl`` of BIRD 1.5, 1.6, 2.x and 3.x, or of its raw control socket.

A reader takes the lines, an index and the sink, and returns how many lines it took (0: not its kind).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from pipeline.grammar.peers import peer_of_protocol
from pipeline.status.lines import Line
from pipeline.status.names import PROTOCOL_STATES, is_address, split_info
from pipeline.status.sink import Sink

#: ``show protocols all`` prints some 30 lines a protocol; BIRD 2 with many channels more.
MAX_DETAIL_LINES = 400

_PROTOS = "BGP|Kernel|Device|Direct|Static|BFD|Pipe|OSPF|RIP|RAdv|Babel|RPKI|Perf|L3VPN|Aggregator|MRT|BMP|EVPN|Bridge"
_CODE = re.compile(r"^([0-289]\d{3})([- ]|$)(?!\d\d-\d\d)(.*)$")
_ROW = re.compile(
    rf"^\s?(?P<name>[A-Za-z_][\w.\-]*)\s+(?P<proto>{_PROTOS})\s+(?P<table>\S+)\s+(?P<state>[a-z]+)"
    rf"(?:\s+(?P<rest>.*))?$"
)
_SINCE = re.compile(
    r"^(\d{4}-\d\d-\d\d(?: \d\d:\d\d(?::\d\d(?:\.\d+)?)?)?|\d\d:\d\d(?::\d\d(?:\.\d+)?)?|\d\d-\d\d-\d{4}"
    r"(?: \d\d:\d\d:\d\d)?|[A-Z][a-z]{2}\d\d|\d{5,}(?:\.\d+)?)(?=\s|$)"
)
_HEADER = re.compile(r"^\s?(?i:name\s+proto\s+table\s+state\s+since\s+info)\s*$")
_READY = re.compile(r"^(?:0001 )?BIRD (?P<version>\S+) ready\.$")
_VERSION = re.compile(r"^BIRD (?P<version>v?\d\S*)$")
_ROUTES = re.compile(r"(\d+) imported(?:, (\d+) filtered)?(?:, (\d+) exported)?(?:, (\d+) preferred)?")
_ROUTE_COUNT = re.compile(r"^(?:Total: )?(\d+) of (\d+) routes for (\d+) networks(?: in table (\S+))?$")
_TABLE = re.compile(r"^Table [\w.]+:$")
_ROUTE = re.compile(
    r"^(?:(?P<net>[0-9A-Fa-f.:]+/\d+)\s+)?(?P<what>unreachable|blackhole|prohibit|unicast|via \S+"
    r" on \S+|dev \S+|multipath)"
    r"\s*(?:\[(?P<proto>\S+) (?P<since>[\d:. -]+?)(?: from (?P<from>[^\]\s]+))?\].*)?$"
)
_UPTIME = {
    "Router ID is ": "router_id",
    "Hostname is ": "hostname",
    "Last reboot on ": "bird_last_reboot",
    "Last reconfiguration on ": "bird_last_reconfiguration",
}
_UPTIME_TEXT = (
    "Current server time is ", "Graceful restart recovery in progress", "Wait timer is ",
    "Daemon is up and running", "Reconfiguration in progress", "Shutdown in progress", "Next reconfiguration",
)  # fmt: skip
_WAITING = re.compile(r"^Waiting for \d+ ")
_ERRORS = ("Unable to connect to server control socket", "Couldn't connect to bird", "Cannot connect to BIRD")
_DETAIL_KEYS = {
    "BGP state": "bgp_state",
    "Neighbor address": "neighbor",
    "Neighbor AS": "neighbor_as",
    "Neighbor ID": "neighbor_id",
    "Local AS": "local_as",
    "Session": "session",
    "Source address": "source_address",
    "Hold timer": "hold_timer",
    "Keepalive timer": "keepalive_timer",
    "Connect delay": "connect_delay",
    "Error wait": "error_wait",
    "Restart timer": "restart_timer",
    "Last error": "last_error",
    "GR recovery": "gr_recovery",
    "Routes": "routes",
    "Route limit": "route_limit",
}


def uncode(text: str) -> str:
    """The text without the reply code of the control socket (``1002-``, ``0013 ``)."""
    match = _CODE.match(text)
    return match[3] if match else text


def _details(lines: Sequence[Line], start: int) -> tuple[int, dict[str, str]]:
    """Lines of the block below a protocol row and what they say; ``start`` is the first line below."""
    found: dict[str, str] = {}
    taken = 0
    for line in lines[start : start + MAX_DETAIL_LINES]:
        text = uncode(line.text)
        if not text.startswith(("  ", "\t")) or not text.strip() or _ROW.match(text):
            break
        taken += 1
        key, colon, value = text.strip().partition(":")
        name = _DETAIL_KEYS.get(key) if colon else None
        if name and value.strip() and (name != "bgp_state" or name not in found):
            found.setdefault(name, value.strip())
    return taken, found


def _is_row(text: str) -> re.Match[str] | None:
    match = _ROW.match(text)
    return match if match and match["state"] in PROTOCOL_STATES else None


def _split_rest(rest: str | None) -> tuple[str, str]:
    rest = (rest or "").strip()
    match = _SINCE.match(rest)
    return (match[1], rest[match.end() :].strip()) if match else ("", rest)


def _bgp_row(line: Line, match: re.Match[str], detail: dict[str, str], sink: Sink) -> None:
    since, info = _split_rest(match["rest"])
    bgp_state, last_error = split_info(info)
    last_error = last_error or detail.get("last_error")
    bgp_state = bgp_state or detail.get("bgp_state", "").partition(" ")[0] or None
    peer = peer_of_protocol(match["name"]) or detail.get("neighbor", "").partition("%")[0] or None
    params = {"table": match["table"], **(sink.since(since) if since else {}), **detail}
    counts = _ROUTES.search(detail.get("routes", ""))
    if counts:
        params.update({"routes_imported": counts[1], "routes_exported": counts[3] or ""})
    body = f"{match['state']} {info}".strip()
    if "last_error" in detail and not split_info(info)[1]:
        body = f"{body} {detail['last_error']}"
    sink.record(
        [line],
        role="row",
        family="status",
        component="birdcl",
        body=" ".join(body.split()),
        message=uncode(line.text).strip(),
        protocol=match["name"],
        peer=peer,
        params=params,
    )
    sink.state(
        line,
        observed_by="show protocols",
        state=match["state"],
        bgp_state=bgp_state,
        last_error=last_error,
        protocol=match["name"],
        peer=peer,
        since=since,
    )
    if detail.get("neighbor"):
        sink.fact(line, f"configured_peer:{match['name']}", _configured(match["name"], detail))


def _configured(name: str, detail: dict[str, str]) -> str:
    peer = {
        "protocol": name,
        "neighbor": detail["neighbor"].partition("%")[0],
        "as": detail.get("neighbor_as"),
        "source_address": detail.get("source_address"),
        "rr_client": "route-reflector" in detail["session"] if "session" in detail else None,
    }
    return json.dumps({k: v for k, v in peer.items() if v is not None}, sort_keys=True)


def read_protocols(lines: Sequence[Line], i: int, sink: Sink) -> int:
    """``show protocols`` and ``show protocols all``, with or without heading and reply codes."""
    line = lines[i]
    text = uncode(line.text)
    if _HEADER.match(text):
        sink.enter("show protocols")
        sink.frame(line, "birdcl")
        return 1
    match = _is_row(text)
    if not match:
        return 0
    sink.enter("show protocols")
    taken, detail = _details(lines, i + 1)
    if match["proto"] == "BGP":
        _bgp_row(line, match, detail, sink)
    else:
        since, info = _split_rest(match["rest"])
        body = f"{match['proto']} {match['state']} {info}".strip()
        sink.record(
            [line],
            role="detail" if match["state"] == "up" else "row",
            component="birdcl",
            body=body,
            message=text.strip(),
            protocol=match["name"],
            params=sink.since(since) if since else {},
        )
    for below in lines[i + 1 : i + 1 + taken]:
        sink.record(
            [below],
            role="detail",
            component="birdcl",
            message=uncode(below.text).strip(),
            protocol=match["name"],
        )
    return 1 + taken


def read_status(lines: Sequence[Line], i: int, sink: Sink) -> int:
    """``show status`` and what a client prints around it (banner, errors)."""
    line = lines[i]
    if _READY.match(line.bare):
        sink.enter("birdcl")
        sink.fact(line, "bird_version", _READY.match(line.bare)["version"])  # type: ignore[index]
        sink.frame(line, "birdcl")
        return 1
    code = _CODE.match(line.text)
    text = uncode(line.text).strip()
    if code and not text:
        sink.frame(line, "birdcl")
        return 1
    version = _VERSION.match(text)
    if version:
        sink.enter("show status")
        sink.fact(line, "bird_version", version["version"])
        sink.record([line], role="row", component="birdcl", message=text)
        return 1
    for prefix, fact in _UPTIME.items():
        if text.startswith(prefix):
            sink.enter("show status")
            sink.fact(line, fact, text.removeprefix(prefix))
            if fact == "hostname":
                sink.hosts.add(text.removeprefix(prefix))
            sink.record([line], role="row", component="birdcl", message=text)
            return 1
    if text.startswith(_UPTIME_TEXT) or _WAITING.match(text):
        sink.enter("show status")
        sink.record([line], role="row", component="birdcl", message=text)
        return 1
    if text.startswith(_ERRORS):
        if not sink.segment:
            sink.enter("birdcl")
        component = "calicoctl" if sink.segment == "calicoctl node status" else "birdcl"
        sink.record([line], component=component, level="error", message=text)
        return 1
    if code and code[1][0] in "89":
        sink.record([line], component="birdcl", level="error", message=text)
        return 1
    return 0


def read_routes(lines: Sequence[Line], i: int, sink: Sink) -> int:
    """``show route count`` and rows of ``show route``."""
    line = lines[i]
    text = uncode(line.text).strip()
    count = _ROUTE_COUNT.match(text)
    if count:
        sink.enter("show route count")
        params = {"routes": count[1], "total": count[2], "networks": count[3], "table": count[4] or ""}
        sink.record([line], role="detail", component="birdcl", message=text, params=params)
        if not text.startswith("Total"):
            sink.fact(line, f"routes:{count[4]}" if count[4] else "routes", count[1])
        return 1
    if _TABLE.match(text):
        sink.enter("show route")
        sink.frame(line, "birdcl")
        return 1
    if "[" not in text and sink.segment != "show route":
        return 0
    route = _ROUTE.match(text)
    if not route or not (route["proto"] or (sink.segment == "show route" and route["what"].startswith(("via", "dev")))):
        return 0
    sink.enter("show route")
    params = {"net": route["net"] or "", "from": route["from"] or ""}
    name = route["proto"]
    peer = route["from"] if is_address(route["from"]) else (peer_of_protocol(name) if name else None)
    role = "row" if name else "detail"
    sink.record([line], role=role, component="birdcl", message=text, protocol=name, peer=peer, params=params)
    return 1
