"""The command line as people and cron use it: output, exit codes, errors that name the remedy."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipeline import __version__

Peerscope = Callable[..., tuple[int, str, str]]


def test_version_and_help(peerscope: Peerscope) -> None:
    assert peerscope("--version") == (0, f"peerscope {__version__}\n", "")
    code, out, _ = peerscope("--help")
    assert code == 0
    for command in (
        "run",
        "ingest",
        "mine",
        "analyze",
        "publish",
        "report",
        "sql",
        "path",
        "status",
        "explain",
        "demo",
    ):
        assert f"  {command} " in out


def test_python_m_jobs_is_the_same_program() -> None:
    words = [sys.executable, "-m", "jobs", "--version"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == f"peerscope {__version__}\n"


def test_the_report_tells_the_cause_and_fails_on_demand(peerscope: Peerscope, small_warehouse: Path) -> None:
    where = ("--warehouse", str(small_warehouse))
    code, out, _ = peerscope(*where, "report", "--cluster", "as-mismatch")
    assert code == 0
    assert "as_mismatch" in out
    assert peerscope(*where, "report", "--cluster", "as-mismatch", "--fail-on", "error")[0] == 1
    assert peerscope(*where, "report", "--cluster", "as-mismatch", "--fail-on", "critical")[0] == 0
    assert peerscope(*where, "report", "--cluster", "healthy-group", "--fail-on", "warning")[0] == 0
    code, out, _ = peerscope(*where, "report", "--cluster", "as-mismatch", "--format", "json")
    assert json.loads(out)["incidents"][0]["cause"] == "as_mismatch"


def test_sql_in_all_its_forms(peerscope: Peerscope, small_warehouse: Path, tmp_path: Path) -> None:
    where = ("--warehouse", str(small_warehouse))
    query = "select template, events from templates order by events desc"
    code, out, _ = peerscope(*where, "sql", query, "--format", "json")
    assert code == 0
    assert any(row["template"] == "Node_<*>: State changed to up" for row in json.loads(out))
    script = tmp_path / "question.sql"
    script.write_text("select count(*) as n from loads where cluster = $cluster")
    code, out, _ = peerscope(*where, "sql", "--file", str(script), "-p", "cluster=healthy-group", "--format", "csv")
    assert (code, out.split()) == (0, ["n", "1"])
    code, out, _ = peerscope(*where, "sql", "--query", "list")
    assert code == 0
    assert "sessions_down" in out
    target = tmp_path / "rows.parquet"
    assert peerscope(*where, "sql", query, "--format", "parquet", "--output", str(target))[0] == 0
    assert pl.read_parquet(target).height > 10


@pytest.mark.parametrize(
    "query", ["drop table loads", "select * from read_text('/etc/passwd')", "attach 'x.db'", "selec 1"]
)
def test_the_sandbox_refuses_with_usage_errors(peerscope: Peerscope, small_warehouse: Path, query: str) -> None:
    code, out, err = peerscope("--warehouse", str(small_warehouse), "sql", query)
    assert (code, out) == (2, "")
    assert err.startswith("peerscope: ")


def test_path_is_a_file_that_duckdb_opens(peerscope: Peerscope, small_warehouse: Path) -> None:
    _, out, _ = peerscope("--warehouse", str(small_warehouse), "path")
    with duckdb.connect(out.strip(), read_only=True) as con:
        assert con.sql("select count(*) from log_events").fetchall()[0][0] > 0


def test_status_reconciles(peerscope: Peerscope, small_warehouse: Path) -> None:
    code, out, _ = peerscope("--warehouse", str(small_warehouse), "status", "--format", "json")
    state = json.loads(out)
    assert (code, state["reconciles"]) == (0, True)
    code, out, _ = peerscope("--warehouse", str(small_warehouse), "status")
    assert "everything adds up" in out
    assert "unclassified" in out


def test_explain_shows_every_stage(peerscope: Peerscope, tmp_path: Path) -> None:
    line = "2024-12-18T07:19:36.000000000Z stdout F bird: Node_10_0_0_1: Received: Peer de-configured"
    code, out, _ = peerscope("explain", "--line", line, "--format", "json")
    (row,) = json.loads(out)
    assert code == 0
    assert (row["envelope"], row["component"], row["time"]) == ("cri", "bird", "2024-12-18T07:19:36Z")
    assert (row["category"], row["peer"]) == ("cease_other", "10.0.0.1")
    assert row["rule"].startswith("bird.")
    file = tmp_path / "some.log"
    file.write_text("bird: Started\nnobody knows this line\n")
    code, out, _ = peerscope("explain", str(file))
    assert (code, out.count("> ")) == (0, 2)
    assert "unclassified" in out
    assert peerscope("explain")[0] == 2
    assert peerscope("explain", str(tmp_path / "absent"))[0] == 3


def test_config_says_where_each_value_came_from(
    peerscope: Peerscope, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEERSCOPE_SQL_ROWS", "17")
    code, out, _ = peerscope("--warehouse", str(tmp_path), "config", "--format", "json")
    told = {row["name"]: (row["value"], row["origin"]) for row in json.loads(out)}
    assert code == 0
    assert told["sql_rows"] == (17, "environment (PEERSCOPE_SQL_ROWS)")
    assert told["warehouse"] == (str(tmp_path), "flag")


def test_a_second_run_finds_nothing_new_under_any_name(peerscope: Peerscope, samples: Path, tmp_path: Path) -> None:
    where = ("--warehouse", str(tmp_path / "w"))
    bundle = samples / "as-mismatch" / "collected.tar.gz"
    _, out, _ = peerscope(*where, "run", "--cluster", "c", str(bundle), "--format", "json")
    first = json.loads(out)
    assert first["files_read"] > 50
    plain = tmp_path / "renamed.tar"
    plain.write_bytes(gzip.decompress(bundle.read_bytes()))
    for again in (bundle, plain):
        _, out, _ = peerscope(*where, "run", "--cluster", "c", str(again), "--format", "json")
        done = json.loads(out)
        assert (done["files_read"], done["files_known"]) == (0, first["files_read"])
        assert done["snapshot"] == first["snapshot"]


def test_the_steps_one_by_one_give_what_run_gives(peerscope: Peerscope, samples: Path, tmp_path: Path) -> None:
    bundle = str(samples / "port-dropped" / "collected.tar.gz")
    together, apart = str(tmp_path / "together"), str(tmp_path / "apart")
    assert peerscope("--warehouse", together, "run", bundle)[0] == 0
    assert peerscope("--warehouse", apart, "ingest", bundle)[0] == 0
    for step in ("mine", "analyze", "publish"):
        assert peerscope("--warehouse", apart, step)[0] == 0
        assert peerscope("--warehouse", apart, step)[0] == 0
    for query in ("templates", "incidents", "diagnoses", "session_intervals"):
        words = ("sql", f"select * from {query} order by all", "--format", "json")
        assert peerscope("--warehouse", together, *words) == peerscope("--warehouse", apart, *words)


def test_bad_input_is_counted_and_the_rest_is_read(peerscope: Peerscope, tmp_path: Path) -> None:
    folder = tmp_path / "input"
    folder.mkdir()
    text = "".join(f"bird: Node_10_0_0_{n}: Error: Hold timer expired\n" for n in range(200))
    (folder / "good.log").write_text(text)
    (folder / "empty.log").write_text("")
    (folder / "noise.bin").write_bytes(bytes(range(256)) * 40)
    (folder / "cut.log.gz").write_bytes(gzip.compress(text.replace("10_0_0", "10_0_1").encode())[:-10])
    where = ("--warehouse", str(tmp_path / "w"))
    code, out, err = peerscope(*where, "run", str(folder), "--format", "json")
    assert code == 0
    assert json.loads(out)["files_refused"] == 2
    assert "noise.bin: binary file" in err
    _, out, _ = peerscope(*where, "sql", "select reason from rejects order by 1", "--format", "csv")
    assert out.split("\n")[1:3] == ["binary file", "damaged input"]
    _, out, _ = peerscope(
        *where, "sql", "select count(*) as n from log_events where category = 'hold_timer_expired'", "--format", "csv"
    )
    assert int(out.split()[1]) > 200


def test_exit_codes(peerscope: Peerscope, tmp_path: Path) -> None:
    where = ("--warehouse", str(tmp_path / "w"))
    assert peerscope(*where, "run")[0] == 2
    assert peerscope(*where, "no-such-command")[0] == 2
    assert peerscope(*where, "run", str(tmp_path / "absent"))[0] == 3
    (tmp_path / "nothing").mkdir()
    code, _, err = peerscope(*where, "run", str(tmp_path / "nothing"))
    assert (code, "nothing to read" in err) == (3, True)
    code, _, err = peerscope(*where, "report")
    assert code == 3
    assert "peerscope run" in err
    assert peerscope(*where, "run", "--tz", "Mars/Olympus", str(tmp_path))[0] == 2


def test_two_jobs_at_once_one_leaves_with_4(peerscope: Peerscope, samples: Path, tmp_path: Path) -> None:
    where = str(tmp_path / "w")
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys; from pipeline.warehouse.writer import Warehouse\n"
         f"w = Warehouse.open({where!r}); print('held', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        bundle = str(samples / "as-mismatch" / "collected.tar.gz")
        code, _, err = peerscope("--warehouse", where, "run", bundle)
        assert (code, str(holder.pid) in err) == (4, True)
    finally:
        holder.communicate("")


def test_dry_run_says_what_would_be_read_as_what(peerscope: Peerscope, samples: Path, tmp_path: Path) -> None:
    shutil.copy(samples / "as-mismatch" / "truth.json", tmp_path / "a.json")
    (tmp_path / "b.log").write_text("2024-12-18T07:19:36.0Z stdout F bird: Started\n")
    code, out, _ = peerscope("--warehouse", str(tmp_path / "w"), "run", "--dry-run", str(tmp_path))
    assert code == 0
    assert "log:cri" in out
    assert not (tmp_path / "w").exists()
