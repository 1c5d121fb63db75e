"""The report for a terminal: what to do first comes first, no line is longer than 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from pipeline.findings.report.model import Diagnosis, EvidenceLine, IncidentReport, Report
from pipeline.findings.report.words import clean, moment, one_line, place, source, span, sure

WIDTH = 100
PROOFS = 10
"""Facts printed for one claim; all of them are in the JSON form and in the tables. A path that is too long for
the line is shortened in its middle; the tables have it whole."""


def render_text(report: Report) -> str:
    """The report as plain text for a person on call."""
    lines = [*_head(report), *_first(report)]
    for number, incident in enumerate(report.incidents, 1):
        lines += ["", *_incident(incident, number, len(report.incidents), len(report.clusters) > 1)]
    if report.size_and_version:
        lines += ["", "=" * WIDTH, "Size and version"]
        lines += [line for told in report.size_and_version for line in _wrapped(told, "  - ", "    ")]
    lines += ["", *_quality(report)]
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(text: str, indent: str = "", hang: str | None = None) -> list[str]:
    """Text in lines of at most WIDTH columns; a long word (a path) is broken where it must be."""
    following = indent if hang is None else hang
    return textwrap.wrap(
        one_line(text), WIDTH, initial_indent=indent, subsequent_indent=following, break_on_hyphens=False
    )


def _head(report: Report) -> list[str]:
    seen = report.observed
    name = report.cluster or ("all clusters: " + ", ".join(report.clusters))
    scope = f", group {report.group}" if report.group else ""
    lines = _wrapped(f"peerscope report for {name}{scope}")
    if seen.first:
        lines += _wrapped(
            f"Observed from {moment(seen.first)} to {moment(seen.last)}: {seen.nodes} nodes, "
            f"{seen.session_ends} session ends, of which {seen.ends_up} were up when last seen."
        )
    else:
        lines += _wrapped(
            f"Observed: {seen.nodes} nodes, {seen.session_ends} session ends ({seen.ends_up} up); "
            "nothing in the data has a time."
        )
    if report.since:
        lines += _wrapped(f"Only what lasted after {moment(report.since)}.")
    return lines


def _first(report: Report) -> list[str]:
    if not report.incidents:
        seen = report.observed
        lines = ["", "No incident was found."]
        if seen.session_ends:
            lines += _wrapped(
                f"{seen.ends_up} of {seen.session_ends} session ends that were observed were up when last seen. "
                "What was not observed is not said to be healthy: see the coverage below."
            )
        else:
            lines += _wrapped("No BGP session was observed at all: give logs or status output of the nodes.")
        return lines
    if not report.failures:
        return ["", "No failure was found; what follows was planned work."]
    lines = ["", "WHAT TO LOOK AT FIRST"]
    for number, incident in enumerate(report.failures, 1):
        when = "still going on" if incident.is_open else "over"
        text = f"{number}. [{incident.severity}, {when}] {incident.best.title} - {place(incident)}"
        lines += _wrapped(text, "  ", "     ")
    return lines


def _incident(incident: IncidentReport, number: int, total: int, with_cluster: bool) -> list[str]:
    best = incident.best
    lines = ["=" * WIDTH]
    lines += _wrapped(f"{number}/{total}  {best.title}")
    cluster = f"cluster {incident.cluster}, " if with_cluster else ""
    lines += _wrapped(f"{incident.severity.upper()}: {cluster}{place(incident)}")
    lines += _wrapped(f"{span(incident)[0].upper()}{span(incident)[1:]}.")
    if incident.cause != "undetermined":
        lines += _wrapped(f"Cause: {incident.cause}, {sure(incident.confidence)}.")
    for paragraph in best.summary.split("\n\n"):
        lines += ["", *_paragraph(paragraph)]
    lines += _section("What to do", _remedy(best))
    lines += _section("Why: what was seen", _facts(best.lines("supports")))
    lines += _section("What speaks against it", _facts(best.lines("contradicts")))
    lines += _section("What was ruled out", [x for claim in incident.ruled_out for x in _ruled_out(claim)])
    lines += _section("Also possible", [x for claim in incident.others for x in _other(claim)])
    lines += _section("Not seen; would help", _facts(best.lines("missing")))
    if best.refuted_by:
        lines += _section("This would show it to be wrong", _wrapped(best.refuted_by, "  "))
    return lines


def _paragraph(paragraph: str) -> list[str]:
    first, *rest = clean(paragraph).split("\n")
    if first.endswith(":"):
        return [*_wrapped(first), *(line for text in rest for line in _wrapped(text, "  ", "    "))]
    return [line for text in (first, *rest) for line in _wrapped(text)]


def _section(title: str, body: list[str]) -> list[str]:
    return ["", title, *body] if body else []


def _remedy(claim: Diagnosis) -> list[str]:
    """Sentences are wrapped; a command stays on one line, so that it can be copied."""
    lines: list[str] = []
    for text in clean(claim.remedy).split("\n"):
        if text.startswith("$ "):
            lines.append(f"    {text}")
        elif text:
            lines += _wrapped(text, "  ", "     " if text[:1].isdigit() else "  ")
    return lines


def _facts(facts: list[EvidenceLine]) -> list[str]:
    lines: list[str] = []
    for fact in facts[:PROOFS]:
        lines += _wrapped(fact.text, "  - ", "    ")
        where = source(fact, WIDTH - 6)
        if where:
            lines.append(f"      {where}")
    if len(facts) > PROOFS:
        lines.append(f"  - and {len(facts) - PROOFS} more (table evidence)")
    return lines


def _ruled_out(claim: Diagnosis) -> Iterator[str]:
    reasons = "; ".join(line.text for line in _sentences(claim))
    yield from _wrapped(f"{claim.title}: no, {reasons}", "  - ", "    ")


def _sentences(claim: Diagnosis) -> list[EvidenceLine]:
    return [line for line in claim.lines("contradicts") if not line.text.startswith("also: ")][:2]


def _other(claim: Diagnosis) -> Iterator[str]:
    against = [line.text for line in claim.lines("contradicts")[:1]]
    tail = f"; against it: {against[0]}" if against else ""
    yield from _wrapped(f"{claim.title} ({claim.cause}, {claim.confidence:.0%}){tail}", "  - ", "    ")


def _quality(report: Report) -> list[str]:
    quality = report.quality
    lines = ["=" * WIDTH, "How good the data is"]
    text = f"{quality.lines_read:,} lines of {quality.files:,} files read, {quality.lines_rejected:,} refused."
    lines += _wrapped(text, "  ")
    if quality.unclassified_share is not None:
        lines += _wrapped(
            f"{quality.unclassified:,} lines ({quality.unclassified_share:.1%}) are of a kind that no rule knows.", "  "
        )
    for reason, times, count in quality.rejects[:5]:
        lines += _wrapped(f"refused: {reason} ({times:,} times, {count:,} lines)", "  ")
    for component, nodes, hours in quality.coverage:
        lines += _wrapped(f"covered: {component} on {nodes:,} nodes, {hours:,.2f} node-hours", "  ")
    if not quality.coverage:
        lines += _wrapped("covered: nothing with a time", "  ")
    return lines
