"""No byte of a secret gets out, whatever kind of input it stands in and whatever form it has.

Each secret is put into each example; what the parse function gives, what a run stores and prints, what report, sql
and explain show and what error messages say is searched for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from pipeline.engines.explain import explain_bytes
from pipeline.engines.facts import Facts
from pipeline.settings import Settings
from tests.conftest import leave
from tests.inputs.reading import facts_of, piece_of, sources_of
from tests.inputs.secrets import FORMS, infected

PACKED = re.compile(r"\.(?:gz|zst|xz|bz2|tar|zip)(?:!|$)|\.bin$")
SAMPLES = {sample.name: sample for sample in sources_of() if not PACKED.search(sample.name)}
FRAMES = ("records", "counts", "states", "resources", "node_facts", "rejects", "observed", "tally")


def said(facts: Facts) -> str:
    return "\n".join(getattr(facts, name).write_json() for name in FRAMES)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_that_is_parsed_holds_a_secret(form: str) -> None:
    secrets: dict[str, str] = {}
    pieces = []
    for src, (name, sample) in enumerate(SAMPLES.items()):
        data, secrets[name] = infected(sample, form)
        assert secrets[name].encode() in data
        pieces.append(piece_of(sample, data, src))
    told = said(facts_of(*pieces))
    assert [name for name, secret in secrets.items() if secret in told] == []


@pytest.mark.parametrize("form", FORMS)
def test_explain_shows_no_secret(form: str) -> None:
    leaks = []
    for name, sample in list(SAMPLES.items())[:: len(FORMS)]:
        data, secret = infected(sample, form)
        if secret in str(explain_bytes(data, name, Settings())):
            leaks.append(name)
    assert leaks == []


def test_nothing_stored_or_printed_by_a_run_holds_a_secret(
    tmp_path: Path, peerscope: Callable[..., tuple[int, str, str]]
) -> None:
    folder, warehouse = tmp_path / "input", tmp_path / "w"
    secrets = []
    forms = list(FORMS)
    for number, (name, sample) in enumerate(SAMPLES.items()):
        data, secret = infected(sample, forms[number % len(forms)])
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        secrets.append(secret)
    printed = []
    for words in (
        ["--warehouse", str(warehouse), "run", "--cluster", "c", str(folder)],
        ["--warehouse", str(warehouse), "run", "--dry-run", str(folder)],
        ["--warehouse", str(warehouse), "status"],
        ["--warehouse", str(warehouse), "report"],
        ["--warehouse", str(warehouse), "report", "--format", "json"],
        ["--warehouse", str(warehouse), "report", "--format", "markdown"],
        ["--warehouse", str(warehouse), "sql", "FROM log_events", "--format", "csv"],
        ["--warehouse", str(warehouse), "sql", "FROM rejects", "--format", "json"],
        ["--warehouse", str(warehouse), "sql", "FROM nowhere"],
    ):
        _, out, err = peerscope(*words)
        printed += [out, err]
    told = "\n".join(printed)
    assert len(told) > 10_000
    assert [secret for secret in secrets if secret in told] == []
    files = [path for path in warehouse.rglob("*") if path.is_file()]
    stored = b"".join(path.read_bytes() for path in files)
    assert [secret for secret in secrets if secret.encode() in stored] == []
    for path in files:
        if path.suffix == ".duckdb":
            assert rows_with(path, secrets) == []


def rows_with(path: Path, secrets: list[str]) -> list[str]:
    """Tables of a database file that hold a secret in any column; values may be compressed on disk."""
    found = []
    with duckdb.connect(str(path), read_only=True) as stored:
        names = stored.execute("SELECT table_name FROM information_schema.tables").fetchall()
        for (name,) in names:
            pattern = "|".join(secrets)
            query = f'SELECT count(*) FROM "{name}" AS t WHERE regexp_matches(CAST(t AS VARCHAR), $p)'
            count = stored.execute(query, {"p": pattern}).fetchone()
            if count and count[0]:
                found.append(str(name))
    return found


def test_errors_of_the_command_line_hold_no_secret(
    tmp_path: Path, peerscope: Callable[..., tuple[int, str, str]]
) -> None:
    for form in FORMS:
        sample = SAMPLES["bare.log"]
        data, secret = infected(sample, form)
        path = tmp_path / "broken.toml"
        path.write_bytes(data)
        _, out, err = peerscope("--config", str(path), "config")
        assert secret not in out + err
    assert leave(["--version"]) == 0
