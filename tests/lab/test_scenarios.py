"""Scenario files are sound, and unsound ones are refused with a reason."""

import pytest

from sample_logs.lab.cluster import Cluster
from sample_logs.lab.scenario import Scenario, ScenarioError, load_all, parse

REQUIRED = {
    "healthy-group",
    "md5-key-limit-grown",
    "md5-key-limit-cold-start",
    "md5-key-limit-cured",
    "md5-password-different",
    "md5-password-one-side",
    "as-mismatch",
    "peer-not-listening",
    "port-dropped",
    "port-rejected",
    "peer-unreachable",
    "hold-timer-loss",
    "reflector-frozen",
    "reflector-graceful-restart",
    "planned-client-restarts",
    "peer-deconfigured",
    "unknown-source-address",
    "router-id-conflict",
    "config-rejected",
    "mesh-40",
    "descriptor-limit",
    "conntrack-full",
    "out-of-memory",
}

GOOD = """
id = "x"
title = "x"
description = "x"
subnet = "10.0.0.0/24"
duration = 10
[[groups]]
name = "a"
reflectors = 1
clients = 1
"""


def test_every_required_scenario_is_there() -> None:
    assert set(load_all()) >= REQUIRED


@pytest.mark.parametrize("scenario", load_all().values(), ids=lambda scenario: str(scenario.id))
def test_scenario_names_only_what_exists(scenario: Scenario) -> None:
    cluster = Cluster(scenario)
    assert len(cluster.nodes) < scenario.subnet.num_addresses - 2
    cluster.select(list(scenario.truth.culprits))
    for action in scenario.setup + scenario.timeline:
        cluster.select(list(action.args.get("nodes", ())))


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ('[[timeline]]\nat = 1\ndo = "explode"\n', "unknown action 'explode'"),
        ('[[timeline]]\nat = 1\ndo = "nft"\nnodes = ["x"]\n', r"missing \['rules'\]"),
        ('[[timeline]]\nat = 11\ndo = "stop"\nnodes = ["x"]\n', "ends after the recording"),
        ('[[timeline]]\nat = 1\ndo = "stop"\nnodes = ["x"]\nfault = true\n', "marked fault"),
        ('[truth]\ncause = "path_loss"\ngroup = "b"\n', "not a group"),
        ("[[groups]]\nname = 1\nspeed = 2\n", "speed"),
        ("nonsense", "x.toml"),
    ],
)
def test_unsound_scenarios_are_refused(extra: str, reason: str) -> None:
    with pytest.raises(ScenarioError, match=reason):
        parse(GOOD + extra, "x.toml")
