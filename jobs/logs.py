"""What a job says of its own run, as text for people or as one JSON object per line for log stores.

The names are those of OpenTelemetry's log data model and semantic conventions: ``timestamp``,
``severity_text``, ``severity_number``, ``body``, ``resource`` and ``attributes``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from pipeline import __version__

_NUMBERS = {"DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
_form: ContextVar[str] = ContextVar("log_format", default="text")
_command: ContextVar[str] = ContextVar("command", default="")


def configure(form: str, command: str) -> None:
    """Choose the form for the rest of this call; ``command`` is named in every record."""
    _form.set(form)
    _command.set(command)


def is_json() -> bool:
    """Whether records are JSON."""
    return _form.get() == "json"


def emit(text: str, severity: str = "INFO", attributes: Mapping[str, Any] | None = None) -> None:
    """One record on standard error."""
    record = {
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "severity_text": severity,
        "severity_number": _NUMBERS[severity],
        "body": text,
        "resource": {"service.name": "peerscope", "service.version": __version__, "process.pid": os.getpid()},
        "attributes": {"peerscope.command": _command.get(), **(attributes or {})},
    }
    print(json.dumps(record, ensure_ascii=False, default=str), file=sys.stderr, flush=True)


def finish(code: int, problem: str | None, seconds: float) -> None:
    """The last word of a call: what went wrong, and in JSON also how it ended and how long it took."""
    if not is_json():
        if problem is not None:
            print(f"peerscope: {problem}", file=sys.stderr)
        return
    if problem is not None:
        emit(problem, "ERROR", {"error.type": f"exit {code}"})
    if _command.get():
        attributes = {"process.exit.code": code, "peerscope.duration_s": round(seconds, 3)}
        emit("finished", "INFO" if code in (0, 1) else "ERROR", attributes)
