"""Text from outside on its way to a browser: it stays text.

Log text is shown in code blocks and table cells only. Names that must stand inside a sentence (a cluster, a
node, a title) go through ``md``, which leaves nothing for a markdown reader to act on.
"""

from __future__ import annotations

import re

from pipeline.text import printable

_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&^=@/\"'])")


def md(text: object) -> str:
    """``text`` in one line, with every mark escaped; words that would become a link by themselves are broken."""
    line = printable(str(text).replace("\n", " "))
    return _MARKS.sub(r"\\\1", re.sub(r"(?i)(www|https?|mailto|xmpp)(?=[.:])", "\\1\u2060", line))


def code(text: str) -> str:
    """Log text for a code block: line ends stay, every other control or formatting character is an escape."""
    return "\n".join(printable(line) for line in text.split("\n"))
