"""The saved questions of ``sql/library``: plain SQL with a header that says what it answers and takes.

    -- question: Which sessions are not up now?
    -- parameters:
    --   cluster text * only this cluster (* for all)

A parameter line is name, type (text, integer, number or time), default (``none`` for null) and meaning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError
from pipeline.warehouse.sqlfiles import sql_dir

_QUESTION = re.compile(r"^-- question: (.+)$", re.MULTILINE)
_PARAMETER = re.compile(r"^--   (\w+) (text|integer|number|time) (\S+) (.+)$", re.MULTILINE)
_NAME = re.compile(r"^\w+$")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a saved question; ``default`` is as written in the file."""

    name: str
    kind: str
    default: str
    meaning: str

    def convert(self, text: str) -> str | int | float | datetime | None:
        """The value that ``text`` means; a time without a zone is UTC.

        Raises:
            UsageError: ``text`` is not of this type.
        """
        if text == "none":
            return None
        try:
            if self.kind == "integer":
                return int(text)
            if self.kind == "number":
                return float(text)
            if self.kind == "time":
                moment = datetime.fromisoformat(text)
                return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        except ValueError as exc:
            raise UsageError(f"parameter {self.name}: {text!r} is no {self.kind} ({self.meaning})") from exc
        return text


@dataclass(frozen=True)
class SavedQuery:
    """A file of the library."""

    name: str
    question: str
    parameters: tuple[Parameter, ...]
    sql: str

    def bind(self, given: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
        """The statement and the typed values of all its parameters; those not in ``given`` have their default.

        Raises:
            UsageError: a name the question does not have, or a value of another type.
        """
        names = [parameter.name for parameter in self.parameters]
        if unknown := [name for name in given if name not in names]:
            has = ", ".join(names) or "none"
            raise UsageError(f"question {self.name} has no parameter {unknown[0]!r}; it has: {has}")
        return self.sql, {p.name: p.convert(given.get(p.name, p.default)) for p in self.parameters}


def load_library() -> dict[str, SavedQuery]:
    """All saved questions by name, sorted."""
    files = sorted((sql_dir() / "library").glob("*.sql"))
    return {path.stem: _read(path) for path in files}


def question(name: str) -> SavedQuery:
    """The saved question ``name``.

    Raises:
        UsageError: there is none of that name; the message lists them.
    """
    path = sql_dir() / "library" / f"{name}.sql"
    # The name becomes a path: letters, digits and underscores only.
    if not _NAME.match(name) or not path.is_file():
        raise UsageError(f"no saved question {name!r}; there are: {', '.join(load_library())}")
    return _read(path)


def _read(path: Path) -> SavedQuery:
    text = path.read_text(encoding="utf-8")
    asked = _QUESTION.search(text)
    if asked is None:
        raise UsageError(f"{path}: the header has no line `-- question: …`")
    parameters = tuple(Parameter(*match.groups()) for match in _PARAMETER.finditer(text))
    return SavedQuery(path.stem, asked[1].strip(), parameters, text)
