"""Each way in which an input tells Calico's release reaches the table of nodes, or an inference that says it is one."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipeline import steps
from pipeline.engines.explain import explain_bytes
from pipeline.engines.local import InputOptions, ingest
from pipeline.inventory.fingerprints import FACT, inferred_versions, load_fingerprints
from pipeline.settings import Settings
from pipeline.warehouse.writer import Warehouse
from tests.inputs.reading import Sample, facts_of, piece_of

TIME = "2024-12-18 07:19:36.112"
BIRD = "bird: Mesh_10_0_0_12: State changed to up\n"
NODE = (
    '{"kind": "Node", "apiVersion": "v1", "metadata": {"name": "worker-1"}, "status": {"addresses": '
    '[{"type": "InternalIP", "address": "10.0.0.11"}]}}\n'
)
LISTS = "NAME          DESIRED   CURRENT   READY   UP-TO-DATE   AVAILABLE   NODE SELECTOR            AGE   CONTAINERS    IMAGES"
DIRECT = {
    "start": f"{TIME} [INFO][9] startup/startup.go 95: Starting node worker-1 with version v3.28.1\n",
    "felix starts": f'{TIME} [INFO][68] felix/daemon.go 146: Felix starting up GOMAXPROCS=4 builddate="2024" version="v3.28.1"\n',
    "felix is configured": f"{TIME} [INFO][68] felix/daemon.go 391: Successfully loaded configuration. GOMAXPROCS=4 "
    'builddate="2024" config=&config.Config{} gitcommit="a" version="v3.28.1"\n',
    "typha": f'{TIME} [INFO][7] typha/daemon.go 110: Typha starting up GOMAXPROCS=4 buildDate="2024" version="v3.28.1"\n',
    "cluster information in felix": f"{TIME} [INFO][68] felix/config_batcher.go 90: Global config update: "
    "{{GlobalFelixConfig(name=CalicoVersion) v3.28.1 <nil> <nil> 0s} new}\n",
    "cluster information": '{"kind": "ClusterInformation", "apiVersion": "crd.projectcalico.org/v1", '
    '"metadata": {"name": "default"}, "spec": {"calicoVersion": "v3.28.1"}}\n',
    "image of the pod": '{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "calico-node-x7k2p"}, "spec": {"nodeName": '
    '"worker-1", "containers": [{"name": "calico-node", "image": "docker.io/calico/node:v3.28.1"}]}}\n',
    "image of the daemon set": '{"kind": "DaemonSet", "apiVersion": "apps/v1", "metadata": {"name": "calico-node"}, "spec": '
    '{"template": {"spec": {"containers": [{"name": "calico-node", "image": "quay.io/calico/node:v3.28.1"}]}}}}\n',
    "table of daemon sets": f"{LISTS}\ncalico-node   2   2   2   2   2   kubernetes.io/os=linux   28h   calico-node   calico/node:v3.28.1\n",
    "event": '{"kind": "Event", "apiVersion": "v1", "metadata": {"name": "a.1"}, "reason": "Pulled", "type": "Normal", "message": '
    '"Container image \\"docker.io/calico/node:v3.28.1\\" already present on machine", "source": {"component": "kubelet", '
    '"host": "worker-1"}, "involvedObject": {"kind": "Pod", "name": "calico-node-x7k2p"}, "lastTimestamp": "2024-12-18T07:19:36Z"}\n',
    "describe": "Name:   calico-node-x7k2p\nNamespace:   kube-system\nPriority:   0\nNode:   worker-1/10.0.0.11\n"
    "Containers:\n  calico-node:\n    Image:   docker.io/calico/node:v3.28.1\n",
    "calicoctl version": "Client Version:    v3.28.1\nCluster Version:   v3.28.1\n",
}  # fmt: skip


@pytest.mark.parametrize("way", DIRECT)
def test_a_release_that_is_told_stands_in_the_table_of_nodes(way: str, tmp_path: Path) -> None:
    folder = tmp_path / "nodes" / "worker-1"
    folder.mkdir(parents=True)
    (folder / "told").write_text(DIRECT[way], encoding="utf-8")
    (folder / "bird.log").write_text(BIRD, encoding="utf-8")
    (folder / "node.json").write_text(NODE, encoding="utf-8")
    with Warehouse.open(tmp_path / "w") as warehouse:
        ingest(warehouse, [str(tmp_path / "nodes")], InputOptions("c"), Settings())
        steps.analyze(warehouse, clusters=None)
    with duckdb.connect(str(tmp_path / "w" / "peerscope.duckdb"), read_only=True) as stored:
        rows = stored.execute("SELECT calico_version FROM nodes WHERE node = 'worker-1'").fetchall()
    assert rows == [("v3.28.1",)]


def inferred(text: str, name: str = "nodes/worker-1/x.log") -> dict[str, str]:
    facts = facts_of(piece_of(Sample(name, text.encode())))
    return {node: str(releases) for node, releases in inferred_versions(facts.node_facts, ["worker-1"]).items()}


def test_places_of_lines_narrow_each_other_down() -> None:
    probe = f"{TIME} [INFO][6] confd/health.go 180: Number of node(s) with BGP peering established = 1\n"
    confd = f"{TIME} [INFO][72] confd/client.go 1036: Recompute BGP peerings: worker-2 updated\n"
    target = f"{TIME} [INFO][72] confd/resource.go 277: Target config /etc/calico/confd/config/bird.cfg has been updated due to change in key: /a\n"
    assert inferred(probe) == {"worker-1": "3.15-3.27"}
    assert inferred(probe + confd) == {"worker-1": "3.26-3.27"}
    assert inferred(probe + confd + target) == {"worker-1": "3.26-3.27.0"}


def test_a_probe_that_is_quoted_counts_as_well() -> None:
    text = (
        "Name:   calico-node-x7k2p\nNamespace:   kube-system\nPriority:   0\nNode:   worker-1/10.0.0.11\nEvents:\n"
        "  Type     Reason     Age   From     Message\n  ----     ------     ----  ----     -------\n"
        "  Warning  Unhealthy  79s   kubelet  Readiness probe failed: 2024-12-18 07:18:36.112 [INFO][5] confd/health.go 202: "
        "Number of node(s) with BGP peering established = 0\n"
        "calico/node is not ready: BIRD is not ready: BGP not established with 10.0.1.1\n"
    )
    assert inferred(text) == {"worker-1": "3.28-3.30"}


@pytest.mark.parametrize(
    ("banner", "releases"),
    [("v0.3.3+birdv1.6.8", "3.11-"), ("v0.3.3+birdv1.6.7", "3.10"), ("v0.3.2+birdv1.6.3", "3.0-3.9"), ("2.0.12", None)],
)
def test_birds_version_bounds_the_release(banner: str, releases: str | None) -> None:
    found = inferred(f"BIRD {banner} ready.\nname     proto    table    state  since       info\n")
    assert found.get("worker-1") == releases


def test_an_inference_is_named_as_one_by_explain() -> None:
    line = f"{TIME} [INFO][72] confd/client.go 1036: Recompute BGP peerings: worker-2 updated"
    [row] = explain_bytes(line.encode(), "a line", Settings())
    assert row["params"][FACT] == "3.26-3.29"
    unknown = explain_bytes(line.replace("1036", "77").encode(), "a line", Settings())
    assert FACT not in unknown[0]["params"]


def test_every_fingerprint_belongs_to_a_rule() -> None:
    from pipeline.grammar import load_ruleset

    known = load_fingerprints()
    assert set(known.rules) <= {rule.id for rule in load_ruleset().rules}
    assert all(releases for message in known.messages for releases in message.places.values())
