"""Tells console text from logs by what its lines are."""

from __future__ import annotations

from datetime import UTC

from pipeline.status.console import READERS, _echo
from pipeline.status.lines import split_lines
from pipeline.status.sink import Sink
from pipeline.status.stamps import stamp_of

#: Enough to see what a file is; a snapshot says so in its first lines.
MAX_SNIFF_LINES = 200
#: Kinds whose first rows alone prove the file; others need their lines to be the larger part.
_CERTAIN = frozenset(
    {
        "calicoctl node status",
        "show protocols",
        "show status",
        "show bgp summary",
        "show bgp neighbors",
        "cilium bgp peers",
        "gobgp neighbor",
        "show bgp summary (Arista)",
        "show bgp summary (Juniper)",
        "events",
        "sysctl",
        "uname",
        "hostname",
        "packet filter",
        "ip addr",
        "ipset list",
        "nstat",
        "kubectl get events",
        "kubectl get nodes",
        "kubectl get pods",
        "kubectl describe",
        "calicoctl get bgppeers",
    }
)


def sniff_console(head: str) -> tuple[float, str]:
    """How sure it is (0..1) that the text is console output, and which outputs were recognised.

    The second value names them in order of appearance, joined by `` + ``. At most 200 lines are looked at.
    """
    data = head.encode("utf-8", "replace")
    lines, rejects = split_lines(data)
    lines = lines[:MAX_SNIFF_LINES]
    sink = Sink(tz=UTC, now=None)
    seen: dict[str, None] = {}
    known = total = dated = 0
    i = 0
    while i < len(lines):
        line = lines[i]
        if not line.text:
            i += 1
            continue
        taken = 0
        if stamp_of(line.text) is not None or _echo(line, sink):
            taken, known, dated = 1, known + 1, dated + 1
        else:
            before = len(sink.records)
            taken = next((n for n in (read(lines, i, sink) for read in READERS) if n), 0)
            new = sink.records[before:]
            # a border alone is no output of a command: Felix draws tables into its log as well
            border = not sink.segment and all(r.role == "frame" and r.component == "calicoctl" for r in new)
            if (
                taken
                and not border
                and any(r.role in ("row", "frame", "detail") or r.component != "console" for r in new)
            ):
                known += taken
                seen.setdefault(sink.segment or "console")
        total += max(taken, 1)
        i += max(taken, 1)
    if total and dated == total and not rejects:
        # a snapshot of something that gave no answer: a date and nothing below it
        return 0.6, "date"
    if not total or not seen or rejects:
        return 0.0, ""
    share = known / total
    sure = share if not _CERTAIN & seen.keys() else max(share, 0.5 if share >= 0.2 else share)
    return round(min(sure, 0.99), 3), " + ".join(seen)
