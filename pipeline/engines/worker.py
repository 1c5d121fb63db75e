"""The program of the parsing processes: settings first, then work items, until the input of each ends.

It is given the pipes of each as ``input,output``. It loads what all of them need and forks one for each pair but the
first, which is its own: to load it again would cost as much as to parse a hundred megabytes.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
import warnings
from contextlib import suppress
from functools import partial
from typing import IO

from pipeline.engines.items import Mapped, run_item
from pipeline.engines.processes import receive, send
from pipeline.grammar import Ruleset, load_ruleset
from pipeline.pool import in_pool
from pipeline.settings import Settings

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Answer every item with its packed facts, or with the error that it raised."""
    pairs = [(int(asked), int(told)) for asked, told in (word.split(",") for word in sys.argv[1:])]
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    first = os.fdopen(pairs[0][0], "rb")
    settings, ruleset = receive(first), load_ruleset()
    own = _fork(len(pairs))
    for number, (asked, told) in enumerate(pairs):
        if number != own:  # whoever holds an end keeps the other from seeing that this process is gone
            os.close(told)
            first.close() if number == 0 else os.close(asked)
    requests = first if own == 0 else os.fdopen(pairs[own][0], "rb")
    with os.fdopen(pairs[own][1], "wb") as answers:
        _answer(requests, answers, ruleset, settings)
    with suppress(ChildProcessError):
        while own == 0:  # what they took of the processor is told with this one's
            os.wait()
    os._exit(0)  # to take all apart that was loaded takes longer


def _fork(count: int) -> int:
    """Become ``count`` processes, each with its number.

    No query was asked of Polars yet, so no thread of its pool is missing in those that are forked.
    """
    gc.freeze()  # what is loaded stays shared
    program = os.getpid()
    for number in range(1, count):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # allocators have threads, and know of forks
            forked = os.fork()
        if not forked:
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != program:
                os._exit(1)
            return number
    return 0


def _answer(requests: IO[bytes], answers: IO[bytes], ruleset: Ruleset, settings: Settings) -> None:
    while True:
        try:
            parts = receive(requests)
        except EOFError:
            return
        try:
            parsed = in_pool(partial(run_item, parts, ruleset, settings, Mapped()))
        except Exception as exc:  # noqa: BLE001 - whatever it is, the other side raises it
            send(answers, exc)
        else:
            parsed.write(answers)
            del parsed  # facts are megabytes, and the next item needs room


if __name__ == "__main__":
    main()
