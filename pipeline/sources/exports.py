"""Log stores' exports that are no line formats: Loki and Elasticsearch answers, journald's export and json-pretty.

They are read as a whole (``document_bytes`` bounds them) into entries, each with its place in the file. An
entry of a JSON export counts as one line; in journald's export format its physical lines are counted.
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

EXPORTS = frozenset({"loki", "elasticsearch", "journald-pretty", "journald-export"})
_LOKI = re.compile(r'"(?:resultType|streams)"\s*:')
_ELASTIC = re.compile(r'"hits"\s*:\s*[\[{]|^\[\s*\{\s*"_(?:index|source|id)"')
_PRETTY = re.compile(r'"(?:__REALTIME_TIMESTAMP|__CURSOR)"\s*:')
_HITS = re.compile(r'"hits"\s*:\s*\[|^\s*\[')
_PART = re.compile(r'"(stream|labels|values)"\s*:\s*')
NO_MESSAGE = "(entry without a message)"
_BETWEEN = re.compile(r"[\s,]*")
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
    if head.startswith(("{", "[")):
        start = head[:4096]
        if _LOKI.search(start) and '"values"' in head:
            return "loki"
        if _ELASTIC.search(start) and ('"_source"' in head or '"fields"' in head):
            return "elasticsearch"
        spread = head[0] == "[" or not head.split("\n", 1)[0].rstrip().endswith("}")
        return "journald-pretty" if spread and _PRETTY.search(start) and '"MESSAGE"' in head else None
    return "journald-export" if _EXPORT.match(head) else None


def read_exports(
    chunks: Sequence[Chunk], name: str, tz: str, reference: datetime | None
) -> tuple[pl.DataFrame, dict[int, Damage]]:
    """Entries in the columns that envelopes give, and the damage of each source that broke.

    Entries before the damage are kept.
    """
    rows: list[tuple[Any, ...]] = []
    broken: dict[int, Damage] = {}
    for chunk in chunks:
        data, end = bytes(chunk.data), 0
        try:
            for entry in _entries(data, name):
                names = [entry.names.get(key) for key in ENTRIES.names()[7:]]
                place = (chunk.src, entry.offset, entry.length, entry.lines)
                rows.append((*place, entry.stamp, entry.style, entry.text, *names))
                end = entry.offset + entry.length
        except (ValueError, LookupError, RecursionError, AttributeError, TypeError) as exc:
            lines = data.count(b"\n", end) or 1
            broken[chunk.src] = Damage(end, len(data) - end, lines, f"{name}: {exc}"[:200])
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
    text = data.decode("utf-8", errors="replace").lstrip("\ufeff")
    reader = {"loki": _loki, "elasticsearch": _elastic, "journald-pretty": _pretty}[name]
    bytes_before, chars_before = (len(data) - len(text) if data.isascii() else 0), 0
    for begin, end, stamp, style, message, names in reader(text):
        # places of characters to places of bytes, one stretch after another
        bytes_before += begin - chars_before if data.isascii() else len(text[chars_before:begin].encode())
        chars_before = begin
        size = end - begin if data.isascii() else len(text[begin:end].encode())
        yield Entry(bytes_before, size, 1, stamp, style, message.rstrip("\n"), names)


_Found = tuple[int, int, str | None, str, str, dict[str, Any]]
"""Begin and end of an entry, its stamp and the stamp's style, its text, and what it names."""


def _elements(text: str, place: int) -> Iterator[tuple[int, int, Any]]:
    """Elements of the list that is open at ``place``, each read by itself: a cut costs only what it cut.

    Raises:
        ValueError: an element is cut or broken, or the list is never closed.
    """
    decoder = json.JSONDecoder()
    while True:
        match = _BETWEEN.match(text, place)
        place = match.end() if match else place
        if text.startswith("]", place):
            return
        value, end = decoder.raw_decode(text, place)
        yield place, end, value
        place = end


def _loki(text: str) -> Iterator[_Found]:
    decoder = json.JSONDecoder()
    labels: dict[str, Any] = {}
    place = 0
    while part := _PART.search(text, place):
        place = part.end()
        if part[1] != "values":
            value, place = decoder.raw_decode(text, place) if text.startswith("{", place) else ({}, place)
            labels = value or labels
            continue
        names = {
            "pod": labels.get("pod"),
            "container": labels.get("container"),
            "host": labels.get("node_name") or labels.get("node") or labels.get("hostname"),
        }
        for begin, end, pair in _elements(text, place + 1):
            place = end
            yield begin, end, str(pair[0]), "epoch_ns", str(pair[1]), names
    if not text.rstrip().endswith(("}", "]")):
        raise ValueError("the answer is cut")


def _elastic(text: str) -> Iterator[_Found]:
    head = _HITS.search(text)
    if head is None:
        raise ValueError("no list of hits")
    for begin, end, hit in _elements(text, head.end()):
        source = hit.get("_source") or {k: v[0] if isinstance(v, list) and v else v for k, v in hit["fields"].items()}
        names = {name: _first(source, paths) for name, paths in _ELASTIC_NAMES.items()}
        stamp = source.get("@timestamp") or source.get("time") or source.get("timestamp")
        message = source.get("message") or source.get("log") or source.get("MESSAGE") or ""
        yield begin, end, str(stamp) if stamp else None, "iso", str(message), names


_ELASTIC_NAMES = {
    "pod": ("kubernetes.pod.name", "kubernetes.pod_name"),
    "host": ("kubernetes.node.name", "kubernetes.host", "kubernetes.node_name", "hostname", "host.name", "host_name"),
    "container": ("kubernetes.container.name", "kubernetes.container_name", "container.name"),
    "program": ("syslog.identifier", "program"),
    "stream": ("stream",),
}


def _first(source: dict[str, Any], paths: Sequence[str]) -> str | None:
    """The first of the paths that holds a text; keys with dots may stand for nested ones."""
    for path in paths:
        value: Any = source.get(path)
        if value is None:
            value = source
            for step in path.split("."):
                value = value.get(step) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            return value
    return None


def _pretty(text: str) -> Iterator[_Found]:
    """Objects of ``journalctl -o json-pretty``, one after another."""
    decoder, place = json.JSONDecoder(), 0
    while True:
        match = _BETWEEN.match(text, place)
        place = match.end() if match else place
        if place >= len(text) or text[place] == "]":
            return
        if text[place] == "[":  # `jq -s` makes a list of them
            place += 1
            continue
        entry, end = decoder.raw_decode(text, place)
        message = entry.get("MESSAGE")
        if isinstance(message, list):
            message = bytes(message).decode("utf-8", errors="replace")
        names = {
            "host": entry.get("_HOSTNAME"),
            "program": entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM"),
            "pid": entry.get("_PID"),
        }
        yield place, end, entry.get("__REALTIME_TIMESTAMP"), "epoch_us", str(message or ""), names
        place = end


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
        if fields:
            if "MESSAGE" not in fields and line:
                raise ValueError("the last entry is cut")
            names = {"host": fields.get("_HOSTNAME"), "program": fields.get("SYSLOG_IDENTIFIER") or fields.get("_COMM")}
            stamp = fields.get("__REALTIME_TIMESTAMP")
            length = min(position, len(data)) - start
            yield Entry(start, length, lines, stamp, "epoch_us", fields.get("MESSAGE", NO_MESSAGE), names)
