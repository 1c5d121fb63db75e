"""Kubernetes events as text: ``kubectl describe`` and lines of the same shape; messages of probes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from pipeline.status.lines import Line
from pipeline.status.sink import Sink
from pipeline.status.stamps import before, duration_seconds, embedded_stamp, stamp_of

#: kubelet caps the output of a probe at 10 KiB, which is far fewer lines than this.
MAX_MESSAGE_LINES = 60

PROBE = re.compile(
    r"(?:Readiness|Liveness|Startup) probe (?:failed|errored|warning)|^calico/node is not (?:ready|live)"
)
_AGE = (
    r"(?P<age><invalid>|<unknown>|[0-9ydhms]+)(?: \(x(?P<count>\d+) over (?P<first><invalid>|<unknown>"
    r"|[0-9ydhms]+)\))?"
)
_EVENT = re.compile(
    rf"^\s*(?P<type>Normal|Warning)\s+(?P<reason>[A-Z]\w*)\s+{_AGE}\s+(?P<from>[^\s,]+(?:, \S+)?)"
    rf"(?:\s+(?P<message>\S.*))?$"
)
_OLD_EVENT = re.compile(
    r"^\s*(?P<first><invalid>|[0-9ydhms]+)\s+(?P<age><invalid>|[0-9ydhms]+)\s+(?P<count>\d+)\s+\{?"
    r"(?P<from>[\w.\-]+"
    r"(?:,? [\w.\-]+)?)\}?\s+(?:(?P<sub>\S+\{\S+)\s+)?(?P<type>Normal|Warning)\s+(?P<reason>[A-Z]\w*)"
    r"(?:\s+(?P<message>\S.*))?$"
)
_HEADS = (
    re.compile(r"^\s*Type\s+Reason\s+Age\s+From\s+Message$"),
    re.compile(r"^\s*FirstSeen\s+LastSeen\s+Count\s+From\b"),
)
_RULER = re.compile(r"^\s*-{3,}(?:\s+-{3,})+$")
_PROBE_LINE = re.compile(
    r"^(?:(?P<from>[a-z][\w.\-]*)\s{2,})?(?P<message>(?:\(combined from similar events\): )?(?:Readiness"
    r"|Liveness|Startup) probe (?:failed|errored).*)$"
)
_LOGRUS = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S* \[[A-Z]+\]")
#: The next command: a shell in a container (``/ # ``), or a prompt in brackets. No probe prints that.
_PROMPT = re.compile(r"^(?:/\S* [#$] |\[\S+@\S+ [^\]]*\][#$])")
_SOURCES = {"kubelet": "kubelet", "kernel-monitor": "kernel"}


def event_body_family(message: str) -> str:
    """``probe`` when the text is what a probe printed, else ``kube-event``."""
    return "probe" if PROBE.search(message) else "kube-event"


def source_component(source: str | None) -> str:
    """Component of an event's source (``kubelet`` stays, others are ``kube-event``)."""
    return _SOURCES.get(source or "", "kube-event")


def split_source(text: str) -> tuple[str, str | None]:
    """``kubelet, node1`` (or ``kubelet node1``) -> component and host; the host is None when not there."""
    name, _, host = text.replace(",", " ").partition(" ")
    return name, host.strip() or None


def is_event(text: str) -> bool:
    """Whether the line begins an event row or heads the table of events."""
    return bool(
        _EVENT.match(text)
        or _OLD_EVENT.match(text)
        or any(h.match(text) for h in _HEADS)
        or _PROBE_LINE.match(text.strip())
    )


def continues_message(line: Line, sink: Sink) -> bool:
    """Whether a line below an event belongs to its message: it starts at the margin and is nothing else."""
    text = line.text
    if not text or (text[0].isspace() and not line.bare.startswith("calico/node is not")):
        return bool(_LOGRUS.match(line.bare)) if text else False
    if is_event(text) or text.startswith(("|", "+-", "#", "$", "bird>", "Events:")) or _PROMPT.match(text):
        return False
    if line.bare.startswith("calico/node is not") or _LOGRUS.match(text):
        return True
    return stamp_of(text, sink.tz) is None and not re.match(
        r"^(?:[A-Z][A-Z\-]+(?:\s{2,}|$)|[A-Z][\w ]+:\s|\S+@\S+[#$:])", text
    )


def message_lines(lines: Sequence[Line], start: int, sink: Sink) -> list[Line]:
    """The lines from ``start`` on that go on with the message of the event above."""
    out: list[Line] = []
    for line in lines[start : start + MAX_MESSAGE_LINES]:
        if not continues_message(line, sink):
            break
        out.append(line)
    return out


def event_time(message: str, age: str | None, sink: Sink) -> tuple[datetime | None, str]:
    """When an event was last seen: a stamp quoted in it, else the snapshot's time minus its age.

    Without a stamp of the transcript, an event that quotes a time and says its age tells the others what
    "now" was when the table was printed.
    """
    quoted = embedded_stamp(message, sink.tz)
    seconds = duration_seconds(age)
    if quoted:
        if seconds is not None and sink.event_anchor is None:
            sink.event_anchor = before(quoted, -seconds)
        return quoted, "line"
    # a file's own time says nothing about an age printed earlier and saved later; a stamp or anchor does
    now = sink.now if sink.now_source == "neighbour" else sink.event_anchor or sink.now
    at = before(now, seconds)
    if at is None:
        return sink.now, sink.now_source
    return at, "neighbour" if now is not sink.now or sink.now_source == "neighbour" else sink.now_source


def add_event(
    taken: Sequence[Line],
    sink: Sink,
    *,
    kind: str | None,
    source: str,
    message: str,
    params: dict[str, str],
    pod: str | None = None,
    node: str | None = None,
) -> None:
    """Add one event record; ``kind`` is Normal or Warning, ``source`` the From cell."""
    family = event_body_family(message)
    # the probes are the kubelet's; narrow tables of events do not say so
    component, host = split_source(source or ("kubelet" if family == "probe" else ""))
    sink.record(
        taken,
        role="row",
        family=family,
        component=source_component(component),
        level={"Normal": "info", "Warning": "warning"}.get(kind or ""),
        body=message,
        message=message,
        node=host or node,
        pod=pod or sink.pod,
        params={"type": kind or "", "source": component, **params},
        at=event_time(message, params.get("age"), sink),
    )


def _prescan_anchor(lines: Sequence[Line], i: int, sink: Sink) -> None:
    """Look ahead once per table for an event that tells the time of the table."""
    for line in lines[i : i + MAX_MESSAGE_LINES * 4]:
        match = _EVENT.match(line.text)
        if match and match["message"] and sink.event_anchor is None:
            event_time(match["message"], match["age"], sink)


def read_events(lines: Sequence[Line], i: int, sink: Sink) -> int:
    """An event row with the lines its message goes on with, the table's heading, or a bare probe message."""
    line = lines[i]
    text = line.text
    if (
        any(h.match(text) for h in _HEADS)
        or (_RULER.match(text) and sink.segment == "events")
        or line.bare == "Events:"
    ):
        sink.enter("events")
        sink.frame(line, "kube-event")
        return 1
    match = _EVENT.match(text) or _OLD_EVENT.match(text)
    if match:
        if sink.segment != "events":
            sink.enter("events")
        if not sink.anchor_sought and sink.now_source != "neighbour":
            sink.anchor_sought = True
            _prescan_anchor(lines, i, sink)
        below = message_lines(lines, i + 1, sink) if match["message"] else []
        message = "\n".join([match["message"] or "", *(b.bare for b in below)])
        params = {
            k: match[g]
            for k, g in (("reason", "reason"), ("age", "age"), ("first", "first"), ("count", "count"))
            if match[g]
        }
        add_event([line, *below], sink, kind=match["type"], source=match["from"], message=message, params=params)
        return 1 + len(below)
    bare = _PROBE_LINE.match(line.bare)
    if not bare and line.bare.startswith("calico/node is not "):
        bare = re.match(r"(?P<from>)(?P<message>.*)", line.bare)
    if bare:
        sink.enter("events")
        below = message_lines(lines, i + 1, sink) if "probe" in line.bare else []
        message = "\n".join([bare["message"], *(b.bare for b in below)])
        add_event([line, *below], sink, kind="Warning", source=bare["from"] or "kubelet", message=message, params={})
        return 1 + len(below)
    return 0
