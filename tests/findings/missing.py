"""Facts of a recording with a part of them missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from pipeline.sessions import ClusterFacts
from pipeline.sessions.facts import tellers_of

TABLES = ("show protocols", "node status", "caliconodestatus")


def _components(facts: ClusterFacts, *names: str) -> ClusterFacts:
    wanted = pl.col("component").is_in(names)
    records = facts.records.filter(wanted)
    return replace(facts, records=records, tellers=tellers_of(records), observed=facts.observed.filter(wanted))


def _without(facts: ClusterFacts, nodes: set[str]) -> ClusterFacts:
    kept = ~pl.col("node").fill_null("").is_in(list(nodes))
    parts = ("states", "records", "observed", "node_facts", "marks", "tellers")
    return replace(facts, **{name: getattr(facts, name).filter(kept) for name in parts})


def _no_reflectors(facts: ClusterFacts, truth: dict[str, Any]) -> ClusterFacts:
    return _without(facts, {node["name"] for node in truth["nodes"] if node["role"] != "client"})


def _no_members(facts: ClusterFacts, truth: dict[str, Any]) -> ClusterFacts:
    return _without(facts, {name for incident in truth["incidents"] for name in incident["nodes"]})


def _half_the_nodes(facts: ClusterFacts, truth: dict[str, Any]) -> ClusterFacts:
    return _without(facts, set(sorted(node["name"] for node in truth["nodes"])[1::2]))


def _status_only(facts: ClusterFacts, truth: dict[str, Any]) -> ClusterFacts:
    states = facts.states.filter(pl.col("observed_by").is_in(TABLES))
    return replace(_components(facts, "birdcl", "calicoctl"), states=states, marks=facts.marks.clear())


def _probes_only(facts: ClusterFacts, truth: dict[str, Any]) -> ClusterFacts:
    states = facts.states.filter(pl.col("observed_by") == "probe")
    probes = _components(facts, "probe", "kubelet", "kube-event")
    return replace(probes, states=states, marks=facts.marks.clear(), node_facts=facts.node_facts.clear())


def _no_inventory(facts: ClusterFacts, truth: dict[str, Any]) -> ClusterFacts:
    return replace(facts, resources=facts.resources.clear(), node_facts=facts.node_facts.clear())


WAYS = [_no_reflectors, _no_members, _half_the_nodes, _status_only, _probes_only, _no_inventory]
