"""Secrets that reach over several lines of a log: private keys, and data of a Secret printed as YAML.

Line by line nothing tells such a line from any other, so it is done here, while the lines still stand in their
order; what one line shows by itself is left to ``pipeline.redact``. Only sources that hold a key's or a Secret's
head are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from pipeline.redact import MARK, redact

#: A key of 16,384 bits is some 200 lines.
MAX_KEY_LINES = 250

# plain texts: they are looked for in every line, and a pattern would cost more than all the rest
_HEADS = [
    "PRIVATE KEY-----", "kind: Secret", 'kind: "Secret', "kind: 'Secret", '"kind": "Secret', '"kind":"Secret',
    '\\"kind\\":\\"Secret', '\\"kind\\": \\"Secret',
]  # fmt: skip
_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_KEY_BODY = re.compile(r"^\s*(?:[A-Za-z0-9+/=]*|(?:Proc-Type|DEK-Info|Comment): .*)\s*$")
_SECRET = re.compile(r"""^\s*(?:- )?["']?kind["']?\s*:\s*["']?Secret(?:List)?["']?\s*$""")
_DATA = re.compile(r"""^(\s*(?:- )?)["']?(?:data|stringData)["']?\s*:\s*$""")
_PAIR = re.compile(r"""^(\s*["']?[\w.\-]{1,253}["']?\s*:).*$""")


def holds_blocks(lines: pl.Series) -> bool:
    """Whether any of the lines may begin a key or name a Secret."""
    return bool(lines.str.contains_any(_HEADS).any())


def hide_blocks(frame: pl.DataFrame) -> pl.DataFrame:
    """Takes keys and data of Secrets out of ``rest``; the frame has a row for each line of its sources, in order."""
    heads = frame.filter(pl.col("rest").str.contains_any(_HEADS))
    if heads.is_empty():
        return frame
    concerned = pl.col("src").is_in(heads["src"].unique().to_list())
    lines = frame.filter(concerned).with_row_index("__row")
    rests = lines["rest"].to_list()
    for rows in lines.group_by("src", "stream", maintain_order=True).agg("__row")["__row"]:
        places = rows.to_list()
        for place, text in zip(places, hidden([rests[place] for place in places]), strict=True):
            rests[place] = text
    clean = lines.drop("__row").with_columns(rest=pl.Series(rests, dtype=pl.String))
    return pl.concat([frame.filter(~concerned), clean.select(frame.columns)]).sort("src", "offset")


def hidden(lines: Sequence[str]) -> list[str]:
    """The lines of one source without keys and data of Secrets; as many as before."""
    out: list[str] = []
    key_lines = 0
    indent: int | None = None
    # the kind may stand below the data, so it is looked for everywhere
    holds_secret = any(_SECRET.match(line) for line in lines)
    for line in lines:
        if "\n" in line:
            out.append(redact(line))
            continue
        if "\\n" in line and "kind:" in line:
            # a manifest that was quoted into one line
            out.append(redact(line.replace("\\n", "\n")).replace("\n", "\\n"))
            continue
        begins = _KEY.search(line)
        if begins or (key_lines and (_KEY_BODY.match(line) or _KEY_END.search(line))):
            out.append(line[: begins.start()] + MARK if begins else MARK)
            ended = _KEY_END.search(line) or key_lines >= MAX_KEY_LINES
            key_lines = 0 if ended else key_lines + 1
            continue
        key_lines = 0
        text, indent = _of_secret(line, indent) if holds_secret else (line, None)
        out.append(text)
    return out


def _of_secret(line: str, indent: int | None) -> tuple[str, int | None]:
    """The line without a Secret's value, and the indent of the ``data:`` it stands below (None: below none)."""
    data = _DATA.match(line)
    if data:
        return line, len(data[1])
    depth = len(line) - len(line.lstrip())
    if indent is None or line.startswith("---") or (line.strip() and depth <= indent):
        return line, None
    if not line.strip():
        return line, indent
    pair = _PAIR.match(line)
    return (f"{pair[1]} {MARK}" if pair else " " * depth + MARK), indent
