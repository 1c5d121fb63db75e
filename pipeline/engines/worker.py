"""The program of a parsing process: settings first, then work items, until its input ends."""

from __future__ import annotations

import os
import sys

from pipeline.engines.items import Mapped, run_item
from pipeline.engines.processes import receive, send
from pipeline.grammar import load_ruleset


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
            parsed = run_item(parts, ruleset, settings, Mapped())
        except Exception as exc:  # noqa: BLE001 - whatever it is, the other side raises it
            send(answers, exc)
        else:
            parsed.write(answers)
            del parsed  # facts are megabytes, and the next item needs room


if __name__ == "__main__":
    main()
