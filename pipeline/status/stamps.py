"""Times in a transcript: lines that are only a date, ages and durations of kubectl, SINCE cells."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_MONTHS = {
    m: i for i, m in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1)
}
#: Hours east of UTC for the abbreviations that ``date`` prints; ambiguous ones are left to ``tz``.
ZONES = {
    "UTC": 0.0, "GMT": 0.0, "Z": 0.0, "WET": 0.0, "WEST": 1.0, "BST": 1.0, "CET": 1.0, "CEST": 2.0,
    "EET": 2.0, "EEST": 3.0, "MSK": 3.0, "EST": -5.0, "EDT": -4.0, "CDT": -5.0, "MST": -7.0, "MDT": -6.0,
    "PST": -8.0, "PDT": -7.0, "JST": 9.0, "KST": 9.0, "AEST": 10.0, "AEDT": 11.0, "NZST": 12.0, "NZDT": 13.0,
}  # fmt: skip

_CLOCK = r"(?P<h>\d{1,2}):(?P<mi>\d\d):(?P<s>\d\d)(?:[.,](?P<f>\d{1,9}))?"
_ZONE = r"(?P<z>[A-Z]{1,5}|[+-]\d\d(?::?\d\d)?)?"
_FORMS = [
    re.compile(
        rf"(?:\w{{3}} )?(?P<mon>[A-Z][a-z]{{2}}) +(?P<d>\d{{1,2}}) {_CLOCK} ?(?P<ap>[AP]M)? ?{_ZONE}"
        rf" ?(?P<y>\d{{4}})"
    ),
    re.compile(
        rf"\w{{3}},? (?P<d>\d{{1,2}}) (?P<mon>[A-Z][a-z]{{2}}) (?P<y>\d{{4}}) {_CLOCK} ?(?P<ap>[AP]M)?"
        rf" ?{_ZONE}"
    ),
    re.compile(rf"(?P<y>\d{{4}})-(?P<mo>\d\d)-(?P<d>\d\d)[T _]{_CLOCK} ?(?P<ap>[AP]M)? ?{_ZONE}"),
]  # fmt: skip
_TRIM = re.compile(r"^(?:[#=*~>\-\s]+|date:|Date:|DATE:)+|[#=*~<\-\s]+$")
_EMBEDDED = re.compile(
    r"(?<!\d)(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)? \[[A-Z]+\]"
)
_DURATION = re.compile(r"(\d{1,9})([ydhms])")
_SINCE_TIME = re.compile(r"^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$")
_SINCE_DATE = re.compile(r"^(\d{4})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?$")
_UNIT = {"y": 365 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}

#: A stamp line is short; longer lines are not even tried.
MAX_STAMP_CHARS = 80


def _guarded(make: Callable[[], datetime]) -> datetime | None:
    try:
        return make().astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None, tz: tzinfo) -> tzinfo:
    if not text:
        return tz
    if text[0] in "+-":
        minutes = int(text[1:3]) * 60 + int(text[3:].lstrip(":") or 0)
        return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes)) if minutes < 1440 else tz
    hours = ZONES.get(text)
    return tz if hours is None else timezone(timedelta(hours=hours))


def _from_match(match: re.Match[str], tz: tzinfo) -> datetime | None:
    found = match.groupdict()
    month = int(found["mo"]) if found.get("mo") else _MONTHS.get(found["mon"], 0)
    hour = int(found["h"])
    if found.get("ap"):
        hour = hour % 12 + (12 if found["ap"] == "PM" else 0)
    micros = int((found["f"] or "0")[:6].ljust(6, "0"))
    zone = _zone(found["z"], tz)
    return _guarded(
        lambda: datetime(
            int(found["y"]),
            month,
            int(found["d"]),
            hour,
            int(found["mi"]),
            int(found["s"]),
            micros,
            tzinfo=zone,
        )
    )


def stamp_of(text: str, tz: tzinfo = UTC) -> datetime | None:
    """The time of a line that holds nothing but a date (``date``, ``date -u``, ``date -R``, ISO), in UTC.

    A zone on the line wins over ``tz``. Decoration such as ``=== … ===`` or ``# …`` is allowed.
    """
    if not 15 <= len(text) <= MAX_STAMP_CHARS:
        return None
    text = _TRIM.sub("", text.strip())
    for form in _FORMS:
        match = form.fullmatch(text)
        if match:
            return _from_match(match, tz)
    return None


def server_time(text: str, tz: tzinfo = UTC) -> datetime | None:
    """The time of BIRD's ``Current server time is …`` (local to the server), or None."""
    text = text.strip()
    if not text.startswith("Current server time is "):
        return None
    return stamp_of(text.removeprefix("Current server time is "), tz)


def embedded_stamp(text: str, tz: tzinfo = UTC) -> datetime | None:
    """The time of the first log line quoted inside a message (``2024-12-18 07:19:36.112 [INFO][…]``)."""
    match = _EMBEDDED.search(text)
    if not match:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    where = UTC if zone == "Z" else _zone(zone, tz)
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    return _guarded(
        lambda: datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), micros, tzinfo=where)
    )


def duration_seconds(text: str | None) -> int | None:
    """Seconds of a kubectl age (``79s``, ``3h40m``, ``28h``, ``2d3h``); None when it is not one."""
    if not text or len(text) > 24:
        return None
    parts = _DURATION.findall(text)
    if not parts or "".join(n + u for n, u in parts) != text:
        return None
    return sum(int(n) * _UNIT[u] for n, u in parts)


def before(now: datetime | None, seconds: int | None) -> datetime | None:
    """``now`` minus an age, or None when either is unknown or out of range."""
    if now is None or seconds is None:
        return None
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return None


def since_at(since: str, now: datetime | None, tz: tzinfo = UTC) -> datetime | None:
    """The time a SINCE cell means, seen at ``now``: a date, or the latest such time of day up to ``now``."""
    match = _SINCE_DATE.match(since)
    if match:
        y, mo, d, h, mi, s, f = match.groups()
        micros = int((f or "0").ljust(6, "0"))
        return _guarded(
            lambda: datetime(int(y), int(mo), int(d), int(h or 0), int(mi or 0), int(s or 0), micros, tzinfo=tz)
        )
    match = _SINCE_TIME.match(since)
    if not match or now is None:
        return None
    h, mi, s, f = match.groups()
    micros = int((f or "0").ljust(6, "0"))
    local = now.astimezone(tz)
    try:
        at = local.replace(hour=int(h), minute=int(mi), second=int(s), microsecond=micros)
        # a row may be newer than the stamp above it by the run time of the command
        return (at if at <= local + timedelta(minutes=5) else at - timedelta(days=1)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
