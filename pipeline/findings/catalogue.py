"""Causes as data: ``causes/*.toml``, read once and checked.

A cause says to which kind of incident it applies, which signals speak for and against it and how much, what
would refute it, which other causes look the same, and what to do. Nothing in Python knows a cause by name.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import RulesetError
from pipeline.findings.signals import SIGNALS, parameters

FOLDER = Path(__file__).parent / "causes"
KINDS = frozenset({"session", "planned", "record", "missing"})
ROLES = frozenset({"required", "supports", "contradicts", "context"})
SEVERITIES = frozenset({"info", "warning", "error", "critical"})
UNDETERMINED = "undetermined"
_OWN = frozenset({"signal", "any", "role", "weight", "unseen", "text", "absent", "missing"})
_FIELDS = frozenset(
    {"id", "title", "severity", "applies_to", "categories", "summary", "remedy", "refuted_by", "look_alikes",
     "collect", "cite", "signals", "explains", "needs_both_ends", "severity_as"}
)  # fmt: skip


class Option(NamedTuple):
    """A signal and what it is asked; ``key`` is the same wherever the same is asked."""

    signal: str
    arguments: dict[str, Any]
    key: str


@dataclass(frozen=True, slots=True)
class Question:
    """One signal of a cause: what is asked, and what the answer is worth.

    ``weight`` in (0, 1] is how much a yes counts; ``unseen`` is the part of the confidence that is lost when
    nobody could look. ``text`` is the sentence for a yes, ``absent`` for a no, ``missing`` says what to collect.
    """

    options: tuple[Option, ...]
    role: str
    weight: float = 0.0
    unseen: float = 0.0
    text: str = ""
    absent: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of ``causes/*.toml``; sentences are templates over the fields that signals give."""

    id: str
    title: str
    severity: str
    applies_to: tuple[str, ...]
    questions: tuple[Question, ...]
    summary: tuple[str, ...] = ()
    remedy: tuple[str, ...] = ()
    refuted_by: str = ""
    look_alikes: tuple[str, ...] = ()
    collect: tuple[str, ...] = ()
    cite: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    needs_both_ends: bool = True
    severity_as: tuple[tuple[str, str], ...] = ()

    def severity_of(self, kind: str) -> str:
        """The severity in an incident of this kind: what is harmless as planned work may be a fault by itself."""
        return dict(self.severity_as).get(kind, self.severity)


@dataclass(frozen=True)
class Catalogue:
    """All causes, by id, and the content hash of their files."""

    causes: dict[str, Cause] = field(default_factory=dict)
    version: str = ""

    @cached_property
    def patterns(self) -> frozenset[str]:
        """All patterns that causes look for in records."""
        return frozenset(str(told["pattern"]) for told in self._asked("record") if told.get("pattern"))

    @cached_property
    def record_categories(self) -> frozenset[str]:
        """All categories of which causes look for records, whatever these say."""
        return frozenset(
            name for told in self._asked("record") if told.get("categories") for name in told["categories"]
        )

    @cached_property
    def rules(self) -> frozenset[str]:
        """All rules of which causes count the lines."""
        return frozenset(str(told["rule"]) for told in self._asked("counted"))

    def _asked(self, signal: str) -> Iterator[dict[str, Any]]:
        for cause in self.causes.values():
            for question in cause.questions:
                yield from (option.arguments for option in question.options if option.signal == signal)


@cache
def load_catalogue(folder: Path = FOLDER) -> Catalogue:
    """Read and check every cause.

    Raises:
        RulesetError: a file that is not TOML, an unknown field, signal or parameter, a weight out of range,
            a cause without a required signal, or a look-alike that does not exist.
    """
    causes: dict[str, Cause] = {}
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.glob("*.toml")):
        content = path.read_bytes()
        digest.update(path.name.encode() + b"\0" + content)
        try:
            data = tomllib.loads(content.decode())
        except ValueError as exc:
            raise RulesetError(f"causes {path.name}: not TOML: {exc}") from exc
        for raw in data.get("cause", []):
            cause = _cause(path.name, raw)
            if cause.id in causes:
                raise RulesetError(f"causes {path.name}: cause {cause.id!r} stands twice; rename one")
            causes[cause.id] = cause
    for cause in causes.values():
        unknown = [name for name in cause.look_alikes if name not in causes]
        if unknown:
            raise RulesetError(f"cause {cause.id}: look-alike {unknown[0]!r} does not exist")
    if UNDETERMINED not in causes:
        raise RulesetError(f"causes: there must be one with the id {UNDETERMINED!r}")
    return Catalogue(causes, digest.hexdigest())


def _cause(file: str, raw: dict[str, Any]) -> Cause:
    name = str(raw.get("id", "?"))
    place = f"causes {file}: cause {name!r}"
    if not re.fullmatch(r"[a-z0-9_]+", name):
        raise RulesetError(f"{place}: the id must be lower case words joined by _")
    unknown = set(raw) - _FIELDS
    if unknown:
        raise RulesetError(f"{place}: unknown field {min(unknown)!r}; known are {', '.join(sorted(_FIELDS))}")
    if raw.get("severity") not in SEVERITIES:
        raise RulesetError(f"{place}: severity must be one of {', '.join(sorted(SEVERITIES))}")
    kinds = tuple(raw.get("applies_to", ()))
    if not kinds or set(kinds) - KINDS:
        raise RulesetError(f"{place}: applies_to must name some of {', '.join(sorted(KINDS))}")
    severities = dict(raw.get("severity_as", {}))
    if set(severities) - KINDS or set(severities.values()) - SEVERITIES:
        raise RulesetError(f"{place}: severity_as must name kinds of incidents and severities")
    questions = tuple(_questions(place, raw.get("signals", [])))
    if name != UNDETERMINED and not any(q.role == "required" for q in questions):
        raise RulesetError(f"{place}: needs at least one signal with the role 'required'")
    texts = {key: tuple(raw.get(key, ())) for key in ("summary", "remedy", "look_alikes", "collect", "cite")}
    return Cause(
        name, str(raw.get("title", name)), raw["severity"], kinds, questions,
        refuted_by=str(raw.get("refuted_by", "")), categories=tuple(raw.get("categories", ())),
        explains=tuple(raw.get("explains", ())), needs_both_ends=bool(raw.get("needs_both_ends", True)),
        severity_as=tuple(sorted(severities.items())), **texts,
    )  # fmt: skip


def _questions(place: str, raw: list[dict[str, Any]]) -> Iterator[Question]:
    for entry in raw:
        options = tuple(_option(place, part) for part in entry.get("any", [entry]))
        role, weight, unseen = entry.get("role", "supports"), entry.get("weight", 0.0), entry.get("unseen", 0.0)
        if role not in ROLES:
            raise RulesetError(f"{place}: role {role!r} must be one of {', '.join(sorted(ROLES))}")
        if not 0 <= weight <= 1 or not 0 <= unseen < 1:
            raise RulesetError(f"{place}: weight must be in [0, 1] and unseen in [0, 1)")
        yield Question(
            options, role, float(weight), float(unseen), entry.get("text", ""), entry.get("absent", ""),
            entry.get("missing", ""),
        )  # fmt: skip


def _option(place: str, part: dict[str, Any]) -> Option:
    name = part.get("signal", "")
    if name not in SIGNALS:
        raise RulesetError(f"{place}: unknown signal {name!r}; known are {', '.join(sorted(SIGNALS))}")
    arguments = {key: value for key, value in part.items() if key not in _OWN}
    strange = set(arguments) - parameters(name)
    if strange:
        raise RulesetError(f"{place}: signal {name} has no parameter {min(strange)!r}")
    for key in ("pattern",):
        if key in arguments:
            try:
                re.compile(arguments[key])
            except re.error as exc:
                raise RulesetError(f"{place}: signal {name}: pattern does not compile: {exc}") from exc
    return Option(name, arguments, f"{name} {sorted(arguments.items())}")
