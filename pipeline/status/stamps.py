"""Times in a transcript: lines that are only a date, ages and durations of kubectl, SINCE cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
_TIME_OF_DAY = r"(?P<h>\d\d):(?P<mi>\d\d)(?::(?P<s>\d\d)(?:\.(?P<f>\d{1,6}))?)?"
_SINCE_TIME = re.compile(rf"^{_TIME_OF_DAY}$")
_SINCE_DATE = re.compile(rf"^(?P<y>\d{{4}})-(?P<mo>\d\d)-(?P<d>\d\d)(?: {_TIME_OF_DAY})?$")
_SINCE_OLD_DATE = re.compile(rf"^(?P<d>\d\d)-(?P<mo>\d\d)-(?P<y>\d{{4}})(?: {_TIME_OF_DAY})?$")
_SINCE_MONTH = re.compile(r"^(?P<mon>[A-Z][a-z]{2})(?P<d>\d\d)$")
_SINCE_EPOCH = re.compile(r"^(\d{9,11})(?:\.\d+)?$")
_DAY = timedelta(days=1)
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
    """The time a SINCE cell means, seen at ``now``: a date, or the latest such day or time of day up to ``now``."""
    found = _since(since, now, tz)
    return None if found is None else found[0]


def held_since(since: str, now: datetime | None, tz: tzinfo = UTC) -> datetime | None:
    """From when on what is shown at ``now`` has surely been so; None when the cell tells nothing of that.

    A date leaves open at which time of the day it was: it surely was so from the end of that day on.
    """
    found = _since(since, now, tz)
    if found is None or now is None:
        return None
    try:
        surely = found[0] + found[1]
    except OverflowError:
        return None
    return surely if surely < now else None


def _since(since: str, now: datetime | None, tz: tzinfo) -> tuple[datetime, timedelta] | None:
    """The earliest time that a SINCE cell can mean and how much later it can be.

    BIRD prints (``timeformat protocol``; ``bird:lib/timer.c``, ``BIRD2:lib/timer.c`` tm_format_datetime): a time of
    day while the change is younger than 20 hours, else the date, both by default; date and time; days and months
    in the order of BIRD 1.3; seconds since 1970.
    """
    match = _SINCE_DATE.match(since) or _SINCE_OLD_DATE.match(since)
    if match:
        part = match.groupdict()
        start = _moment(int(part["y"]), int(part["mo"]), int(part["d"]), part, tz)
        return None if start is None else (start, _DAY if part["h"] is None else _slack(part))
    epoch = _SINCE_EPOCH.match(since)
    if epoch:
        start = _guarded(lambda: datetime.fromtimestamp(int(epoch[1]), UTC))
        return None if start is None else (start, timedelta(0))
    if now is None:
        return None
    local = now.astimezone(tz)
    match = _SINCE_MONTH.match(since)
    if match and match["mon"] in _MONTHS:
        days = (_moment(year, _MONTHS[match["mon"]], int(match["d"]), {}, tz) for year in (local.year, local.year - 1))
        start = next((day for day in days if day is not None and day <= now), None)
        return None if start is None else (start, _DAY)
    match = _SINCE_TIME.match(since)
    if not match:
        return None
    part = match.groupdict()
    at = _moment(local.year, local.month, local.day, part, tz)
    if at is None:
        return None
    # a row may be newer than the stamp above it by the run time of the command
    late = at > now + timedelta(minutes=5)
    return (at - timedelta(days=1) if late else at), _slack(part)


def _moment(year: int, month: int, day: int, part: Mapping[str, str | None], tz: tzinfo) -> datetime | None:
    h, mi, s, f = (part.get(name) or "0" for name in ("h", "mi", "s", "f"))
    return _guarded(lambda: datetime(year, month, day, int(h), int(mi), int(s), int(f.ljust(6, "0")), tzinfo=tz))


def _slack(part: Mapping[str, str | None]) -> timedelta:
    """How much later than printed it can have been: what is left out is cut off, not rounded."""
    if part["s"] is None:
        return timedelta(minutes=1)
    return timedelta(seconds=1) if part["f"] is None else timedelta(0)
