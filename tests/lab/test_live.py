"""Short live runs: real daemons do now what the recordings say they did."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sample_logs.lab import PREFIX
from sample_logs.lab.__main__ import missing_requirements
from sample_logs.lab.bundle import read
from sample_logs.lab.netns import LabError, leftovers, run
from sample_logs.lab.recording import Collector
from sample_logs.lab.runner import Lab
from sample_logs.lab.scenario import Scenario, load_all, parse

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = load_all()

KEY_LIMIT = """
id = "key-limit-small"
title = "x"
description = "x"
subnet = "10.128.200.0/24"
duration = 14
observe_every = 6
[[groups]]
name = "a"
reflectors = 1
clients = 4
md5 = true
optmem_max = 816
[[timeline]]
at = 6
do = "set_clients"
group = "a"
count = 8
fault = true
[truth]
cause = "md5_key_limit"
group = "a"
culprits = ["rr-a-1"]
"""

FEW_DESCRIPTORS = """
id = "few-descriptors"
title = "x"
description = "x"
subnet = "10.128.201.0/24"
duration = 9
observe_every = 60
poll_every = 60
[[groups]]
name = "mesh"
kind = "mesh"
clients = 4
[[setup]]
do = "limit"
nodes = ["node-004"]
resource = "nofile"
value = 10
fault = true
[truth]
cause = "descriptor_limit"
group = "mesh"
culprits = ["node-004"]
"""


def _refusal() -> str:
    reasons = missing_requirements()
    if not reasons:
        try:
            run(["ip", "netns", "list"])
            run(["unshare", "-m", "true"])
        except (LabError, OSError) as error:
            reasons = [f"no namespaces here: {error}"]
    return "; ".join(reasons)


pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(bool(_refusal()), reason=f"the lab cannot run: {_refusal()}"),
]


def record(scenario: Scenario, folder: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Run a scenario; its truth and its files. Nothing may stay behind."""
    with Lab(scenario) as lab:
        collector = Collector(lab)
        lab.run(collector.take_inventory, lambda _: None)
        collector.finish(folder)
    assert not leftovers(lab.network.prefix)
    assert not lab.work.exists()
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return truth, read(folder / "collected.tar.gz")


def shortened(name: str) -> Scenario:
    return replace(SCENARIOS[name], duration=15.0, observe_every=7.0)


@pytest.mark.parametrize("name", ["peer-not-listening", "port-rejected", "md5-password-different"])
def test_a_small_scenario_fails_the_sessions_it_should(name: str, tmp_path: Path) -> None:
    truth, files = record(shortened(name), tmp_path)
    (incident,) = truth["incidents"]
    assert incident["nodes"] == ["node-003"]
    assert incident["sessions"] == [["node-003", "rr-a-1"], ["node-003", "rr-a-2"]]
    assert incident["ended_at"] is None
    log = next(text for path, text in files.items() if "/rr-a-1/" in f"/{path}" and path.endswith("/0.log"))
    assert all(b" stdout F bird: " in line for line in log.splitlines())


def test_the_kernel_refuses_keys_past_the_limit(tmp_path: Path) -> None:
    truth, files = record(parse(KEY_LIMIT, "test"), tmp_path)
    # 816 bytes hold ceil(816 / 136) - 1 = 5 keys, so one of the four new clients comes up: BIRD starts new
    # protocols in the reverse order of its file.
    assert truth["incidents"][0]["nodes"] == ["node-005", "node-006", "node-007"]
    log = b"".join(text for path, text in files.items() if path.startswith("nodes/rr-a-1/var/log/"))
    assert log.count(b"Socket error: TCP_MD5SIG: Cannot allocate memory") == 3


def test_a_daemon_with_few_descriptors_has_none_for_its_last_session(tmp_path: Path) -> None:
    _, files = record(parse(FEW_DESCRIPTORS, "test"), tmp_path)
    # Eight files are open without any session, so two of the three connections fit.
    log = b"".join(text for path, text in files.items() if path.startswith("nodes/node-004/var/log/"))
    assert b"Socket error: socket: Too many open files" in log
    assert b"State changed to up" in log


def test_a_run_that_fails_leaves_nothing_behind() -> None:
    with pytest.raises(RuntimeError, match="on purpose"), Lab(shortened("port-rejected")) as lab:
        lab.start()
        raise RuntimeError("on purpose")
    assert not leftovers(lab.network.prefix)
    assert not lab.work.exists()


def test_a_run_that_is_told_to_stop_leaves_nothing_behind(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "sample_logs.lab", "run", "port-rejected", "--out", str(tmp_path)]
    with subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        prefix = f"{PREFIX}{process.pid:x}."
        deadline = time.monotonic() + 20
        while not leftovers(prefix) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert leftovers(prefix)
        process.terminate()
        assert process.wait(timeout=20) == 128 + signal.SIGTERM
    assert not leftovers(prefix)
    assert not list(Path(tempfile.gettempdir()).glob(f"{prefix}*"))
    assert not list(tmp_path.iterdir())
