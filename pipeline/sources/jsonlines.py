"""Log lines that come as one JSON object each: Docker, fluent-bit, Vector, journald, logcli, Filebeat.

Which keys hold what is data (``SHAPES``); the first shape whose keys are in the first lines is taken. Values
are read with JSONPath on the column, so the line inside may itself carry an envelope or a head.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from pipeline.sources.times import UTC_US, parse_stamps


@dataclass(frozen=True)
class Shape:
    """JSONPath of each part; ``needs`` are keys that must stand in an object of this shape."""

    name: str
    needs: tuple[str, ...]
    text: str
    stamp: str | None
    style: str = "iso"
    parts: dict[str, str] = field(default_factory=dict)


_KUBERNETES = {
    "pod": "$.kubernetes.pod_name",
    "host": "$.kubernetes.host",
    "container": "$.kubernetes.container_name",
}
SHAPES: tuple[Shape, ...] = (
    Shape("docker", ("log", "stream", "time"), "$.log", "$.time", parts={"stream": "$.stream"}),
    Shape(
        "journald-json",
        ("MESSAGE", "__REALTIME_TIMESTAMP"),
        "$.MESSAGE",
        "$.__REALTIME_TIMESTAMP",
        "epoch_us",
        {"host": "$._HOSTNAME", "program": "$.SYSLOG_IDENTIFIER", "pid": "$._PID"},
    ),
    Shape("logcli", ("labels", "line", "timestamp"), "$.line", "$.timestamp",
          parts={"pod": "$.labels.pod", "host": "$.labels.node_name", "container": "$.labels.container"}),
    Shape("vector", ("message", "source_type", "timestamp"), "$.message", "$.timestamp",
          parts={"pod": "$.kubernetes.pod_name", "host": "$.kubernetes.pod_node_name",
                 "container": "$.kubernetes.container_name", "stream": "$.stream"}),
    Shape("filebeat", ("message", "@timestamp"), "$.message", "$['@timestamp']",
          parts={"pod": "$.kubernetes.pod.name", "host": "$.kubernetes.node.name",
                 "container": "$.kubernetes.container.name", "stream": "$.stream"}),
    Shape("fluent-bit-time", ("log", "kubernetes", "time"), "$.log", "$.time", parts={**_KUBERNETES, "stream": "$.stream"}),
    Shape("fluent-bit", ("log", "date"), "$.log", "$.date", parts={**_KUBERNETES, "stream": "$.stream"}),
    Shape("fluentd", ("message", "kubernetes"), "$.message", "$.time", parts={**_KUBERNETES, "stream": "$.stream"}),
)  # fmt: skip
_BY_NAME = {shape.name: shape for shape in reversed(SHAPES)}
JSON_LAYERS = frozenset(_BY_NAME)


def sniff_json_lines(lines: Sequence[str]) -> str | None:
    """Name of the shape that half of the lines or more have; None when they are no objects of log lines."""
    counts: dict[str, int] = {}
    for line in lines:
        keys = _keys(line)
        shape = next((shape for shape in SHAPES if keys.issuperset(shape.needs)), None)
        if shape:
            counts[shape.name] = counts.get(shape.name, 0) + 1
    if not counts:
        return None
    name, hits = max(counts.items(), key=lambda item: item[1])
    return name if hits * 2 >= len(lines) else None


def _keys(line: str) -> set[str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return set()
    return set(value) if isinstance(value, dict) else set()


def strip_json(frame: pl.DataFrame, name: str, tz: str, reference: datetime | None) -> pl.DataFrame:
    """Takes the JSON layer off: rest, ts and the parts; a line that is no such object passes unchanged."""
    shape = _BY_NAME[name]
    # json_path_match fails as a whole on text that is no JSON, so only objects are asked
    is_object = pl.col("rest").str.starts_with("{") & pl.col("rest").str.ends_with("}")
    source = pl.when(is_object).then(pl.col("rest"))
    text = source.str.json_path_match(shape.text).str.strip_suffix("\n")
    updates = [pl.coalesce(text, "rest").alias("rest")]
    if shape.stamp:
        stamp = parse_stamps(source.str.json_path_match(shape.stamp), shape.style, tz, reference)
        updates.append(pl.coalesce("ts", stamp.cast(UTC_US)).alias("ts"))
    updates += [pl.coalesce(source.str.json_path_match(path), part).alias(part) for part, path in shape.parts.items()]
    return frame.with_columns(updates)
