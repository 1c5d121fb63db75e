"""The report as metrics in Prometheus' text format, for node_exporter's textfile collector.

Gauges only: a warehouse may be rebuilt, so no number is promised to grow. Values of labels come from names of
clusters, groups and causes; they are escaped, since a name may hold anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from pipeline.findings.report.model import Report

METRICS = {
    "peerscope_incidents_open": "Incidents that still last, by cluster, group, category, cause and severity.",
    "peerscope_incident_confidence": "Confidence of the strongest diagnosis among them, 0 to 1.",
    "peerscope_incidents_closed": "Incidents in the report that are over.",
    "peerscope_session_ends": "Ends of sessions by the state they were last seen in.",
    "peerscope_nodes_observed": "Nodes of which anything was seen.",
    "peerscope_last_observed_timestamp_seconds": "Time of the newest observation; none before anything was seen.",
    "peerscope_files": "Files read.",
    "peerscope_lines": "Lines read, rejected, counted and unclassified.",
}

Sample = tuple[Mapping[str, str], float]


def render_prometheus(report: Report) -> str:
    """All metrics with HELP and TYPE, in a fixed order, ending with a line end."""
    of = {"cluster": report.cluster or "all"}
    seen, quality = report.observed, report.quality
    samples: dict[str, list[Sample]] = {
        **_incidents(report),
        "peerscope_session_ends": [
            (of | {"state": "up"}, seen.ends_up),
            (of | {"state": "down"}, seen.ends_down),
            (of | {"state": "unknown"}, max(0, seen.session_ends - seen.ends_up - seen.ends_down)),
        ],
        "peerscope_nodes_observed": [(of, seen.nodes)],
        "peerscope_last_observed_timestamp_seconds": _moment(of, seen.last),
        "peerscope_files": [(of, quality.files)],
        "peerscope_lines": [
            (of | {"kind": "read"}, quality.lines_read),
            (of | {"kind": "rejected"}, quality.lines_rejected),
            (of | {"kind": "counted"}, quality.counted),
            (of | {"kind": "unclassified"}, quality.unclassified),
        ],
    }
    return "".join(_family(name, about, samples[name]) for name, about in METRICS.items())


def _incidents(report: Report) -> dict[str, list[Sample]]:
    opened: Counter[tuple[str, ...]] = Counter()
    sure: dict[tuple[str, ...], float] = {}
    closed: Counter[str] = Counter(dict.fromkeys(report.clusters, 0))
    for incident in report.incidents:
        if not incident.is_open:
            closed[incident.cluster] += 1
            continue
        key = (
            incident.cluster, incident.group_name or "", incident.category, incident.cause, incident.severity,
        )  # fmt: skip
        opened[key] += 1
        sure[key] = max(sure.get(key, 0.0), incident.confidence)
    names = ("cluster", "group", "category", "cause", "severity")
    return {
        "peerscope_incidents_open": [(dict(zip(names, key, strict=True)), n) for key, n in sorted(opened.items())],
        "peerscope_incident_confidence": [(dict(zip(names, key, strict=True)), n) for key, n in sorted(sure.items())],
        "peerscope_incidents_closed": [({"cluster": name}, n) for name, n in sorted(closed.items())],
    }


def _moment(labels: Mapping[str, str], moment: datetime | None) -> list[Sample]:
    return [] if moment is None else [(labels, moment.timestamp())]


def _family(name: str, about: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {about}", f"# TYPE {name} gauge"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{name}{{{inside}}} {value:.17g}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
