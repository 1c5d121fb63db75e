"""Names in the order that people expect, and lists of them."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable
from functools import lru_cache

Name = tuple[tuple[int, int, str], ...]


def listed(names: Iterable[str], limit: int = 8) -> str:
    """Names in order, the rest as a number."""
    distinct = frozenset(names)
    found = _first(distinct, limit)
    more = len(distinct) - limit
    return ", ".join(found) + (f" and {more} more" if more > 0 else "")


@lru_cache(maxsize=256)
def _first(names: frozenset[str], limit: int) -> tuple[str, ...]:
    """The first of the names; causes ask for the same ones over and over."""
    return tuple(heapq.nsmallest(limit, names, key=natural))


@lru_cache(maxsize=100_000)
def natural(name: str) -> Name:
    """A key that puts names in the order people expect: worker-9 before worker-10."""
    parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]
    return (*parts, (2, 0, name))  # worker-1 and worker-01 are two names, in an order that does not vary
