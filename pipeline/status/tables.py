"""Tables of kubectl and ``calicoctl get``: nodes, pods, daemon sets, peers, BGP configurations, events."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile

from pipeline.status.events import add_event, message_lines
from pipeline.status.lines import Line
from pipeline.status.names import address_only
from pipeline.status.sink import Sink

_GAP = re.compile(r"\s{2,}|\t+")
_HEAD = re.compile(r"^[A-Z][A-Z0-9()/%_\-]*(?:[ \t]+[A-Z][A-Z0-9()/%_\-]*)+$")
#: Two words that are one column; kubectl separates columns by three blanks, pasted text often by one.
_TWO_WORDS = (
    "LAST SEEN", "FIRST SEEN", "NOMINATED NODE", "READINESS GATES", "NODE SELECTOR",
)  # fmt: skip
_CALICO_IMAGE = re.compile(r"calico/(?:cnx-)?node:(v?[\w.\-]+)|(?:^|[/,])calico-node:(v[\w.\-]+)")
_POD_ROW = re.compile(
    r"^(?:(?P<namespace>[a-z][\w\-]*)\s+)?(?P<name>[a-z][\w.\-]*)\s+(?P<ready>\d+/\d+)\s+"
    r"(?P<status>[A-Z][\w:\-/]*)\s+"
    r"(?P<restarts>\d+(?: \([^)]*\))?)\s+(?P<age>[0-9ydhms]+)(?:\s+(?P<ip>\S+)\s+(?P<node>\S+).*)?$"
)
_NODE_ROW = re.compile(
    r"^(?P<name>[a-z0-9][\w.\-]*)\s+(?P<status>(?:Not)?Ready(?:,\w+)*)\s+(?P<roles>\S+)\s+"
    r"(?P<age>[0-9ydhms]+)\s+(?P<version>v\d\S+)$"
)

#: Type and reason next to each other, as in every row of an event table.
_ROW_OF_EVENTS = re.compile(r"\s(?:Normal|Warning)\s+[A-Z]\w+\s")

Row = dict[str, str]


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


def _json(body: Mapping[str, object]) -> str:
    return json.dumps(body, sort_keys=True, ensure_ascii=False)


def calico_version(image: str) -> str | None:
    """Version of the calico/node image among a list of images, or None."""
    match = _CALICO_IMAGE.search(image)
    return (match[1] or match[2]) if match else None


def _node(row: Row, line: Line, sink: Sink) -> None:
    name = row["NAME"]
    addresses = [row[c] for c in ("INTERNAL-IP", "EXTERNAL-IP") if address_only(row.get(c))]
    info = {
        "kubeletVersion": row.get("VERSION"),
        "osImage": row.get("OS-IMAGE"),
        "kernelVersion": row.get("KERNEL-VERSION"),
    }
    for fact, value in zip(("k8s_version", "os_image", "kernel_version"), info.values(), strict=True):
        if value:
            sink.fact(line, fact, value, name)
    if addresses:
        sink.fact(line, "addresses", ",".join(addresses), name)
    listed = [{"type": "InternalIP" if n == 0 else "ExternalIP", "address": a} for n, a in enumerate(addresses)]
    status = {"addresses": listed, "nodeInfo": {k: v for k, v in info.items() if v}}
    sink.resource(line, "Node", name, _json({"kind": "Node", "metadata": {"name": name}, "status": status}))


def _calico_node(row: Row, line: Line, sink: Sink) -> None:
    name = row["NAME"]
    bgp = {"asNumber": row.get("ASN"), "ipv4Address": row.get("IPV4"), "ipv6Address": row.get("IPV6")}
    bgp = {k: v for k, v in bgp.items() if v and v != "<none>"}
    addresses = [a for a in (address_only(bgp.get("ipv4Address")), address_only(bgp.get("ipv6Address"))) if a]
    if addresses:
        sink.fact(line, "addresses", ",".join(addresses), name)
    body = {
        "kind": "Node",
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": name},
        "spec": {"bgp": bgp},
    }
    sink.resource(line, "Node", name, _json(body))


def _pod(row: Row, line: Line, sink: Sink) -> None:
    node = row.get("NODE")
    if not node or node == "<none>":
        return
    body: dict[str, object] = {
        "kind": "Pod",
        "metadata": {"name": row["NAME"], "namespace": row.get("NAMESPACE")},
        "spec": {"nodeName": node},
        "status": {"podIP": row.get("IP")},
    }
    sink.resource(line, "Pod", row["NAME"], _json(body), row.get("NAMESPACE"))


def _daemonset(row: Row, line: Line, sink: Sink) -> None:
    version = calico_version(row.get("IMAGES", ""))
    if version:
        sink.fact(line, "calico_version", version)


def _peer(row: Row, line: Line, sink: Sink) -> None:
    where = row.get("NODE", "")
    spec: dict[str, str] = {}
    if address_only(row.get("PEERIP")):
        spec["peerIP"] = row["PEERIP"]
    if where and where != "(global)":
        selector = any(mark in where for mark in ("=", "(", "!", " in ", "{"))
        spec["nodeSelector" if selector else "node"] = where
    if row.get("ASN", "").isdigit():
        spec["asNumber"] = row["ASN"]
    body = {"kind": "BGPPeer", "metadata": {"name": row["NAME"]}, "spec": spec}
    sink.resource(line, "BGPPeer", row["NAME"], _json(dict(body)))


def _bgp_config(row: Row, line: Line, sink: Sink) -> None:
    spec: dict[str, object] = {"logSeverityScreen": row.get("LOGSEVERITY", "")}
    if row.get("MESHENABLED") in ("true", "false"):
        spec["nodeToNodeMeshEnabled"] = row["MESHENABLED"] == "true"
    if row.get("ASNUMBER", "").isdigit():
        spec["asNumber"] = row["ASNUMBER"]
    body = {"kind": "BGPConfiguration", "metadata": {"name": row["NAME"]}, "spec": spec}
    sink.resource(line, "BGPConfiguration", row["NAME"], _json(body))


_KINDS: list[tuple[str, set[str], Callable[[Row, Line, Sink], None]]] = [
    ("kubectl get nodes", {"NAME", "STATUS", "ROLES", "VERSION"}, _node),
    ("kubectl get pods", {"NAME", "READY", "RESTARTS"}, _pod),
    ("kubectl get ds", {"NAME", "DESIRED", "CURRENT"}, _daemonset),
    ("calicoctl get bgppeers", {"NAME", "PEERIP", "NODE", "ASN"}, _peer),
    ("calicoctl get bgpconfigurations", {"NAME", "MESHENABLED"}, _bgp_config),
    ("calicoctl get nodes", {"NAME", "ASN", "IPV4"}, _calico_node),
]
_EVENT_COLUMNS = {"TYPE", "REASON", "MESSAGE"}
_OTHER_HEADS = {"NAME", "NAMESPACE", "NODE", "CIDR", "HOST", "LAST SEEN"}


def kind_of_head(names: set[str]) -> str | None:
    """Which output a heading begins, or None."""
    if names >= _EVENT_COLUMNS:
        return "kubectl get events"
    found = next((kind for kind, needed, _ in _KINDS if names >= needed), None)
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
    add_event(
        [line, *below],
        sink,
        kind=row["TYPE"],
        source=row.get("SOURCE", ""),
        message="\n".join(text),
        params=params,
        pod=pod,
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


def _in_trouble(row: Row, segment: str) -> bool:
    """Whether a row of an inventory says by itself that something is wrong."""
    if segment == "kubectl get pods":
        ready, _, wanted = row.get("READY", "").partition("/")
        settled = row.get("STATUS") in ("Completed", "Succeeded")
        return not settled and (ready != wanted or row.get("STATUS") != "Running")
    if segment == "kubectl get nodes":
        return not row.get("STATUS", "").startswith("Ready")
    return segment == "kubectl get ds" and row.get("READY") != row.get("DESIRED")


def _resource_row(line: Line, row: Row, sink: Sink) -> int:
    add = next((f for kind, _, f in _KINDS if kind == sink.segment), None)
    pod = row["NAME"] if sink.segment == "kubectl get pods" else None
    node = row["NAME"] if sink.segment.endswith("get nodes") else row.get("NODE") if pod else None
    params = {k.lower().replace(" ", "_"): v for k, v in row.items() if v and v != "<none>"}
    sink.record(
        [line],
        role="row" if _in_trouble(row, sink.segment) else "detail",
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
