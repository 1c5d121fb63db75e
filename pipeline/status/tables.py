"""Tables of kubectl and ``calicoctl get``: nodes, pods, daemon sets, peers, BGP configurations, events."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from pipeline.status.events import add_event, message_lines
from pipeline.status.lines import Line
from pipeline.status.names import address_only
from pipeline.status.sink import Sink
from pipeline.status.table_rows import KINDS, Row, in_trouble

_GAP = re.compile(r"\s{2,}|\t+")
_HEAD = re.compile(r"^[A-Z][A-Z0-9()/%_\-]*(?:[ \t]+[A-Z][A-Z0-9()/%_\-]*)+$")
#: Two words that are one column; kubectl separates columns by three blanks, pasted text often by one.
_TWO_WORDS = (
    "LAST SEEN", "FIRST SEEN", "NOMINATED NODE", "READINESS GATES", "NODE SELECTOR",
)  # fmt: skip
_POD_ROW = re.compile(
    r"^(?:(?P<namespace>[a-z][\w\-]*)\s+)?(?P<name>[a-z][\w.\-]*)\s+(?P<ready>\d+/\d+)\s+"
    r"(?P<status>[A-Z][\w:\-/]*)\s+"
    r"(?P<restarts>\d+(?: \([^)]*\))?)\s+(?P<age>[0-9ydhms]+)(?:\s+(?P<ip>\S+)\s+(?P<node>\S+).*)?$"
)
_NODE_ROW = re.compile(
    r"^(?P<name>[a-z0-9][\w.\-]*)\s+(?P<status>(?:Not)?Ready(?:,\w+)*)\s+(?P<roles>\S+)\s+"
    r"(?P<age>[0-9ydhms]+)\s+(?P<version>v\d\S+)$"
)

#: ``kubectl get events`` without its heading: when, type, reason, object, message
_EVENT_ROW = re.compile(
    r"^(?:(?P<namespace>[a-z][\w\-]*)\s{2,})?(?P<age>\d[0-9ydhms]*)\s+(?P<type>Normal|Warning)\s+(?P<reason>[A-Z]\w+)\s+"
    r"(?P<what>[a-z]+)/(?P<name>\S+)\s+(?P<message>\S.*)$"
)

#: Type and reason next to each other, as in every row of an event table.
_ROW_OF_EVENTS = re.compile(r"\s(?:Normal|Warning)\s+[A-Z]\w+\s")


def split_head(text: str) -> list[tuple[str, int]] | None:
    """Columns of a heading with where each starts, or None when the line is no heading."""
    stripped = text.strip()
    if not _HEAD.match(stripped) or len(stripped) > 400:
        return None
    names: list[tuple[str, int]] = []
    for match in re.finditer(r"\S+", text):
        word, start = match[0], match.start()
        if names and f"{names[-1][0]} {word}" in _TWO_WORDS:
            names[-1] = (f"{names[-1][0]} {word}", names[-1][1])
        else:
            names.append((word, start))
    return names


def _by_position(text: str, columns: list[tuple[str, int]]) -> list[str] | None:
    starts = [start for _, start in columns]
    if any(start and start <= len(text) and text[start - 1 : start].strip() for start in starts):
        return None
    ends = [*starts[1:], len(text)]
    return [text[a:b].strip() for a, b in zip(starts, ends, strict=True)]


def split_row(text: str, columns: list[tuple[str, int]]) -> Row | None:
    """Cells of a row by column name: by gaps when their number fits, else by the heading's positions."""
    cells: list[str] | None = _GAP.split(text.strip())
    if cells is not None and len(cells) != len(columns):
        cells = _by_position(text, columns)
    if cells is None:
        words = text.split()
        cells = words if len(words) == len(columns) else None
    return dict(zip((name for name, _ in columns), cells, strict=True)) if cells else None


_EVENT_COLUMNS = {"TYPE", "REASON", "MESSAGE"}
_OTHER_HEADS = {"NAME", "NAMESPACE", "NODE", "CIDR", "HOST", "LAST SEEN"}


def kind_of_head(names: set[str]) -> str | None:
    """Which output a heading begins, or None."""
    if names >= _EVENT_COLUMNS:
        return "kubectl get events"
    found = next((kind for kind, needed, _ in KINDS if names >= needed), None)
    return found or ("kubectl get" if names & _OTHER_HEADS and "PID" not in names else None)


def _event_row(lines: Sequence[Line], i: int, sink: Sink) -> int:
    line, columns = lines[i], sink.columns
    names = [name for name, _ in columns]
    at = names.index("MESSAGE")
    head = split_row(line.text, columns[: at + 1]) if at == len(names) - 1 else None
    row = head or dict(
        zip(names, _by_position(line.text, columns[: at + 1]) or _GAP.split(line.bare, at), strict=False)
    )
    if row.get("TYPE") not in ("Normal", "Warning") or not row.get("MESSAGE"):
        sink.record([line], component="kube-event")
        return 1
    message = row["MESSAGE"]
    below = list(takewhile(lambda b: not _ROW_OF_EVENTS.search(b.text), message_lines(lines, i + 1, sink)))
    text = [message, *(b.bare for b in below)]
    params = {"reason": row.get("REASON", ""), "age": row.get("LAST SEEN", "")}
    tail = _GAP.split(text[-1])
    if at < len(names) - 1 and len(tail) > len(names) - at - 1:
        extra = tail[len(tail) - (len(names) - at - 1) :]
        text[-1] = "  ".join(tail[: len(tail) - len(extra)])
        values = dict(zip(names[at + 1 :], extra, strict=True))
        params |= {"first": values.get("FIRST SEEN", ""), "count": values.get("COUNT", "")}
    params |= {k: row[c] for k, c in (("first", "FIRST SEEN"), ("count", "COUNT")) if row.get(c)}
    what, _, name = row.get("OBJECT", "").partition("/")
    pod = name if what.lower() in ("pod", "pods") else None
    node = name if what.lower() in ("node", "nodes") else None
    add_event(
        [line, *below],
        sink,
        kind=row["TYPE"],
        source=row.get("SOURCE", ""),
        message="\n".join(text),
        params=params,
        pod=pod,
        node=node,
    )
    return 1 + len(below)


def read_table(lines: Sequence[Line], i: int, sink: Sink) -> int:
    """A heading of a table, or a row below one."""
    line = lines[i]
    columns = split_head(line.text)
    kind = kind_of_head({name for name, _ in columns}) if columns else None
    if columns and kind:
        sink.enter(kind)
        sink.columns = columns
        sink.frame(line, "inventory")
        return 1
    if not sink.columns or not sink.segment.startswith(("kubectl get", "calicoctl get")):
        return 0
    if sink.segment == "kubectl get events":
        return _event_row(lines, i, sink)
    row = split_row(line.text, sink.columns)
    if row is None:
        return 0
    return _resource_row(line, row, sink)


def _resource_row(line: Line, row: Row, sink: Sink) -> int:
    add = next((f for kind, _, f in KINDS if kind == sink.segment), None)
    pod = row["NAME"] if sink.segment == "kubectl get pods" else None
    node = row["NAME"] if sink.segment.endswith("get nodes") else row.get("NODE") if pod else None
    params = {k.lower().replace(" ", "_"): v for k, v in row.items() if v and v != "<none>"}
    sink.record(
        [line],
        role="row" if in_trouble(row, sink.segment) else "detail",
        component="inventory",
        pod=pod,
        node=node if node != "<none>" else None,
        peer=address_only(row.get("PEERIP")),
        params=params,
    )
    if add and row.get("NAME"):
        add(row, line, sink)
    return 1


def _headless_peer(text: str) -> Row | None:
    """A row of ``calicoctl get bgppeers``: name, address (unless selected), node or selector, AS."""
    cells = _GAP.split(text)
    if not 3 <= len(cells) <= 4 or not cells[-1].isdigit() or " " in cells[0]:
        return None
    names = ("NAME", "PEERIP", "NODE", "ASN") if len(cells) == 4 else ("NAME", "NODE", "ASN")
    row = dict(zip(names, cells, strict=True))
    scoped = row["NODE"] == "(global)" or any(mark in row["NODE"] for mark in ("==", "!=", "has(", "all(", " in "))
    return row if address_only(row.get("PEERIP")) or ("PEERIP" not in row and scoped) else None


def read_headless(lines: Sequence[Line], i: int, sink: Sink) -> int:
    """Rows of well-known tables that were copied without their heading."""
    line = lines[i]
    text = line.bare
    event = _EVENT_ROW.match(text)
    if event:
        # heads and rows of other forms keep their own segment; here every row tells all of itself
        params = {"reason": event["reason"], "age": event["age"]}
        pod = event["name"] if event["what"] == "pod" else None
        node = event["name"] if event["what"] == "node" else None
        add_event(
            [line], sink, kind=event["type"], source="", message=event["message"], params=params, pod=pod, node=node
        )
        return 1
    peer = _headless_peer(text)
    if peer:
        sink.enter("calicoctl get bgppeers")
        return _resource_row(line, peer, sink)
    for kind, pattern in (("kubectl get pods", _POD_ROW), ("kubectl get nodes", _NODE_ROW)):
        match = pattern.match(text)
        if match:
            sink.enter(kind)
            return _resource_row(line, {k.upper(): v for k, v in match.groupdict().items() if v}, sink)
    return 0
