"""Events as text."""

from __future__ import annotations

from datetime import UTC, datetime

from pipeline.status import Record, parse_console
from tests.status.conftest import transcript


def rows(name: str) -> list[Record]:
    return [r for r in parse_console(transcript(name)).records if r.family in ("probe", "kube-event")]


def test_a_message_on_two_lines_is_one_record_with_its_own_time() -> None:
    first = rows("describe-pod.txt")[0]
    assert (first.lines, first.family, first.component, first.level) == (2, "probe", "kubelet", "warning")
    assert (first.ts, first.ts_source) == (datetime(2026, 11, 23, 7, 28, 36, 112000, tzinfo=UTC), "line")
    assert first.body.endswith("BGP not established with 10.0.1.1,10.0.1.2")
    assert (first.node, first.pod) == ("node-109", "calico-node-tzrml")
    assert (first.params["count"], first.params["age"], first.params["first"]) == ("903", "79s", "2h15m")


def test_ages_count_back_from_the_snapshot() -> None:
    _, second, third, fourth = rows("describe-pod.txt")
    assert second.ts == datetime(2026, 11, 23, 7, 28, tzinfo=UTC)
    assert (third.params["age"], third.ts) == ("<invalid>", datetime(2026, 11, 23, 7, 30, tzinfo=UTC))
    assert (fourth.family, fourth.params["reason"]) == ("kube-event", "BackOff")


def test_describe_names_node_pod_and_version() -> None:
    facts = parse_console(transcript("describe-pod.txt"))
    assert (facts.node, facts.pod) == ("node-109", "calico-node-tzrml")
    assert [(f.node, f.fact, f.value) for f in facts.node_facts] == [("node-109", "calico_version", "v3.28.1")]


def test_a_quoted_time_tells_when_the_table_was_printed() -> None:
    facts = parse_console(
        b"Normal   Pulled     28s   kubelet, node-7  Container image present\n"
        b"  Warning  Unhealthy  23s   kubelet, node-7  Readiness probe failed: 2026-11-23 09:12:41.207 [INFO][311] confd/health.go 180: x\n"
        b"calico/node is not ready: BIRD is not ready: BGP not established with 10.0.1.1\n"
    )
    assert [(r.ts, r.ts_source, r.node) for r in facts.records] == [
        (datetime(2026, 11, 23, 9, 12, 36, 207000, tzinfo=UTC), "neighbour", "node-7"),
        (datetime(2026, 11, 23, 9, 12, 41, 207000, tzinfo=UTC), "line", "node-7"),
    ]


def test_wide_and_narrow_tables_of_events() -> None:
    found = rows("events-wide.txt")
    assert [(r.family, r.component, r.node, r.pod, r.lines) for r in found] == [
        ("probe", "kubelet", "node-109", "calico-node-tzrml", 1),
        ("kube-event", "kube-event", None, "calico-node-tzrml", 1),
        ("probe", "kubelet", "node-110", "calico-node-xyzab", 1),
        ("probe", "kubelet", None, "calico-node-tzrml", 2),
        ("kube-event", "kube-event", "node-110", None, 1),
    ]
    assert found[0].body.endswith("BGP not established with 10.0.1.1")
    assert (found[0].params["count"], found[0].params["first"]) == ("12", "2h15m")
    assert found[2].body.endswith("connection refused")


def test_a_probe_message_alone_is_a_record_of_the_kubelet() -> None:
    record = parse_console(b"kubelet  Readiness probe failed: calico/node is not ready: BIRD is not ready\n").records[0]
    assert (record.family, record.component, record.body[:22]) == ("probe", "kubelet", "Readiness probe failed")


def test_events_of_old_clusters() -> None:
    record = parse_console(
        b"FirstSeen LastSeen Count From SubObjectPath Type Reason Message\n"
        b"  5m  1m  3  kubelet, node-7  spec.containers{calico-node}  Warning  Unhealthy  Liveness probe failed: x\n"
    ).records[1]
    assert (record.node, record.params["count"], record.body) == ("node-7", "3", "Liveness probe failed: x")
