"""A collection only reads, says what it could not get, carries no secret, and ``run`` reads what it wrote."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.collection import Cluster, collect, every_command
from pipeline.collection.commands import Command
from pipeline.collection.run import counters
from pipeline.engines.local import InputOptions, ingest
from pipeline.errors import InputError, UsageError
from pipeline.settings import Settings
from pipeline.warehouse.writer import Warehouse
from sample_logs.lab.bundle import read
from tests.collection.fake import ROOT, install

SAMPLE = ROOT / "sample_logs" / "peer-not-listening" / "collected.tar.gz"
NETSTAT = """\
Mon Nov 23 07:49:50 UTC 2026
TcpExt: SyncookiesSent ListenOverflows TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure
TcpExt: 0 3 7 0 1
IpExt: InNoRoutes
IpExt: 0
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recorded cluster behind fake programs on PATH."""
    folder = tmp_path / "cluster"
    (folder / "logs").mkdir(parents=True)
    files = read(SAMPLE)
    pods: list[dict[str, Any]] = []
    for name in sorted(files):
        if name.startswith("inventory/") and name.endswith((".json", ".yaml")):
            base = Path(name).name
            key = {
                "bgppeers.yaml": "calico-bgppeers.yaml", "bgpconfiguration.yaml": "calico-bgpconfigurations.yaml",
                "calico-nodes.yaml": "calico-nodes.yaml", "events.json": "events-kube-system.json",
            }.get(base, base)  # fmt: skip
            (folder / key).write_bytes(files[name])
    listing = json.loads((folder / "pods.json").read_text())
    for pod in listing["items"]:
        if pod["metadata"].get("labels", {}).get("k8s-app") != "calico-node":
            continue
        pods.append(pod)
        node, name = pod["spec"]["nodeName"], pod["metadata"]["name"]
        log = next(data for path, data in files.items() if f"nodes/{node}/var/log/pods" in path)
        # kubectl logs --timestamps prints what the CRI file holds without stream and flag
        lines = [line.split(b" ", 3) for line in log.splitlines()]
        (folder / "logs" / name).write_bytes(b"".join(line[0] + b" " + line[-1] + b"\n" for line in lines))
        home = folder / "exec" / name
        home.mkdir(parents=True)
        tables = [data for path, data in sorted(files.items()) if path.startswith(f"nodes/{node}/birdcl/")]
        (home / "birdcl").write_bytes(tables[-1])
        (home / "sysctl").write_bytes(b"Mon Nov 23 07:49:50 UTC 2026\nnet/core/optmem_max = 20480\n")
        (home / "uname").write_bytes(f"Mon Nov 23 07:49:50 UTC 2026\nLinux {node} 5.10.0-8 #1 SMP x86_64\n".encode())
        (home / "netstat").write_text(NETSTAT)
        (home / "bird.cfg").write_bytes(b'protocol bgp Mesh_1 {\n  password "hunter2-hunter2";\n}\n')
    pods[0].setdefault("status", {})["containerStatuses"] = [{"name": "calico-node", "restartCount": 2}]
    (folder / "pods.json").write_text(json.dumps(listing))
    (folder / "logs" / f"{pods[0]['metadata']['name']}-previous").write_bytes(
        b"2024-12-18T07:00:00.1Z bird: Graceful restart done\n"
    )
    (folder / "logs" / pods[1]["metadata"]["name"]).unlink()
    install(tmp_path / "bin", folder)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return folder


def calls(cluster: Path) -> list[list[str]]:
    return [json.loads(line) for line in (cluster / "calls.jsonl").read_text().splitlines()]


def test_run_reads_what_was_collected(cluster: Path, tmp_path: Path) -> None:
    done = collect(Cluster(), tmp_path / "b.tar.gz")
    with Warehouse.open(tmp_path / "w") as warehouse:
        summary = ingest(warehouse, [str(done.bundle)], InputOptions(cluster="live"), Settings())
        assert summary.files_read == len(done.members)
        assert summary.lines_rejected == 0
        assert not summary.refused
        nodes = warehouse.frame("SELECT DISTINCT node FROM session_states WHERE observed_by = 'show protocols'")
        assert len(nodes) >= len(done.nodes) - 1, "the daemon of one node does not answer in this recording"
        assert set(nodes["node"]) <= set(done.nodes)
        facts = warehouse.frame(
            "SELECT node, value FROM node_facts WHERE fact = 'optmem_max' AND source_path LIKE '%/sysctl/%'"
        )
        assert sorted(facts["node"]) == done.nodes
        assert set(facts["value"]) == {"20480"}
        md5 = warehouse.frame("SELECT DISTINCT value FROM node_facts WHERE fact = 'TcpExtTCPMD5NotFound'")
        assert md5["value"].to_list() == ["7"]
        kinds = set(warehouse.frame("SELECT DISTINCT kind FROM resources")["kind"])
        assert {"Node", "Pod", "BGPPeer", "BGPConfiguration"} <= kinds
        logged = warehouse.frame("SELECT DISTINCT node FROM sources WHERE container = 'calico-node'")
        assert len(logged) == len(done.nodes) - 1
        undated = warehouse.frame("SELECT count(*) AS n FROM log_events WHERE component = 'bird' AND ts IS NULL")
        assert undated["n"].item() == 0


def test_previous_containers_are_collected_and_missing_ones_told(cluster: Path, tmp_path: Path) -> None:
    done = collect(Cluster(), tmp_path / "b.tar.gz")
    assert [name for name in done.members if name.endswith("/calico-node/1.log")]
    reasons = dict(done.missing)
    assert any(" logs " in command for command in reasons)
    assert any("daemonsets" in command for command in reasons)
    assert all("abcdefghijklmnop" not in reason for reason in reasons.values()), "errors are cleaned as well"
    told = json.loads(read(done.bundle)[f"inventory/{done.stamp}/collection.json"])
    assert len(told["status"]["missing"]) == len(done.missing)


def test_no_secret_is_in_the_bundle(cluster: Path, tmp_path: Path) -> None:
    files = read(collect(Cluster(), tmp_path / "b.tar.gz").bundle)
    assert [name for name in files if name.endswith("bird.cfg")]
    assert all(b"hunter2" not in data for data in files.values())
    assert not any("secret" in word for call in calls(cluster) for word in call[:3])


def test_every_call_only_reads(cluster: Path, tmp_path: Path) -> None:
    collect(Cluster(rotated=True), tmp_path / "b.tar.gz")
    verbs = {(name, words[0]) for name, *words in calls(cluster)}
    assert verbs == {("kubectl", "get"), ("kubectl", "logs"), ("kubectl", "exec"), ("calicoctl", "get")}


@pytest.mark.parametrize(
    "words",
    [
        ("kubectl", "delete", "pods", "x"),
        ("kubectl", "get", "secrets", "-o", "yaml"),
        ("kubectl", "get", "nodes,secret", "-o", "yaml"),
        ("kubectl", "get", "--raw", "/api/v1/namespaces/kube-system/secrets/x"),
        ("kubectl", "exec", "--namespace", "a", "b", "-c", "c", "--", "sh", "-c", "rm -rf /"),
        ("kubectl", "exec", "--namespace", "a", "b", "-c", "c", "--", "birdcl", "restart", "all"),
        ("calicoctl", "apply", "-f", "x"),
        ("bash", "get", "x"),
    ],
)
def test_other_commands_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="only reads"):
        Command(words, "x").check(Cluster().programs)


def test_a_context_may_be_called_anything() -> None:
    for command in every_command(Cluster(context="secret-lab", rotated=True), "TIME"):
        command.check(Cluster().programs)


def test_rotated_files_come_through_the_kubelet(cluster: Path, tmp_path: Path) -> None:
    pod = next(
        item for item in json.loads((cluster / "pods.json").read_text())["items"]
        if item["metadata"]["labels"].get("k8s-app") == "calico-node"
    )  # fmt: skip
    meta, node = pod["metadata"], pod["spec"]["nodeName"]
    folder = f"raw/api/v1/nodes/{node}/proxy/logs/pods/{meta['namespace']}_{meta['name']}_{meta['uid']}/calico-node"
    listing = b'<a href="0.log">0.log</a> <a href="0.log.20241218-070000.gz">x</a> <a href="../../etc/passwd">y</a>'
    (cluster / folder).parent.mkdir(parents=True)
    (cluster / folder).write_bytes(listing)
    done = collect(Cluster(rotated=True, nodes=(node,)), tmp_path / "b.tar.gz")
    assert done.nodes == [node]
    asked = [call[-1] for call in calls(cluster) if "--raw" in call]
    assert asked[-1].endswith("/calico-node/0.log.20241218-070000.gz")
    assert not any("passwd" in path for path in asked)


def test_an_unreachable_cluster_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not installed"):
        collect(Cluster(kubectl="no-such-kubectl"), tmp_path / "b.tar.gz")
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_prints_every_command_and_runs_none(cluster: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jobs", "collect", "--dry-run"], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(list(every_command(Cluster(), "TIME")))
    assert sum("birdcl -r" in line and "date -u;" in line for line in lines) == 1
    assert not (cluster / "calls.jsonl").exists()


def test_the_command_says_what_it_got(cluster: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.tar.gz"
    done = subprocess.run(
        [sys.executable, "-m", "jobs", "collect", "--output", str(target)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(target)
    assert "could not get: kubectl logs" in done.stderr
    assert tarfile.is_tarfile(target)


def test_counters_read_like_nstat() -> None:
    lines = counters(NETSTAT).splitlines()
    assert lines[:2] == ["Mon Nov 23 07:49:50 UTC 2026", "#kernel"]
    assert [line.split() for line in lines[2:]] == [
        ["TcpExtListenOverflows", "3", "0.0"], ["TcpExtTCPMD5NotFound", "7", "0.0"],
        ["TcpExtTCPMD5Unexpected", "0", "0.0"], ["TcpExtTCPMD5Failure", "1", "0.0"],
    ]  # fmt: skip


def test_a_compressed_answer_is_kept_as_text(cluster: Path, tmp_path: Path) -> None:
    name = next((cluster / "logs").iterdir()).name
    (cluster / "logs" / name).write_bytes(gzip.compress(b"2024-12-18T07:00:00.1Z bird: password=hunter2\n" * 100))
    files = read(collect(Cluster(), tmp_path / "b.tar.gz").bundle)
    logs = [data for path, data in files.items() if name in path and path.endswith(".log")]
    assert b"hunter2" not in logs[0]
    assert logs[0].count(b"\n") == 100
