"""The report as Markdown, for an issue or a chat. Log text stands in code spans only."""

from __future__ import annotations

from pipeline.findings.report.model import Diagnosis, EvidenceLine, IncidentReport, Report
from pipeline.findings.report.words import clean, moment, one_line, place, source, span, sure

_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]<>#|!~"} | {"&": "&amp;"})


def render_markdown(report: Report) -> str:
    """The report as Markdown."""
    name = report.cluster or ", ".join(report.clusters)
    seen = report.observed
    lines = [f"# BGP sessions of {_plain(name)}", ""]
    times = f"{moment(seen.first)} to {moment(seen.last)}: " if seen.first else ""
    lines.append(
        f"Observed: {times}{seen.nodes} nodes, {seen.session_ends} session ends, {seen.ends_up} up when last seen."
    )
    if not report.incidents:
        lines += ["", "**No incident was found.** What was not observed is not said to be healthy."]
    for incident in report.incidents:
        lines += ["", *_incident(incident)]
    if report.size_and_version:
        lines += ["", "## Size and version", "", *(f"- {_plain(told)}" for told in report.size_and_version)]
    quality = report.quality
    lines += ["", "## How good the data is", "", f"- {quality.lines_read:,} lines of {quality.files:,} files read,"
              f" {quality.lines_rejected:,} refused"]  # fmt: skip
    if quality.unclassified_share is not None:
        lines.append(f"- {quality.unclassified:,} lines ({quality.unclassified_share:.1%}) of an unknown kind")
    lines += [f"- covered: {_plain(c)} on {n:,} nodes, {h:,.2f} node-hours" for c, n, h in quality.coverage]
    return "\n".join(lines) + "\n"


def _incident(incident: IncidentReport) -> list[str]:
    best = incident.best
    lines = [f"## {_plain(best.title)}", "", f"- **{incident.severity}**, {_plain(place(incident))}"]
    lines.append(f"- {_plain(span(incident))}")
    lines.append(f"- cause: `{incident.cause}`, {sure(incident.confidence)}")
    for paragraph in best.summary.split("\n\n"):
        lines += ["", *_paragraph(paragraph)]
    lines += _list("What to do", _remedy(best))
    lines += _list("Why", [_fact(line) for line in best.lines("supports")])
    lines += _list("Against it", [_fact(line) for line in best.lines("contradicts")])
    lines += _list("Ruled out", [_claim(claim) for claim in incident.ruled_out])
    lines += _list("Also possible", [f"{_claim(c)} ({c.confidence:.0%})" for c in incident.others])
    lines += _list("Not seen", [_fact(line) for line in best.lines("missing")])
    if best.refuted_by:
        lines += ["", f"This would show it to be wrong: {_plain(best.refuted_by)}."]
    return lines


def _paragraph(paragraph: str) -> list[str]:
    first, *rest = clean(paragraph).split("\n")
    if first.endswith(":"):
        return [f"**{_plain(first)}**", "", *(f"- {_plain(text)}" for text in rest)]
    return [_plain(" ".join((first, *rest)))]


def _remedy(claim: Diagnosis) -> list[str]:
    return [
        f"{_code(text[2:])}" if text.startswith("$ ") else _plain(text.strip())
        for text in clean(claim.remedy).split("\n") if text
    ]  # fmt: skip


def _list(title: str, items: list[str]) -> list[str]:
    return ["", f"### {title}", "", *(f"- {item}" for item in items)] if items else []


def _claim(claim: Diagnosis) -> str:
    reasons = "; ".join(line.text for line in claim.lines("contradicts")[:2])
    return f"{_plain(claim.title)}: {_code(reasons)}" if reasons else _plain(claim.title)


def _fact(line: EvidenceLine) -> str:
    where = source(line)
    return _code(line.text) + (f" ({_code(where)})" if where else "")


def _code(text: str) -> str:
    """Hostile text as a code span that it cannot leave."""
    return "`" + one_line(text).replace("`", "'") + "`"


def _plain(text: str) -> str:
    return one_line(text).translate(_SPECIAL)
