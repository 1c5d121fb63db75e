"""Log stores' exports that are no line formats: Loki and Elasticsearch answers, journald's export format.

They are read as a whole (``document_bytes`` bounds them) into entries, each with its place in the file. An
entry counts as one line in Loki and Elasticsearch answers; in journald's export its physical lines are counted.
Formats: Loki's HTTP API, Elasticsearch's search API, systemd's "Journal Export Formats".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from pipeline.frames import schema
from pipeline.sources.lines import Chunk
from pipeline.sources.times import UTC_US, parse_stamps

EXPORTS = frozenset({"loki", "elasticsearch", "journald-export"})
_LOKI = re.compile(r'"(?:resultType|streams)"\s*:')
_ELASTIC = re.compile(r'"hits"\s*:\s*[\[{]')
_EXPORT = re.compile(r"^(?:__CURSOR|__REALTIME_TIMESTAMP|_BOOT_ID)=", re.MULTILINE)

ENTRIES = schema(
    {
        "src": pl.UInt32, "offset": pl.UInt64, "length": pl.UInt32, "lines": pl.UInt32, "stamp": pl.String,
        "style": pl.String, "rest": pl.String, "stream": pl.String, "part": pl.String, "host": pl.String,
        "program": pl.String, "pid": pl.String, "pod": pl.String, "container": pl.String,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One log entry of an export and where it stands."""

    offset: int
    length: int
    lines: int
    stamp: str | None
    style: str
    text: str
    names: dict[str, Any]


@dataclass(frozen=True)
class Damage:
    """The part of an export that could not be read, and why."""

    offset: int
    length: int
    lines: int
    why: str


def sniff_export(text: str) -> str | None:
    """Name of the export that this text begins, or None."""
    head = text.lstrip()
    if head.startswith("{"):
        if _LOKI.search(head[:4096]) and '"values"' in head:
            return "loki"
        return "elasticsearch" if _ELASTIC.search(head[:4096]) and '"_source"' in head else None
    return "journald-export" if _EXPORT.match(head) else None


def read_exports(
    chunks: Sequence[Chunk], name: str, tz: str, reference: datetime | None
) -> tuple[pl.DataFrame, dict[int, Damage]]:
    """Entries in the columns that envelopes give, and the damage of each source that broke.

    Entries before the damage are kept; an answer in JSON is read whole or not at all.
    """
    rows: list[tuple[Any, ...]] = []
    broken: dict[int, Damage] = {}
    for chunk in chunks:
        end = 0
        try:
            for entry in _entries(chunk.data, name):
                names = [entry.names.get(key) for key in ENTRIES.names()[7:]]
                place = (chunk.src, entry.offset, entry.length, entry.lines)
                rows.append((*place, entry.stamp, entry.style, entry.text, *names))
                end = entry.offset + entry.length
        except (ValueError, LookupError, RecursionError, AttributeError, TypeError) as exc:
            lines = chunk.data.count(b"\n", end) or 1
            broken[chunk.src] = Damage(end, len(chunk.data) - end, lines, f"{name}: {exc}"[:200])
    frame = pl.DataFrame(rows, schema=ENTRIES, orient="row")
    stamps = [
        pl.when(pl.col("style") == style).then(parse_stamps(pl.col("stamp"), style, tz, reference))
        for style in ("epoch_ns", "epoch_us", "iso")
    ]
    return frame.with_columns(ts=pl.coalesce(stamps).cast(UTC_US)).drop("stamp", "style"), broken


def _entries(data: bytes, name: str) -> Iterator[Entry]:
    if name == "journald-export":
        yield from _journal(data)
        return
    document = json.loads(data)
    position = 0
    for stamp, style, text, names in _loki(document) if name == "loki" else _elastic(document):
        # the place of an entry is that of its stamp or text, searched on from the entry before
        found = data.find((stamp or text[:40]).encode(), position)
        position = found if found >= 0 else position
        yield Entry(position, len(text.encode()), 1, stamp, style, text.rstrip("\n"), names)
        position += 1


def _loki(document: dict[str, Any]) -> Iterator[tuple[str | None, str, str, dict[str, Any]]]:
    streams = document.get("streams") or document["data"]["result"]
    for stream in streams:
        labels = stream.get("stream") or stream.get("labels") or {}
        names = {
            "pod": labels.get("pod"),
            "container": labels.get("container"),
            "host": labels.get("node_name") or labels.get("node") or labels.get("hostname"),
        }
        for stamp, text, *_ in stream["values"]:
            yield str(stamp), "epoch_ns", str(text), names


def _elastic(document: dict[str, Any]) -> Iterator[tuple[str | None, str, str, dict[str, Any]]]:
    for hit in document["hits"]["hits"]:
        source = hit["_source"]
        kubernetes = source.get("kubernetes") or {}
        pod = kubernetes.get("pod")
        node = kubernetes.get("node")
        names = {
            "pod": pod.get("name") if isinstance(pod, dict) else kubernetes.get("pod_name"),
            "host": (node.get("name") if isinstance(node, dict) else None)
            or kubernetes.get("host")
            or source.get("host_name"),
            "container": kubernetes.get("container_name"),
            "stream": source.get("stream"),
        }
        stamp = source.get("@timestamp") or source.get("time")
        yield stamp, "iso", str(source.get("message") or source.get("log") or ""), names


def _journal(data: bytes) -> Iterator[Entry]:
    """Blocks of ``KEY=VALUE`` lines; a value with line ends follows its bare key as length and bytes."""
    position = 0
    while position < len(data):
        start, fields, lines = position, {}, 0
        while position < len(data):
            end = data.find(b"\n", position)
            end = len(data) if end < 0 else end
            line, position, lines = data[position:end], end + 1, lines + 1
            if not line:
                break
            key, sign, value = line.partition(b"=")
            if not sign:
                size = int.from_bytes(data[position : position + 8], "little")
                if size > len(data) - position - 8:
                    raise ValueError("a binary field is cut")
                value = data[position + 8 : position + 8 + size]
                lines += data.count(b"\n", position, position + 9 + size)
                position += 9 + size
            fields[key.decode(errors="replace")] = value.decode(errors="replace")
        if "MESSAGE" in fields:
            names = {"host": fields.get("_HOSTNAME"), "program": fields.get("SYSLOG_IDENTIFIER") or fields.get("_COMM")}
            stamp = fields.get("__REALTIME_TIMESTAMP")
            length = min(position, len(data)) - start
            yield Entry(start, length, lines, stamp, "epoch_us", fields["MESSAGE"], names)
