"""What a host prints of itself: sysctl, uname, nstat, processes, sockets, routes, neighbours, packets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from pipeline.status.lines import Line
from pipeline.status.names import address_only, is_address
from pipeline.status.sink import Sink

_SYSCTL = re.compile(r"^(?P<key>(?:net|kernel|vm|fs|dev|user|abi)(?:[./][\w*@:\-]+)+) ?= ?(?P<value>.*)$")
_SYSCTL_NAMES = {
    "net.core.optmem_max": "optmem_max",
    "net.ipv4.neigh.default.gc_thresh3": "gc_thresh3",
    "net.ipv6.neigh.default.gc_thresh3": "gc_thresh3_v6",
    "net.netfilter.nf_conntrack_max": "nf_conntrack_max",
    "net.netfilter.nf_conntrack_count": "nf_conntrack_count",
    "kernel.osrelease": "kernel_version",
    "kernel.hostname": "hostname",
}
_UNAME = re.compile(r"^Linux (?P<host>\S+) (?P<kernel>\d+\.\S+) #?\S")
_NSTAT = re.compile(r"^(?P<name>(?:Ip|Icmp|Tcp|Udp|MPTcp|Sctp)[A-Za-z0-9]*)\s+(?P<value>\d+)\s+[\d.]+$")
_STATE_NAMES = {"ESTAB": "ESTABLISHED", "FIN_WAIT1": "FIN-WAIT-1", "FIN_WAIT2": "FIN-WAIT-2"}
_SS_STATE = re.compile(r"^(?:ESTAB|LISTEN|UNCONN|CLOSED|CLOSING|(?:SYN|FIN|TIME|CLOSE|LAST)-[A-Z0-9\-]+)$")
_NETSTAT_STATE = re.compile(r"^(?:ESTABLISHED|LISTEN|CLOSED|CLOSING|(?:SYN|FIN|TIME|CLOSE|LAST)_[A-Z0-9_]+)$")
_LSOF = re.compile(
    r"^(?P<prog>\S+)\s+\d+\s+\S+\s+\d+[rwu]?\s+(?P<type>IPv[46])\s+\S+\s+\S+\s+TCP (?P<ends>\S+)"
    r"(?: \((?P<state>\w+)\))?$"
)
_DUMP = re.compile(
    r"^(?:\S+ )?(?P<h>\d\d):(?P<mi>\d\d):(?P<s>\d\d)\.(?P<f>\d{1,6}) (?:\S+ +(?:In|Out) +)?IP6? "
    r"(?P<src>\S+) > (?P<dst>\S+): (?P<what>.*)$"
)
_IP_ROUTE = re.compile(
    r"^(?:(?:default|blackhole|unreachable|prohibit)\b|[0-9A-Fa-f.:]+(?:/\d+)?\s+(?:via|dev)\s)(?=.*\b"
    r"(?:dev|via|proto|scope|metric)\b).*"
)
_ROUTE_ROW = re.compile(r"^[0-9.]+\s+(?:[0-9.]+|\*)\s+[0-9.]+\s+[A-Z!]+\s+\d+")
_NEIGH = re.compile(
    r"^(?P<ip>[0-9A-Fa-f.:]+) dev (?P<dev>\S+)(?:\s+lladdr \S+)?(?: router| proxy| extern_learn| ref"
    r" \d+| used \S+| probes \d+)*\s+(?P<state>REACHABLE|STALE|DELAY|PROBE|FAILED|INCOMPLETE|PERMANENT"
    r"|NOARP)$"
)
_ARP = re.compile(
    r"^\S+ \((?P<ip>[0-9.]+)\) at (?P<state><incomplete>|[0-9a-f:]{17})(?: \[\w+\])?(?: .*)?on (?P<dev>\S+)$"
)
_ARP_ROW = re.compile(r"^(?P<ip>[0-9.]+)\s+(?P<state>ether|\(incomplete\))\s")
_HEADS = (
    ("nstat", re.compile(r"^#kernel$")),
    ("ip route", re.compile(r"^Kernel IP(?:v6)? routing table$|^Destination\s+(?:Gateway|Next Hop)\s")),
    ("arp", re.compile(r"^Address\s+HWtype\s")),
    ("ss", re.compile(r"^(?:Netid\s+)?State\s+Recv-Q\s+Send-Q\s")),
    ("netstat", re.compile(r"^Proto\s+Recv-Q\s+Send-Q\s|^Active Internet connections")),
    ("lsof", re.compile(r"^COMMAND\s+PID\s")),
    ("ps", re.compile(r"^(?:F\s+S\s+)?(?:UID|USER|PID)\s+.*(?:COMMAND|CMD)$")),
)  # fmt: skip
_PS_ROW = re.compile(r"^(?:\S+\s+){0,12}?\d+\s.*\S")
#: What a process is, by words of its command line; the first that fits.
_PROGRAMS = (
    ("bird6", r"\bbird6\b"), ("bird", r"\bbird\b"), ("confd", r"\bconfd\b"), ("felix", r"\bfelix\b"),
    ("typha", r"\btypha\b"), ("kubelet", r"\bkubelet\b"), ("node", r"\brunsvdir\b|\bcalico-node\b|\brunsv\b"),
)  # fmt: skip
_OF_CALICO = ("bird6", "bird", "confd", "felix", "node")


def program_of(command: str) -> str:
    """Component whose process a command line is, or ``console``."""
    return next((name for name, pattern in _PROGRAMS if re.search(pattern, command)), "console")


def _kernel(line: Line, sink: Sink) -> int:
    text = line.bare
    sysctl = _SYSCTL.match(text)
    if sysctl:
        sink.enter("sysctl")
        key, value = sysctl["key"].replace("/", "."), sysctl["value"].strip()
        sink.fact(line, f"sysctl:{key}", value)
        if key in _SYSCTL_NAMES:
            sink.fact(line, _SYSCTL_NAMES[key], value)
        if key == "kernel.hostname" and value:
            sink.hosts.add(value)
        sink.record([line], role="detail", component="kernel", params={key: value})
        return 1
    uname = _UNAME.match(text)
    if uname:
        sink.enter("uname")
        sink.hosts.add(uname["host"])
        sink.fact(line, "hostname", uname["host"], uname["host"])
        sink.fact(line, "kernel_version", uname["kernel"], uname["host"])
        sink.record(
            [line],
            role="detail",
            component="kernel",
            node=uname["host"],
            params={"kernel_version": uname["kernel"]},
        )
        return 1
    counter = _NSTAT.match(text)
    if counter:
        sink.enter("nstat")
        sink.fact(line, counter["name"], counter["value"])
        sink.record([line], role="detail", component="kernel", params={counter["name"]: counter["value"]})
        return 1
    return 0


def _is_bgp(end: str) -> bool:
    return end.endswith((":179", ":bgp", ".179", ".bgp"))


def _socket_cells(text: str) -> tuple[str, str, str, str, str, str] | None:
    """Segment, state, receive queue, send queue, local and remote end of a row of ``ss`` or ``netstat``."""
    cells = text.split(None, 8)
    proto = cells.pop(0) if cells and cells[0].rstrip("6") in ("tcp", "udp") else ""
    if len(cells) >= 5 and _SS_STATE.match(cells[0]):
        segment, state, cells = "ss", _STATE_NAMES.get(cells[0], cells[0]), cells[1:]
    elif proto and len(cells) >= 4:
        state = cells[4] if len(cells) > 4 and _NETSTAT_STATE.match(cells[4]) else ""
        segment, state = "netstat", _STATE_NAMES.get(state, state.replace("_", "-"))
    else:
        return None
    received, sent, local, remote = cells[:4]
    if not (received.isdigit() and sent.isdigit()) or ":" not in local:
        return None
    return segment, state, received, sent, local, remote


def _socket(line: Line, sink: Sink) -> int:
    text = line.bare
    found = _socket_cells(text)
    if not found:
        return 0
    segment, state, received, sent, local, remote = found
    sink.enter(segment)
    if not state and received == "0" and sent == "1" and text.startswith("tcp"):
        # a row cut before its state: only an unanswered SYN counts as one byte waiting for its ACK
        state = "SYN-SENT"
    proto = "udp" if text.startswith("udp") else "tcp"  # one wording for ``ss`` and ``netstat``
    host = remote.rpartition(":")[0].strip("[]").partition("%")[0]
    bgp = (_is_bgp(local) or _is_bgp(remote)) and state != "LISTEN" and is_address(host)
    sink.record(
        [line],
        role="row",
        component="kernel",
        body=f"{proto} {received} {sent} {local} {remote} {state.replace('-', '_')}".strip(),
        message=text,
        peer=host if bgp else None,
        params={"state": state, "recv_q": received, "send_q": sent, "local": local, "remote": remote},
    )
    return 1


def _network(line: Line, sink: Sink) -> int:
    text = line.bare
    neighbour = _NEIGH.match(text) or _ARP.match(text) or (_ARP_ROW.match(text) if sink.segment == "arp" else None)
    if neighbour and is_address(neighbour["ip"]):
        sink.enter("arp")
        state = neighbour["state"].strip("<>()").upper()
        sink.record([line], role="row", component="kernel", peer=neighbour["ip"], params={"neighbour": state})
        return 1
    if _IP_ROUTE.match(text) or (sink.segment == "ip route" and _ROUTE_ROW.match(text)):
        sink.enter("ip route")
        via = re.search(r"\bvia (\S+)", text)
        params = {"net": text.split()[0], "via": via[1] if via else ""}
        sink.record([line], role="row", component="kernel", params=params)
        return 1
    return 0


def _packet_time(match: re.Match[str], sink: Sink) -> tuple[datetime | None, str]:
    if sink.now is None:
        return None, "none"
    try:
        local = sink.now.astimezone(sink.tz)
        micros = int(match["f"].ljust(6, "0"))
        at = local.replace(hour=int(match["h"]), minute=int(match["mi"]), second=int(match["s"]), microsecond=micros)
        if sink.now_source == "envelope" and at > local + timedelta(minutes=5):
            at -= timedelta(days=1)
        return at.astimezone(sink.now.tzinfo), "line"
    except (ValueError, OverflowError):
        return sink.now, sink.now_source


def _program(line: Line, sink: Sink) -> int:
    text = line.bare
    opened = _LSOF.match(text)
    if opened:
        sink.enter("lsof")
        component = program_of(opened["prog"])
        sink.record(
            [line],
            role="detail",
            component=component,
            params={"state": opened["state"] or "", "ends": opened["ends"]},
        )
        return 1
    packet = _DUMP.match(text)
    if packet:
        sink.enter("tcpdump")
        src, dst = packet["src"], packet["dst"]
        near = src if _is_bgp(src) else dst
        host = near.rpartition(".")[0]
        peer = address_only(host) if _is_bgp(near) else None
        sink.record(
            [line],
            role="row",
            component="tcpdump",
            peer=peer,
            params={"from": src, "to": dst},
            at=_packet_time(packet, sink),
        )
        return 1
    if sink.segment == "ps" and _PS_ROW.match(text):
        program = program_of(text)
        # what else a host runs says nothing of BGP, and looks like many things
        sink.record([line], role="row" if program in _OF_CALICO else "detail", component=program)
        return 1
    return 0


def read_host(lines: Sequence[Line], i: int, sink: Sink) -> int:
    """One line of what the host says of its kernel, sockets, routes, neighbours and processes."""
    line = lines[i]
    text = line.bare
    for segment, head in _HEADS:
        if head.match(text):
            sink.enter(segment)
            sink.frame(line, "kernel" if segment not in ("ps", "lsof") else "console")
            return 1
    return _kernel(line, sink) or _socket(line, sink) or _network(line, sink) or _program(line, sink)
