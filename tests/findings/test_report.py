"""Reports: golden files, hostile text, width, and what a cluster without trouble says.

To renew the golden files after a change that was meant: ``PEERSCOPE_GOLDEN=write pytest tests/findings``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.findings.report import build_report, render
from tests.findings.cluster import END, Cluster
from tests.findings.published import Published

GOLDEN = Path(__file__).parent / "golden"
MD5 = "Error: Kernel MD5 auth failed"


def _founding() -> Published:
    cluster = Cluster(clients=155, reflectors=1, md5=True, optmem_max=20480)
    late = cluster.clients[-5:]
    for k, client in enumerate(late):
        cluster.never_up(client, "rr-1", error_b=MD5)
        text = f"Node_{cluster.address[client].replace('.', '_')}: Socket error: TCP_MD5SIG: Cannot allocate memory"
        cluster.record("rr-1", 1 + k / 10, text, "md5_kernel_setup_failed", severity="critical")
    cluster.table("rr-1", 300, dict.fromkeys(late, ("Down", MD5)))
    return Published(cluster.analysis())


def _planned() -> Published:
    cluster = Cluster(clients=4)
    cluster.record("n-1", 204, "Graceful restart started", "graceful_restart", severity="info")
    for hub in cluster.reflectors:
        cluster.lose("n-1", hub, 200, 208)
    return Published(cluster.analysis())


def _undetermined() -> Published:
    cluster = Cluster(md5=True)
    cluster.silent = {"n-3"}
    cluster.never_up("n-3", "rr-1")
    return Published(cluster.analysis())


CASES = {
    "founding": _founding, "healthy": lambda: Published(Cluster().analysis()), "planned": _planned,
    "undetermined": _undetermined,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CASES))
@pytest.mark.parametrize(("form", "suffix"), [("text", "txt"), ("markdown", "md")])
def test_golden(name: str, form: str, suffix: str) -> None:
    text = render(build_report(CASES[name](), "small"), form).rstrip("\n") + "\n"
    path = GOLDEN / f"{name}.{suffix}"
    if os.environ.get("PEERSCOPE_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(CASES))
def test_no_line_is_longer_than_100_columns(name: str) -> None:
    for line in render(build_report(CASES[name]()), "text").splitlines():
        assert len(line) <= 100, line


def test_the_founding_case_in_plain_words() -> None:
    text = " ".join(render(build_report(_founding()), "text").split())
    for words in (
        "155 peers have a password, but only 150 keys fit: 150 = ceil(20480/136) - 1 with optmem_max 20480",
        "n-151, n-152, n-153, n-154, n-155: not established, no error text at all (5 sessions)",
        "rr-1: Error: Kernel MD5 auth failed (5 sessions)", "the failure moves to other nodes",
        "$ sysctl -w net.core.optmem_max=131072", "/etc/sysctl.d/", "birdcl configure",
        "raising the limit alone changes nothing", "963", "very likely",
    ):  # fmt: skip
        assert words in text


def test_a_cluster_without_incident_says_what_was_observed() -> None:
    report = build_report(Published(Cluster().analysis()), "small")
    assert report.worst is None
    assert report.headline == "small: no incident; 20 of 20 session ends up on 7 nodes"
    assert "No incident was found." in render(report, "text")


def test_json_has_everything() -> None:
    report = json.loads(render(build_report(_founding()), "json"))
    incident = report["incidents"][0]
    assert report["worst"] == "error"
    assert incident["cause"] == incident["best"]["cause"] == "md5_key_limit"
    assert incident["started_at"].endswith("Z")
    assert all(line["source_path"] for line in incident["best"]["evidence"] if line["role"] == "supports"
               and "Socket error" in line["text"])  # fmt: skip


def test_group_and_time_narrow_the_report() -> None:
    published = _founding()
    assert build_report(published, group="nothing of that name").incidents == ()
    assert build_report(published, since="2999-01-01").incidents != ()
    assert build_report(_planned(), since="2999-01-01").incidents == ()
    assert build_report(published, since="24h").since is not None


def test_what_cannot_be_meant_is_refused() -> None:
    published = Published(Cluster().analysis())
    with pytest.raises(UsageError, match="not in this warehouse; it holds small"):
        build_report(published, "other")
    with pytest.raises(UsageError, match="--since yesterday"):
        build_report(published, since="yesterday")
    with pytest.raises(UsageError, match="--format xml"):
        render(build_report(published), "xml")


HOSTILE = "evil \x1b[31mred\x1b[0m \u202eabc </script><img src=x> `|[a](javascript:b)` \x00 Too many open files"


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_log_text_is_hostile(form: str) -> None:
    cluster = Cluster()
    cluster.record("n-1", 300, HOSTILE, "resource_exhaustion")
    text = render(build_report(Published(cluster.analysis())), form)
    assert "Too many open files" in text
    assert not any(char in text for char in "\x1b\x00\u202e")
    if form == "markdown":
        outside = "".join(part for k, part in enumerate(text.split("`")) if k % 2 == 0)
        assert "<img" not in outside and "](javascript" not in outside
    assert END > 300
