"""The documentation: nothing undocumented, nothing out of date, nothing that does not run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from jobs import reference
from jobs.cli import app
from pipeline.findings.catalogue import load_catalogue
from pipeline.grammar import load_ruleset
from pipeline.settings import Settings
from pipeline.warehouse.library import load_library
from pipeline.warehouse.publish import PUBLISHED
from pipeline.warehouse.reader import Snapshot, open_snapshot
from tests.warehouse.build import build

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
BY_HAND = [page for page in PAGES if page.parent.name != "reference"]
ALSO = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")]
GROUP: Any = typer.main.get_command(app)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, *kinds: str) -> list[str]:
    """Code blocks of a page in one of the languages."""
    return [text for kind, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if kind in kinds]


def calls(page: Path) -> list[list[str]]:
    """Calls of peerscope in the shell blocks of a page, as words."""
    found = []
    for block in blocks(page, "sh", "bash", "shell", "console"):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s&&\s|\s\|\s", line.strip().removeprefix("$ ")):
                if part.startswith("peerscope "):
                    found.append(shlex.split(part, comments=True)[1:])
    return found


def test_the_reference_is_up_to_date() -> None:
    assert reference.outdated() == [], "run `python -m jobs.reference` (make docs)"


def test_every_command_is_in_the_reference_and_in_a_page() -> None:
    text = reference.commands()
    prose = "\n".join(page.read_text(encoding="utf-8") for page in [*BY_HAND, *ALSO])
    for name in GROUP.commands:
        assert f"\n## {name}\n" in text
        if name not in ("ingest", "mine", "analyze", "publish"):  # the steps of run
            assert re.search(rf"peerscope\b[^\n`]*\b{name}\b|`{name}[ `]", prose), f"no page speaks of `{name}`"


@pytest.mark.parametrize(
    ("page", "known"),
    [
        ("settings", lambda: [spec.name for spec in fields(Settings)]),
        ("tables", lambda: [*PUBLISHED, "meta"]),
        ("queries", lambda: list(load_library())),
        ("categories", lambda: list(load_ruleset().categories)),
        ("causes", lambda: list(load_catalogue().causes)),
    ],
    ids=["settings", "tables", "queries", "categories", "causes"],
)
def test_everything_has_its_entry(page: str, known: Callable[[], list[str]]) -> None:
    names = known()
    text = (reference.FOLDER / f"{page}.md").read_text(encoding="utf-8")
    missing = [name for name in names if f"## {name}\n" not in text and f"| `{name}` |" not in text]
    assert names
    assert not missing


def test_every_column_says_what_it_is() -> None:
    rows = [line for line in (reference.FOLDER / "tables.md").read_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 150
    assert not [row for row in rows if row.endswith("|  |")]


@pytest.mark.parametrize("page", [*PAGES, *ALSO], ids=lambda page: str(page.relative_to(ROOT)))
def test_calls_of_peerscope_parse(page: Path) -> None:
    for words in calls(page):
        context = GROUP.make_context("peerscope", list(words), resilient_parsing=False)
        rest = [*getattr(context, "_protected_args", []), *context.args]
        if rest:
            command = GROUP.get_command(context, rest[0])
            assert command is not None, f"no command {rest[0]!r}"
            command.make_context(rest[0], list(rest[1:]), parent=context)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return open_snapshot(build(tmp_path_factory.mktemp("docs")))


@pytest.mark.parametrize("page", BY_HAND, ids=lambda page: str(page.relative_to(ROOT)))
def test_statements_run(page: Path, snapshot: Snapshot) -> None:
    for statement in blocks(page, "sql"):
        snapshot.query(statement)


@pytest.mark.parametrize("page", [*PAGES, *ALSO], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), f"{page.name}: {target}"
        if anchor and other.suffix == ".md":
            titles = re.findall(r"^#+ (.*)$", other.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}
            assert anchor in slugs, f"{page.name}: {target}"


def test_files_that_pages_name_exist() -> None:
    for page in BY_HAND:
        for name in re.findall(
            r"`((?:jobs|pipeline|tests|sample_logs|sql)/[\w./-]+)`", page.read_text(encoding="utf-8")
        ):
            assert (ROOT / name).exists(), f"{page.name}: {name}"


def test_no_tool_is_needed_to_find_every_page() -> None:
    def listed(entry: Any) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        values = entry.values() if isinstance(entry, dict) else entry
        return [name for value in values for name in listed(value)]

    nav = listed(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert not [name for name in nav if not (DOCS / name).exists()]
    assert not {str(page.relative_to(DOCS)) for page in PAGES} - set(nav), "a page is not in mkdocs.yml"


def test_the_site_builds(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="mkdocs-material (PyPI) is not installed")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        words,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "tutorial.html").exists()
