"""Writes the rows of a query as a table, CSV, JSON, JSON lines or Parquet.

Cells may hold log text, which is hostile. The table shows every control and formatting character as an
escape, so nothing reaches the terminal's interpreter. In CSV, text that a spreadsheet would run as a formula
(it begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return) gets a leading apostrophe; numbers are
left alone. Into files and pipes JSON and CSV carry the rest of the text as it is; on a terminal they, too,
show control and formatting characters as escapes.
"""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.warehouse.reader import Result

# Longer cells are cut in the table; the other formats have them whole.
TABLE_CELL = 120
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_result(result: Result, format: str, output: Path | TextIO | None = None) -> None:
    """Write ``result`` in ``format`` to a file, a stream or standard output.

    JSON is one array of objects, ``jsonl`` one object a line; times are ISO 8601 in UTC with ``Z``.

    Raises:
        UsageError: an unknown format, Parquet without a file, or a file that cannot be written.
    """
    if format == "parquet":
        if not isinstance(output, Path):
            raise UsageError("parquet is binary: give a file with --output")
        _to_file(output, lambda: _flat(result.frame).write_parquet(output))
        return
    writer = _WRITERS.get(format)
    if writer is None:
        raise UsageError(f"unknown format {format!r}; known: {', '.join([*_WRITERS, 'parquet'])}")
    if isinstance(output, Path):
        text = io.StringIO()
        writer(result.frame, text)
        _to_file(output, lambda: output.write_text(text.getvalue(), encoding="utf-8"))
    else:
        writer(result.frame, output or sys.stdout)


def _to_file(path: Path, write: Callable[[], object]) -> None:
    try:
        write()
    except OSError as exc:
        raise UsageError(f"output {path}: cannot be written: {exc.strerror or exc}") from exc


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Null-typed columns have no Parquet type that every reader knows."""
    return frame.with_columns(pl.col(pl.Null).cast(pl.String))


def _rows(frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    for row in frame.iter_rows(named=True):
        yield {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    """A value as JSON knows it; not-a-number and infinity are null."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case datetime():
            moment = value.astimezone(UTC) if value.tzinfo else value
            return moment.isoformat().replace("+00:00", "Z")
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case bytes():
            return value.hex()
        case dict():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple() | pl.Series():
            return [_plain(inner) for inner in value]
        case _:
            return str(value)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _write_json(frame: pl.DataFrame, out: TextIO) -> None:
    out.write("[")
    for number, row in enumerate(_rows(frame)):
        out.write(",\n " if number else "\n ")
        json.dump(row, out, ensure_ascii=out.isatty())
    out.write("\n]\n")


def _write_jsonl(frame: pl.DataFrame, out: TextIO) -> None:
    for row in _rows(frame):
        json.dump(row, out, ensure_ascii=out.isatty())
        out.write("\n")


def _write_csv(frame: pl.DataFrame, out: TextIO) -> None:
    show = printable if out.isatty() else str
    out.write(",".join(show(_csv_cell(name)) for name in frame.columns) + "\n")
    for row in _rows(frame):
        out.write(",".join(show(_csv_cell(value)) for value in row.values()) + "\n")


def _csv_cell(value: Any) -> str:
    """A cell; the csv module would leave a lone carriage return unquoted, which ends a row for its readers."""
    text = _cell(value)
    if isinstance(value, str) and text.startswith(_FORMULA):
        text = "'" + text
    if any(char in text for char in ',"\r\n'):
        text = '"' + text.replace('"', '""') + '"'
    return text


def _write_table(frame: pl.DataFrame, out: TextIO) -> None:
    header = [_shorten(name) for name in frame.columns]
    body = [[_shorten(_cell(value)) for value in row.values()] for row in _rows(frame)]
    widths = [max(map(len, column)) for column in zip(header, *body, strict=True)] if header else []
    right = [dtype.is_numeric() for dtype in frame.dtypes]
    for line in (header, ["─" * width for width in widths], *body):
        cells = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        )
        out.write("  ".join(cells).rstrip() + "\n")
    out.write(f"{frame.height:,} row{'' if frame.height == 1 else 's'}\n")


def _shorten(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= TABLE_CELL else shown[: TABLE_CELL - 1] + "…"


_WRITERS: dict[str, Callable[[pl.DataFrame, TextIO], None]] = {
    "table": _write_table,
    "csv": _write_csv,
    "json": _write_json,
    "jsonl": _write_jsonl,
}
