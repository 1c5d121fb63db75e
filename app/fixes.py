"""What later Calico releases fixed in BGP and readiness, compared with the versions in use."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

_FILE = Path(__file__).with_name("fixes.toml")
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
Release = tuple[int, int, int]


@cache
def known() -> tuple[dict[str, Any], ...]:
    """The fixes: ``in`` (first release of each line that has it), ``what``, ``cite``, perhaps ``since``."""
    return tuple(tomllib.loads(_FILE.read_text(encoding="utf-8"))["fix"])


def release(version: str) -> Release | None:
    """The three numbers of a version; None when it has none."""
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def has(version: Release, fixed_in: Sequence[Release]) -> bool:
    """Whether a version has a fix that came with these releases.

    A line of releases that is not named has it when it is younger than all that are, or lies above the oldest first
    release (``x.y.0``) that has it.
    """
    same = [fixed for fixed in fixed_in if fixed[:2] == version[:2]]
    if same:
        return version >= min(same)
    return version > max(fixed_in)


def open_in(versions: Iterable[str]) -> pl.DataFrame:
    """Fixes that a version in use does not have (version, what, fixed_in, cite), a row for each."""
    rows = []
    for text in sorted(set(versions)):
        version = release(text)
        if version is None:
            continue
        for fix in known():
            fixed_in = [found for name in fix["in"] if (found := release(name))]
            since = release(fix.get("since", "0.0.0")) or (0, 0, 0)
            if version >= since and not has(version, fixed_in):
                rows.append(
                    {"calico_version": text, "what": fix["what"], "fixed_in": ", ".join(fix["in"]), "cite": fix["cite"]}
                )
    return pl.DataFrame(
        rows, schema={"calico_version": pl.String, "what": pl.String, "fixed_in": pl.String, "cite": pl.String}
    )
