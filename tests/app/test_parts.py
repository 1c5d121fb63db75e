"""Parts of the app that need no page: texts, escaping, queries as text, forecasts, fixes, who may log in, the command."""

from __future__ import annotations

import io
import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import access, fixes, forecast, safe, show, times
from app.queries.base import Query, Scope
from app.texts import LANGUAGES, catalogue
from jobs import app as command
from jobs.console import Context
from pipeline.errors import DependencyError
from pipeline.settings import load_settings
from pipeline.warehouse.reader import Result, Snapshot

APP = Path(command.ENTRY).parent
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted(APP.rglob("*.py"))}
SECONDS = 4_000_000_000
MOMENTS = st.integers(0, SECONDS * 10**6).map(lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us))
# Tables whose keys are made from values: names of columns, causes, states.
BY_VALUE = {
    "col",
    "cause",
    "health",
    "severity",
    "word",
    "forecast",
    "filter",
    "incidents",
    "templates",
    "sql",
    "data",
    "overview",
}


def test_catalogues_have_the_same_keys_and_fields() -> None:
    english = catalogue("en")
    for language in LANGUAGES:
        other = catalogue(language)
        assert set(other) == set(english)
        for key, text in english.items():
            assert sorted(re.findall(r"{(\w+)}", other[key])) == sorted(re.findall(r"{(\w+)}", text)), key
            assert other[key].strip(), key


def test_every_text_asked_for_exists() -> None:
    known = catalogue("en")
    for path, source in SOURCES.items():
        for key in re.findall(r"\bt\(\s*\"([\w.]+)\"", source):
            assert key in known, f"{path.name}: {key}"


def test_no_text_is_left_over() -> None:
    everything = "\n".join(SOURCES.values())
    for key in catalogue("en"):
        table, name = key.split(".")
        made = table in BY_VALUE or name in ("title", "about")
        assert made or re.search(rf"[\"']{re.escape(key)}[\"']", everything), key


def test_pages_hold_no_sql() -> None:
    for path, source in SOURCES.items():
        if path.parent.name in ("views", "app"):
            assert not re.search(r"\b(SELECT|FROM|WHERE)\s+\w+.*\b(FROM|WHERE|AND)\b", source), path


def test_nothing_of_the_app_is_loaded_from_elsewhere() -> None:
    for path in APP.rglob("*"):
        if path.suffix in (".py", ".css", ".toml") and path.name != "fixes.toml":
            assert "http" not in path.read_text(encoding="utf-8").replace("(www|https?", ""), path
    config = tomllib.loads((APP / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["browser"]["gatherUsageStats"] is False
    assert config["server"]["address"] == "localhost"


@given(st.text())
def test_escaped_text_has_no_mark_left(text: str) -> None:
    escaped = safe.md(text)
    assert "\n" not in escaped
    assert not re.search(r"(?<!\\)[<>\[\]`*_$:#]", escaped.replace("\\\\", ""))


def test_code_keeps_lines_and_shows_control_characters() -> None:
    assert safe.code("a\nb\x1b[31m\u202e") == "a\nb\\x1b[31m\\u202e"


@given(
    st.text(),
    st.integers(),
    MOMENTS,
)
def test_a_literal_means_its_value(snapshot: Snapshot, text: str, number: int, moment: datetime) -> None:
    number = number % (1 << 60)
    text = text.replace("\0", "")
    query = Query(
        "SELECT $text AS a, $number AS b, CAST($moment AS TIMESTAMPTZ) AS c",
        {"text": text, "number": number, "moment": moment},
    )
    assert snapshot.query(query.literal()).frame.row(0) == (text, number, moment)


def test_a_scope_without_filters_has_no_clause() -> None:
    assert Scope().where(time="ts", member="node", search=("node",)) == ("", {})


def test_csv_defuses_formulas() -> None:
    result = Result(pl.DataFrame({"message": ["=1+1", "plain", "@x"], "n": [-1, 2, 3]}), 0.0)
    assert show.rendered(result, "csv").decode() == "message,n\n'=1+1,-1\nplain,2\n'@x,3\n"
    back = pl.read_parquet(io.BytesIO(show.rendered(result, "parquet")))
    assert back.equals(result.frame)


def _counts(peers: list[int], limit: int | None = 150) -> pl.DataFrame:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {"moment": start + timedelta(days=day), "peers": number, "key_limit": limit} for day, number in enumerate(peers)
    ]
    return pl.DataFrame(rows, schema={"moment": pl.Datetime("us", "UTC"), "peers": pl.Int64, "key_limit": pl.Int64})


@pytest.mark.parametrize(
    ("peers", "limit", "kind"),
    [([], 150, "no_limit"), ([10], None, "no_limit"), ([155], 150, "over"), ([10, 20], 150, "short"),
     ([100] * 20, 150, "steady"), (list(range(100, 120)), 150, "meets"), ([100] * 30 + [101], 15000, "far")],
)  # fmt: skip
def test_forecast(peers: list[int], limit: int | None, kind: str) -> None:
    assert forecast.predict(_counts(peers, limit)).kind == kind


def test_forecast_of_even_growth_is_exact() -> None:
    told = forecast.predict(_counts(list(range(100, 120))))
    assert told.per_day == pytest.approx(1)
    assert told.at == datetime(2026, 1, 20, tzinfo=UTC) + timedelta(days=32)


@pytest.mark.parametrize(
    ("version", "has"),
    [("3.20.5", False), ("3.20.6", True), ("3.19.9", False), ("3.22.3", False), ("3.22.4", True), ("3.24.0", True)],
)
def test_fix_of_the_missed_reload(version: str, has: bool) -> None:
    found = fixes.release(version)
    assert found is not None
    assert fixes.has(found, [(3, 20, 6), (3, 21, 6), (3, 22, 4), (3, 23, 0)]) is has


def test_fixes_of_a_version_without_numbers_are_not_guessed() -> None:
    assert fixes.open_in(["master"]).is_empty()
    assert not fixes.open_in(["v3.22.3"]).is_empty()


@pytest.mark.parametrize(
    ("user", "allowed"),
    [({"email": "Ann@Example.org"}, True), ({"email": "bob@corp.example"}, True), ({"email": "eve@example.org"}, False),
     ({"email": "eve@evil-corp.example"}, False), ({"email": "ann@example.org", "email_verified": False}, False), ({}, False),
     ({"email": "@corp.example.evil"}, False)],
)  # fmt: skip
def test_only_those_on_the_list(user: dict[str, object], allowed: bool) -> None:
    assert access.on_list(user, ["ann@example.org", "@corp.example"]) is allowed


def test_an_empty_list_lets_nobody_in() -> None:
    assert not access.on_list({"email": "ann@example.org"}, [])


def test_step_gives_about_as_many_buckets_as_wanted() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for length in (timedelta(minutes=3), timedelta(hours=5), timedelta(days=9), timedelta(days=900)):
        assert 20 <= length.total_seconds() / times.step_for(start, start + length) <= 181


def test_command_line_and_environment() -> None:
    settings, origins = load_settings({"warehouse": "somewhere"}, environ={"PEERSCOPE_SQL_ROWS": "7"})
    given = command.environment(Context(settings, origins), {"PATH": "/bin"})
    assert given["PEERSCOPE_SQL_ROWS"] == "7"
    assert Path(given["PEERSCOPE_WAREHOUSE"]).is_absolute()
    assert "--server.address=localhost" in command.command("localhost", 8501)
    assert command.ENTRY.is_file()


def test_without_streamlit_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    settings, origins = load_settings(environ={})
    with pytest.raises(DependencyError, match="peerscope\\[app\\]"):
        command.app(Context(settings, origins), "localhost", 8501)
