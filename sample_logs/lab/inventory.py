"""The cluster's resources as kubectl and calicoctl would print them: rendered, around real facts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from sample_logs.lab.cluster import Cluster, Group, Node, stable_uuid
from sample_logs.lab.observe import kube_time

CALICO_IMAGE = "docker.io/calico/node:v3.22.4"
KUBELET_VERSION = "v1.23.17"


@dataclass(frozen=True)
class Machine:
    """Facts of the machine that the lab runs on; they are the facts of every node."""

    kernel: str
    os_image: str
    uname: str
    bird_version: str

    def uname_of(self, node: str) -> str:
        """``uname -a`` with the node's name where the host name stands."""
        fields = self.uname.split()
        return " ".join([fields[0], node, *fields[2:]])


@dataclass(frozen=True)
class NodeFacts:
    """What is true of one node at the time of an inventory."""

    optmem_max: int
    created: float
    silent: bool = False


@dataclass(frozen=True)
class Pod:
    """A calico-node pod."""

    name: str
    uid: str
    node: str
    address: str
    started: tuple[float, ...]
    ready: bool = True


def to_json(document: Mapping[str, Any]) -> str:
    """JSON as kubectl prints it."""
    return json.dumps(document, indent=4) + "\n"


def to_yaml(document: Mapping[str, Any]) -> str:
    """YAML as calicoctl prints it."""
    return str(yaml.safe_dump(document, sort_keys=True, default_flow_style=False))


def _labels(node: Node) -> dict[str, str]:
    return {"kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux", **node.labels}


def _ready_condition(silent: bool) -> dict[str, str]:
    if silent:
        message = "Kubelet stopped posting node status."
        return {"message": message, "reason": "NodeStatusUnknown", "status": "Unknown", "type": "Ready"}
    message = "kubelet is posting ready status"
    return {"message": message, "reason": "KubeletReady", "status": "True", "type": "Ready"}


def _kube_node(cluster: Cluster, node: Node, machine: Machine, facts: NodeFacts) -> dict[str, Any]:
    annotations = {
        "peerscope/optmem_max": str(facts.optmem_max),
        "projectcalico.org/IPv4Address": f"{node.address}/{cluster.scenario.subnet.prefixlen}",
    }
    if node.rr_cluster_id is not None:
        annotations["projectcalico.org/RouteReflectorClusterID"] = node.rr_cluster_id
    if node.as_number != cluster.scenario.as_number:
        annotations["projectcalico.org/ASNumber"] = str(node.as_number)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "annotations": annotations,
            "creationTimestamp": kube_time(facts.created),
            "labels": _labels(node),
            "name": node.name,
            "uid": stable_uuid(cluster.scenario.id, node.name, "node"),
        },
        "status": {
            "addresses": [
                {"address": node.address, "type": "InternalIP"},
                {"address": node.name, "type": "Hostname"},
            ],
            "conditions": [_ready_condition(facts.silent)],
            "nodeInfo": {
                "architecture": "amd64",
                "kernelVersion": machine.kernel,
                "kubeletVersion": KUBELET_VERSION,
                "operatingSystem": "linux",
                "osImage": machine.os_image,
            },
        },
    }


def _list(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "v1", "items": list(items), "kind": "List", "metadata": {"resourceVersion": ""}}


def _inside(cluster: Cluster) -> list[Node]:
    return [node for node in cluster.nodes.values() if node.role != "outside"]


def nodes_json(cluster: Cluster, machine: Machine, facts: Mapping[str, NodeFacts]) -> str:
    """``kubectl get nodes -o json``."""
    items = [_kube_node(cluster, node, machine, facts[node.name]) for node in _inside(cluster)]
    return to_json(_list(items))


def calico_nodes_yaml(cluster: Cluster, facts: Mapping[str, NodeFacts]) -> str:
    """``calicoctl get nodes -o yaml``."""
    items = []
    for node in _inside(cluster):
        bgp: dict[str, Any] = {"ipv4Address": f"{node.address}/{cluster.scenario.subnet.prefixlen}"}
        if node.rr_cluster_id is not None:
            bgp["routeReflectorClusterID"] = node.rr_cluster_id
        if node.as_number != cluster.scenario.as_number:
            bgp["asNumber"] = node.as_number
        metadata = {
            "creationTimestamp": kube_time(facts[node.name].created),
            "labels": _labels(node),
            "name": node.name,
            "uid": stable_uuid(cluster.scenario.id, node.name, "node"),
        }
        spec = {
            "addresses": [
                {"address": bgp["ipv4Address"], "type": "CalicoNodeIP"},
                {"address": node.address, "type": "InternalIP"},
            ],
            "bgp": bgp,
            "orchRefs": [{"nodeName": node.name, "orchestrator": "k8s"}],
        }
        resource = {"apiVersion": "projectcalico.org/v3", "kind": "Node", "metadata": metadata, "spec": spec}
        items.append({**resource, "status": {}})
    return to_yaml({"apiVersion": "projectcalico.org/v3", "items": items, "kind": "NodeList"})


def _bgppeer(name: str, spec: dict[str, Any], md5: bool, created: float) -> dict[str, Any]:
    if md5:
        spec["password"] = {"secretKeyRef": {"key": "password", "name": "bgp-password"}}
    return {
        "apiVersion": "projectcalico.org/v3",
        "kind": "BGPPeer",
        "metadata": {"creationTimestamp": kube_time(created), "name": name},
        "spec": spec,
    }


def _bgppeers_of(cluster: Cluster, group: Group, created: float) -> list[dict[str, Any]]:
    spec, label = group.spec, group.label
    if spec.kind == "mesh":
        return []
    if spec.kind == "external":
        router = cluster.nodes[group.reflectors[0]]
        wanted = {"peerIP": router.address, "asNumber": spec.configured_as}
        return [_bgppeer(f"peers-with-{router.name}", wanted, spec.md5, created)]
    reflectors = f"route-reflector == '{label}'"
    clients = {"nodeSelector": f"bgp-group == '{label}'", "peerSelector": reflectors}
    peers = [_bgppeer(f"clients-of-{label}", clients, spec.md5, created)]
    if spec.interconnect:
        between = {"nodeSelector": reflectors, "peerSelector": reflectors}
        peers.append(_bgppeer(f"reflectors-of-{label}", between, spec.md5, created))
    return peers


def bgppeers_yaml(cluster: Cluster, created: float) -> str:
    """``calicoctl get bgppeers -o yaml``."""
    items = [peer for group in cluster.groups.values() for peer in _bgppeers_of(cluster, group, created)]
    return to_yaml({"apiVersion": "projectcalico.org/v3", "items": items, "kind": "BGPPeerList"})


def bgpconfiguration_yaml(cluster: Cluster, created: float) -> str:
    """``calicoctl get bgpconfigurations -o yaml``."""
    spec: dict[str, Any] = {
        "asNumber": cluster.scenario.as_number,
        "logSeverityScreen": "Info",
        "nodeToNodeMeshEnabled": cluster.scenario.mesh,
    }
    if any(group.spec.kind == "mesh" and group.spec.md5 for group in cluster.groups.values()):
        spec["nodeMeshPassword"] = {"secretKeyRef": {"key": "password", "name": "bgp-password"}}
    item = {
        "apiVersion": "projectcalico.org/v3",
        "kind": "BGPConfiguration",
        "metadata": {"creationTimestamp": kube_time(created), "name": "default"},
        "spec": spec,
    }
    return to_yaml({"apiVersion": "projectcalico.org/v3", "items": [item], "kind": "BGPConfigurationList"})


def pods_json(pods: Sequence[Pod]) -> str:
    """``kubectl get pods -n kube-system -l k8s-app=calico-node -o json``."""
    return to_json(_list([_pod(pod) for pod in pods]))


def _pod(pod: Pod) -> dict[str, Any]:
    container = {
        "image": CALICO_IMAGE,
        "name": "calico-node",
        "ready": pod.ready,
        "restartCount": len(pod.started) - 1,
        "started": True,
        "state": {"running": {"startedAt": kube_time(pod.started[-1])}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "creationTimestamp": kube_time(pod.started[0]),
            "labels": {"k8s-app": "calico-node"},
            "name": pod.name,
            "namespace": "kube-system",
            "uid": pod.uid,
        },
        "spec": {"containers": [{"image": CALICO_IMAGE, "name": "calico-node"}], "nodeName": pod.node},
        "status": {
            "containerStatuses": [container],
            "hostIP": pod.address,
            "phase": "Running",
            "podIP": pod.address,
            "startTime": kube_time(pod.started[0]),
        },
    }
