"""Reads resources (JSON, YAML) into resources, node facts, session states and event records."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipeline.inventory.reading import Document, Item, read
from pipeline.inventory.trim import KINDS, kind_of, listing, mapping, name_of, trim
from pipeline.redact import redact, redact_tree
from pipeline.status.events import event_body_family, source_component
from pipeline.status.lines import Line, split_lines
from pipeline.status.model import DocumentFacts, NodeFact, Record, Reject, Resource, State
from pipeline.status.names import address_only, is_address
from pipeline.status.stamps import stamp_of
from pipeline.status.tables import calico_version

#: A whole dump may stand on one line (``kubectl get … -o json | jq -c``).
MAX_DOCUMENT_LINE = 64 * 1024 * 1024

_SESSION = {"Established": "up", "Idle": "start", "Connect": "start", "Active": "start", "OpenSent": "start",
            "OpenConfirm": "start", "Close": "stop"}  # fmt: skip
_HEAD = re.compile(r"""(?m)^(?:- )?\s*["']?(?:apiVersion|kind|items)["']?\s*:""")


@dataclass
class _Collector:
    lines: list[Line]
    observed_at: datetime | None
    records: list[Record] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    facts: list[NodeFact] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def span(self, first: int, last: int) -> tuple[int, int, int]:
        """Byte offset, byte length and number of lines; an empty span (several values on a line) has none."""
        if last < first:
            line = self.lines[max(last, 0)]
            return line.offset, line.length, 0
        a, b = self.lines[first], self.lines[last]
        return a.offset, b.offset + b.length - a.offset, last - first + 1

    def fact(self, node: str | None, fact: str, value: Any, offset: int, at: datetime | None = None) -> None:
        """Add a fact unless it says nothing."""
        if value not in (None, ""):
            self.facts.append(NodeFact(node, fact, redact(str(value)), at or self.observed_at, offset))


def parse_documents(data: bytes, *, observed_at: datetime | None = None) -> DocumentFacts:
    """Read JSON or YAML resources; ``observed_at`` is when they were fetched, where that is known.

    Never raises on any bytes. Each document is a record (component ``inventory``; each Event its own), or a
    reject with the reason. A record has ``lines = 0`` when it shares its line with the one before it.
    """
    lines, rejects = split_lines(data, MAX_DOCUMENT_LINE)
    out = _Collector(lines, observed_at, rejects=rejects)
    for document in read([line.text for line in lines]):
        if document.error is not None:
            offset, length, count = out.span(document.first, document.last)
            out.rejects.append(Reject(offset, length, count, document.error, redact(document.detail)[:200]))
        else:
            _document(document, out)
    return DocumentFacts(out.records, out.states, out.facts, out.resources, out.rejects)


def _is_event(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.get("kind") == "Event"
        and ("reason" in value or "message" in value or "note" in value)
    )


def _flatten(value: Any) -> list[dict[str, Any]]:
    """The objects of a document: itself, or the elements of a list of them (lists may hold lists)."""
    out: list[dict[str, Any]] = []
    todo = [(value, "")]
    while todo:
        current, kind = todo.pop()
        if isinstance(current, list):
            todo.extend((item, kind) for item in reversed(current))
        elif isinstance(current, dict):
            items = current.get("items")
            if isinstance(items, list):
                inner = str(current.get("kind") or "").removesuffix("List")
                todo.extend((item, inner) for item in reversed(items))
            else:
                # `kubectl get --raw` gives lists whose elements carry no kind of their own
                out.append(current if "kind" in current or not kind else {**current, "kind": kind})
    return out


def _document(document: Document, out: _Collector) -> None:
    events = [item for item in document.items if _is_event(item.value)]
    if events and len(events) == len(document.items):
        _event_list(document, events, out)
        return
    objects = _flatten(document.value)
    offset = out.span(document.first, document.last)[0]
    if len(objects) == 1 and _is_event(objects[0]):
        _event(objects[0], document.first, document.last, out)
        return
    for obj in objects:
        if _is_event(obj):
            # an event among other resources: its text still matters, its lines belong to the document
            _event(obj, document.first + 1, document.first, out)
        elif kind_of(obj) in KINDS and name_of(obj):
            _resource(kind_of(obj), obj, offset, out)
    _frame(document, _title(objects), out)


def _title(objects: list[dict[str, Any]]) -> str:
    if not objects:
        return ""
    if len(objects) == 1:
        return f"{kind_of(objects[0]) or 'object without kind'} {name_of(objects[0])}".strip()
    kinds = Counter(kind_of(obj) or "object without kind" for obj in objects)
    return "list: " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))


def _frame(document: Document, title: str, out: _Collector) -> None:
    offset, length, count = out.span(document.first, document.last)
    role = "frame" if title else "blank"
    text = redact(title)
    out.records.append(Record(offset, length, count, role, "console", "inventory", None, text, text))


def _event_list(document: Document, events: list[Item], out: _Collector) -> None:
    """Each event takes the lines up to the next one; the list's own head and tail are frames."""
    before = document.first
    if events[0].first > before:
        _frame(Document(before, events[0].first - 1), "list: head", out)
        before = events[0].first
    for n, event in enumerate(events):
        last = max(event.first, events[n + 1].first - 1) if n + 1 < len(events) else event.last
        _event(event.value, before, max(last, before - 1), out)
        before = max(last + 1, before)
    if before <= document.last:
        _frame(Document(before, document.last), "list: tail", out)


def _time(*values: Any) -> datetime | None:
    for value in values:
        if isinstance(value, str):
            found = stamp_of(value, UTC)
            if found:
                return found
    return None


def _event(obj: dict[str, Any], first: int, last: int, out: _Collector) -> None:
    offset, length, count = out.span(first, last)
    about = mapping(obj.get("involvedObject")) or mapping(obj.get("regarding"))
    source = mapping(obj.get("source")) or mapping(obj.get("deprecatedSource"))
    series, meta = mapping(obj.get("series")), mapping(obj.get("metadata"))
    component = str(source.get("component") or obj.get("reportingComponent") or obj.get("reportingController") or "")
    message = redact(str(obj.get("message") or obj.get("note") or "")).strip()
    node = source.get("host") or (obj.get("reportingInstance") if component == "kubelet" else None)
    if not node and about.get("kind") == "Node":
        node = about.get("name")
    pod = str(about["name"]) if about.get("kind") == "Pod" and about.get("name") else None
    ts = _time(
        series.get("lastObservedTime"),
        obj.get("lastTimestamp"),
        obj.get("deprecatedLastTimestamp"),
        obj.get("eventTime"),
        obj.get("firstTimestamp"),
        meta.get("creationTimestamp"),
    )
    params = {
        "reason": obj.get("reason"),
        "type": obj.get("type"),
        "count": series.get("count") or obj.get("count") or obj.get("deprecatedCount"),
        "first_timestamp": obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime"),
        "pod": pod,
        "namespace": about.get("namespace") or meta.get("namespace"),
        "object": f"{about.get('kind')}/{about.get('name')}" if about.get("name") else None,
        "source": component,
    }
    out.records.append(
        Record(
            offset, length, count, "row", event_body_family(message), source_component(component),
            {"Normal": "info", "Warning": "warning"}.get(str(obj.get("type"))), message, message, ts,
            "line" if ts else "none", str(node) if node else None, pod,
            params={k: redact(str(v)) for k, v in params.items() if v not in (None, "")},
        )
    )  # fmt: skip


def _resource(kind: str, obj: dict[str, Any], offset: int, out: _Collector) -> None:
    body = redact_tree(trim(kind, obj))
    name, namespace = name_of(obj), mapping(obj.get("metadata")).get("namespace")
    text = json.dumps(body, sort_keys=True, ensure_ascii=False)
    out.resources.append(Resource(kind, str(namespace) if namespace else None, name, out.observed_at, text, offset))
    if kind == "Node":
        _node_facts(name, body, offset, out)
    elif kind == "Pod":
        node = body["spec"].get("nodeName")
        for container in body["spec"]["containers"]:
            version = calico_version(str(container.get("image", "")))
            if version and node:
                out.fact(str(node), "calico_version", version, offset)
    elif kind == "DaemonSet":
        for container in body["spec"]["template"]["spec"]["containers"]:
            out.fact(None, "calico_version", calico_version(str(container.get("image", ""))), offset)
    elif kind == "ClusterInformation":
        out.fact(None, "calico_version", mapping(body.get("spec")).get("calicoVersion"), offset)
    elif kind == "CalicoNodeStatus":
        _node_status(name, body, offset, out)


def node_addresses(body: dict[str, Any]) -> list[str]:
    """Addresses of a Node resource (Kubernetes or Calico): the BGP ones first, each once."""
    notes = mapping(mapping(body.get("metadata")).get("annotations"))
    bgp = mapping(mapping(body.get("spec")).get("bgp"))
    found = [bgp.get("ipv4Address"), bgp.get("ipv6Address")]
    found += [notes.get("projectcalico.org/IPv4Address"), notes.get("projectcalico.org/IPv6Address")]
    for entry in listing(mapping(body.get("status")).get("addresses")) + listing(
        mapping(body.get("spec")).get("addresses")
    ):
        found.append(mapping(entry).get("address"))
    addresses = [address_only(value) for value in found if isinstance(value, str)]
    return list(dict.fromkeys(a for a in addresses if a))


def _node_facts(name: str, body: dict[str, Any], offset: int, out: _Collector) -> None:
    notes = mapping(mapping(body.get("metadata")).get("annotations"))
    bgp = mapping(mapping(body.get("spec")).get("bgp"))
    info = mapping(mapping(body.get("status")).get("nodeInfo"))
    out.fact(name, "kernel_version", info.get("kernelVersion"), offset)
    out.fact(name, "os_image", info.get("osImage"), offset)
    out.fact(name, "k8s_version", info.get("kubeletVersion"), offset)
    out.fact(name, "addresses", ",".join(node_addresses(body)), offset)
    cluster_id = bgp.get("routeReflectorClusterID") or notes.get("projectcalico.org/RouteReflectorClusterID")
    out.fact(name, "rr_cluster_id", cluster_id, offset)
    out.fact(name, "as_number", bgp.get("asNumber") or notes.get("projectcalico.org/ASNumber"), offset)
    for key, value in notes.items():
        if key.startswith("peerscope/"):
            out.fact(name, key.removeprefix("peerscope/"), value, offset)
        elif key.endswith("TunnelAddr"):
            out.fact(name, f"tunnel_address:{key.rpartition('/')[2]}", value, offset)


def _node_status(name: str, body: dict[str, Any], offset: int, out: _Collector) -> None:
    status = mapping(body.get("status"))
    node = str(mapping(body.get("spec")).get("node") or name)
    at = _time(status.get("lastUpdated")) or out.observed_at
    for agent in ("birdV4", "birdV6"):
        bird = mapping(mapping(status.get("agent")).get(agent))
        out.fact(node, "bird_version", bird.get("version"), offset, at)
        out.fact(node, "router_id", bird.get("routerID"), offset, at)
    bgp = mapping(status.get("bgp"))
    for peer in listing(bgp.get("peersV4")) + listing(bgp.get("peersV6")):
        address = str(mapping(peer).get("peerIP") or "")
        if is_address(address):
            # BIRD's Passive and Down are left out by Calico (node/pkg/status): the state is then unknown
            bgp_state = str(peer.get("state") or "") or None
            state = _SESSION.get(bgp_state or "")
            out.states.append(State(at, node, None, address, state, bgp_state, None, "caliconodestatus", offset))


def sniff_documents(head: str) -> tuple[float, str]:
    """How sure it is (0..1) that the text holds JSON or YAML resources, and which of the two."""
    start = head.lstrip("\ufeff \t\r\n")[:64]
    if not _HEAD.search(head) and not re.search(r'"(?:apiVersion|kind)"\s*:\s*"', head):
        return 0.0, ""
    both = "apiVersion" in head and "kind" in head
    if start.startswith(("{", "[")):
        return (0.95 if both else 0.6), "json"
    if start.startswith(("apiVersion:", "kind:", "---", "- apiVersion", "- kind", "items:", "metadata:", "#")):
        return (0.95 if both else 0.6), "yaml"
    return (0.3 if both else 0.0), "yaml" if both else ""
