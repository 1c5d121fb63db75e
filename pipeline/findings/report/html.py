"""The report as one HTML file that loads nothing: text, pictures and style are all in it.

Log text is hostile. Everything that is not the page's own is cleaned of control characters and escaped, there is no
script, and a policy in the page forbids the browser to run or load anything but the one style sheet (by its hash).
"""

from __future__ import annotations

import base64
import hashlib
from html import escape

from pipeline.findings.report.model import Diagnosis, EvidenceLine, IncidentReport, Report
from pipeline.findings.report.pictures import sizes, timeline
from pipeline.findings.report.words import clean, moment, one_line, place, source, span, sure

STYLE = """
:root{color-scheme:light dark;--fg:#1b1f24;--bg:#fff;--soft:#57606a;--line:#d0d7de;--box:#f6f8fa;
--critical:#b3261e;--error:#b45309;--warning:#0b6bcb;--info:#6e7781;--up:#0072b2}
@media (prefers-color-scheme:dark){:root{--fg:#e6edf3;--bg:#0d1117;--soft:#9da7b1;--line:#3d444d;--box:#161b22;
--critical:#ff7b6b;--error:#f0a13a;--warning:#6cb6ff;--info:#9198a1;--up:#56b4e9}}
body{margin:0 auto;max-width:62rem;padding:1.5rem;font:1rem/1.5 system-ui,sans-serif;
color:var(--fg);background:var(--bg)}
h1{font-size:1.6rem}h2{font-size:1.25rem;margin:0 0 .3rem}h3{font-size:1rem;margin:1rem 0 .2rem}
section{border:1px solid var(--line);border-left:.4rem solid var(--info);border-radius:.4rem;padding:1rem;margin:1rem 0}
section.critical{border-left-color:var(--critical)}section.error{border-left-color:var(--error)}
section.warning{border-left-color:var(--warning)}
.soft,figcaption{color:var(--soft)}
code,pre{font:.85rem/1.45 ui-monospace,monospace;background:var(--box);border-radius:.25rem}
code{padding:.05rem .25rem;overflow-wrap:anywhere}pre{padding:.6rem;overflow-x:auto}pre code{padding:0}
ul,ol{padding-left:1.3rem;margin:.2rem 0}li{margin:.15rem 0}figure{margin:1.2rem 0}
summary{cursor:pointer;margin-top:1rem}
svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:var(--fg)}svg .word{font-size:11px}
.critical rect,.critical .open{fill:var(--critical)}.error rect,.error .open{fill:var(--error)}
.warning rect,.warning .open{fill:var(--warning)}.info rect,.info .open{fill:var(--info)}
.tick{stroke:var(--line);fill:none}.configured{fill:none;stroke:var(--soft)}.established{fill:var(--up);fill-opacity:.45}
.limit{stroke:var(--critical);stroke-width:2.5;fill:none}
@media print{section{break-inside:avoid}}
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
PROOFS = 40
"""Facts printed for one role of a claim; all of them are in the JSON form."""


def render_html(report: Report) -> str:
    """The report as a self-contained page."""
    name = report.cluster or ", ".join(report.clusters)
    seen = report.observed
    times = f"{moment(seen.first)} to {moment(seen.last)}: " if seen.first else ""
    observed = (
        f"Observed: {times}{seen.nodes} nodes, {seen.session_ends} session ends, {seen.ends_up} up when last seen."
    )
    body = [f"<h1>BGP sessions of {_text(name)}</h1>", f"<p>{_text(report.headline)}</p>", _soft(observed)]
    if report.group:
        body.append(_soft(f"Only group {report.group}."))
    if report.since:
        body.append(_soft(f"Only what lasted after {moment(report.since)}."))
    if not report.incidents:
        body.append("<p><strong>No incident was found.</strong> What was not observed is not said to be healthy.</p>")
    body += _first(report)
    body += _figure(timeline(report), "When the incidents were. An arrow marks one that still lasts.")
    caption = (
        "Configured (outline) and established peers (filled) of each reflector; the line is its limit of MD5 keys."
    )
    body += _figure(sizes(report.sizes), caption)
    body += [line for number, incident in enumerate(report.incidents, 1) for line in _incident(incident, number)]
    return "\n".join(
        [
            *_head(f"peerscope: {name}"),
            "<main>",
            *body,
            *_statements(report),
            *_quality(report),
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _head(title: str) -> list[str]:
    return [
        "<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY, quote=True)}">',
        '<meta name="referrer" content="no-referrer">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title>", f"<style>{STYLE}</style>", "</head>", "<body>",
    ]  # fmt: skip


def _first(report: Report) -> list[str]:
    items = [
        f'<li><a href="#incident-{number}">{_text(incident.best.title)}</a> '
        f"({_text(incident.severity)}, {'still going on' if incident.is_open else 'over'}; "
        f"{_text(place(incident))})</li>"
        for number, incident in enumerate(report.incidents, 1)
        if incident.severity != "info"
    ]
    return ["<h2>What to look at first</h2>", "<ol>", *items, "</ol>"] if items else []


def _figure(picture: str, caption: str) -> list[str]:
    return [f"<figure>{picture}<figcaption>{_text(caption)}</figcaption></figure>"] if picture else []


def _incident(incident: IncidentReport, number: int) -> list[str]:
    best = incident.best
    lines = [
        f'<section class="{_severity(incident)}" id="incident-{number}">',
        f"<h2>{number}. {_text(best.title)}</h2>",
    ]
    lines.append(_soft(f"{incident.severity}: {place(incident)}; {span(incident)}"))
    lines.append(f"<p>Cause: <code>{_text(incident.cause)}</code>, {_text(sure(incident.confidence))}</p>")
    for paragraph in best.summary.split("\n\n"):
        lines += _paragraph(paragraph)
    lines += ["<h3>What to do</h3>", *_remedy(best)] if best.remedy else []
    lines += _list("Why: what was seen", [_fact(line) for line in best.lines("supports")])
    lines += _list("What speaks against it", [_fact(line) for line in best.lines("contradicts")])
    lines += _list("Not seen; would help", [_fact(line) for line in best.lines("missing")])
    more = _list("What was ruled out", [_claim(claim) for claim in incident.ruled_out])
    more += _list("Also possible", [f"{_claim(c)} ({c.confidence:.0%})" for c in incident.others])
    if best.refuted_by:
        more += ["<h3>This would show it to be wrong</h3>", f"<p>{_text(best.refuted_by)}</p>"]
    if more:
        lines += ["<details><summary>Other causes that were considered</summary>", *more, "</details>"]
    return [*lines, "</section>"]


def _severity(incident: IncidentReport) -> str:
    return incident.severity if incident.severity in ("critical", "error", "warning") else "info"


def _paragraph(paragraph: str) -> list[str]:
    first, *rest = clean(paragraph).split("\n")
    if first.endswith(":"):
        return [f"<h3>{_text(first)}</h3>", "<ul>", *(f"<li>{_text(text)}</li>" for text in rest), "</ul>"]
    return [f"<p>{_text(' '.join((first, *rest)))}</p>"]


def _remedy(claim: Diagnosis) -> list[str]:
    """Sentences as paragraphs; commands in a row as one block to copy."""
    lines: list[str] = []
    block: list[str] = []
    for text in [*clean(claim.remedy).split("\n"), ""]:
        if text.startswith("$ "):
            block.append(_text(text[2:]))
            continue
        if block:
            lines.append(_block(block))
            block = []
        if text.strip():
            lines.append(f"<p>{_text(text)}</p>")
    return lines


def _block(commands: list[str]) -> str:
    return "<pre><code>" + "\n".join(commands) + "</code></pre>"


def _list(title: str, items: list[str]) -> list[str]:
    if not items:
        return []
    shown = [f"<li>{item}</li>" for item in items[:PROOFS]]
    if len(items) > PROOFS:
        shown.append(f"<li>and {len(items) - PROOFS} more (in the JSON form and the table evidence)</li>")
    return [f"<h3>{_text(title)}</h3>", "<ul>", *shown, "</ul>"]


def _fact(line: EvidenceLine) -> str:
    where = source(line)
    return f"<code>{_text(line.text)}</code>" + (f' <span class="soft">{_text(where)}</span>' if where else "")


def _claim(claim: Diagnosis) -> str:
    reasons = "; ".join(line.text for line in claim.lines("contradicts")[:2])
    return f"{_text(claim.title)}: <code>{_text(reasons)}</code>" if reasons else _text(claim.title)


def _statements(report: Report) -> list[str]:
    if not report.size_and_version:
        return []
    items = [f"<li>{_text(told)}</li>" for told in report.size_and_version]
    return ["<h2>Size and version</h2>", "<ul>", *items, "</ul>"]


def _quality(report: Report) -> list[str]:
    quality = report.quality
    items = [f"{quality.lines_read:,} lines of {quality.files:,} files read, {quality.lines_rejected:,} refused"]
    if quality.unclassified_share is not None:
        items.append(
            f"{quality.unclassified:,} lines ({quality.unclassified_share:.1%}) are of a kind that no rule knows"
        )
    items += [f"refused: {reason} ({times:,} times, {count:,} lines)" for reason, times, count in quality.rejects[:5]]
    items += [f"covered: {part} on {nodes:,} nodes, {hours:,.2f} node-hours" for part, nodes, hours in quality.coverage]
    return ["<h2>How good the data is</h2>", "<ul>", *(f"<li>{_text(item)}</li>" for item in items), "</ul>"]


def _soft(text: str) -> str:
    return f'<p class="soft">{_text(text)}</p>'


def _text(text: str) -> str:
    return escape(one_line(text), quote=True)
