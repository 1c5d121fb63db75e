"""Stamps of all shapes to UTC microseconds, vectorised.

A *style* says how a stamp is written. Stamps without a zone are read in the zone that the caller names
(``--tz``); syslog stamps lack the year and take it from ``reference``, the time at which the file was
written or collected: the latest year that does not put the stamp more than a day after it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from pipeline.status.stamps import ZONES

UTC_US = pl.Datetime("us", "UTC")
STYLES = (
    "iso",
    "iso_space",
    "iso_underscore",
    "slash",
    "syslog",
    "ctime",
    "klog",
    "epoch_us",
    "epoch_ns",
    "epoch_s",
    "epoch_or_iso",
    "named_zone",
)
_BASE = {
    "iso": "%Y-%m-%dT%H:%M:%S",
    "iso_space": "%Y-%m-%d %H:%M:%S",
    "iso_underscore": "%Y-%m-%d_%H:%M:%S",
    "slash": "%Y/%m/%d %H:%M:%S",
}


_NAMED_ZONES = {
    f" {name}": f"{'-' if hours < 0 else '+'}{abs(int(hours)):02}:{int(abs(hours) % 1 * 60):02}"
    for name, hours in ZONES.items()
    if len(name) > 1
}


def parse_stamps(stamps: pl.Expr, style: str, tz: str = "UTC", reference: datetime | None = None) -> pl.Expr:
    """Expression of type Datetime('us','UTC'); null where the text is no stamp of that style."""
    if style in _BASE:
        return _iso(stamps, _BASE[style], tz)
    if style == "named_zone":
        return _iso(stamps.str.replace_many(_NAMED_ZONES), _BASE["iso_space"], tz)
    if style == "epoch_or_iso":
        return pl.coalesce(parse_stamps(stamps, "epoch_s"), _iso(stamps, _BASE["iso"], tz))
    if style == "epoch_s":
        # the fraction of a second that a double holds is good to a microsecond until the year 2255
        seconds = stamps.str.extract(r"^(\d{1,12}(?:\.\d+)?)$", 1).cast(pl.Float64, strict=False)
        return (seconds * 1_000_000).round().cast(pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if style.startswith("epoch_"):
        unit = {"epoch_us": 1, "epoch_ns": -1000}[style]
        number = stamps.cast(pl.Int64, strict=False)
        micros = number * unit if unit > 0 else number // -unit
        return micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if style == "ctime":
        text = stamps.str.replace("  ", " 0", literal=True)
        return _zoned(text.str.to_datetime("%a %b %d %H:%M:%S %Y", strict=False, time_unit="us"), tz)
    return _yearless(stamps, style, tz, reference)


def _iso(stamps: pl.Expr, form: str, tz: str) -> pl.Expr:
    base = stamps.str.slice(0, 19).str.to_datetime(form, strict=False, time_unit="us")
    tail = stamps.str.slice(19)
    micros = tail.str.extract(r"^[.,](\d{1,6})", 1).str.pad_end(6, "0").cast(pl.Int64, strict=False)
    moment = base + pl.duration(microseconds=micros.fill_null(0))
    sign = tail.str.extract(r"([+-])\d\d:?\d\d$", 1)
    hours = tail.str.extract(r"[+-](\d\d):?\d\d$", 1).cast(pl.Int64, strict=False)
    minutes = tail.str.extract(r"[+-]\d\d:?(\d\d)$", 1).cast(pl.Int64, strict=False)
    shift = (hours * 60 + minutes) * pl.when(sign == "-").then(-1).otherwise(1)
    utc = (moment - pl.duration(minutes=shift)).dt.replace_time_zone("UTC")
    zulu = moment.dt.replace_time_zone("UTC")
    local = _zoned(moment, tz)
    return pl.when(shift.is_not_null()).then(utc).when(tail.str.ends_with("Z")).then(zulu).otherwise(local)


def _zoned(moment: pl.Expr, tz: str) -> pl.Expr:
    if tz == "UTC":
        return moment.dt.replace_time_zone("UTC")
    # a clock that is set back shows an hour twice (the earlier is taken) and skips one in spring (null)
    return moment.dt.replace_time_zone(tz, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")


def _yearless(stamps: pl.Expr, style: str, tz: str, reference: datetime | None) -> pl.Expr:
    if reference is None:
        return pl.lit(None, dtype=UTC_US)
    # a leap year as scaffold, so that 29 February can be read before its year is known
    if style == "klog":
        text, form = pl.lit("2024") + stamps.str.slice(0, 13), "%Y%m%d %H:%M:%S"
        tail = stamps.str.slice(13)
    else:
        text = pl.lit("2024 ") + stamps.str.slice(0, 15).str.replace("  ", " 0", literal=True)
        form, tail = "%Y %b %d %H:%M:%S", stamps.str.slice(15)
    base = text.str.to_datetime(form, strict=False, time_unit="us")
    micros = tail.str.extract(r"^\.(\d{1,6})", 1).str.pad_end(6, "0").cast(pl.Int64, strict=False)
    moment = base + pl.duration(microseconds=micros.fill_null(0))
    latest = reference.astimezone(UTC) + timedelta(days=1)
    this_year = _in_year(moment, latest.year, tz)
    return pl.when(this_year <= latest).then(this_year).otherwise(_in_year(moment, latest.year - 1, tz))


def _in_year(moment: pl.Expr, year: int, tz: str) -> pl.Expr:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    known = moment if leap else pl.when((moment.dt.month() != 2) | (moment.dt.day() != 29)).then(moment)
    return _zoned(known.dt.replace(year=year), tz)
