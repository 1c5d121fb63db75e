"""Reads a transcript: outputs of several commands one after another, with dates, prompts and echoes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from pipeline.redact import redact
from pipeline.status.birdcl import read_protocols, read_routes, read_status, uncode
from pipeline.status.calicoctl import read_calicoctl
from pipeline.status.describe import read_describe
from pipeline.status.events import read_events
from pipeline.status.frr import read_frr
from pipeline.status.host import read_host
from pipeline.status.lines import Line, split_lines
from pipeline.status.model import ConsoleFacts
from pipeline.status.network import read_network
from pipeline.status.sink import Sink
from pipeline.status.speakers import read_speakers
from pipeline.status.stamps import server_time, stamp_of
from pipeline.status.tables import read_headless, read_table

Reader = Callable[[Sequence[Line], int, Sink], int]
_Time = tuple[int, datetime, timedelta]
"""The line of a date, the time, and by how much the daemon's own clock is printed ahead of it."""

#: In this order; the first that takes a line has it.
READERS: tuple[Reader, ...] = (
    read_events,
    read_protocols,
    read_calicoctl,
    read_status,
    read_routes,
    read_frr,
    read_speakers,
    read_host,
    read_network,
    read_table,
    read_describe,
    read_headless,
)

#: kubelet cuts a probe's output at 10 KiB, the longest row there is; a longer line is text of another kind.
MAX_ROW_CHARS = 32 * 1024

_PROMPT = re.compile(
    r"^(?:\[?(?P<user>[a-z_][\w.\-]*)@(?P<host>[\w.\-]+)[: ][^\]$#>]{0,120}\]?\s?[#$]|(?:bird|birdc"
    r"|birdcl|[\w.\-]+)>|[\w.\-]+ ?#|/\S* [#$]|[#$])"
    r"(?:\s+(?P<command>\S.*))?$"
)
_COMMANDS = (
    "show ",
    "birdc",
    "birdcl",
    "calicoctl ",
    "kubectl ",
    "vtysh",
    "sysctl ",
    "configure",
    "uname -",
    "nstat",
    "date",
    "netstat ",
    "ss ",
    "ip ",
    "lsof ",
    "cilium ",
    "gobgp ",
    "sudo calicoctl ",
    "./calicoctl ",
)
_ECHO = re.compile(
    r"^(?:(?:[\w.\-]+@)?[\w.\-]+[#>] ?show (?:ip(?:v6)? )?bgp\b.*"
    r"|show (?:protocols?|status|route|bgp|ip bgp|bfd|memory)\b[\w ]*|\++ (?:birdc|birdcl|calicoctl|kubectl"
    r"|sysctl|date|uname)\b.*)$"
)
#: Commands whose output is not about the machine they are typed on.
_ELSEWHERE = re.compile(r"^(?:sudo )?(?:kubectl|oc|ssh|ansible|k|k3s kubectl)\b")
_OF_POD = re.compile(
    r"\b(?:exec|logs?)\b.{0,200}?\s(?:pod/|pods/)?(?P<pod>(?:calico-node|canal|calico-typha)-[a-z0-9\-]{3,40})\b"
)
_TROUBLE = re.compile(r"(?i)^(?:error|fatal|unable to|cannot|failed|command terminated)\b")


def _times(lines: Sequence[Line], tz: tzinfo) -> list[_Time]:
    """Lines that tell the time, with that time: dates of the transcript, and BIRD's server time.

    BIRD prints its host's local time without a zone. Where a date stands shortly above and the two differ by
    whole quarters of an hour, the difference is the zone and is taken off.
    """
    out: list[_Time] = []
    offset = timedelta(0)
    stamped: datetime | None = None
    for i, line in enumerate(lines):
        at = stamp_of(line.text, tz)
        if at:
            stamped = at
            out.append((i, at, offset))
            continue
        at = server_time(uncode(line.text), tz)
        if at:
            if stamped is not None:
                offset = _zone_between(stamped, at, offset)
            try:
                out.append((i, at - offset, offset))
            except OverflowError:
                continue
    return out


def _zone_between(stamped: datetime, server: datetime, known: timedelta) -> timedelta:
    gap = (server - stamped).total_seconds()
    quarters = round(gap / 900)
    near = abs(gap - quarters * 900) <= 60 and 0 < abs(quarters) <= 56
    return timedelta(seconds=quarters * 900) if near else known if abs(gap) > 900 else timedelta(0)


def _whereabouts(host: str | None, command: str, sink: Sink) -> None:
    """Take the node or pod that a command ran on, or shows the log of, from its prompt or from ``kubectl``."""
    about = _OF_POD.search(command)
    if _ELSEWHERE.search(command):
        sink.elsewhere = True
        sink.host, sink.pod = None, about["pod"] if about else None
        if about:
            sink.pods.add(about["pod"])
    elif host:
        sink.host, sink.pod = host, None
        sink.hosts.add(host)


def _echo(line: Line, sink: Sink) -> bool:
    text = uncode(line.text).strip()
    match = _PROMPT.match(text)
    if not match and not _ECHO.match(text):
        return False
    command = match["command"] if match else text
    loose = match and text[0] not in "#$[/" and match["host"] is None and not text.startswith("bird")
    if loose and command and not command.startswith(_COMMANDS):
        # `name> …` may be any text with a bracket; a prompt is followed by a command we know, or by nothing
        return False
    _whereabouts(match["host"] if match else None, command or "", sink)
    sink.enter("")
    sink.frame(line, role="echo")
    return True


def _plain(line: Line, sink: Sink) -> None:
    component = {
        "calicoctl node status": "calicoctl",
        "show status": "birdcl",
        "show protocols": "birdcl",
    }.get(sink.segment, "console")
    sink.record([line], component=component, level="error" if _TROUBLE.match(line.bare) else None)


def _read(lines: Sequence[Line], sink: Sink, times: list[_Time], observed_at: datetime | None) -> None:
    at = [i for i, *_ in times]
    i = 0
    while i < len(lines):
        line = lines[i]
        known = bisect_right(at, i)
        if times:
            # rows above the first date were printed shortly before it, which says more than a file's own time
            _, sink.now, sink.offset = times[max(known - 1, 0)]
            sink.now_source = "neighbour"
        elif observed_at is not None:
            sink.now, sink.now_source = observed_at.astimezone(UTC), "envelope"
        if not line.text:
            sink.record([line], role="blank", body="", message="")
            if sink.segment not in ("kubectl describe", "show protocols", "calicoctl node status"):
                sink.columns = []
            i += 1
            continue
        if stamp_of(line.text, sink.tz) is not None:
            sink.enter("")
            sink.record([line], role="stamp", at=(times[known - 1][1] if known else None, "line"))
            i += 1
            continue
        if _echo(line, sink):
            i += 1
            continue
        taken = 0
        if len(line.text) <= MAX_ROW_CHARS or line.text[0] == "{":
            taken = next((n for n in (read(lines, i, sink) for read in READERS) if n), 0)
        if not taken:
            _plain(line, sink)
        i += taken or 1


def parse_console(data: bytes, *, tz: tzinfo = UTC, observed_at: datetime | None = None) -> ConsoleFacts:
    """Read what commands printed.

    ``data`` is the decompressed source; ``tz`` the zone of times without one; ``observed_at`` (aware) the
    time the file itself claims, used for rows when no line of the transcript tells the time. Rows take the
    nearest date above them, else the first one below. Never raises on any bytes: every physical line is in
    exactly one record or reject.
    """
    lines, rejects = split_lines(data)
    cleaned = redact("\n".join(line.text for line in lines)).split("\n") if lines else []
    lines = [line._replace(text=text, bare=text.strip()) for line, text in zip(lines, cleaned, strict=True)]
    sink = Sink(tz=tz, rejects=rejects)
    _read(lines, sink, _times(lines, tz), observed_at)
    return sink.facts()
