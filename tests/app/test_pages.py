"""Every page over a real snapshot, without a browser."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.show import PAGES
from app.texts import LANGUAGES
from pipeline.warehouse.reader import Snapshot
from tests.app.conftest import MAIN

Run = Callable[..., AppTest]


def said(at: AppTest) -> str:
    """All texts of a page."""
    kinds = ("title", "header", "subheader", "caption", "markdown", "text", "info", "warning", "error", "code")
    return "\n".join(str(getattr(element, "value", "")) for kind in kinds for element in at.get(kind))


def sound(at: AppTest) -> AppTest:
    """No exception and no error on the page."""
    assert [error.value for error in at.exception] == []
    assert [error.value for error in at.error] == []
    return at


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_in_every_language(app: Run, page: str, language: str) -> None:
    at = sound(app(page, lang=language))
    assert len(at.header) == 1


@pytest.mark.parametrize("page", PAGES)
def test_every_page_when_nothing_matches(app: Run, page: str) -> None:
    """A search without a hit and a range without data leave empty states, not failures."""
    sound(app(page, q="no-such-node", range="absolute", from_="2001-01-01", to="2001-01-02"))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_with_every_filter(app: Run, page: str) -> None:
    sound(app(page, cluster="md5-key-limit-grown", group="group-a", q="node-161", range="15m", tz="Asia/Shanghai"))


def test_a_process_that_is_started_later_does_not_draw(app: Run) -> None:
    """What multiprocessing does in a child of a process that has run the app."""
    before = sys.modules["__main__"]
    app()
    ran = sys.modules["__main__"]
    assert ran is not before
    told = subprocess.run(
        [sys.executable, "-c", f"import runpy; runpy.run_path({ran.__file__!r}, run_name='__mp_main__')"],
        capture_output=True, text=True, check=True, cwd=MAIN.parents[1],
    )  # fmt: skip
    assert told.stderr == ""


def test_overview_names_the_founding_case(app: Run) -> None:
    at = app(cluster="md5-key-limit-grown")
    numbers = {metric.label.split(" ")[-1]: metric.value for metric in at.metric}
    assert numbers["failing"] == "30"
    assert "15 sessions, 5 nodes" in said(at)


def test_data_of_long_ago_say_what_to_do(app: Run) -> None:
    """The recordings are older than anything that runs today."""
    assert "peerscope run" in "".join(warning.value for warning in app().warning)


def test_incident_names_the_nodes_at_both_ends(app: Run, founding: str) -> None:
    at = app("incidents", incident=founding)
    tables = [frame.value for frame in at.dataframe if "optmem_max" in frame.value.columns]
    nodes = {*tables[0]["node"]}
    assert {f"node-16{number}" for number in range(1, 6)} | {"rr-a-1", "rr-a-2", "rr-a-3"} == nodes


def test_incident_shows_each_lost_end(app: Run, founding: str, snapshot: Snapshot) -> None:
    at = sound(app("incidents", incident=founding, lang="zh"))
    table = next(frame.value for frame in at.dataframe if {"last_error", "ended_at"} <= {*frame.value.columns})
    lost = snapshot.frame(f"SELECT count(*) FROM incident_sessions WHERE incident_id = '{founding}'").item()
    assert len(table) == lost == 30
    assert {*table["category"]} == {"会话未建立", "内核拒绝设置 MD5 密钥"}
    assert {"node-161", "rr-a-1"} == {*table["node"][:2]}, "the two ends of a session stand together"


def test_an_incident_is_found_by_a_node_that_it_took(app: Run) -> None:
    for node in ("node-164", "rr-a-3"):
        at = app("incidents", cluster="md5-key-limit-grown", q=node)
        assert "15 sessions, 5 nodes" in said(at)


def test_strongest_evidence_stands_first(app: Run, founding: str) -> None:
    at = app("incidents", incident=founding)
    table = next(frame.value for frame in at.dataframe if {"text", "source_path"} <= {*frame.value.columns})
    assert not table["text"].iloc[0].startswith("also")


def test_the_console_keeps_identifiers(app: Run) -> None:
    at = sound(app("sql", lang="zh", sql="SELECT 'md5_kernel_setup_failed' AS category"))
    assert at.dataframe[0].value["category"][0] == "md5_kernel_setup_failed"


def test_estimates_over_all_clusters_stand_on_the_page_of_one(app: Run) -> None:
    at = app("groups", cluster="md5-key-limit-grown")
    tables = [frame.value for frame in at.dataframe if "verdict" in frame.value.columns]
    assert tables
    assert all({*table["cluster"]} <= {"all", "md5-key-limit-grown"} for table in tables if "cluster" in table.columns)


def test_incident_shows_cause_remedy_and_what_was_ruled_out(app: Run, founding: str) -> None:
    at = sound(app("incidents", incident=founding))
    text = said(at)
    assert "sysctl -w net.core.optmem_max=131072" in text
    assert "155 peers have a password" in text
    labels = [expander.label for expander in at.expander]
    assert any("ruled out" in label and "password" in label for label in labels)


def test_incident_that_is_gone(app: Run) -> None:
    assert "no incident of that id" in said(sound(app("incidents", incident="00")))


def test_filters_of_the_list(app: Run) -> None:
    at = app("incidents", severity="critical", status="over")
    assert "No incident in this selection" in said(at)


def test_one_session_with_both_ends(app: Run) -> None:
    at = sound(app("sessions", in_="md5-key-limit-grown", node="node-161", peer="10.128.122.2"))
    subheaders = [element.value for element in at.subheader]
    assert subheaders[-2:] == [r"node\-161", r"rr\-a\-2"]
    assert "Error: Kernel MD5 auth failed" in said(at)


def test_session_whose_other_end_nobody_saw_is_unknown(app: Run) -> None:
    assert "knows no such session" in said(sound(app("sessions", in_="x", node="y", peer="z")))


def test_console_runs_what_the_address_says(app: Run) -> None:
    at = sound(app("sql", sql="SELECT 42 AS answer"))
    assert at.dataframe[0].value["answer"][0] == 42


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE x AS SELECT 1", "DELETE FROM incidents", "COPY incidents TO '/tmp/x.csv'", "ATTACH '/tmp/x.db'",
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_text('/etc/passwd')", "SET memory_limit = '100GB'",
        "INSTALL httpfs", "SELECT 1; SELECT 2", "SELEC 1", "SELECT * FROM no_such_table",
    ],
)  # fmt: skip
def test_console_refuses(app: Run, statement: str) -> None:
    at = app("sql", sql=statement)
    assert at.error, statement
    assert not at.exception


def test_console_stops_what_takes_too_long(app: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEERSCOPE_SQL_SECONDS", "0.3")
    at = app("sql", sql="SELECT count(*) FROM range(100000000000)")
    assert "interrupted" in said(at)


def test_console_says_when_rows_are_cut(app: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEERSCOPE_SQL_ROWS", "10")
    at = app("sql", sql="SELECT * FROM range(1000)")
    assert "first 10 rows" in "".join(warning.value for warning in at.warning)


def test_saved_question_takes_the_filters(app: Run) -> None:
    at = sound(app("sql", mode="saved", question="incidents", cluster="port-dropped"))
    assert {row for frame in at.dataframe[:1] for row in frame.value["cluster"]} == {"port-dropped"}


def test_saved_question_with_a_wrong_value_says_so(app: Run) -> None:
    at = app("sql", mode="saved", question="around", p_minutes="soon")
    assert at.error
    assert "minutes" in said(at)


def test_explain_reads_the_line(app: Run) -> None:
    assert "md5_kernel_setup_failed" in said(sound(app("explain"))) or "bird.socket" in said(app("explain"))


def test_hostile_text_stays_text(app: Run) -> None:
    """Log text is never given to a markdown element; names are given with every mark escaped."""
    for page in ("overview", "logs", "templates", "data", "sessions"):
        at = sound(app(page, cluster="hostile"))
        for kind in ("markdown", "caption", "header", "subheader", "info"):
            for element in at.get(kind):
                text = str(getattr(element, "value", ""))
                assert "<script" not in text
                assert "](javascript" not in text


def test_newer_snapshot_is_offered_not_forced(app: Run, warehouse: Path) -> None:
    at = app()
    pointer = warehouse / "CURRENT"
    held = pointer.read_text(encoding="utf-8")
    old = warehouse / "snapshots" / held.strip()
    new = warehouse / "snapshots" / "peerscope-99999999.duckdb"
    try:
        new.write_bytes(old.read_bytes())
        pointer.write_text(new.name, encoding="utf-8")
        at.run()
        assert "Snapshot 99999999 was published." in "".join(info.value for info in at.info)
        at.button(key="take_newer").click().run()
        sound(at)
        assert not any("was published" in info.value for info in at.info)
    finally:
        pointer.write_text(held, encoding="utf-8")
        new.unlink()


def test_nothing_published_says_what_to_do(tmp_path: Path, app: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEERSCOPE_WAREHOUSE", str(tmp_path))
    at = sound(app())
    assert "peerscope demo" in said(at)


def test_damaged_warehouse_says_what_to_do(tmp_path: Path, app: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "CURRENT").write_text("../../etc/passwd", encoding="utf-8")
    monkeypatch.setenv("PEERSCOPE_WAREHOUSE", str(tmp_path))
    at = app()
    assert "peerscope publish" in said(at)
