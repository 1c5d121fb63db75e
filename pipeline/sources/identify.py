"""What a source is, told from its first bytes and never from its name alone.

Families: ``log`` (lines in envelopes), ``export`` (a log store's answer), ``console`` (what commands printed),
``document`` (JSON or YAML resources), ``config`` (a rendered bird.cfg), ``binary`` (refused). ``why`` says what
decided, for ``peerscope run --dry-run``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.inventory.bird_config import sniff_bird_config
from pipeline.sources.envelopes import detect_chain
from pipeline.sources.exports import sniff_export
from pipeline.sources.headers import LAYOUTS
from pipeline.sources.jsonlines import sniff_json_lines
from pipeline.status import sniff_console

SNIFF_BYTES = 64 << 10
SNIFF_LINES = 200
_YAML = re.compile(r"^(?:---\s*$|(?:- )?(?:apiVersion|kind|items|clientVersion|serverVersion): ?)", re.MULTILINE)
_RESOURCE_JSON = re.compile(r'"(?:kind|apiVersion|items)"\s*:')
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\r\x1b")
# rows of events alone make no log: they are what a command printed
_HEADS = [re.compile(layout.pattern) for layout in LAYOUTS if layout.name != "event-row"]


@dataclass(frozen=True)
class Identity:
    """``kind`` is the name shown to people, ``chain`` the envelopes of a log, outermost first."""

    family: str
    kind: str
    why: str
    chain: tuple[str, ...] = ()


def identify(head: bytes) -> Identity:
    """Identify a source from its first ``SNIFF_BYTES`` bytes."""
    if head.count(b"\0") * 10 > len(head) > 0:
        return Identity("binary", "binary", "more than a tenth of the bytes are NUL")
    text = head.decode("utf-8", errors="replace").lstrip("\ufeff")
    odd = len(head) - len(head.translate(None, _CONTROLS)) + text.count("\N{REPLACEMENT CHARACTER}")
    if odd * 5 > len(text) > 0:
        return Identity("binary", "binary", "more than a fifth of the characters are no text")
    if not text.strip():
        return Identity("log", "empty", "nothing but white space")
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if len(head) >= SNIFF_BYTES and len(lines) > 1:
        lines.pop()  # cut in the middle
    filled = [line for line in lines if line.strip()][:SNIFF_LINES]
    export = sniff_export(text)
    if export:
        return Identity("export", f"log:{export}", f"the keys of an export of {export}", (export,))
    return _json(text, filled) or _other(text, lines[: SNIFF_LINES * 2], filled)


def _json(text: str, lines: list[str]) -> Identity | None:
    start = text.lstrip()[:1]
    if start not in ("{", "["):
        return None
    chain = detect_chain(lines) if sniff_json_lines(lines) else ()
    if chain:
        why = f"half of the lines or more are JSON objects of {chain[0]}"
        return Identity("log", "log:" + "+".join(chain), why, chain)
    if _RESOURCE_JSON.search(text):
        return Identity("document", "json", "JSON with kind, apiVersion or items")
    sure, segments = sniff_console(text)
    if sure >= 0.5:
        return Identity("console", segments, f"JSON output of {segments}")
    return None


def _other(text: str, lines: list[str], filled: list[str]) -> Identity:
    if sniff_bird_config(text):
        return Identity("config", "bird.cfg", "statements of a BIRD configuration")
    chain = detect_chain(filled)
    if chain:
        return Identity("log", "log:" + "+".join(chain), f"half of the first lines or more fit {chain[0]}", chain)
    console, segments = sniff_console("\n".join(lines))
    headed = sum(1 for line in filled if any(head.match(line) for head in _HEADS)) / len(filled)
    if console > 0 and console >= headed:
        return Identity("console", segments, f"{console:.0%} of the first lines are of {segments}")
    if headed < 0.1 and _YAML.search(text):
        return Identity("document", "yaml", "YAML with apiVersion, kind or items")
    if headed:
        return Identity("log", "log:bare", f"{headed:.0%} of the first lines carry a program's own head")
    return Identity("log", "log:text", "plain text: lines are read one by one")
