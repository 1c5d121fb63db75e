"""Outputs that are rendered from real daemon state."""

from sample_logs.lab import rendered
from sample_logs.lab.daemon import cri_stamp
from sample_logs.lab.inventory import Pod
from sample_logs.lab.observe import date_u
from sample_logs.lab.probe import Event

POD = Pod("calico-node-abcde", "u-i-d", "node-001", "10.0.0.4", (0.0,))
PROTOCOLS = """\
BIRD 1.6.8 ready.
name     proto    table    state  since       info
Node_10_0_0_1 BGP      master   up     07:46:07    Established
Mesh_10_0_0_2 BGP      master   start  07:46:08    Active        Socket: No route to host, said the lab
Global_10_0_0_3 BGP      master   down   2026-11-22  Error: Kernel MD5 auth failed
"""


def test_times() -> None:
    assert date_u(1_795_418_376) == "Mon Nov 23 07:19:36 UTC 2026"
    assert cri_stamp(1_795_418_376_000_000_042) == "2026-11-23T07:19:36.000000042+00:00"


def test_node_status_is_calicoctls_table() -> None:
    text = rendered.node_status(1_795_418_376, PROTOCOLS, running=True)
    assert text.startswith("Mon Nov 23 07:19:36 UTC 2026\nCalico process is running.\n\nIPv4 BGP status\n+---")
    assert "| 10.0.0.1     | node specific     | up    | 07:46:07   | Established " in text
    assert "| 10.0.0.2     | node-to-node mesh | start | 07:46:08   | Active Socket: No route to" in text
    assert "| 10.0.0.3     | global            | down  | 2026-11-22 | Error: Kernel MD5 auth failed" in text
    assert "|              |                   |       |            | host, said the lab" in text


def test_node_status_without_bird() -> None:
    assert "(BIRD) is not running." in rendered.node_status(0, "Unable to connect", running=False)


def test_describe_pod_shows_counts_and_ages() -> None:
    events = [Event("Readiness probe failed: a\nb\n", 0.0, 0.0), Event("(combined) c\n", 100.0, 400.0, 30)]
    text = rendered.describe_pod(POD, events, now=410.0)
    first, second = text.partition("Events:\n")[2].split("  Warning  ")[1:]
    assert first == "Unhealthy  6m50s                 kubelet  Readiness probe failed: a\nb\n"
    assert second == "Unhealthy  10s (x30 over 5m10s)  kubelet  (combined) c\n"
