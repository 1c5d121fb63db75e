"""What commands share: settings, where words go, and how errors leave the program.

Data goes to standard output alone, everything said about it to standard error. Text that came out of logs is
stripped of control characters before a terminal sees it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jobs import logs
from pipeline import text as safe
from pipeline.settings import Origin, Settings


@dataclass
class Context:
    """Global options of one call: resolved settings and how much to say (-1 quiet, 0, 1 verbose)."""

    settings: Settings
    origins: list[Origin] = field(default_factory=list)
    verbosity: int = 0

    @property
    def warehouse(self) -> Path:
        return Path(self.settings.warehouse)

    def say(self, text: str) -> None:
        """A line for the person, on standard error; not in quiet mode."""
        if self.verbosity >= 0:
            _say(text, "INFO")

    def detail(self, text: str) -> None:
        """A line that only ``-v`` shows."""
        if self.verbosity > 0:
            _say(text, "DEBUG")


def _say(text: str, severity: str) -> None:
    if logs.is_json():
        logs.emit(printable(text), severity)
    else:
        print(printable(text), file=sys.stderr)


def printable(text: str) -> str:
    """Text of several lines without characters that could steer a terminal."""
    return "\n".join(safe.printable(line.replace("\t", "    ")) for line in text.split("\n"))


def print_data(text: str) -> None:
    """Data for standard output, exactly as given."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def print_json(value: Any) -> None:
    """A value as JSON; times as ISO 8601 in UTC."""
    print_data(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    raise TypeError(f"{type(value).__name__} is not JSON")
