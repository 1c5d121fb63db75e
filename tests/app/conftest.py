"""A small published warehouse for the app: the founding case, another recording, and a log written to do harm."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from jobs.demo import SAMPLES
from pipeline.engines.local import InputOptions, ingest
from pipeline.settings import load_settings
from pipeline.steps import analyze, mine, publish
from pipeline.warehouse.reader import Snapshot, open_snapshot
from pipeline.warehouse.writer import Warehouse
from tests.app.serving import serve

ROOT = Path(__file__).resolve().parents[2]
MAIN = ROOT / "app" / "main.py"
CLUSTERS = ("md5-key-limit-grown", "port-dropped")
HOSTILE = (
    "<script>window.harmed = 1</script>",
    "<img src=x onerror=window.harmed=1>",
    "[press me](javascript:window.harmed=1) **bold** `code` $x^2$ :red[shout] www.evil.example",
    '=HYPERLINK("http://evil.example","press me")',
    "red \x1b[31malert\x1b[0m and \u202ebackwards",
    "'; DROP TABLE log_events; --",
)


def pytest_configure(config: pytest.Config) -> None:
    """The marker of tests that drive a browser."""
    config.addinivalue_line("markers", "browser: drives the system's Chromium (chromium and playwright needed)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder on one worker: they share one warehouse."""
    for item in items:
        if Path(str(item.path)).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("app"))


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a published warehouse."""
    folder = tmp_path_factory.mktemp("app") / "warehouse"
    log = folder.parent / "hostile" / "<b>node"
    log.mkdir(parents=True)
    lines = [f"2026-11-23T07:51:0{number}.000000000Z stdout F bird: {text}" for number, text in enumerate(HOSTILE)]
    (log / "calico-node.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings, _ = load_settings(environ={})
    with Warehouse.open(folder) as held:
        for name in CLUSTERS:
            ingest(held, [str(SAMPLES / name / "collected.tar.gz")], InputOptions(cluster=name), settings)
        ingest(held, [str(log)], InputOptions(cluster="hostile", node="<b>node</b>"), settings)
        mine(held, settings)
        analyze(held, None)
        publish(held, settings)
    return folder


@pytest.fixture(scope="session")
def snapshot(warehouse: Path) -> Iterator[Snapshot]:
    """The published snapshot, open."""
    with open_snapshot(warehouse) as opened:
        yield opened


@pytest.fixture(scope="session")
def founding(snapshot: Snapshot) -> str:
    """Id of the founding case's incident."""
    found = snapshot.frame(
        "SELECT incident_id FROM incidents WHERE cluster = 'md5-key-limit-grown' AND cause = 'md5_key_limit'"
    )
    return str(found.item())


@pytest.fixture(autouse=True)
def _own_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """AppTest puts the app in the place of ``__main__``, which processes that later tests start would read again."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def app(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Runs a page of the app, with parameters as in an address."""
    monkeypatch.setenv("PEERSCOPE_WAREHOUSE", str(warehouse))
    st.cache_resource.clear()

    def run(page: str = "overview", **params: str) -> AppTest:
        at = AppTest.from_file(str(MAIN), default_timeout=60)
        for name, value in params.items():
            at.query_params[name.rstrip("_")] = value
        if page != "overview":
            at.switch_page(f"views/{page}.py")
        return at.run()

    return run


@pytest.fixture(scope="session")
def server(warehouse: Path) -> Iterator[str]:
    """Address of the app, served by the real command."""
    with serve(warehouse, {"HOME": str(warehouse.parent)}) as running:
        yield running.address
