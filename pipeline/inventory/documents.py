"""Reads resources (JSON, YAML) into resources, node facts, session states and event records."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Any

from pipeline.inventory.keep import Collector, add_resource, time_of
from pipeline.inventory.reading import read
from pipeline.inventory.trim import KINDS, kind_of, mapping, name_of
from pipeline.inventory.yaml_reading import Document, Item
from pipeline.redact import redact
from pipeline.status.events import event_body_family, source_component
from pipeline.status.lines import split_lines
from pipeline.status.model import DocumentFacts, Record, Reject

#: A whole dump may stand on one line (``kubectl get … -o json | jq -c``).
MAX_DOCUMENT_LINE = 64 * 1024 * 1024

_HEAD = re.compile(r"""(?m)^(?:- )?\s*["']?(?:apiVersion|kind|items)["']?\s*:""")


def parse_documents(data: bytes, *, observed_at: datetime | None = None) -> DocumentFacts:
    """Read JSON or YAML resources; ``observed_at`` is when they were fetched, where that is known.

    Never raises on any bytes. Each document is a record (component ``inventory``; each Event its own), or a
    reject with the reason. A record has ``lines = 0`` when it shares its line with the one before it.
    """
    lines, rejects = split_lines(data, MAX_DOCUMENT_LINE)
    out = Collector(lines, observed_at, rejects=rejects)
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


def _document(document: Document, out: Collector) -> None:
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
            add_resource(kind_of(obj), obj, offset, out)
    _frame(document, _title(objects), out)


def _title(objects: list[dict[str, Any]]) -> str:
    if not objects:
        return ""
    if len(objects) == 1:
        return f"{kind_of(objects[0]) or 'object without kind'} {name_of(objects[0])}".strip()
    kinds = Counter(kind_of(obj) or "object without kind" for obj in objects)
    return "list: " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))


def _frame(document: Document, title: str, out: Collector) -> None:
    offset, length, count = out.span(document.first, document.last)
    role = "frame" if title else "blank"
    text = redact(title)
    out.records.append(Record(offset, length, count, role, "console", "inventory", None, text, text))


def _event_list(document: Document, events: list[Item], out: Collector) -> None:
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


def _event(obj: dict[str, Any], first: int, last: int, out: Collector) -> None:
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
    ts = time_of(
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
            "line" if ts else "none", redact(str(node)) if node else None, redact(pod) if pod else None,
            params={k: redact(str(v)) for k, v in params.items() if v not in (None, "")},
        )
    )  # fmt: skip


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
