"""Macros of the rule patterns, in their two forms: for the body of a record and for its shape."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.errors import RulesetError

_USE = re.compile(r"\{([A-Z][A-Z0-9_]*)\}")
_GROUP = re.compile(r"\(\?P<([a-z_][a-z0-9_]*)>")
_WORD = re.compile(r"[A-Za-z_]+[0-9][0-9A-Za-z_]*")


@dataclass(frozen=True, slots=True)
class Macros:
    """The table of macros: name -> form."""

    body: dict[str, str]
    shape: dict[str, str]

    @classmethod
    def of(cls, table: dict[str, dict[str, str]], file: str) -> Macros:
        """Read the table of ``macros.toml``; RulesetError names a macro that lacks a form."""
        for name, forms in table.items():
            if set(forms) != {"body", "shape"}:
                raise RulesetError(f"{file}: macro {name} must have exactly the forms 'body' and 'shape'")
        return cls(
            body={name: forms["body"] for name, forms in table.items()},
            shape={name: forms["shape"] for name, forms in table.items()},
        )

    def for_body(self, pattern: str) -> str:
        """The pattern that takes fields out of a body."""
        return "(?s)" + _USE.sub(lambda m: self.body[m[1]], _first_line(pattern))

    def for_shape(self, pattern: str) -> str:
        """The pattern that is matched against a shape."""
        return "(?s)" + _USE.sub(lambda m: self.shape[m[1]], _first_line(pattern))

    def unknown(self, pattern: str) -> list[str]:
        """Macros that the pattern uses and the table lacks."""
        return [name for name in _USE.findall(pattern) if name not in self.body]


def _first_line(pattern: str) -> str:
    """A record may have further lines (a stack, a table, advice); the end of its first one is an end too."""
    return pattern[:-1] + r"(?:\n.*)?$" if pattern.endswith("$") else pattern


def group_names(body_pattern: str) -> tuple[str, ...]:
    """Named groups of an expanded pattern, in order, each once."""
    return tuple(dict.fromkeys(_GROUP.findall(body_pattern)))


def literal_text(pattern: str) -> str:
    """What is left of a pattern without macros, group names and escapes: its literal characters."""
    return _GROUP.sub("(", _USE.sub(" ", pattern)).replace("\\", "")


def literal_words(pattern: str) -> set[str]:
    """Words with a digit that a pattern demands literally (``MD5``, ``IPv4``); the shape must keep them."""
    return set(_WORD.findall(literal_text(pattern)))
