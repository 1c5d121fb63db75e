"""Memory that is free is given back: what numpy and DuckDB let go of stays with the C library's heap else."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def give_back() -> None:
    """Return free memory of the heap to the system, where the C library can: in milliseconds, worth it between steps.

    Arrays of some megabytes come from the heap once larger ones were freed, and leave holes in it.
    """
    _trim()(0)


@cache
def _trim() -> Callable[[int], int]:
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):
        return lambda _: 0
    return found
