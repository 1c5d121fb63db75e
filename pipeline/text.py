"""Text from outside, made safe to show: log lines may hold what steers a terminal."""

from __future__ import annotations

import unicodedata

# control, formatting, surrogate, private and unassigned characters, and Unicode's line separators
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def printable(text: str) -> str:
    """``text`` with every control, formatting and unassigned character as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(char) if unicodedata.category(char) in _UNSAFE else char for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii") if char != "\n" else "⏎"
