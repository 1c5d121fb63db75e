"""YAML text into values with the lines they stand on.

libyaml is fast and recurses on the C stack, and a few aliases can stand for billions of values; depth, size and
growth are bounded before anything is built.
"""

from __future__ import annotations

import re
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

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_YAML_ITEM = re.compile(r"^(\s*)- ")


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


def read_yaml(lines: list[str], start: int, end: int) -> Document:
    """The document on the lines from ``start`` up to ``end`` (not included)."""
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


def whole_items(lines: list[str], start: int, end: int, whole: Document) -> Iterator[Document]:
    """What stands before the item of a list in which a document is cut or broken, then the rest as an error."""
    if whole.error == "yaml":
        starts = [n for n in range(start, end) if _YAML_ITEM.match(lines[n])]
        outer = min((len(lines[n]) - len(lines[n].lstrip()) for n in starts), default=0)
        ends = [n for n in starts if n <= whole.broken_at and not lines[n][:outer].strip() and lines[n][outer] == "-"]
        for cut in reversed(ends[1:][-2:]):
            part = read_yaml(lines, start, cut)
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
