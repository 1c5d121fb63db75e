"""Output of ``calicoctl node status``, ``calicoctl status`` (v1) and ``calicoctl version``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.status.lines import Line
from pipeline.status.names import PROTOCOL_STATES, address_only, split_info
from pipeline.status.sink import Sink

#: A wrapped INFO cell takes at most a handful of lines; anything longer is not one row any more.
MAX_CONTINUATION_LINES = 8

_BORDER = re.compile(r"^[+|][-+=|]{3,}$")
_SINCE_CELL = re.compile(
    r"^(?:\d{4}-\d\d-\d\d(?: [\d:.]+)?|[A-Z][a-z]{2}\d\d|\d\d:\d\d(?::\d\d(?:\.\d+)?)?|never|\d+d \d\d:\d\d:\d\d)$"
)
_TYPES = ("node-to-node mesh", "node specific", "global")
_SENTENCES = (
    "Calico process is", "calico-node container is", "Running felix version", "No IPv4", "No IPv6",
    "IPv4 BGP status", "IPv6 BGP status", "INFO: BIRDv", "None of the BGP backend", "The BGP backend process",
    "Error querying BIRD", "Error querying GoBGP", "Error executing command: unable to",
)  # fmt: skip
_QUIET = (
    "IPv4 BGP status", "IPv6 BGP status", "calico-node container is running", "Running felix", "No IPv6 address",
)  # fmt: skip
_TROUBLE = (
    "Error ",
    "Calico process is not running",
    "The BGP backend process",
    "None of the BGP",
    "INFO: BIRDv",
)
_OLD_HEAD = re.compile(r"^IP: (?P<ip>\S+)\s+AS Number: (?P<asn>\S+)")
_VERSIONS = {
    "Cluster Version:": "calico_version",
    "Cluster Calico Version:": "calico_version",
    "Client Version:": "calicoctl_version",
    "Cluster Type:": "cluster_type",
}


def _cells(text: str) -> list[str]:
    """Cells of a table row; the bars at both ends may be doubled or missing."""
    parts = text.strip().split("|")
    return [part.strip() for part in parts]


def _continuation(line: Line) -> str | None:
    """Text that a following line adds to the INFO cell above, or None when it is another row."""
    text = line.bare
    if not text.startswith("|") or _BORDER.match(text):
        return None
    cells = _cells(text)
    filled = [cell for cell in cells if cell]
    blanks = next((n for n, cell in enumerate(cells) if cell), len(cells))
    return filled[0] if len(filled) == 1 and blanks >= 4 else None


def _row(filled: list[str]) -> tuple[str, str, str, str, str] | None:
    """Peer, type, state, since and info by what the cells hold, so that damaged bars do not matter."""
    at = next((n for n, cell in enumerate(filled) if n and cell in PROTOCOL_STATES), None)
    if at is None or at > 2:
        return None
    rest = filled[at + 1 :]
    since = rest.pop(0) if rest and _SINCE_CELL.match(rest[0]) else ""
    return filled[0], filled[1] if at == 2 else "", filled[at], since, " ".join(rest)


def _add_row(taken: Sequence[Line], row: tuple[str, str, str, str, str], sink: Sink) -> None:
    who, kind, state, since, info = row
    bgp_state, last_error = split_info(info)
    peer = address_only(who)
    params = {"type": kind, **(sink.since(since) if since else {})}
    if peer is None:
        params["peer"] = who
    sink.record(
        taken,
        role="row",
        family="status",
        component="calicoctl",
        body=" ".join(f"{state} {info}".split()),
        message="| " + " | ".join(row) + " |",
        peer=peer,
        params=params,
    )
    # a masked address (10.xx.xx.xx) still tells this row's session from the others of the table
    sink.state(
        taken[0],
        observed_by="node status",
        state=state,
        bgp_state=bgp_state,
        last_error=last_error,
        peer=peer or who,
        since=since,
        kind=kind,
    )


def _table_line(lines: Sequence[Line], i: int, sink: Sink) -> int:
    line = lines[i]
    text = line.bare
    if _BORDER.match(text):
        sink.frame(line, "calicoctl")
        return 1
    filled = [cell for cell in _cells(text) if cell]
    if len(filled) >= 2 and filled[0].lower() == "peer address":
        sink.enter("calicoctl node status")
        sink.frame(line, "calicoctl")
        return 1
    row = _row(filled)
    if row is None:
        if sink.segment != "calicoctl node status":
            return 0
        sink.record([line], component="calicoctl")
        return 1
    sink.enter("calicoctl node status")
    taken = [line]
    for below in lines[i + 1 : i + 1 + MAX_CONTINUATION_LINES]:
        more = _continuation(below)
        if more is None:
            break
        taken.append(below)
        row = (*row[:4], f"{row[4]} {more}".strip())
    _add_row(taken, row, sink)
    return len(taken)


def _version_line(line: Line, sink: Sink) -> int:
    text = line.bare
    for prefix, fact in _VERSIONS.items():
        if text.startswith(prefix):
            sink.enter("calicoctl version")
            value = text.removeprefix(prefix).strip()
            sink.fact(line, fact, value)
            sink.record([line], role="detail", component="calicoctl", params={fact: value})
            return 1
    if sink.segment == "calicoctl version" and text.startswith(("Git commit:", "Build date:")):
        sink.frame(line, "calicoctl")
        return 1
    return 0


def _checksystem(line: Line, sink: Sink) -> int:
    """A line of ``calicoctl node checksystem``: which kernel modules are there."""
    text = line.bare
    if text in ("Checking kernel version...", "Checking kernel modules..."):
        sink.enter("calicoctl node checksystem")
        sink.frame(line, "calicoctl")
        return 1
    if sink.segment != "calicoctl node checksystem":
        return 0
    words = text.split()
    if len(words) == 2 and words[1] in ("OK", "FAIL"):
        if words[0][0].isdigit():
            sink.fact(line, "kernel_version", words[0])
        role = "detail" if words[1] == "OK" else "row"
        sink.record([line], role=role, component="calicoctl", params={words[0]: words[1]})
        return 1
    if text.startswith("WARNING: Unable to detect"):
        sink.record([line], component="calicoctl", level="warning")
        return 1
    return 0


def read_calicoctl(lines: Sequence[Line], i: int, sink: Sink) -> int:
    """One row (with its wrapped lines), heading, border or sentence of calicoctl."""
    line = lines[i]
    text = line.bare
    if text.startswith(("|", "+-", "+=")):
        return _table_line(lines, i, sink)
    old = _OLD_HEAD.match(text)
    if old:
        sink.enter("calicoctl node status")
        sink.fact(line, "addresses", old["ip"])
        sink.fact(line, "as_number", old["asn"])
        sink.record([line], role="detail", component="calicoctl", params={"address": old["ip"], "as": old["asn"]})
        return 1
    if text.startswith(_SENTENCES):
        sink.enter("calicoctl node status")
        framing = text.startswith(_QUIET)
        if text.startswith("Running felix version "):
            sink.fact(line, "felix_version", text.removeprefix("Running felix version "))
        level = "error" if text.startswith(_TROUBLE) else None
        sink.record([line], role="detail" if framing else "text", component="calicoctl", level=level)
        return 1
    return _version_line(line, sink) or _checksystem(line, sink)
