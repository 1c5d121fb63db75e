"""The program of a parsing process: settings first, then work items, until its input ends."""

from __future__ import annotations

import os
import sys
from pickle import PickleBuffer

from pipeline.engines.items import Mapped, Parsed, run_item
from pipeline.engines.processes import receive, send
from pipeline.grammar import load_ruleset
from pipeline.sources.identify import Identity


def main() -> None:
    """Answer every item with its packed facts, or with the error that it raised."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing else may write between the answers
    requests = sys.stdin.buffer
    settings = receive(requests)
    ruleset = load_ruleset()
    while True:
        try:
            parts = receive(requests)
        except EOFError:
            return
        try:
            send(answers, _carried(run_item(parts, ruleset, settings, Mapped())))
        except Exception as exc:  # noqa: BLE001 - whatever it is, the other side raises it
            send(answers, exc)


def _carried(parsed: Parsed) -> tuple[dict[str, PickleBuffer], dict[int, Identity]]:
    """Frames are megabytes: pickled with the rest they would be copied at both ends."""
    frames, identities = parsed.packed()
    return {name: PickleBuffer(data) for name, data in frames.items()}, identities


if __name__ == "__main__":
    main()
