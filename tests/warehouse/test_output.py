"""Output formats: hostile text stays text, times are ISO in UTC, every type has a form."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.errors import UsageError
from pipeline.text import printable
from pipeline.warehouse.output import TABLE_CELL, write_result
from pipeline.warehouse.reader import Result, Snapshot
from tests.warehouse.build import HOSTILE


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def written(frame: pl.DataFrame | Result, format: str, out: io.StringIO | None = None) -> str:
    """What ``write_result`` writes."""
    out = out or io.StringIO()
    write_result(frame if isinstance(frame, Result) else Result(frame, 0.0), format, out)
    return out.getvalue()


EVERYTHING = pl.DataFrame(
    {
        "ts": [datetime(2024, 5, 1, 12, 0, tzinfo=UTC)],
        "day": [date(2024, 5, 1)],
        "span": [timedelta(seconds=90)],
        "n": [7],
        "share": [0.5],
        "nan": [float("nan")],
        "yes": [True],
        "none": [None],
        "sum": [Decimal("12")],
        "peers": [["10.0.0.1", "10.0.0.2"]],
        "raw": [b"\x00\xff"],
    }
)
PLAIN: dict[str, Any] = {
    "ts": "2024-05-01T12:00:00Z", "day": "2024-05-01", "span": 90.0, "n": 7, "share": 0.5, "nan": None, "yes": True,
    "none": None, "sum": 12, "peers": ["10.0.0.1", "10.0.0.2"], "raw": "00ff",
}  # fmt: skip


def test_json_is_one_array() -> None:
    assert json.loads(written(EVERYTHING, "json")) == [PLAIN]
    assert json.loads(written(EVERYTHING.clear(), "json")) == []


def test_json_lines_are_objects() -> None:
    lines = written(pl.concat([EVERYTHING, EVERYTHING]), "jsonl").splitlines()
    assert [json.loads(line) for line in lines] == [PLAIN, PLAIN]


def test_maps_become_objects(snapshot: Snapshot) -> None:
    result = snapshot.query("SELECT params FROM log_events WHERE peer = '10.0.0.9'")
    assert json.loads(written(result, "json")) == [{"params": {"state": "up"}}]
    assert '{""state"": ""up""}' in written(result, "csv")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd", "@SUM(A1)", "\t=1", "\r=1"])
def test_csv_guards_against_formulas(text: str) -> None:
    rows = list(csv.reader(io.StringIO(written(pl.DataFrame({"=name": [text], "n": [-5]}), "csv"), newline="")))
    assert rows == [["'=name", "n"], ["'" + text, "-5"]]


def test_csv_quotes_what_needs_it() -> None:
    frame = pl.DataFrame({"a": ['say "hi", twice\nplease', None]})
    rows = list(csv.reader(io.StringIO(written(frame, "csv"), newline="")))
    assert rows == [["a"], ['say "hi", twice\nplease'], [""]] or rows[2] == []


@pytest.mark.parametrize("format", ["table", "csv", "json", "jsonl"])
def test_nothing_hostile_reaches_a_terminal(format: str) -> None:
    shown = written(pl.DataFrame({"message": [HOSTILE + "\x9b31m\u2028"], "\x1b[2J": ["x"]}), format, Terminal())
    assert not [char for char in shown if not char.isprintable() and char != "\n"]
    assert "<script>" in shown


def test_the_table_escapes_also_in_a_pipe() -> None:
    shown = written(pl.DataFrame({"message": [HOSTILE]}), "table")
    assert "\\x1b[31mred\\x07" in shown
    assert "\\u202e" in shown


def test_the_table_is_aligned_cut_and_counted() -> None:
    shown = written(pl.DataFrame({"name": ["a", "bbb"], "events": [5, 1234], "text": ["x" * 500, "one\ntwo"]}), "table")
    lines = shown.splitlines()
    assert lines[0].startswith("name  events  text")
    assert lines[2].startswith("a          5  x")
    assert lines[2].endswith("x…")
    assert len(lines[2]) == len("a          5  ") + TABLE_CELL
    assert lines[3] == "bbb     1234  one⏎two"
    assert lines[-1] == "2 rows"
    assert written(pl.DataFrame({"a": []}), "table").splitlines()[-1] == "0 rows"


def test_parquet_goes_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    write_result(Result(EVERYTHING, 0.0), "parquet", path)
    assert pl.read_parquet(path)["ts"].to_list() == EVERYTHING["ts"].to_list()
    with pytest.raises(UsageError, match="--output"):
        write_result(Result(EVERYTHING, 0.0), "parquet")


def test_text_goes_to_a_file_too(tmp_path: Path) -> None:
    write_result(Result(EVERYTHING, 0.0), "json", tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == [PLAIN]


@pytest.mark.parametrize("format", ["json", "parquet"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, format: str) -> None:
    with pytest.raises(UsageError, match=r"nowhere.*cannot be written"):
        write_result(Result(EVERYTHING, 0.0), format, tmp_path / "nowhere" / "x")


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="table, csv, json, jsonl, parquet"):
        written(EVERYTHING, "xml")


def test_printable_keeps_ordinary_text() -> None:
    assert printable("Größe → 10 µs 漢字") == "Größe → 10 µs 漢字"
    assert printable("a\x00\x7f\u200b\ud800b") == "a\\x00\\x7f\\u200b\\ud800b"
