"""The vocabulary of signals: small pure functions from a case to a :class:`~pipeline.findings.case.Sign`.

A signal answers one question with yes, no, or "nobody could look" (``seen`` None). The names are fixed: causes
refer to them. Every parameter after the case is data in a cause's file.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from pipeline.findings.case import Case
from pipeline.findings.proofs import Sign

Signal = Callable[..., Sign]
SIGNALS: dict[str, Signal] = {}


def signal(function: Signal) -> Signal:
    """Register a function under its own name."""
    SIGNALS[getattr(function, "__name__")] = function  # noqa: B009 - Callable has no __name__ for mypy
    return function


def parameters(name: str) -> set[str]:
    """The parameters that a cause may give to a signal."""
    return set(inspect.signature(SIGNALS[name]).parameters) - {"case"}


def evaluate(case: Case, name: str, arguments: dict[str, Any], key: str) -> Sign:
    """Ask one question of a case; the same question, which has the same ``key``, is answered once."""
    sign: Sign = case.remembered(key, lambda: SIGNALS[name](case, **arguments))
    return sign


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of a cause, compiled once. Patterns come from the project's own files, never from input."""
    return re.compile(pattern)
