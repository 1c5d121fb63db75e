"""What the README says is so."""

from __future__ import annotations

import re

import pytest

from tests.readme import README, ROOT, block, founding_report, shown


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return founding_report(tmp_path_factory.mktemp("readme"))


def test_the_report_shown_is_the_report_printed(report: str) -> None:
    assert shown() == block(report), "run `python -m tests.readme`"


def test_the_founding_case_is_told_in_plain_words(report: str) -> None:
    text = " ".join(report.split())
    for words in (
        "rr-a-1, rr-a-2, rr-a-3",
        "155 peers have a password, but only 150 keys fit: 150 = ceil(20480/136) - 1",
        "node-161, node-162, node-163, node-164, node-165",
        "Kernel MD5 auth failed",
        "not established, no error text at all",
        "It is not the password",
        "moves to other nodes",
        "sysctl -w net.core.optmem_max=131072",
        "/etc/sysctl.d/",
        "raising the limit alone changes nothing",
        "birdcl configure",
        "963",
    ):
        assert words in text


def test_files_and_targets_that_the_readme_names_exist() -> None:
    text = README.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / link).exists(), link
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^    make (\w+)", text, re.MULTILINE):
        assert f"\n{target}:" in makefile


def test_nothing_names_the_place_of_this_checkout() -> None:
    for path in ROOT.rglob("*"):
        wanted = path.suffix in {".py", ".md", ".toml", ".sql", ".yaml"} and ".venv" not in path.parts
        if wanted and len(ROOT.parts) > 2:
            assert f"{ROOT}/" not in path.read_text(encoding="utf-8"), path
