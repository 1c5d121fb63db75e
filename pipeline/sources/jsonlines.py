"""Log lines that come as one JSON object each: Docker, fluent-bit, fluentd, Vector, journald, logcli,
Filebeat, dumps of Elasticsearch.

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
    """JSONPath of each part, or several to be tried in order; ``needs`` are keys that an object must have.

    ``pieces``: a text without its line end goes on in the next object (Docker splits after 16 KiB).
    """

    name: str
    needs: tuple[str, ...]
    text: str
    stamp: str
    style: str = "iso"
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pieces: bool = False


# What the many collectors call the same three names.
_NAMES = {
    "pod": ("$.kubernetes.pod_name", "$.kubernetes.pod.name"),
    "host": ("$.kubernetes.host", "$.kubernetes.pod_node_name", "$.kubernetes.node.name", "$.kubernetes.node_name",
             "$.hostname", "$.host.name"),
    "container": ("$.kubernetes.container_name", "$.kubernetes.container.name"),
    "stream": ("$.stream",),
}  # fmt: skip
SHAPES: tuple[Shape, ...] = (
    Shape(
        "journald-json",
        ("MESSAGE", "__REALTIME_TIMESTAMP"),
        "$.MESSAGE",
        "$.__REALTIME_TIMESTAMP",
        "epoch_us",
        {"host": ("$._HOSTNAME",), "program": ("$.SYSLOG_IDENTIFIER", "$._COMM"), "pid": ("$._PID",)},
    ),
    Shape("logcli", ("labels", "line", "timestamp"), "$.line", "$.timestamp",
          parts={"pod": ("$.labels.pod",), "container": ("$.labels.container",),
                 "host": ("$.labels.node_name", "$.labels.node", "$.labels.hostname")}),
    Shape("elasticsearch-dump", ("_source", "_index"), "$._source.message", "$._source['@timestamp']",
          parts={name: tuple(path.replace("$.", "$._source.") for path in paths) for name, paths in _NAMES.items()}),
    Shape("vector", ("message", "source_type", "timestamp"), "$.message", "$.timestamp", parts=_NAMES),
    Shape("filebeat", ("message", "@timestamp"), "$.message", "$['@timestamp']", parts=_NAMES),
    Shape("fluent-bit-time", ("log", "kubernetes", "time"), "$.log", "$.time", "epoch_or_iso", _NAMES),
    Shape("fluent-bit-es", ("log", "@timestamp"), "$.log", "$['@timestamp']", "epoch_or_iso", _NAMES),
    Shape("fluent-bit", ("log", "date"), "$.log", "$.date", "epoch_or_iso", _NAMES),
    Shape("docker", ("log", "stream", "time"), "$.log", "$.time", parts={"stream": ("$.stream",)}, pieces=True),
    Shape("fluentd", ("message", "kubernetes"), "$.message", "$.time", "epoch_or_iso", _NAMES),
    Shape("fluentd-log", ("log", "kubernetes"), "$.log", "$.time", "epoch_or_iso", _NAMES),
)  # fmt: skip
_BY_NAME = {shape.name: shape for shape in reversed(SHAPES)}
JSON_LAYERS = frozenset(_BY_NAME)
# What the answer for a line may depend on is bounded: a large file is read in parts.
_NEARBY = 64 << 10
_BYTES = r"^\[[0-9, ]*\]$"


def sniff_json_lines(lines: Sequence[str]) -> str | None:
    """Name of the shape that half of the lines or more have; None when they are no objects of log lines."""
    counts: dict[str, int] = {}
    for line in lines:
        keys = _keys(line)
        if not keys:
            continue
        shape = next((shape for shape in SHAPES if keys.issuperset(shape.needs)), None)
        if shape:
            counts[shape.name] = counts.get(shape.name, 0) + 1
    if not counts:
        return None
    name, hits = max(counts.items(), key=lambda item: item[1])
    return name if hits * 2 >= len(lines) else None


def _keys(line: str) -> set[str]:
    if not line.lstrip().startswith("{"):
        return set()
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return set()
    return set(value) if isinstance(value, dict) else set()


def texts_inside(lines: Sequence[str], name: str) -> list[str]:
    """The texts that objects of this shape carry; other lines as they are."""
    path = _BY_NAME[name].text
    frame = pl.DataFrame({"rest": list(lines)}, schema={"rest": pl.String})
    text = pl.coalesce(_objects().str.json_path_match(path), "rest")
    return frame.select(text.str.strip_suffix("\n")).to_series().to_list()


def _objects() -> pl.Expr:
    # json_path_match fails as a whole on text that is no JSON, so only objects are asked
    return pl.when(pl.col("rest").str.starts_with("{") & pl.col("rest").str.ends_with("}")).then(pl.col("rest"))


def strip_json(frame: pl.DataFrame, name: str, tz: str, reference: datetime | None) -> pl.DataFrame:
    """Takes the JSON layer off: rest, ts and the parts; a line that is no such object passes unchanged."""
    shape = _BY_NAME[name]
    source = _objects()
    found = frame.select(
        "src",
        "offset",
        text=source.str.json_path_match(shape.text),
        stamp=source.str.json_path_match(shape.stamp),
        **{
            part: pl.coalesce(source.str.json_path_match(path) for path in paths) for part, paths in shape.parts.items()
        },
    )
    text = _decoded(found["text"])
    stamp = found.select(parse_stamps(pl.col("stamp"), shape.style, tz, reference).cast(UTC_US)).to_series()
    given: list[pl.Expr | pl.Series] = [pl.coalesce(found[part], part).alias(part) for part in shape.parts]
    if shape.pieces:
        given.append(_pieces(found.select("src", "offset", text=text)).alias("part"))
    return frame.with_columns(
        pl.coalesce(text.str.strip_suffix("\n"), "rest").alias("rest"), pl.coalesce("ts", stamp).alias("ts"), *given
    )


def _pieces(found: pl.DataFrame) -> pl.Series:
    """P for a text that goes on in the next object; where no text nearby has a line end there are no pieces."""
    whole = pl.col("text").str.ends_with("\n")
    place = pl.when(whole).then("offset")
    before = pl.col("offset") - place.forward_fill().over("src") < _NEARBY
    after = place.backward_fill().over("src") - pl.col("offset") < _NEARBY
    goes_on = ~whole & (before.fill_null(False) | after.fill_null(False))
    return found.select(pl.when(goes_on).then(pl.lit("P")).when(whole).then(pl.lit("F"))).to_series()


def _decoded(texts: pl.Series) -> pl.Series:
    """Journald writes a message that is no clean text as the list of its bytes."""
    listed = texts.str.contains(_BYTES).fill_null(False)
    if not listed.any():
        return texts
    return pl.Series(
        texts.name,
        [_from_bytes(text) if is_list else text for text, is_list in zip(texts, listed, strict=True)],
        dtype=pl.String,
    )


def _from_bytes(text: str) -> str:
    try:
        return bytes(json.loads(text)).decode("utf-8", errors="replace")
    except ValueError:
        return text
