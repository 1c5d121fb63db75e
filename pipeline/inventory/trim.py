"""Cuts Kubernetes and Calico objects down to the fields that analysis uses."""

from __future__ import annotations

from typing import Any

#: Kinds that are kept; everything else in a dump is only counted. Secrets are never kept.
KINDS = frozenset(
    {
        "Node",
        "Pod",
        "DaemonSet",
        "BGPPeer",
        "BGPConfiguration",
        "BGPFilter",
        "ClusterInformation",
        "Installation",
        "IPPool",
        "CalicoNodeStatus",
    }
)
_OLD_KINDS = {
    "ippool": "IPPool",
    "bgppeer": "BGPPeer",
    "node": "Node",
    "bgpconfiguration": "BGPConfiguration",
}
_ANNOTATIONS = ("projectcalico.org/", "peerscope/")
_ENV = (
    "CALICO_",
    "IP",
    "FELIX_",
    "CLUSTER_TYPE",
    "BGP_",
    "DATASTORE_TYPE",
    "NODENAME",
    "AS",
    "NO_DEFAULT_POOLS",
)


def mapping(value: Any) -> dict[str, Any]:
    """The value when it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """The value when it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def kind_of(obj: dict[str, Any]) -> str:
    """The object's kind in today's spelling (``ipPool`` of the v1 API is ``IPPool``), or ``""``."""
    kind = obj.get("kind")
    if not isinstance(kind, str):
        return ""
    old = kind[:1].islower() or kind.isupper()
    return _OLD_KINDS.get(kind.lower(), kind) if old else kind


def name_of(obj: dict[str, Any]) -> str:
    """The object's name; v1 objects without one are named by their address or CIDR."""
    meta = mapping(obj.get("metadata"))
    found = next((meta[k] for k in ("name", "cidr", "peerIP") if meta.get(k)), "")
    return str(found)


def _some(source: Any, *names: str) -> dict[str, Any]:
    have = mapping(source)
    return {name: have[name] for name in names if have.get(name) is not None}


def _containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    out = []
    for container in listing(spec.get("containers")):
        env = [
            _some(entry, "name", "value")
            for entry in listing(mapping(container).get("env"))
            if str(mapping(entry).get("name", "")).startswith(_ENV)
        ]
        out.append({**_some(container, "name", "image"), **({"env": env} if env else {})})
    return out


def _node(obj: dict[str, Any]) -> dict[str, Any]:
    spec, status = mapping(obj.get("spec")), mapping(obj.get("status"))
    conditions = [
        _some(c, "type", "status", "reason", "lastTransitionTime")
        for c in listing(status.get("conditions"))
        if mapping(c).get("type") in ("Ready", "NetworkUnavailable")
    ]
    kept = _some(status, "addresses", "nodeInfo")
    return {
        "spec": _some(spec, "bgp", "addresses", "podCIDR", "podCIDRs", "unschedulable", "orchRefs"),
        "status": {**kept, **({"conditions": conditions} if conditions else {})},
    }


def _pod(obj: dict[str, Any]) -> dict[str, Any]:
    spec, status = mapping(obj.get("spec")), mapping(obj.get("status"))
    states = [
        _some(s, "name", "ready", "restartCount", "lastState", "state")
        for s in listing(status.get("containerStatuses"))
    ]
    return {
        "spec": {**_some(spec, "nodeName", "hostNetwork"), "containers": _containers(spec)},
        "status": {
            **_some(status, "phase", "podIP", "podIPs", "hostIP", "startTime"),
            "containerStatuses": states,
        },
    }


def _daemonset(obj: dict[str, Any]) -> dict[str, Any]:
    spec = mapping(obj.get("spec"))
    pod = mapping(mapping(spec.get("template")).get("spec"))
    template = {
        "spec": {
            "containers": _containers(pod),
            "initContainers": _containers({"containers": pod.get("initContainers")}),
        }
    }
    status = _some(obj.get("status"), "desiredNumberScheduled", "numberReady", "updatedNumberScheduled")
    return {"spec": {"template": template, **_some(spec, "updateStrategy")}, "status": status}


def _old_peer(obj: dict[str, Any]) -> dict[str, Any]:
    meta, spec = mapping(obj.get("metadata")), dict(mapping(obj.get("spec")))
    if "peerIP" not in spec and meta.get("peerIP"):
        spec["peerIP"] = meta["peerIP"]
        host = meta.get("node") or meta.get("hostname")
        if host and meta.get("scope") != "global":
            spec["node"] = host
    return {"spec": spec}


def trim(kind: str, obj: dict[str, Any]) -> dict[str, Any]:
    """The part of an object that is stored (before redaction): name, labels, spec, status."""
    meta = mapping(obj.get("metadata"))
    annotations = {k: v for k, v in mapping(meta.get("annotations")).items() if str(k).startswith(_ANNOTATIONS)}
    kept = _some(meta, "name", "namespace", "labels", "creationTimestamp", "cidr", "deletionTimestamp")
    if annotations:
        kept["annotations"] = annotations
    parts = {"Node": _node, "Pod": _pod, "DaemonSet": _daemonset, "BGPPeer": _old_peer}.get(kind)
    if parts is not None:
        body = parts(obj)
    else:
        body = {"spec": mapping(obj.get("spec"))}
        if kind in ("CalicoNodeStatus", "Installation"):
            body["status"] = mapping(obj.get("status"))
    return {**_some(obj, "apiVersion"), "kind": kind, "metadata": kept, **body}
