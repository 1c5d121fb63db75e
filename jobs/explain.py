"""``peerscope explain``: every stage that a line goes through, and what each made of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from jobs.console import Context, print_data, print_json, printable
from pipeline.engines.explain import explain_bytes
from pipeline.errors import InputError, UsageError


def explain(ctx: Context, file: str | None, line: str | None, form: str) -> None:
    """Explain one line, or each record of a file or of standard input."""
    if (file is None) == (line is None):
        raise UsageError("give a FILE (or - for standard input) or --line TEXT")
    data = line.encode() if line is not None else _read(file or "-")
    rows = explain_bytes(data, file or "-", ctx.settings)
    if form == "json":
        print_json(rows)
        return
    for row in rows:
        print_data(printable(_told(row)))


def _told(row: dict[str, Any]) -> str:
    head = row["message"].split("\n", 1)[0]
    facts = {name: value for name, value in row.items() if name != "message" and value not in (None, [], {}, "")}
    width = max(len(name) for name in facts)
    return "\n".join([f"> {head[:200]}", *(f"  {name:<{width}}  {_value(value)}" for name, value in facts.items()), ""])


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={item}" for name, item in value.items())
    return str(value)


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as exc:
        raise InputError(f"{name}: {exc.strerror}; give a file that can be read, or - for standard input") from exc
