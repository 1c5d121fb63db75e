"""Sets of Calico releases as ranges, such as ``3.22-3.26`` or ``3.8.5-3.8, 3.9.4-3.9``.

A bound without a patch number stands for all patches of that release; an open end (``3.11-``) for every release
after it. Sets are kept sorted and joined where they touch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Release = tuple[int, int, int]
LAST = 1_000_000
"""Stands for the last patch of a release, or the last release."""

_BOUND = re.compile(r"^v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+].*)?$")


@dataclass(frozen=True, slots=True)
class Releases:
    """A set of releases as sorted ranges, both ends included; an empty one is no release at all."""

    ranges: tuple[tuple[Release, Release], ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Releases:
        """The union of ranges as they are written.

        Raises:
            ValueError: a text is no release and no range.
        """
        return cls(_joined([_range(part) for text in texts for part in text.split(", ")]))

    def __and__(self, other: Releases) -> Releases:
        """Releases in both sets."""
        pairs = [(max(a[0], b[0]), min(a[1], b[1])) for a in self.ranges for b in other.ranges]
        return Releases(_joined([(low, high) for low, high in pairs if low <= high]))

    def __or__(self, other: Releases) -> Releases:
        """Releases in either set."""
        return Releases(_joined([*self.ranges, *other.ranges]))

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __str__(self) -> str:
        return ", ".join(_written(low, high) for low, high in self.ranges)

    def branches(self) -> list[Release]:
        """The last release of each minor branch in the set; an open end counts with its lower bound alone."""
        found: set[Release] = set()
        for low, high in self.ranges:
            top = high if high[0] == low[0] else low
            found |= {(low[0], minor, top[2] if minor == top[1] else LAST) for minor in range(low[1], top[1] + 1)}
        return sorted(found)


def combined(claims: Sequence[Releases]) -> Releases:
    """What fits all claims, given from old to new; where none does, what fits the newest ones."""
    left = Releases(())
    for claim in reversed(claims):
        narrowed = left & claim if left else claim
        if not narrowed:
            break
        left = narrowed
    return left


def _range(text: str) -> tuple[Release, Release]:
    low, dash, high = text.strip().partition("-")
    if not dash:
        return _bound(low, 0), _bound(low, LAST)
    return _bound(low, 0), _bound(high, LAST) if high else (LAST, LAST, LAST)


def _bound(text: str, patch: int) -> Release:
    match = _BOUND.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no release; write 3.22 or 3.22.4")
    return int(match[1]), int(match[2]), int(match[3]) if match[3] else patch


def _joined(ranges: list[tuple[Release, Release]]) -> tuple[tuple[Release, Release], ...]:
    out: list[tuple[Release, Release]] = []
    for low, high in sorted(ranges):
        if out and low <= _after(out[-1][1]):
            out[-1] = (out[-1][0], max(out[-1][1], high))
        else:
            out.append((low, high))
    return tuple(out)


def _after(release: Release) -> Release:
    major, minor, patch = release
    return (major, minor + 1, 0) if patch == LAST else (major, minor, patch + 1)


def _written(low: Release, high: Release) -> str:
    first = f"{low[0]}.{low[1]}" + (f".{low[2]}" if low[2] or high == low else "")
    if high[0] == LAST:
        return f"{first}-"
    last = f"{high[0]}.{high[1]}" + ("" if high[2] == LAST else f".{high[2]}")
    whole = low[:2] == high[:2] and not low[2] and high[2] == LAST
    return first if whole or low == high else f"{first}-{last}"
