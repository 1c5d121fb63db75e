"""systemd units, the Airflow DAG, the container file and the alert rules, each by its own validator."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from jobs.cli import app
from tests.deploy.support import DEPLOY, tool

UNITS = sorted((DEPLOY / "systemd").glob("*.*"))
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]


def commands_of(text: str) -> list[str]:
    """Names of peerscope commands that a file calls."""
    return re.findall(r"peerscope(?: --warehouse \S+)? ([a-z]+)(?= |$)", text, re.MULTILINE)


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """The units with a program that is there: systemd refuses those whose program is not."""
    for unit in UNITS:
        if unit.is_file():
            (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/peerscope/bin/peerscope", "/bin/true"))
    return [str(path) for path in sorted(tmp_path.iterdir())]


def test_systemd_accepts_the_units(units: list[str]) -> None:
    analyze = tool("systemd-analyze", "systemd")
    done = subprocess.run([analyze, "verify", "--man=no", *units], capture_output=True, text=True)
    own = [line for line in done.stderr.splitlines() if "peerscope" in line]
    assert not own, "\n".join(own)
    assert done.returncode == 0, done.stderr


def test_systemd_finds_the_services_hardened(units: list[str]) -> None:
    analyze = tool("systemd-analyze", "systemd")
    for unit in units:
        if unit.endswith(".service"):
            words = [analyze, "security", "--offline=true", "--threshold=20", unit]
            done = subprocess.run(words, capture_output=True, text=True)
            if "unrecognized option" in done.stderr:
                pytest.skip("this systemd-analyze cannot judge files (older than 250)")
            assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_services_and_timers_belong_together() -> None:
    names = {unit.stem for unit in SERVICES}
    for timer in (unit for unit in UNITS if unit.suffix == ".timer"):
        assert timer.stem in names
        assert "Persistent=true" in timer.read_text()
    for service in SERVICES:
        lines = service.read_text().splitlines()
        for wanted in ("DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet="):
            assert wanted in lines, f"{service.name}: {wanted}"


class _Operator:
    """A stand-in for BashOperator that remembers its command and what follows it."""

    made: list[_Operator]

    def __init__(self, task_id: str, bash_command: str) -> None:
        self.task_id, self.bash_command, self.after = task_id, bash_command, ""
        _Operator.made.append(self)

    def __rshift__(self, other: _Operator) -> None:
        other.after = self.task_id


def test_the_dag_is_a_chain_of_known_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    _Operator.made = []

    class Dag:
        def __init__(self, **words: Any) -> None:
            assert words["max_active_runs"] == 1
            assert words["catchup"] is False

        def __enter__(self) -> Dag:
            return self

        def __exit__(self, *_: object) -> None: ...

    for name in ("airflow", "airflow.providers", "airflow.providers.standard", "airflow.providers.standard.operators",
                 "airflow.providers.standard.operators.bash"):  # fmt: skip
        module: Any = types.ModuleType(name)
        module.DAG, module.BashOperator = Dag, _Operator
        monkeypatch.setitem(sys.modules, name, module)
    runpy.run_path(str(DEPLOY / "airflow" / "peerscope_dag.py"))
    assert [task.after for task in _Operator.made] == ["", *(task.task_id for task in _Operator.made[:-1])]
    called = [commands_of(task.bash_command)[0] for task in _Operator.made]
    assert called == ["ingest", "mine", "analyze", "publish", "notify"]


def test_airflow_accepts_the_dag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "false")
    dagbag = pytest.importorskip("airflow.models", reason="apache-airflow is not installed; a stand-in was asked")
    bag = dagbag.DagBag(str(DEPLOY / "airflow"))
    assert not bag.import_errors
    assert [task.task_id for task in bag.dags["peerscope"].tasks] == ["ingest", "mine", "analyze", "publish", "tell"]


@pytest.mark.parametrize("path", [*SERVICES, DEPLOY / "airflow" / "peerscope_dag.py"], ids=lambda path: path.name)
def test_commands_that_are_called_exist(path: Path) -> None:
    known = CliRunner().invoke(app, ["--help"]).output
    for command in commands_of(path.read_text()):
        assert re.search(rf"^\s+{command}\s", known, re.MULTILINE), command


def instructions(text: str) -> list[tuple[str, str]]:
    """Instructions of a container file, continued lines joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [(line.split()[0], line.split(None, 1)[1]) for line in joined.splitlines() if line.strip()]


def test_the_container_file_has_two_targets_and_no_root() -> None:
    steps = instructions((DEPLOY / "Containerfile").read_text())
    stages = [words.split(" AS ")[1] for name, words in steps if name == "FROM"]
    assert {"core", "spark"} <= set(stages)
    assert stages.index("core") < stages.index("spark")
    known: set[str] = set()
    user: dict[str, str] = {}
    stage = ""
    for name, words in steps:
        if name == "FROM":
            base, stage = words.split(" AS ")
            assert base == "${BASE}" or base in known, f"stage {stage} is built on the unknown {base}"
            known.add(stage)
            user[stage] = user.get(base, "0:0")
        elif name == "USER":
            user[stage] = words
        elif name == "COPY" and words.startswith("--from="):
            source = words.split()[0].removeprefix("--from=")
            assert source in known or "/" in source
        elif name == "COPY":
            for path in words.split()[:-1]:
                assert (DEPLOY.parent.parent / path).exists() or path == "app", f"COPY {path}: not in the repository"
    assert {user[name] for name in ("core", "spark")} == {"10001:10001"}
    assert "jre" not in " ".join(words for _, words in steps[: [w for _, w in steps].index("build AS build-spark")])


def test_the_container_is_built_with_all_that_the_build_reads() -> None:
    steps = instructions((DEPLOY / "Containerfile").read_text())
    build = steps[: [words for _, words in steps].index("build AS build-spark")]
    copied = {path for name, words in build if name == "COPY" for path in words.split()[:-1]}
    project = tomllib.loads((DEPLOY.parent.parent / "pyproject.toml").read_text())
    hatch = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*hatch["packages"], *hatch["force-include"], hatch["hooks"]["custom"]["path"]} <= copied
    assert any(name == "RUN" and " gcc " in words for name, words in build)


def test_alert_rules_use_metrics_that_are_written() -> None:
    from pipeline.findings.report import prometheus

    groups = yaml.safe_load((DEPLOY / "prometheus" / "peerscope.rules.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) >= 5
    for rule in rules:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        used = set(re.findall(r"\bpeerscope_[a-z_]+", rule["expr"]))
        assert used <= set(prometheus.METRICS), rule["alert"]


def test_promtool_accepts_the_alert_rules() -> None:
    promtool = tool("promtool", "prometheus")
    words = [promtool, "check", "rules", str(DEPLOY / "prometheus" / "peerscope.rules.yaml")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
