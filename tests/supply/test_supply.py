"""What is delivered: locked, licensed, listed, and built to the same bytes twice."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from jobs import supply
from pipeline import __version__

ROOT = supply.ROOT


def test_every_locked_package_has_hashes() -> None:
    lock = supply.locked()
    assert len(lock) > 30
    assert not [name for name, (_, hashes) in lock.items() if not hashes]


def test_the_closure_holds_what_is_imported() -> None:
    names = set(supply.closure())
    assert {"duckdb", "polars", "drain3", "typer", "pyarrow", "streamlit"} <= names
    assert not {"pytest", "mypy", "peerscope"} & names


def test_licences_may_be_passed_on() -> None:
    assert not [text for text in supply.problems() if "licence" in text]
    assert len(supply.licences().splitlines()) == len(supply.closure())


def test_the_sbom_is_a_cyclonedx_document_and_always_the_same() -> None:
    document = supply.sbom()
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    refs = [row["bom-ref"] for row in document["components"]]
    assert len(refs) == len(set(refs)) == len(document["dependencies"][0]["dependsOn"])
    assert supply.sbom() == document
    validation = pytest.importorskip("cyclonedx.validation.json", reason="cyclonedx-python-lib is not installed")
    schema = pytest.importorskip("cyclonedx.schema")
    import json

    errors = validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(json.dumps(document))
    assert errors is None, errors


def build(folder: Path) -> dict[str, Path]:
    """Wheel and sdist built from a copy of the sources at ``folder``, as from a clean checkout."""
    source = folder / "source"
    ignore = shutil.ignore_patterns("__pycache__", "*.duckdb", ".pytest_cache", "*.so")
    source.mkdir(parents=True)
    for name in ("pipeline", "jobs", "app", "sql", "tests"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copy(ROOT / name, source / name)
    env = os.environ | {"SOURCE_DATE_EPOCH": "1734480000"}
    words = [sys.executable, "-m", "hatchling", "build", "-d", str(folder / "dist")]
    subprocess.run(words, cwd=source, env=env, check=True, capture_output=True)
    return {path.suffix: path for path in (folder / "dist").iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(tmp_path_factory.mktemp("first"))


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_two_builds_are_equal(built: dict[str, Path], tmp_path: Path) -> None:
    again = build(tmp_path)
    assert {kind: digest(path) for kind, path in built.items()} == {kind: digest(path) for kind, path in again.items()}


@pytest.mark.slow
def test_the_wheel_holds_code_data_and_sql(built: dict[str, Path]) -> None:
    names = zipfile.ZipFile(built[".whl"]).namelist()
    for wanted in ("pipeline/_sql/schema/0001_ledger.sql", "pipeline/grammar/rules/bird.toml", "jobs/cli.py",
                   "pipeline/findings/causes/md5.toml", "jobs/deploy/systemd/peerscope.service"):  # fmt: skip
        assert wanted in names
    assert not [name for name in names if name.startswith(("tests/", "sample_logs/"))]


@pytest.mark.slow
def test_the_wheel_runs_outside_the_checkout(built: dict[str, Path], tmp_path: Path) -> None:
    home = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    site = next((home / "lib").glob("python*/site-packages"))
    with zipfile.ZipFile(built[".whl"]) as wheel:
        wheel.extractall(site)
    # The dependencies of this environment; a path given this way does not bring the editable checkout along.
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": sysconfig.get_path("purelib"), "PEERSCOPE_FREE_BYTES": "0"}
    program = [str(home / "bin" / "python"), "-c", "from jobs.cli import main; main()"]

    def call(*words: str) -> str:
        done = subprocess.run([*program, *words], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert call("--version").strip() == f"peerscope {__version__}"
    compiled = [program[0], "-c", "from pipeline.native.library import available; print(available())"]
    fast = subprocess.run(compiled, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert fast.stdout.strip() == str(shutil.which("cc") is not None)
    where = [program[0], "-c", "import pipeline; print(pipeline.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert str(home) in found.stdout
    log = tmp_path / "bird.log"
    log.write_text("2024-12-18T07:19:36.1Z stdout F bird: Mesh_10_0_0_12: State changed to up\n")
    call("run", str(log))
    assert call("sql", "--format", "csv", "select sum(events)::int as n from event_counts").split() == ["n", "1"]
    assert "sessions_down" in call("sql", "--query", "list")
