"""What carries a log line: who wrote it, when, and the line inside.

An envelope is a pattern with named groups in the linear-time dialect of Polars. Envelopes nest
(``kubectl logs --prefix --timestamps``, svlogd inside CRI), so ``detect_chain`` finds the layers of a source
from its first lines, outermost first, and ``strip_envelopes`` takes them off. A line that does not fit its
source's chain is kept bare. The patterns stand in ``envelope_table``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

import polars as pl

from pipeline.sources.envelope_table import ENVELOPES, Envelope
from pipeline.sources.jsonlines import JSON_LAYERS, sniff_json_lines, strip_json, texts_inside
from pipeline.sources.times import UTC_US, parse_stamps

_BY_NAME = {envelope.name: envelope for envelope in ENVELOPES}
_COMPILED = {envelope.name: re.compile(envelope.pattern) for envelope in ENVELOPES}
_FIELDS = ("stream", "part", "host", "program", "pid", "pod", "container")
MAX_LAYERS = 3
# Lines of several logs put together, as they are pasted into a ticket: each of these says by itself what it is.
_STRAYS = (
    "kubectl-prefix", "cri", "rfc5424", "dmesg-time", "dmesg-iso", "journald-monotonic", "svlogd", "journald-full",
    "journald-unix", "journald-iso", "rfc3164", "svlogd-iso", "logcli-text", "timestamps",
)  # fmt: skip
_MAY_STRAY = (
    r"^(?:\d{4}-\d\d-\d\d[T_]\d|[A-Z][a-z]{2} [ \d][\d-]+ \d\d:|\d{9,10}\.\d{6} |<\d{1,3}>|"
    r"\[(?:pod/|[A-Z][a-z]{2} [A-Z]| *\d+\.\d{6}\] [\w.-]+ (?:kernel|bird6?|\S+\[\d+\]): ))"
)


def detect_chain(lines: Sequence[str]) -> tuple[str, ...]:
    """Names of the envelopes around these lines (a source's first ones), outermost first; () for bare lines.

    A layer counts when at least half of the lines that are not blank fit it.
    """
    rest = [line for line in lines if line.strip()]
    chain: list[str] = []
    while rest and len(chain) < MAX_LAYERS:
        inner = sniff_json_lines(rest)
        found = inner or _detect_layer(rest, chain)
        if found is None or found in chain:
            break
        chain.append(found)
        if inner:
            rest = [text for text in texts_inside(rest, inner) if text.strip()]
        else:
            matches = (_COMPILED[found].match(line) for line in rest)
            rest = [(match["rest"] or "") for match in matches if match]
    return tuple(chain)


def _detect_layer(lines: Sequence[str], outer: Sequence[str]) -> str | None:
    for envelope in ENVELOPES:
        if envelope.name in outer or _inside_syslog(envelope.name, outer):
            continue
        hits = _hits(_COMPILED[envelope.name], lines)
        if hits and (not envelope.one_host or len({match["host"] for match in hits}) == 1):
            return envelope.name
    return None


def _hits(pattern: re.Pattern[str], lines: Sequence[str]) -> list[re.Match[str]]:
    """Matches of the lines; none when less than half of them match."""
    half = len(lines) // 2 + 1
    if not any(map(pattern.match, lines[:half])):  # most patterns fit no line: that is said quickly
        return []
    hits = [match for match in map(pattern.match, lines) if match]
    return hits if len(hits) * 2 >= len(lines) else []


def _inside_syslog(name: str, outer: Sequence[str]) -> bool:
    """Inside journald or syslog only the program's own text follows, except a kernel's uptime stamp."""
    programs = {
        "rfc3164", "rfc5424", "journald-iso", "journald-full", "journald-unix", "journald-monotonic", "journald-json",
        "dmesg", "dmesg-time", "dmesg-iso",
    }  # fmt: skip
    return bool(programs & set(outer)) and name != "dmesg"


def strip_envelopes(
    lines: pl.DataFrame, chain: Sequence[str], tz: str = "UTC", reference: datetime | None = None
) -> pl.DataFrame:
    """Adds ts, rest and the fields of the layers (stream, part, host, program, pid, pod, container).

    The outermost stamp wins: it was written when the line was, by a clock whose zone is known. A line that
    does not fit a layer passes it unchanged; one that fits none is looked at alone.
    """
    frame = lines.with_columns(
        rest=pl.col("raw"),
        ts=pl.lit(None, dtype=UTC_US),
        **{name: pl.lit(None, dtype=pl.String) for name in _FIELDS},
    )
    for name in chain:
        if name in JSON_LAYERS:
            frame = strip_json(frame, name, tz, reference)
        elif name == "cri":
            frame = _parted(frame, frame["rest"].str.contains(_CRI_PLAIN), _strip_cri, _general(name, tz, reference))
        else:
            frame = _strip_layer(frame, _BY_NAME[name], tz, reference)
    return _parted(frame, ~_may_stray(frame), _as_is, lambda rows: _strip_strays(rows, tz, reference))


def _may_stray(frame: pl.DataFrame) -> pl.Series:
    """Lines that no layer of their source took, and that begin as some envelope does."""
    left = frame["ts"].is_null()
    if left.any():
        left &= (frame["rest"] == frame["raw"]) & frame["raw"].str.contains(_MAY_STRAY)
    return left


def _strip_strays(frame: pl.DataFrame, tz: str, reference: datetime | None) -> pl.DataFrame:
    for name in _STRAYS:
        frame = _strip_layer(frame, _BY_NAME[name], tz, reference)
    return frame


_Strip = Callable[[pl.DataFrame], pl.DataFrame]


def _parted(frame: pl.DataFrame, mask: pl.Series, usual: _Strip, other: _Strip) -> pl.DataFrame:
    """Lines of the usual form one way, the few others another way; the order stays."""
    if mask.all():
        return usual(frame)
    if not mask.any():
        return other(frame)
    usually = usual(frame.filter(mask))
    return pl.concat([usually, other(frame.filter(~mask)).select(usually.columns)]).sort("src", "offset")


def _as_is(frame: pl.DataFrame) -> pl.DataFrame:
    return frame


def _general(name: str, tz: str, reference: datetime | None) -> _Strip:
    return lambda frame: _strip_layer(frame, _BY_NAME[name], tz, reference)


def _strip_cri(frame: pl.DataFrame) -> pl.DataFrame:
    """Whole CRI lines: the places of stamp, stream and text are known, no pattern needs to find them.

    Only the width of the stamp varies: containerd leaves out trailing zeros, zones are ``Z`` or an offset.
    """
    rest = pl.col("rest")
    frame = frame.with_columns(width=rest.str.find(" ", literal=True))
    alike = frame["width"].n_unique() == 1
    width = pl.lit(frame["width"][0], dtype=pl.UInt32) if alike else pl.col("width")
    zulu = rest.str.slice(width - 1, 1) == "Z"
    all_zulu = frame.select(zulu.all()).item()
    zone = pl.lit(1, dtype=pl.UInt32) if all_zulu else pl.when(zulu).then(1).otherwise(6).cast(pl.UInt32)
    digits = rest.str.slice(20, 6) if alike and all_zulu and frame["width"][0] >= 27 else _six(rest, width - zone - 20)
    moment = rest.str.slice(0, 19).str.to_datetime(_CRI_TIME, strict=False, time_unit="us").to_physical()
    stamp = moment + digits.cast(pl.Int64, strict=False).fill_null(0)
    if not all_zulu:
        sign = pl.when(rest.str.slice(width - 6, 1) == "-").then(-1).otherwise(1)
        hours = rest.str.slice(width - 5, 2).cast(pl.Int64, strict=False)
        minutes = rest.str.slice(width - 2, 2).cast(pl.Int64, strict=False)
        shift = pl.when(zulu).then(0).otherwise(sign * (hours * 60 + minutes))
        stamp -= shift.fill_null(0) * 60_000_000
    utc = stamp.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return frame.with_columns(
        ts=utc if frame["ts"].null_count() == frame.height else pl.coalesce("ts", utc),
        stream=rest.str.slice(width + 1, 6),
        part=pl.lit("F"),
        rest=rest.str.slice(width + 10),
    ).drop("width")


def _six(rest: pl.Expr, width: pl.Expr) -> pl.Expr:
    """Microseconds from a fraction of one to nine digits."""
    return rest.str.slice(20, width).str.slice(0, 6).str.pad_end(6, "0")


_CRI_PLAIN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{1,9}(?:Z|[+-][0-9]{2}:[0-9]{2})"
    r" std(?:out|err) F "
)
_CRI_TIME = "%Y-%m-%dT%H:%M:%S"


def _strip_layer(frame: pl.DataFrame, layer: Envelope, tz: str, reference: datetime | None) -> pl.DataFrame:
    groups = layer.groups
    frame = frame.with_columns(layer=pl.col("rest").str.extract_groups(layer.pattern))
    part = pl.col("layer").struct
    matched = part.field("stamp" if "stamp" in groups else "rest").is_not_null()
    updates = [pl.when(matched).then(part.field("rest").fill_null("")).otherwise(pl.col("rest")).alias("rest")]
    if layer.style:
        stamp = parse_stamps(part.field("stamp"), layer.style, tz, reference)
        updates.append(pl.coalesce("ts", stamp).alias("ts"))
    updates += [pl.coalesce(part.field(name), name).alias(name) for name in _FIELDS if name in groups]
    if layer.program:
        updates.append(pl.when(matched).then(pl.lit(layer.program)).otherwise(pl.col("program")).alias("program"))
    return frame.with_columns(updates).drop("layer")
