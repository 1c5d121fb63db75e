"""The inventory as it was each time that it was collected, from resources that may come in any pieces.

A collection is what was read within a few minutes, until a resource comes again. A collection that lists a kind
(nearly) whole replaces what was known of it, so that what was deleted is gone; one that asked for single resources
only renews these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import polars as pl

KINDS = ("Node", "BGPPeer", "BGPConfiguration")
COLLECTING = timedelta(minutes=10)
"""The commands of one collection follow each other within seconds; of a large cluster it takes minutes."""
Bodies = dict[str, list[dict[str, Any]]]
_Kind = tuple[str, str]


def inventory_versions(resources: pl.DataFrame) -> list[tuple[datetime | None, Bodies]]:
    """What was known after each collection, with its time: the first that completed it. In order of time.

    Neighbours between which nothing changed hold the same object. Resources without a time belong to the first
    collection; the only one has no time when none of them does.
    """
    known: dict[_Kind, dict[str, str]] = {}
    parsed: dict[str, dict[str, Any] | None] = {}
    found: list[tuple[datetime | None, Bodies]] = []
    for moment, listed in _collections(resources, parsed):
        changed = False
        for kind, texts in listed.items():
            before = known.get(kind, {})
            after = texts if 2 * len(texts) >= len(before) else {**before, **texts}
            changed |= after != before
            known[kind] = after
        found.append((moment, _bodies(known, parsed) if changed or not found else found[-1][1]))
    return found


def _collections(
    resources: pl.DataFrame, parsed: dict[str, dict[str, Any] | None]
) -> Iterator[tuple[datetime | None, dict[_Kind, dict[str, str]]]]:
    wanted = resources.filter(pl.col("kind").is_in(KINDS) & pl.col("body").is_not_null()).sort(
        "observed_at", "source_path", "byte_offset", nulls_last=False
    )
    listed: dict[_Kind, dict[str, str]] = {}
    last: datetime | None = None
    names: set[tuple[_Kind, str]] = set()
    for kind, name, moment, text in wanted.select("kind", "name", "observed_at", "body").iter_rows():
        body = parsed[text] if text in parsed else parsed.setdefault(text, _parsed(text))
        if body is None:
            continue
        key = (kind, str(body.get("apiVersion", "")).split("/")[0])
        again = moment != last and (key, name) in names
        if last is not None and (again or moment - last > COLLECTING):
            yield last, listed
            listed, names = {}, set()
        listed.setdefault(key, {})[name] = text
        if moment is not None:
            # what has no time may be named again by the first collection, which knows better
            names.add((key, name))
            last = moment
    if listed:
        yield last, listed


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        body = json.loads(text)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _bodies(known: dict[_Kind, dict[str, str]], parsed: dict[str, dict[str, Any] | None]) -> Bodies:
    found: Bodies = {kind: [] for kind in KINDS}
    for (kind, _), texts in known.items():
        found[kind] += [body for text in texts.values() if (body := parsed[text]) is not None]
    return found
