"""What is known of each node, and since when: contract table ``nodes``.

A node's row holds until one of its facts is seen to have another value; ``valid_from`` is the time of the
first observation (null when the source has no time), ``valid_to`` is null for what still holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import polars as pl

from pipeline.sessions.addresses import AddressBook
from pipeline.sessions.facts import TIME, ClusterFacts

SCHEMA: dict[str, Any] = {
    "cluster": pl.String, "node": pl.String, "addresses": pl.List(pl.String), "is_reflector": pl.Boolean,
    "rr_cluster_id": pl.String, "calico_version": pl.String, "k8s_version": pl.String,
    "kernel_version": pl.String, "os_image": pl.String, "optmem_max": pl.UInt64,
    "valid_from": TIME, "valid_to": TIME,
}  # fmt: skip
FIELDS = ("rr_cluster_id", "calico_version", "k8s_version", "kernel_version", "os_image", "optmem_max")
_FACTS = {
    "kernel_version": "kernel_version", "optmem_max": "optmem_max", "sysctl:net.core.optmem_max": "optmem_max",
    "net.core.optmem_max": "optmem_max", "calico_version": "calico_version", "k8s_version": "k8s_version",
    "kubelet_version": "k8s_version", "os_image": "os_image", "rr_cluster_id": "rr_cluster_id",
}  # fmt: skip
Sighting = tuple[datetime | None, str, str]
_OF_CLUSTER = ("cluster_calico_version", "typha_version", "calico_version")
"""Facts that name the cluster's release: what Felix was told, Typha, and resources that name no node."""
_CALICO = ("felix", "confd", "node", "bird", "bird6", "probe", "cni")


def build_nodes(facts: ClusterFacts, book: AddressBook, reflectors: set[str]) -> pl.DataFrame:
    """All nodes that anything was seen of; ``reflectors`` are those that a group names as such."""
    sightings: dict[str, list[Sighting]] = {node: [] for node in _names(facts)}
    for node, sighting in _sightings(facts):
        sightings.setdefault(node, []).append(sighting)
    _fill_version(sightings, facts)
    rows: list[dict[str, Any]] = []
    for node in sorted(sightings):
        for row in _stretches(sightings[node]):
            is_reflector = node in reflectors or row.get("rr_cluster_id") is not None
            addresses = list(book.addresses_of.get(node, ()))
            rows.append(
                {"cluster": facts.cluster, "node": node, "addresses": addresses, "is_reflector": is_reflector, **row}
            )
    filled = [{name: row.get(name) for name in SCHEMA} for row in rows]
    return pl.DataFrame(filled, schema=SCHEMA, orient="row")


def _names(facts: ClusterFacts) -> set[str]:
    columns = [facts.states["node"], facts.tellers["node"], facts.observed["node"], facts.node_facts["node"]]
    return {name for column in columns for name in column.unique().drop_nulls()}


def _sightings(facts: ClusterFacts) -> Iterator[tuple[str, Sighting]]:
    kinds = facts.resources.filter(pl.col("kind").is_in(["Node", "Pod"]) & pl.col("body").is_not_null())
    for kind, name, seen, text in kinds.select("kind", "name", "observed_at", "body").iter_rows():
        try:
            body = json.loads(text)
        except ValueError:
            continue
        if isinstance(body, dict):
            pairs = _of_node(name, body) if kind == "Node" else _of_pod(body)
            for node, field, value in pairs:
                yield node, (seen, field, value)
    known = facts.node_facts.filter(pl.col("node").is_not_null() & pl.col("fact").is_in(list(_FACTS)))
    for node, fact, value, seen in known.select("node", "fact", "value", "observed_at").iter_rows():
        if value is not None:
            yield node, (seen, _FACTS[fact], str(value).strip())


def _fill_version(sightings: dict[str, list[Sighting]], facts: ClusterFacts) -> None:
    """Nodes of Calico that do not tell their own release run the cluster's, as far as one is named."""
    cluster_wide = facts.node_facts.filter(
        pl.col("fact").is_in(_OF_CLUSTER) & (pl.col("node").is_null() | (pl.col("fact") != "calico_version"))
    )
    named = cluster_wide.select("observed_at", "value").drop_nulls("value").unique(maintain_order=True).rows()
    if not named:
        return
    resources = facts.resources.filter(pl.col("kind") == "Node")["name"].to_list()
    speaking = facts.observed.filter(pl.col("component").is_in(_CALICO))["node"].drop_nulls().to_list()
    for node in {*resources, *speaking} & set(sightings):
        if not any(field == "calico_version" for _, field, _ in sightings[node]):
            sightings[node] += [(seen, "calico_version", value.strip()) for seen, value in named]


def _of_node(name: str, body: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    info = _get(body, "status", "nodeInfo")
    annotations = _get(body, "metadata", "annotations")
    found = {
        "kernel_version": info.get("kernelVersion"), "k8s_version": info.get("kubeletVersion"),
        "os_image": info.get("osImage"),
        "rr_cluster_id": _get(body, "spec", "bgp").get("routeReflectorClusterID")
        or annotations.get("projectcalico.org/RouteReflectorClusterID"),
        "optmem_max": next((v for k, v in annotations.items() if str(k).endswith("/optmem_max")), None),
    }  # fmt: skip
    for field, value in found.items():
        if value not in (None, ""):
            yield name, field, str(value)


def _of_pod(body: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    node = _get(body, "spec").get("nodeName")
    containers = _get(body, "spec").get("containers")
    for container in containers if isinstance(containers, list) else []:
        image = str(container.get("image", "")) if isinstance(container, dict) else ""
        path, _, tag = image.partition("@")[0].rpartition(":")
        if isinstance(node, str) and path.endswith("/node") and "calico" in path and tag:
            yield node, "calico_version", tag


def _get(body: dict[str, Any], *path: str) -> dict[str, Any]:
    value: Any = body
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _stretches(sightings: list[Sighting]) -> Iterator[dict[str, Any]]:
    """Rows of fields with valid_from and valid_to; a fact seen for the first time completes the row before."""
    undated = [(field, value) for seen, field, value in sightings if seen is None]
    dated = sorted((seen, field, value) for seen, field, value in sightings if seen is not None)
    current: dict[str, Any] = {"valid_from": None, "valid_to": None}
    for field, value in undated:
        current.setdefault(field, _typed(field, value))
    for seen, field, value in dated:
        known = current.get(field)
        typed = _typed(field, value)
        if known is not None and typed is not None and known != typed:
            yield {**current, "valid_to": seen}
            current = {**current, field: typed, "valid_from": seen}
        else:
            current[field] = typed if known is None else known
            current["valid_from"] = current["valid_from"] or seen
    yield current


def _typed(field: str, value: str) -> Any:
    if field != "optmem_max":
        return value
    digits = value.split()[0] if value.split() else ""
    return int(digits) if digits.isdigit() else None


def at(nodes: pl.DataFrame, node: str, moment: datetime | None) -> dict[str, Any]:
    """The row of ``nodes`` that held for a node at a time (the latest one when the time is unknown)."""
    rows = nodes.filter(pl.col("node") == node).sort("valid_from", nulls_last=False).to_dicts()
    held = [r for r in rows if moment is None or r["valid_from"] is None or r["valid_from"] <= moment]
    return (held or rows or [{}])[-1 if held else 0]
