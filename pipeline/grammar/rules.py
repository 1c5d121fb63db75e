"""Reading the grammar's data files and refusing data that contradicts itself.

Every refusal is one RulesetError that names the file, the rule and what to do about it.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.errors import RulesetError
from pipeline.grammar.fields import places
from pipeline.grammar.macros import Macros, group_names, literal_text, literal_words
from pipeline.grammar.model import LEVELS, SEVERITIES, UNCLASSIFIED, Category, Example, Rule, Session
from pipeline.grammar.shape import Shaper

BUILT_IN = Path(__file__).parent

_ID = re.compile(r"^[a-z][a-z0-9]*(?:-[a-z]+)?\.[a-z0-9_]+$")
_DIGIT = re.compile(r"\d")
_CLASS = re.compile(r"\[[^\]]*\]")
_REQUIRED = ("id", "in", "pattern", "category", "meaning", "examples")
_KEYS = {*_REQUIRED, "severity", "level", "component", "cite", "session"}


@dataclass(frozen=True, slots=True)
class Grammar:
    """All data of the grammar; ``families`` maps a family to the positions of its rules, in order."""

    version: str
    categories: dict[str, Category]
    macros: Macros
    shaper: Shaper
    rules: tuple[Rule, ...]
    families: dict[str, tuple[int, ...]]


def read_grammar(folder: Path = BUILT_IN) -> Grammar:
    """Read ``categories.toml``, ``macros.toml``, ``shape.toml`` and ``rules/`` of a folder.

    Raises RulesetError: a file is missing or no TOML, an id or category is wrong or used twice, a pattern
    cannot be compiled or demands digits that its shape has lost.
    """
    categories = _categories(_toml(folder / "categories.toml"), "categories.toml")
    macros = Macros.of(_toml(folder / "macros.toml"), "macros.toml")
    index = _toml(folder / "rules" / "index.toml")
    kept = _toml(folder / "shape.toml")
    rules: list[Rule] = []
    for name in index["order"]:
        table = _toml(folder / "rules" / f"{name}.toml")
        for position, entry in enumerate(table.get("rule", [])):
            rules.append(_rule(entry, f"rules/{name}.toml", position, categories, macros, index["families"]))
    _check_ids(rules)
    words = set(kept["words"]) | {prefix + code for prefix in kept["code_prefixes"] for code in kept["codes"]}
    for rule in rules:
        words |= literal_words(rule.pattern)
    shaper = Shaper.of(words, kept["prefixes"])
    for rule in rules:
        _check_digits(rule, words)
    families = {name: _order(name, index["families"], rules) for name in index["families"]}
    if folder != BUILT_IN:
        # The tests compile the built-in patterns; doing it at each start would take longer than the rest.
        compile_patterns(rules)
    return Grammar(grammar_version(folder), categories, macros, shaper, tuple(rules), families)


def grammar_version(folder: Path = BUILT_IN) -> str:
    """Hash of the content of all data files of a folder; of these, only the list of rules is read for what it says.

    Raises RulesetError: a file is missing, or the list is no TOML.
    """
    digest = hashlib.blake2b(digest_size=8)
    rules = [f"rules/{name}.toml" for name in _toml(folder / "rules" / "index.toml")["order"]]
    for file in ("categories.toml", "macros.toml", "rules/index.toml", "shape.toml", *rules):
        digest.update(_bytes(folder / file))
    return digest.hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RulesetError(
            f"{path}: cannot be read ({error.strerror}); add the file or correct rules/index.toml"
        ) from error


def _toml(path: Path) -> dict[str, Any]:
    raw = _bytes(path)
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulesetError(f"{path}: not TOML: {error}; correct the file") from error


def _categories(table: dict[str, Any], file: str) -> dict[str, Category]:
    found: dict[str, Category] = {}
    for name, entry in table.items():
        try:
            category = Category(name, str(entry["definition"]), str(entry["severity"]), bool(entry["is_failure"]))
        except (KeyError, TypeError) as error:
            raise RulesetError(
                f"{file}: category {name} lacks {error}; give definition, severity, is_failure"
            ) from error
        if category.severity not in SEVERITIES:
            raise RulesetError(f"{file}: category {name}: severity must be one of {', '.join(SEVERITIES)}")
        found[name] = category
    if UNCLASSIFIED not in found:
        raise RulesetError(f"{file}: category {UNCLASSIFIED} is missing; add it")
    return found


def _rule(
    entry: dict[str, Any],
    file: str,
    position: int,
    categories: dict[str, Category],
    macros: Macros,
    families: dict[str, list[str]],
) -> Rule:
    where = f"{file}: rule {entry.get('id', f'number {position + 1}')}"
    missing = [key for key in _REQUIRED if not entry.get(key)]
    if missing:
        raise RulesetError(f"{where}: lacks {', '.join(missing)}; every rule states these")
    if surplus := sorted(set(entry) - _KEYS):
        raise RulesetError(f"{where}: unknown key {', '.join(surplus)}; allowed: {', '.join(sorted(_KEYS))}")
    if not _ID.match(entry["id"]):
        raise RulesetError(f"{where}: the id must look like family.name in lower case")
    category = categories.get(entry["category"])
    if category is None or category.id == UNCLASSIFIED:
        raise RulesetError(f"{where}: category {entry['category']} is not usable; use one of categories.toml")
    severity, level = entry.get("severity", category.severity), entry.get("level")
    if severity not in SEVERITIES or (level is not None and level not in LEVELS):
        raise RulesetError(f"{where}: severity must be one of {SEVERITIES}, level one of {LEVELS}")
    if unknown := [name for name in entry["in"] if name not in families]:
        raise RulesetError(f"{where}: family {', '.join(unknown)} is not in rules/index.toml; add it there")
    if unknown := macros.unknown(entry["pattern"]):
        raise RulesetError(f"{where}: macro {', '.join(unknown)} is not in macros.toml; add it there")
    body = macros.for_body(entry["pattern"])
    shape = macros.for_shape(entry["pattern"])
    groups = group_names(body)
    session = _session(entry.get("session"), groups, where)
    return Rule(
        id=entry["id"],
        file=file,
        families=tuple(entry["in"]),
        pattern=entry["pattern"],
        shape_pattern=shape,
        body_pattern=body,
        groups=groups,
        category=category.id,
        severity=severity,
        level=level,
        component=entry.get("component"),
        meaning=entry["meaning"],
        cite=entry.get("cite"),
        session=session,
        examples=tuple(_example(example, entry["in"][0], where) for example in entry["examples"]),
    )


def compile_patterns(rules: Iterable[Rule]) -> None:
    """Raise RulesetError for the first pattern that is no regular expression of Polars' dialect."""
    for rule in rules:
        try:
            pl.Series([""]).str.contains(rule.shape_pattern)
            pl.Series([""]).str.contains(rule.body_pattern)
        except pl.exceptions.PolarsError as error:
            raise RulesetError(
                f"{rule.file}: rule {rule.id}: the pattern is no regular expression of the Rust dialect: {error}"
            ) from error


def _session(entry: dict[str, str] | None, groups: tuple[str, ...], where: str) -> Session | None:
    given = dict(entry or {})
    for name in ("state", "bgp_state", "last_error"):
        if name in groups:
            given.setdefault(name, f"{{{name}}}")
    if not given:
        return None
    if surplus := set(given) - {"state", "bgp_state", "last_error", "unless"}:
        raise RulesetError(f"{where}: session has unknown {', '.join(sorted(surplus))}")
    named = [place for text in given.values() for place in places(text)] + [given.get("unless", "")]
    if lost := [name for name in named if name and name not in groups]:
        raise RulesetError(f"{where}: session names {', '.join(lost)}, no group of the pattern; add the group")
    return Session(**given)


def _example(entry: str | dict[str, str], family: str, where: str) -> Example:
    if isinstance(entry, str):
        return Example(entry, family)
    rest = dict(entry)
    line = rest.pop("line", "")
    if not line:
        raise RulesetError(f"{where}: an example lacks its line")
    return Example(line, rest.pop("in", family), rest)


def _check_ids(rules: list[Rule]) -> None:
    seen: dict[str, Rule] = {}
    for rule in rules:
        other = seen.setdefault(rule.id, rule)
        if other is not rule:
            raise RulesetError(f"{rule.file}: rule {rule.id}: a rule of {other.file} has this id; rename one")


def _check_digits(rule: Rule, words: set[str]) -> None:
    """A digit that a pattern demands must survive in the shape; a class of digits must be a macro."""
    text = literal_text(rule.pattern)
    classes = [cls for cls in _CLASS.findall(rule.pattern) if "^" not in cls]
    bad_class = any(_DIGIT.search(cls) for cls in classes)
    if _DIGIT.search(text):
        for word in sorted(words, key=len, reverse=True):
            text = text.replace(word, " ")
    if bad_class or "\\d" in rule.pattern or _DIGIT.search(text):
        raise RulesetError(
            f"{rule.file}: rule {rule.id}: the pattern demands digits that a shape does not keep; "
            "write a macro ({NUM}, {ADDR}, ...) or protect the word in shape.toml"
        )


def _order(family: str, families: dict[str, list[str]], rules: list[Rule]) -> tuple[int, ...]:
    """Positions of the rules a family tries: its own first, then those of the families it includes."""
    wanted, seen = [family], {family}
    for name in wanted:
        for other in families[name]:
            if other not in seen:
                seen.add(other)
                wanted.append(other)
    order: dict[int, None] = {}
    for name in wanted:
        for position, rule in enumerate(rules):
            if name in rule.families:
                order.setdefault(position)
    return tuple(order)
