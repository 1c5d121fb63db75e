"""What a row of an inventory table says: facts of nodes, and resources it stands for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from pipeline.status.lines import Line
from pipeline.status.names import address_only
from pipeline.status.sink import Sink

_CALICO_IMAGE = re.compile(r"calico/(?:cnx-)?node:(v?[\w.\-]+)|(?:^|[/,])calico-node:(v[\w.\-]+)")

Row = dict[str, str]


def _json(body: Mapping[str, object]) -> str:
    return json.dumps(body, sort_keys=True, ensure_ascii=False)


def calico_version(image: str) -> str | None:
    """Version of the calico/node image among a list of images, or None."""
    match = _CALICO_IMAGE.search(image)
    return (match[1] or match[2]) if match else None


def _node(row: Row, line: Line, sink: Sink) -> None:
    name = row["NAME"]
    addresses = [row[c] for c in ("INTERNAL-IP", "EXTERNAL-IP") if address_only(row.get(c))]
    info = {
        "kubeletVersion": row.get("VERSION"),
        "osImage": row.get("OS-IMAGE"),
        "kernelVersion": row.get("KERNEL-VERSION"),
    }
    for fact, value in zip(("k8s_version", "os_image", "kernel_version"), info.values(), strict=True):
        if value:
            sink.fact(line, fact, value, name)
    if addresses:
        sink.fact(line, "addresses", ",".join(addresses), name)
    listed = [{"type": "InternalIP" if n == 0 else "ExternalIP", "address": a} for n, a in enumerate(addresses)]
    status = {"addresses": listed, "nodeInfo": {k: v for k, v in info.items() if v}}
    sink.resource(line, "Node", name, _json({"kind": "Node", "metadata": {"name": name}, "status": status}))


def _calico_node(row: Row, line: Line, sink: Sink) -> None:
    name = row["NAME"]
    bgp = {"asNumber": row.get("ASN"), "ipv4Address": row.get("IPV4"), "ipv6Address": row.get("IPV6")}
    bgp = {k: v for k, v in bgp.items() if v and v != "<none>"}
    addresses = [a for a in (address_only(bgp.get("ipv4Address")), address_only(bgp.get("ipv6Address"))) if a]
    if addresses:
        sink.fact(line, "addresses", ",".join(addresses), name)
    body = {
        "kind": "Node",
        "apiVersion": "projectcalico.org/v3",
        "metadata": {"name": name},
        "spec": {"bgp": bgp},
    }
    sink.resource(line, "Node", name, _json(body))


def _pod(row: Row, line: Line, sink: Sink) -> None:
    node = row.get("NODE")
    if not node or node == "<none>":
        return
    body: dict[str, object] = {
        "kind": "Pod",
        "metadata": {"name": row["NAME"], "namespace": row.get("NAMESPACE")},
        "spec": {"nodeName": node},
        "status": {"podIP": row.get("IP")},
    }
    sink.resource(line, "Pod", row["NAME"], _json(body), row.get("NAMESPACE"))


def _daemonset(row: Row, line: Line, sink: Sink) -> None:
    version = calico_version(row.get("IMAGES", ""))
    if version:
        sink.fact(line, "calico_version", version)


def _peer(row: Row, line: Line, sink: Sink) -> None:
    where = row.get("NODE", "")
    spec: dict[str, str] = {}
    if address_only(row.get("PEERIP")):
        spec["peerIP"] = row["PEERIP"]
    if where and where != "(global)":
        selector = any(mark in where for mark in ("=", "(", "!", " in ", "{"))
        spec["nodeSelector" if selector else "node"] = where
    if row.get("ASN", "").isdigit():
        spec["asNumber"] = row["ASN"]
    body = {"kind": "BGPPeer", "metadata": {"name": row["NAME"]}, "spec": spec}
    sink.resource(line, "BGPPeer", row["NAME"], _json(dict(body)))


def _bgp_config(row: Row, line: Line, sink: Sink) -> None:
    spec: dict[str, object] = {"logSeverityScreen": row.get("LOGSEVERITY", "")}
    if row.get("MESHENABLED") in ("true", "false"):
        spec["nodeToNodeMeshEnabled"] = row["MESHENABLED"] == "true"
    if row.get("ASNUMBER", "").isdigit():
        spec["asNumber"] = row["ASNUMBER"]
    body = {"kind": "BGPConfiguration", "metadata": {"name": row["NAME"]}, "spec": spec}
    sink.resource(line, "BGPConfiguration", row["NAME"], _json(body))


#: Which output a heading begins (columns it has), and what its rows mean.
KINDS: list[tuple[str, set[str], Callable[[Row, Line, Sink], None]]] = [
    ("kubectl get nodes", {"NAME", "STATUS", "ROLES", "VERSION"}, _node),
    ("kubectl get pods", {"NAME", "READY", "RESTARTS"}, _pod),
    ("kubectl get ds", {"NAME", "DESIRED", "CURRENT"}, _daemonset),
    ("calicoctl get bgppeers", {"NAME", "PEERIP", "NODE", "ASN"}, _peer),
    ("calicoctl get bgpconfigurations", {"NAME", "MESHENABLED"}, _bgp_config),
    ("calicoctl get nodes", {"NAME", "ASN", "IPV4"}, _calico_node),
]


def in_trouble(row: Row, segment: str) -> bool:
    """Whether a row of an inventory says by itself that something is wrong."""
    if segment == "kubectl get pods":
        ready, _, wanted = row.get("READY", "").partition("/")
        settled = row.get("STATUS") in ("Completed", "Succeeded")
        return not settled and (ready != wanted or row.get("STATUS") != "Running")
    if segment == "kubectl get nodes":
        return not row.get("STATUS", "").startswith("Ready")
    return segment == "kubectl get ds" and row.get("READY") != row.get("DESIRED")
