"""The worked example of the guide to causes: its entry loads, and its tests hold."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.findings.catalogue import FOLDER, Catalogue, load_catalogue

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "add-a-cause.md"


def _block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def _tests() -> dict[str, Callable[[Catalogue], None]]:
    names: dict[str, Any] = {}
    exec(compile(_block("python"), str(PAGE), "exec"), names)
    return {name: value for name, value in names.items() if name.startswith("test_")}


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    """The causes of peerscope and the one of the guide."""
    folder = tmp_path_factory.mktemp("causes")
    for path in FOLDER.glob("*.toml"):
        shutil.copy(path, folder)
    (folder / "guide.toml").write_text(_block("toml"), encoding="utf-8")
    return load_catalogue(folder)


def test_the_entry_is_one_more_cause_and_says_everything(catalogue: Catalogue) -> None:
    [name] = set(catalogue.causes) - set(load_catalogue().causes)
    cause = catalogue.causes[name]
    assert cause.title and cause.summary and cause.remedy and cause.refuted_by and cause.look_alikes and cause.cite


@pytest.mark.parametrize("name", sorted(_tests()))
def test_its_tests_hold(catalogue: Catalogue, name: str) -> None:
    _tests()[name](catalogue)


def test_there_is_one_for_the_cause_and_one_for_its_look_alike() -> None:
    assert len(_tests()) == 2
