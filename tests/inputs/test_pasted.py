"""Tickets hold several logs and tables in one file: each line is read as it is in its own log."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from pipeline.engines.parse import understand_pieces
from pipeline.grammar import load_ruleset
from pipeline.settings import Settings
from pipeline.sources.identify import SNIFF_BYTES, identify
from tests.inputs.reading import EXAMPLES, Sample, facts_of, piece_of, sources_of, unreconciled

# These wrap a line in JSON or in a name that is only known from the other lines.
WRAPPED = ("docker", "filebeat", "fluent", "elastic", "openshift", "vector", "journald-json", "logcli", "stern")
# The reader of transcripts takes what kubelet quotes of a probe, and the borders of Felix's tables.
QUOTING = ("klog.log", "kubelet-journal.log", "bare.log")
SAID = ("rule", "category", "component", "level", "protocol", "peer")
TABLE = b"""Calico process is running.

IPv4 BGP status
+--------------+-------------------+-------+----------+-------------+
| PEER ADDRESS |     PEER TYPE     | STATE |  SINCE   |    INFO     |
+--------------+-------------------+-------+----------+-------------+
| 10.0.0.12    | node-to-node mesh | up    | 07:19:38 | Established |
+--------------+-------------------+-------+----------+-------------+

"""


def logs() -> list[Sample]:
    """The examples that are plain lines."""
    names = sorted(path.name for path in EXAMPLES.glob("*.log") if not path.name.startswith(WRAPPED))
    return [sample for name in names for sample in sources_of(name)]


def together(samples: Sequence[Sample], between: str = "", before: bytes = b"") -> tuple[Sample, dict[str, int]]:
    """All samples in one file, each behind a line that may name it; and where each begins."""
    data, begins = before, {}
    for sample in samples:
        data += between.format(sample.name).encode()
        begins[sample.name] = len(data)
        data += sample.data.rstrip(b"\n") + b"\n"
    return Sample("ticket.txt", data), begins


def read(sample: Sample) -> pl.DataFrame:
    return understand_pieces([piece_of(sample)], load_ruleset(), Settings()).spoken


def part(whole: pl.DataFrame, sample: Sample, begin: int) -> pl.DataFrame:
    """The records of one sample, at the places that they have in it."""
    inside = (pl.col("offset") >= begin) & (pl.col("offset") < begin + len(sample.data))
    return whole.filter(inside).with_columns(pl.col("offset") - begin)


def assert_same(alone: pl.DataFrame, pasted: pl.DataFrame) -> None:
    """What is said and, where lines tell their time, when; both by place."""
    assert alone["offset"].to_list() == pasted["offset"].to_list()
    for name in SAID:
        assert alone[name].to_list() == pasted[name].to_list(), name
    timed = alone["ts_source"].is_in(["envelope", "line"])
    assert alone["ts"].filter(timed).to_list() == pasted["ts"].filter(timed).to_list()


def test_logs_one_after_the_other_are_read_as_alone() -> None:
    samples = logs()
    assert len(samples) > 25
    ticket, begins = together(samples)
    assert identify(ticket.data[:SNIFF_BYTES]).chain == ()
    whole = read(ticket)
    for sample in samples:
        alone, pasted = read(sample), part(whole, sample, begins[sample.name])
        assert_same(alone, pasted)
        assert alone["node"].to_list() == pasted["node"].to_list()


def between_prompts() -> tuple[list[Sample], Sample, dict[str, int]]:
    """Logs as they are shown on a terminal, below a table."""
    samples = [sample for sample in logs() if sample.name not in QUOTING and b"\n-- " not in b"\n" + sample.data]
    assert len(samples) > 20
    before = b"root@worker-9:~# calicoctl node status\n" + TABLE
    return samples, *together(samples, "root@worker-9:~# cat {}\n", before)


def test_logs_between_prompts_and_tables_are_read_as_alone() -> None:
    samples, ticket, begins = between_prompts()
    assert identify(ticket.data[:SNIFF_BYTES]).family == "console"
    whole = read(ticket)
    for sample in samples:
        alone, pasted = read(sample), part(whole, sample, begins[sample.name])
        assert_same(alone, pasted)
        assert [node or "worker-9" for node in alone["node"]] == pasted["node"].to_list()


def test_logs_that_were_indented_are_read_as_well() -> None:
    samples, ticket, _ = between_prompts()
    lines = ticket.data.splitlines(True)
    shown = b"".join(line if line.startswith(b"root@") else b"    " + line.lstrip(b" ") for line in lines)
    said = {row["message"]: row["rule"] for row in read(Sample("ticket.txt", shown)).iter_rows(named=True)}
    for sample in samples:
        flat = Sample(sample.name, b"".join(line.lstrip(b" ") for line in sample.data.splitlines(True)))
        for row in read(flat).iter_rows(named=True):
            assert said[row["message"]] == row["rule"], row["message"]


def test_lines_of_a_ticket_are_counted_once() -> None:
    samples = logs()
    ticket, _ = together(samples, "$ cat {}\n", TABLE)
    facts = facts_of(piece_of(ticket))
    assert unreconciled(facts).is_empty()
    assert facts.tally["lines_read"].sum() == len(ticket.data.splitlines())
    assert facts.states.filter(pl.col("observed_by") == "node status").height == 1


def test_a_log_that_kubectl_shows_is_of_the_pod() -> None:
    data = (
        b"root@admin:~# kubectl get nodes -o wide | head -2\n"
        b"NAME       STATUS   ROLES    AGE   VERSION\nworker-1   Ready    <none>   9d    v1.24.3\n"
        b"root@admin:~# date\nWed Dec 18 07:20:00 UTC 2024\n"
        b"root@admin:~# kubectl -n kube-system logs calico-node-x7k2p | tail -1\n"
        b"bird: Node_10_0_1_1: Error: Hold timer expired\n"
    )
    row = read(Sample("ticket.txt", data)).filter(pl.col("component") == "bird").row(0, named=True)
    assert (row["rule"], row["pod"], row["node"]) == ("bird.sent_hold_timer_expired", "calico-node-x7k2p", None)
    assert (row["ts_source"], str(row["ts"])) == ("neighbour", "2024-12-18 07:20:00+00:00")


def test_what_a_rule_of_consoles_knows_stays_with_it() -> None:
    warning = b"W1124 07:43:43.579392      99 feature_gate.go:241] Setting GA feature gate ServiceInternalTrafficPolicy=true.\n"
    found = read(Sample("ticket.txt", b"$ calicoctl node status\n" + warning + TABLE))
    assert found.filter(pl.col("rule") == "console.feature_gate").height == 1
