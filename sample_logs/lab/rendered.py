"""Text outputs that the lab renders from real daemon state: node status, events, describe."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

from sample_logs.lab.cluster import stable_uuid
from sample_logs.lab.control import Row, parse_protocols
from sample_logs.lab.inventory import Pod, to_json
from sample_logs.lab.observe import date_u, kube_time
from sample_logs.lab.probe import Event

PEER_TYPES = {"Mesh": "node-to-node mesh", "Global": "global", "Node": "node specific"}
HEADINGS = ("PEER ADDRESS", "PEER TYPE", "STATE", "SINCE", "INFO")
INFO_WIDTH = 30
"""calicoctl's table library wraps cells at this width."""

_NAME = re.compile(r"^(Mesh|Global|Node)_(\d+_\d+_\d+_\d+)$")


def _since(protocols: str) -> dict[str, str]:
    rows = [line.split() for line in protocols.splitlines()]
    return {fields[0]: fields[4] for fields in rows if len(fields) > 4 and fields[1] == "BGP"}


def _cells(row: Row, since: str) -> list[list[str]]:
    match = _NAME.match(row.protocol)
    if match is None or not row.info:
        return []
    info = textwrap.wrap(" ".join(row.info.split()), INFO_WIDTH)
    first = [match[2].replace("_", "."), PEER_TYPES[match[1]], row.state, since, info[0]]
    return [first, *(["", "", "", "", rest] for rest in info[1:])]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in [HEADINGS, *rows]) for i in range(len(HEADINGS))]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    heading = "|" + "|".join(f" {text:^{width}} " for text, width in zip(HEADINGS, widths, strict=True)) + "|"
    body = ["|" + "|".join(f" {text:<{width}} " for text, width in zip(row, widths, strict=True)) + "|" for row in rows]
    return [rule, heading, rule, *body, rule]


def node_status(moment: float, protocols: str, running: bool) -> str:
    """``date -u`` and ``calicoctl node status`` from what ``show protocols`` printed."""
    if not running:
        lines = ["Calico process is running.", "The BGP backend process (BIRD) is not running."]
        return "\n".join([date_u(moment), *lines, ""])
    since = _since(protocols)
    rows = [cells for row in parse_protocols(protocols) for cells in _cells(row, since[row.protocol])]
    ipv4 = _table(rows) if rows else ["No IPv4 peers found."]
    head = [date_u(moment), "Calico process is running.", "", "IPv4 BGP status"]
    return "\n".join([*head, *ipv4, "", "IPv6 BGP status", "No IPv6 peers found.", "", ""])


def _event(pod: Pod, event: Event) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "count": event.count,
        "eventTime": None,
        "firstTimestamp": kube_time(event.first),
        "involvedObject": {
            "apiVersion": "v1",
            "fieldPath": "spec.containers{calico-node}",
            "kind": "Pod",
            "name": pod.name,
            "namespace": "kube-system",
            "uid": pod.uid,
        },
        "kind": "Event",
        "lastTimestamp": kube_time(event.last),
        "message": event.message,
        "metadata": {
            "creationTimestamp": kube_time(event.first),
            "name": f"{pod.name}.{int(event.first * 1e9):x}",
            "namespace": "kube-system",
            "uid": stable_uuid(pod.uid, repr(event.first)),
        },
        "reason": "Unhealthy",
        "reportingComponent": "",
        "reportingInstance": "",
        "source": {"component": "kubelet", "host": pod.node},
        "type": "Warning",
    }


def events_json(events: Sequence[tuple[Pod, Event]]) -> str:
    """``kubectl get events -n kube-system -o json``, oldest first."""
    ordered = sorted(events, key=lambda item: (item[1].last, item[0].name))
    items = [_event(pod, event) for pod, event in ordered]
    return to_json({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})


def duration(seconds: float) -> str:
    """A span as kubectl prints ages."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}m{rest}s" if minutes < 10 and rest else f"{minutes}m"


def _age(event: Event, now: float) -> str:
    if event.count > 1:
        return f"{duration(now - event.last)} (x{event.count} over {duration(now - event.first)})"
    return duration(now - event.first)


def describe_pod(pod: Pod, events: Sequence[Event], now: float) -> str:
    """The head and the events of ``kubectl describe pod``."""
    ordered = sorted(events, key=lambda event: event.last)
    rows = [("Type", "Reason", "Age", "From", "Message"), ("----", "------", "----", "----", "-------")]
    rows += [("Warning", "Unhealthy", _age(event, now), "kubelet", event.message.rstrip("\n")) for event in ordered]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = [
        "  " + "  ".join([*(f"{cell:<{width}}" for cell, width in zip(row[:4], widths, strict=True)), row[4]])
        for row in rows
    ]
    head = [f"Name:                 {pod.name}", "Namespace:            kube-system"]
    node = f"Node:                 {pod.node}/{pod.address}"
    return "\n".join([*head, node, "Events:", *lines, ""])
