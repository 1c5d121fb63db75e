"""Pictures of a report as inline SVG: when incidents were, and how large reflectors are against their limit.

No colour carries a meaning alone: every bar has its word beside it. Colours come from classes of the page's style
sheet, so that they follow light and dark.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from html import escape

from pipeline.findings.report.model import IncidentReport, Report, Size
from pipeline.findings.report.words import moment, one_line, span

WIDTH = 960
LABEL = 250
RIGHT = 70
ROW = 24
MOST_ROWS = 40
"""Rows of a picture; what is below the most important ones stands in the text only."""
LEAST_BAR = 4.0
_STEPS = tuple(
    timedelta(seconds=s) for s in (10, 30, 60, 300, 900, 3600, 10800, 43200, 86400, 604800, 2592000, 31536000)
)


def timeline(report: Report) -> str:
    """The incidents that have a time, in the order of the report; '' when there is none."""
    dated = [(k, i) for k, i in enumerate(report.incidents, 1) if i.started_at is not None][:MOST_ROWS]
    if not dated:
        return ""
    begins = [i.started_at for _, i in dated if i.started_at]
    ends = [i.ended_at or i.started_at for _, i in dated if i.started_at]
    first = min([*begins, *([report.observed.first] if report.observed.first else [])])
    last = max([*(e for e in ends if e), *([report.observed.last] if report.observed.last else [])])
    if last <= first:
        last = first + timedelta(minutes=1)
    scale = (WIDTH - LABEL - RIGHT) / (last - first).total_seconds()

    def place(when: datetime) -> float:
        return LABEL + (when - first).total_seconds() * scale

    rows = []
    for row, (number, incident) in enumerate(dated):
        begun = incident.started_at or first
        x, y = place(begun), row * ROW + 6
        width = max(LEAST_BAR, place(incident.ended_at or last) - x)
        told = f"{number}. {incident.best.title}: {incident.severity}, {span(incident)}"
        arrow = f'<path class="open" d="M{x + width:.1f} {y + 1} l7 6 l-7 6 z"/>' if incident.is_open else ""
        rows.append(
            f'<g class="{_class(incident)}"><title>{_text(told)}</title>'
            f'<text x="{LABEL - 10}" y="{y + 11}" text-anchor="end">'
            f"{_text(_cut(f'{number} {incident.cause}', 33))}</text>"
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="14" rx="2"/>{arrow}'
            f'<text class="word" x="{min(x + width + 11, WIDTH - RIGHT + 12):.1f}" y="{y + 11}">'
            f"{_text(incident.severity)}</text></g>"
        )
    height = len(dated) * ROW + 34
    about = f"{len(dated)} incidents between {moment(first)} and {moment(last)}; an arrow marks one that still lasts."
    axis = "".join(_tick(when, place(when), height, last - first) for when in _ticks(first, last))
    return _svg("timeline", "When the incidents were", about, height, axis + "".join(rows))


def sizes(found: Iterable[Size]) -> str:
    """Configured and established peers of each reflector, with its limit of MD5 keys; '' when none was counted."""
    rows = sorted(found, key=lambda s: (s.room is None, s.room or 0, s.reflector))[:MOST_ROWS]
    most = max([max(s.configured, s.limit or 0) for s in rows], default=0)
    if most == 0:
        return ""
    scale = (WIDTH - LABEL - RIGHT) / most
    parts = []
    for row, size in enumerate(rows):
        y = row * ROW + 6
        limit = "" if size.limit is None else f", room for {size.limit} MD5 keys"
        seen = "?" if size.established is None else size.established
        told = f"{size.reflector}: {seen} of {size.configured} peers established{limit}"
        mark = ""
        if size.limit is not None:
            x = LABEL + size.limit * scale
            mark = f'<path class="limit" d="M{x:.1f} {y - 3} v20"/>'
        filled = (size.established or 0) * scale
        number = f"{seen}/{size.configured}" + ("" if size.limit is None else f" ({size.limit})")
        parts.append(
            f"<g><title>{_text(told)}</title>"
            f'<text x="{LABEL - 10}" y="{y + 11}" text-anchor="end">{_text(_cut(size.reflector, 33))}</text>'
            f'<rect class="configured" x="{LABEL}" y="{y}" width="{size.configured * scale:.1f}" height="14"/>'
            f'<rect class="established" x="{LABEL}" y="{y + 3}" width="{filled:.1f}" height="8"/>'
            f'{mark}<text class="word" x="{LABEL + 6}" y="{y + 11}">{_text(number)}</text></g>'
        )
    about = (
        f"{len(rows)} reflectors at their latest count: the outline is what is configured, the filled bar what is "
        "established, the upright line the number of MD5 keys that the kernel holds (in brackets)."
    )
    return _svg("sizes", "Peers of the reflectors against their limit", about, len(rows) * ROW + 10, "".join(parts))


def _svg(name: str, title: str, about: str, height: int, body: str) -> str:
    return (
        f'<svg class="{name}" role="img" aria-labelledby="{name}-title {name}-about" viewBox="0 0 {WIDTH} {height}">'
        f'<title id="{name}-title">{_text(title)}</title><desc id="{name}-about">{_text(about)}</desc>{body}</svg>'
    )


def _ticks(first: datetime, last: datetime) -> list[datetime]:
    step = next((s for s in _STEPS if (last - first) / s <= 6), _STEPS[-1])
    seconds = step.total_seconds()
    offset = seconds - first.timestamp() % seconds
    found: list[datetime] = []
    when = first + timedelta(seconds=offset % seconds)
    while when <= last and len(found) < 8:
        found.append(when)
        when += step
    return found


def _tick(when: datetime, x: float, height: int, length: timedelta) -> str:
    form = "%H:%M:%S" if length < timedelta(minutes=10) else "%H:%M" if length < timedelta(days=1) else "%m-%d %H:%M"
    form = "%Y-%m-%d" if length > timedelta(days=8) else form
    return (
        f'<path class="tick" d="M{x:.1f} 0 V{height - 24}"/>'
        f'<text class="word" x="{x:.1f}" y="{height - 8}" text-anchor="middle">{when:{form}}</text>'
    )


def _class(incident: IncidentReport) -> str:
    return incident.severity if incident.severity in ("critical", "error", "warning", "info") else "info"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _text(text: str) -> str:
    return escape(one_line(text), quote=True)
