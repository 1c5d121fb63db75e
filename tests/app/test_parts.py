"""Parts of the app that need no page: texts, escaping, queries as text, forecasts, fixes, who may log in, the command."""

from __future__ import annotations

import io
import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import access, fixes, forecast, maps, safe, show, times
from app.queries import groups, logs, overview
from app.queries.base import Query, Scope
from app.texts import LANGUAGES, VOCABULARY, catalogue, words
from jobs import app as command
from jobs.console import Context
from pipeline.effects.verdicts import WORDS as VERDICTS
from pipeline.errors import DependencyError
from pipeline.findings.catalogue import load_catalogue
from pipeline.findings.expected import FAR_SHOWS, NO_TABLE, NOT_LISTED, NOT_OBSERVED
from pipeline.grammar.rules import read_grammar
from pipeline.sessions.intervals import NO_LOGS, ROTATED
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
    "limit",
    "filter",
    "incidents",
    "templates",
    "sql",
    "data",
    "overview",
    *VOCABULARY.values(),
}


def test_catalogues_have_the_same_keys_and_fields() -> None:
    english = catalogue("en")
    for language in LANGUAGES:
        other = catalogue(language)
        assert set(other) == set(english)
        for key, text in english.items():
            assert sorted(re.findall(r"{(\w+)}", other[key])) == sorted(re.findall(r"{(\w+)}", text)), key
            assert other[key].strip(), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_vocabulary_has_a_text(language: str) -> None:
    """A new cause, category or state needs one line in every catalogue."""
    known = catalogue(language)
    needed = {
        "cause": set(load_catalogue().causes),
        "category": {"any", *read_grammar().categories},
        "reason": {ROTATED, NO_LOGS, NOT_LISTED, NO_TABLE, NOT_OBSERVED, FAR_SHOWS},
        "verdict": set(VERDICTS),
    }
    lacking = [
        f"{table}.{name}" for table, names in needed.items() for name in sorted(names) if f"{table}.{name}" not in known
    ]
    assert lacking == []


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
            assert not re.search(r"https?:", path.read_text(encoding="utf-8")), path
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


@pytest.mark.parametrize(
    ("row", "said"),
    [({"verdict": "reached", "headroom": -5.0}, "it is reached"),
     ({"verdict": "not_enough_data"}, "fewer than six days"),
     ({"verdict": "not_growing", "growth_per_day": -0.5}, "does not grow"),
     ({"verdict": "growing", "growth_per_day": 1.0}, "more than two years away"),
     ({"verdict": "growing", "growth_per_day": 1.0, "meets_at": datetime(2027, 1, 2, tzinfo=UTC),
       "meets_earliest": datetime(2026, 12, 1, tzinfo=UTC)}, "met about 2027-01-02 00:00 (95 % between 2026-12-01 00:00"),
     ({"verdict": "not_enough_data", "limit_value": None, "limit_name": None}, "no limit is known")],
)  # fmt: skip
def test_forecast_in_words(row: dict[str, object], said: str) -> None:
    told = {"reflector": "rr-1", "configured_peers": 140, "limit_name": "md5_key_limit", "limit_value": 150.0,
            "growth_per_day": None, "meets_at": None, "meets_earliest": None, "meets_latest": None}  # fmt: skip
    assert said in forecast.words(told | row)


def test_cells_in_the_language_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.texts.language", lambda: "zh")
    frame = pl.DataFrame({"category": ["any", "any except md5_kernel_setup_failed", None, "new"], "node": ["any"] * 4})
    found = words(frame)
    assert found["category"].to_list() == ["任何故障", "除“内核拒绝设置 MD5 密钥”以外的任何故障", None, "new"]
    assert found["node"].to_list() == ["any"] * 4, "only words of the vocabulary"


def test_forecast_of_a_group_that_nobody_counted() -> None:
    assert "no size of this group is known" in forecast.words(None)


def test_neighbouring_fields_that_say_the_same_become_one() -> None:
    percents = [0.0, 0.0, 50.0, 50.0, 50.0, 0.0]
    moments = [0, 1, 2, 3, 5, 6]  # nobody looked at 4
    frame = pl.DataFrame({"cluster": "c", "node": "n", "moment": moments, "failing_percent": percents}).with_columns(
        until=pl.col("moment") + 1
    )
    found = maps.joined(frame).select("moment", "until", "failing_percent").rows()
    assert found == [(0, 2, 0.0), (2, 4, 50.0), (5, 6, 50.0), (6, 7, 0.0)]


def test_counting_and_paging_do_not_sort_everything() -> None:
    query = Query("SELECT a FROM t", {}, order="a DESC")
    assert query.counted().text == "SELECT count(*) AS n FROM (SELECT a FROM t)"
    assert query.first(10).text == "SELECT a FROM t\nORDER BY a DESC\nLIMIT 11"
    assert query.page(10, 3).text == "SELECT a FROM t\nORDER BY a DESC\nLIMIT 10 OFFSET 20"
    assert query.literal() == "SELECT a FROM t\nORDER BY a DESC"


@pytest.mark.parametrize(
    "wanted",
    [logs.Wanted(), logs.Wanted(text="MD5"), logs.Wanted(text="100%_"), logs.Wanted(only={"component": ["bird"]}),
     logs.Wanted(only={name: ["x"] for name in logs.FACETS}), logs.Wanted(without={"category": ["benign"]})],
)  # fmt: skip
def test_the_summary_of_records_reconciles(snapshot: Snapshot, wanted: logs.Wanted) -> None:
    """What one reading of the records counts is what each question by itself would find."""

    def ask(query: Query) -> pl.DataFrame:
        return snapshot.frame(query.text, query.params)

    found = ask(logs.summary(Scope(), wanted, 3600))
    by_time = found.filter(pl.col("facet") == "moment")
    assert by_time["events"].sum() == ask(logs.records(Scope(), wanted).counted()).item()
    alone = ask(logs.over_time(Scope(), wanted, 3600))
    same = by_time.drop_nulls("moment").select("moment", "events", category="value").sort("moment", "category")
    assert same.rows() == alone.select("moment", "events", "category").rows()
    for facet in logs.FACETS:
        where, values = wanted.where(Scope(), leave=facet)
        most = snapshot.frame(
            f"SELECT max(n) FROM (SELECT count(*) AS n FROM log_events {where} GROUP BY {facet})", values
        )
        assert found.filter(pl.col("facet") == facet)["events"].max() == most.item()


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


def answer(query: Query, table: str, rows: str) -> list[tuple[object, ...]]:
    """What a query finds in one table with these rows."""
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"CREATE TABLE {table} AS {rows}")
        return con.execute(query.text, dict(query.params)).fetchall()


SIZES = """SELECT TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_minutes(m) AS ts, 'c' AS cluster, 'g' AS group_name, r AS reflector,
  p AS configured_peers, e AS established_peers, f AS failed_peers, p AS md5_peers, 150 AS md5_key_limit
FROM (VALUES (0, 'a', 140, 140, 0), (0, 'b', 140, 137, 3), (60, 'a', 150, NULL, NULL), (60, 'b', 12, 12, 0)) t(m, r, p, e, f)"""


def test_what_only_the_inventory_tells_has_no_count_of_established() -> None:
    """No number of one reflector stands beside a number of another."""
    found = answer(groups.over_time(Scope(), "c", "g", 60), "group_sizes", SIZES)
    assert [row[1:5] for row in found] == [("b", 140, 137, 3), ("a", 150, None, None)]


def test_limits_say_when_a_status_table_was_seen_last() -> None:
    (first, second) = answer(overview.limits(Scope()), "group_sizes", SIZES)
    assert (first[2], first[3], first[4]) == ("a", 150, 140)
    counted, table = first[-2], first[-1]
    assert isinstance(counted, datetime)
    assert isinstance(table, datetime)
    assert counted - table == timedelta(hours=1)
    assert second[-2] == second[-1]


def test_history_of_a_group_names_who_came_and_left() -> None:
    rows = """SELECT 'c' AS cluster, 'g' AS group_name, ['r'] AS reflectors, members, true AS md5, valid_from, valid_to FROM (VALUES
      (['r', 'a', 'b'], NULL, TIMESTAMPTZ '2026-01-02 00:00:00+00'), (['r', 'b', 'x'], TIMESTAMPTZ '2026-01-02 00:00:00+00', NULL)) t(members, valid_from, valid_to)"""
    now, before = answer(groups.history("c", "g"), "bgp_groups", rows)
    assert now[3:6] == (3, ["x"], ["a"])
    assert before[4:6] == (None, None) or before[5] is None
