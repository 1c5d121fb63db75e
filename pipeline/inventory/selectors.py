"""Calico's selector language (``libcalico-go/lib/selector``).

``==``, ``!=``, ``in {…}``, ``not in {…}``, ``has(x)``, ``contains``, ``starts with``, ``ends with``,
``all()``, ``global()``, ``!``, ``&&``, ``||`` and parentheses, with either kind of quotes. ``&&`` binds more
tightly than ``||``. A missing label satisfies ``!=`` and ``not in`` only; the empty selector is ``all()``.
Whether an empty field of a resource means "all" or "none" is the resource's business, not this module's.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.errors import SelectorError

#: Deeper nesting than this is no selector a person wrote; the bound keeps hostile text off the stack.
MAX_DEPTH = 64
#: Kubernetes refuses larger objects long before; parsing stays linear below it.
MAX_CHARS = 64 * 1024

_NAME = re.compile(r"[A-Za-z0-9_./-]{1,512}")
_BLANKS = " \t\r\n"
_CALLS = ("has", "all", "global")


@dataclass(frozen=True)
class Selector(ABC):
    """A parsed selector. ``matches`` evaluates it; ``str`` gives text that parses to an equal selector."""

    @abstractmethod
    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""


@dataclass(frozen=True)
class All(Selector):
    """``all()`` or ``global()``: everything."""

    name: str = "all"

    def matches(self, labels: Mapping[str, str]) -> bool:  # noqa: ARG002
        """Always true."""
        return True

    def __str__(self) -> str:
        return f"{self.name}()"


@dataclass(frozen=True)
class Has(Selector):
    """``has(label)``."""

    label: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the label is there, whatever its value."""
        return self.label in labels

    def __str__(self) -> str:
        return f"has({self.label})"


@dataclass(frozen=True)
class Compare(Selector):
    """``label OP "value"`` with OP one of ``==``, ``!=``, ``contains``, ``starts with``, ``ends with``."""

    label: str
    op: str
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Compare the label's value; a missing label satisfies ``!=`` only."""
        have = labels.get(self.label)
        if have is None:
            return self.op == "!="
        return {
            "==": have == self.value,
            "!=": have != self.value,
            "contains": self.value in have,
            "starts with": have.startswith(self.value),
            "ends with": have.endswith(self.value),
        }[self.op]

    def __str__(self) -> str:
        return f"{self.label} {self.op} {_quote(self.value)}"


@dataclass(frozen=True)
class In(Selector):
    """``label in {…}``, or ``not in`` when ``negated``; the values are sorted and distinct."""

    label: str
    values: tuple[str, ...]
    negated: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the value is (not) one of the set; a missing label satisfies ``not in`` only."""
        have = labels.get(self.label)
        return (have is not None and have in self.values) is not self.negated

    def __str__(self) -> str:
        return f"{self.label} {'not in' if self.negated else 'in'} {{{', '.join(map(_quote, self.values))}}}"


@dataclass(frozen=True)
class Not(Selector):
    """``!operand``."""

    operand: Selector

    def matches(self, labels: Mapping[str, str]) -> bool:
        """The opposite of the operand."""
        return not self.operand.matches(labels)

    def __str__(self) -> str:
        return f"!{self.operand}" if isinstance(self.operand, Has | All | Not) else f"!({self.operand})"


@dataclass(frozen=True)
class Group(Selector):
    """Operands joined by ``&&`` or ``||``."""

    op: str
    operands: tuple[Selector, ...]

    def matches(self, labels: Mapping[str, str]) -> bool:
        """All of the operands for ``&&``, any of them for ``||``."""
        found = (operand.matches(labels) for operand in self.operands)
        return all(found) if self.op == "&&" else any(found)

    def __str__(self) -> str:
        return f" {self.op} ".join(f"({o})" if isinstance(o, Group) else str(o) for o in self.operands)


def _quote(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'


def parse(text: str) -> Selector:
    """Parse a selector; ``SelectorError`` shows the text with a caret below where it stops."""
    if len(text) > MAX_CHARS:
        raise SelectorError(f"selector of {len(text)} characters; at most {MAX_CHARS} are read")
    return _Parser(text).parse()


class _Parser:
    """Recursive descent over the text; ``at`` is the place of the next character."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0

    def parse(self) -> Selector:
        self.skip()
        if self.at == len(self.text):
            return All()
        found = self.any_of()
        if self.at != len(self.text):
            self.fail("expected &&, || or the end")
        return found

    def fail(self, why: str, at: int | None = None) -> None:
        where = min(self.at if at is None else at, len(self.text))
        start = max(0, where - 60)
        shown = re.sub(r"\s", " ", self.text[start : where + 40])
        raise SelectorError(f"selector: {why} at position {where + 1}\n  {shown}\n  {' ' * (where - start)}^")

    def skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _BLANKS:
            self.at += 1

    def take(self, token: str) -> bool:
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        self.skip()
        return True

    def need(self, token: str, why: str = "") -> None:
        if not self.take(token):
            self.fail(why or f"expected {token}")

    def any_of(self) -> Selector:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"nested more than {MAX_DEPTH} deep")
        operands = [self.all_of()]
        while self.take("||"):
            operands.append(self.all_of())
        self.depth -= 1
        return operands[0] if len(operands) == 1 else Group("||", tuple(operands))

    def all_of(self) -> Selector:
        operands = [self.operation()]
        while self.take("&&"):
            operands.append(self.operation())
        return operands[0] if len(operands) == 1 else Group("&&", tuple(operands))

    def operation(self) -> Selector:
        negated = 0
        while not self.text.startswith("!=", self.at) and self.take("!"):
            negated += 1
        if negated > MAX_DEPTH:
            self.fail(f"negated more than {MAX_DEPTH} times")
        found = self.parenthesis() if self.take("(") else self.predicate()
        for _ in range(negated):
            found = Not(found)
        return found

    def parenthesis(self) -> Selector:
        found = self.any_of()
        self.need(")")
        return found

    def name(self) -> str:
        match = _NAME.match(self.text, self.at)
        if not match:
            self.fail("expected a label")
            raise AssertionError("unreachable")
        self.at = match.end()
        return match[0]

    def predicate(self) -> Selector:
        label = self.name()
        if label in _CALLS and self.text.startswith("(", self.at):
            return self.call(label)
        self.skip()
        start = self.at
        for op in ("==", "!=", "contains"):
            if self.take(op):
                return Compare(label, op, self.literal())
        for word in ("starts", "ends"):
            if self.take(word):
                self.need("with", f"expected 'with' after '{word}'")
                return Compare(label, f"{word} with", self.literal())
        negated = self.take("not")
        if self.take("in"):
            return self.members(label, negated)
        self.fail(f"expected an operator after label '{label}'", start)
        raise AssertionError("unreachable")

    def call(self, name: str) -> Selector:
        self.take("(")
        found: Selector = All(name)
        if name == "has":
            found = Has(self.name())
            self.skip()
        self.need(")", f"expected ) to close {name}(")
        return found

    def members(self, label: str, negated: bool) -> Selector:
        self.need("{", "expected { to begin the set")
        values: list[str] = []
        while not self.take("}"):  # a comma before the closing brace is allowed upstream as well
            values.append(self.literal())
            if not self.take(","):
                self.need("}", "expected , or } in the set")
                break
        return In(label, tuple(sorted(set(values))), negated)

    def literal(self) -> str:
        quote = self.text[self.at : self.at + 1]
        if quote not in ("'", '"'):
            self.fail("expected a quoted value")
        end = self.text.find(quote, self.at + 1)
        if end < 0:
            self.fail("this string does not end")
        value = self.text[self.at + 1 : end]
        self.at = end + 1
        self.skip()
        return value
