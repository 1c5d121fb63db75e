"""JSON and YAML text into values with the lines they stand on.

A file may hold one object, JSON lines, several YAML documents or a mixture. What cannot be read costs its own
document and nothing else. Depth, size and the growth through YAML aliases are bounded.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

#: A Kubernetes object is a dozen levels deep; libyaml's composer recurses on the C stack.
MAX_DEPTH = 100
#: Values after aliases are followed; a dump of a thousand nodes has about 300 000.
MAX_VALUES = 5_000_000
#: ``kubectl get nodes -o yaml`` of a thousand nodes is some 20 MB; YAML is read at about 1 MB/s.
MAX_YAML_BYTES = 64 * 1024 * 1024

#: Broken JSON values of one file that are skipped one by one; finding each place costs a pass over the text.
MAX_BROKEN = 1000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ITEMS_KEY = re.compile(r'"items"\s*:\s*\[')
_ITEMS = re.compile(r"\[")
_KIND = re.compile(r'"kind"\s*:\s*"(\w+)"')
_YAML_ITEM = re.compile(r"^(\s*)- ")
_SPACE = re.compile(r"\s*")
_SEPARATOR = re.compile(r"[\s,]*")
_JSON_START = re.compile(r"^[ \t]*[\[{]")


@dataclass(frozen=True)
class Item:
    """A value and the lines (0-based, last one included) it stands on."""

    value: Any
    first: int
    last: int


@dataclass(frozen=True)
class Document:
    """A document: its lines, its value or why there is none, and the places of the items of a list."""

    first: int
    last: int
    value: Any = None
    error: str | None = None
    detail: str = ""
    items: list[Item] = field(default_factory=list)
    broken_at: int = 0


class _TooMuchError(Exception):
    """A document that is too deep or too large once its aliases are followed."""


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
        whole = _yaml(lines, start, end)
        yield from [whole] if whole.error is None else _yaml_part(lines, start, end, whole)


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
            if not part and not found and not broken and (whole := _yaml(lines, start, end)).error is None:
                yield whole
                return
            broken += 1
            bad = max(place_of.line(place), first)
            if part:
                bad = max(part.last, first)
                yield Document(first, bad, part.value, items=part.items)
                first = bad + 1
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


def _depth_check(text: str) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH or count > MAX_VALUES:
            raise _TooMuchError(f"nested more than {MAX_DEPTH} deep or more than {MAX_VALUES} values")


def _size(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """Values below a node once aliases are followed."""
    if id(node) in above:
        raise _TooMuchError("an alias that holds itself")
    if id(node) not in known:
        children: list[yaml.Node] = []
        if isinstance(node, yaml.MappingNode):
            children = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            children = node.value
        known[id(node)] = 1 + sum(_size(child, known, above | {id(node)}) for child in children)
        if known[id(node)] > MAX_VALUES:
            raise _TooMuchError(f"more than {MAX_VALUES} values once aliases are followed")
    return known[id(node)]


def _value(node: yaml.Node) -> Any:
    """Plain value of a node; times and other tags stay text, so that everything can be written as JSON."""
    if isinstance(node, yaml.MappingNode):
        return {str(_value(key)): _value(item) for key, item in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_value(item) for item in node.value]
    text, tag = str(node.value), node.tag.rpartition(":")[2]
    if tag == "null":
        return None
    if tag == "bool":
        return text.lower() in ("true", "yes", "on")
    if tag in ("int", "float"):
        try:
            return int(text) if tag == "int" else float(text)
        except ValueError:
            return text
    return text


def _yaml(lines: list[str], start: int, end: int) -> Document:
    text = "\n".join(lines[start:end])
    if len(text) > MAX_YAML_BYTES:
        return Document(start, end - 1, error="too_large", detail=f"{len(text)} characters of YAML in one document")
    try:
        _depth_check(text)
        node = yaml.compose(text, Loader=_Loader)
        if node is None:
            return Document(start, end - 1)
        _size(node, {}, set())
        return Document(start, end - 1, _value(node), items=_yaml_items(node, start))
    except _TooMuchError as error:
        return Document(start, end - 1, error="too_large", detail=str(error))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        at = start + mark.line if mark else start
        detail = f"{getattr(error, 'problem', None) or error}" + (f" at line {at + 1}" if mark else "")
        return Document(start, end - 1, error="yaml", detail=detail, broken_at=at)


def _yaml_part(lines: list[str], start: int, end: int, whole: Document) -> Iterator[Document]:
    """What stands before the item of a list in which a document is cut or broken, then the rest as an error."""
    if whole.error == "yaml":
        starts = [n for n in range(start, end) if _YAML_ITEM.match(lines[n])]
        outer = min((len(lines[n]) - len(lines[n].lstrip()) for n in starts), default=0)
        ends = [n for n in starts if n <= whole.broken_at and not lines[n][:outer].strip() and lines[n][outer] == "-"]
        for cut in reversed(ends[1:][-2:]):
            part = _yaml(lines, start, cut)
            if part.error is None:
                yield part
                yield replace(whole, first=cut)
                return
    yield whole


def _yaml_items(node: yaml.Node, start: int) -> list[Item]:
    sequence = node
    if isinstance(node, yaml.MappingNode):
        sequence = next((item for key, item in node.value if key.value == "items"), node)
    if not isinstance(sequence, yaml.SequenceNode):
        return []
    out = []
    for item in sequence.value:
        ends_above = item.end_mark.column == 0 and item.end_mark.line > item.start_mark.line
        last = item.end_mark.line - (1 if ends_above else 0)
        out.append(Item(_value(item), start + item.start_mark.line, start + last))
    return out
