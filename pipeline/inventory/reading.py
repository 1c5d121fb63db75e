"""JSON and YAML text into values with the lines they stand on.

A file may hold one object, JSON lines, several YAML documents or a mixture. What cannot be read costs its own
document and nothing else. Depth, size and the growth through YAML aliases are bounded.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from pipeline.inventory.yaml_reading import Document, Item, read_yaml, whole_items

#: Broken JSON values of one file that are skipped one by one; finding each place costs a pass over the text.
MAX_BROKEN = 1000

_ITEMS_KEY = re.compile(r'"items"\s*:\s*\[')
_ITEMS = re.compile(r"\[")
_KIND = re.compile(r'"kind"\s*:\s*"(\w+)"')
_SPACE = re.compile(r"\s*")
_SEPARATOR = re.compile(r"[\s,]*")
_JSON_START = re.compile(r"^[ \t]*[\[{]")


def read(lines: list[str]) -> Iterator[Document]:
    """Documents of a file, in order, that together cover every line."""
    start = 0
    for i in range(1, len(lines) + 1):
        if i < len(lines) and not lines[i].startswith("---"):
            continue
        yield from _chunk(lines, start, i)
        start = i


def _chunk(lines: list[str], start: int, end: int) -> Iterator[Document]:
    body = next((n for n in range(start, end) if _content(lines[n])), None)
    if body is None:
        if end > start:
            yield Document(start, end - 1)
        return
    if _JSON_START.match(lines[body].removeprefix("---")):
        yield from _json_values(lines, start, body, end)
    else:
        whole = read_yaml(lines, start, end)
        yield from [whole] if whole.error is None else whole_items(lines, start, end, whole)


def _content(line: str) -> bool:
    text = line.removeprefix("---").strip()
    return bool(text) and not text.startswith("#") and text != "..."


def _json_values(lines: list[str], start: int, body: int, end: int) -> Iterator[Document]:
    """One JSON value after another; after a broken one reading goes on at the next line that begins one."""
    text = "\n".join([lines[body].removeprefix("---"), *lines[body + 1 : end]])
    place_of = _Places(text, body)
    decoder = json.JSONDecoder()
    first, place, broken, found = start, 0, 0, 0
    while True:
        place = _end(_SPACE, text, place)
        if place >= len(text) or text.startswith("...", place):
            break
        try:
            value, stop = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            part = _json_part(text, place, place_of)
            if not part and not found and not broken and (whole := read_yaml(lines, start, end)).error is None:
                yield whole
                return
            broken += 1
            bad = max(place_of.line(place), first)
            if part:
                # the part may share its line with the value before it: its span is then empty
                yield Document(first, part.last, part.value, items=part.items)
                first, bad = max(first, part.last + 1), part.last
            again = end if broken > MAX_BROKEN else _next_start(lines, bad + 1, end)
            yield Document(first, again - 1, error="json", detail=str(error) or type(error).__name__)
            first = again
            if again == end:
                return
            place = place_of.start(again)
            continue
        found += 1
        last = place_of.line(stop - 1)
        if _end(_SPACE, text, stop) >= len(text):
            last = end - 1
        yield Document(first, last, value, items=_json_items(text, place, value, place_of))
        first, place = max(first, last + 1), stop
    if first < end:
        yield Document(first, end - 1)


def _json_part(text: str, place: int, place_of: _Places) -> Document | None:
    """The whole items of a list that is cut or broken further on; None when there are none."""
    head = _ITEMS.match(text, place) if text[place] == "[" else _ITEMS_KEY.search(text, place)
    if head is None or '"items"' in text[place : head.start()]:
        return None
    decoder, items, at = json.JSONDecoder(), [], head.end()
    while True:
        at = _end(_SEPARATOR, text, at)
        try:
            value, stop = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        items.append(Item(value, place_of.line(at), place_of.line(stop - 1)))
        at = stop
    if not items:
        return None
    kind = _KIND.search(text, place, head.start())
    value = {"kind": kind[1] if kind else "List", "items": [item.value for item in items]}
    return Document(place_of.line(place), items[-1].last, value, items=items)


def _next_start(lines: list[str], at: int, end: int) -> int:
    return next((n for n in range(at, end) if lines[n].startswith(("{", "["))), end)


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() if match else place


class _Places:
    """Lines of the characters of a text whose first line has a given number, and the reverse."""

    def __init__(self, text: str, first: int) -> None:
        self.first = first
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def line(self, place: int) -> int:
        return self.first + bisect_right(self.starts, place) - 1

    def start(self, line: int) -> int:
        return self.starts[line - self.first]


def _json_items(text: str, begin: int, value: Any, place_of: _Places) -> list[Item]:
    """Places of the elements of ``items``; empty when they cannot be told."""
    elements = value.get("items") if isinstance(value, dict) else value if isinstance(value, list) else None
    if not isinstance(elements, list) or not elements:
        return []
    decoder = json.JSONDecoder()
    head = (_ITEMS_KEY if isinstance(value, dict) else _ITEMS).search(text, begin)
    out: list[Item] = []
    place = head.end() if head else len(text)
    for element in elements:
        place = _end(_SEPARATOR, text, place)
        try:
            found, stop = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            return []
        if found != element:
            return []
        out.append(Item(element, place_of.line(place), place_of.line(stop - 1)))
        place = stop
    return out
