"""Physical lines of a console source with their places."""

from __future__ import annotations

import re
from typing import NamedTuple

from pipeline.status.model import Reject

#: A console row is a few hundred bytes; a longer line is a file of another kind, not a row worth keeping.
MAX_LINE_BYTES = 256 * 1024

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]{0,16}[A-Za-z]|[()][A-Z0-9]|[=>])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Line(NamedTuple):
    """A physical line: cleaned text, byte offset in the source, byte length without the terminator.

    ``bare`` is the text without surrounding blanks; every reader asks for it, so it is made once.
    """

    text: str
    offset: int
    length: int
    bare: str


def clean(raw: bytes) -> str:
    """Text of one line: UTF-8 with replacement, without terminal colours and control characters."""
    text = raw.decode("utf-8", "replace")
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    return _CONTROL.sub("", text).removeprefix("\ufeff").rstrip()


def split_lines(data: bytes, max_bytes: int = MAX_LINE_BYTES) -> tuple[list[Line], list[Reject]]:
    """Split at ``\\n``. Lines that are binary or longer than ``max_bytes`` become rejects."""
    lines: list[Line] = []
    rejects: list[Reject] = []
    offset = 0
    pieces = data.split(b"\n")
    if pieces and not pieces[-1]:
        pieces.pop()
    for piece in pieces:
        if len(piece) > max_bytes:
            detail = f"{len(piece)} bytes in one line, at most {max_bytes} are read"
            rejects.append(Reject(offset, len(piece), 1, "line_too_long", detail))
        elif b"\x00" in piece:
            rejects.append(Reject(offset, len(piece), 1, "not_text", "the line holds NUL bytes"))
        else:
            text = clean(piece)
            lines.append(Line(text, offset, len(piece), text.strip()))
        offset += len(piece) + 1
    return lines, rejects
