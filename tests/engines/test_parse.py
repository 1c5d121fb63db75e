"""The parse function: every line counted once, whatever the bytes, the batch and the order."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.engines.facts import Facts
from pipeline.engines.parse import BLANK, CONTINUATION, Piece, parse
from pipeline.grammar import load_ruleset
from pipeline.settings import Settings
from pipeline.sources.identify import identify

WHEN = datetime(2024, 12, 20, tzinfo=UTC)
LOG = (
    "2024-12-18T07:19:36.000000000Z stdout F bird: Node_10_0_0_1: State changed to up\n"
    "2024-12-18T07:19:37.000000000Z stdout F bird: Node_10_0_0_1: Error: Hold timer expired\n"
    "2024-12-18T07:19:38.000000000Z stdout F bird: device1: Scanning interfaces\n"
    "\n"
    "2024-12-18T07:20:39.000000000Z stderr F 2024-12-18 07:20:39.000 [INFO][9] felix/nobody_knows.go 1: Never seen 17\n"
    "2024-12-18T07:20:39.000000000Z stderr F   and goes on\n"
)
TABLE = (
    "Wed Dec 18 07:19:36 UTC 2024\n"
    "BIRD 1.6.8 ready.\n"
    "name     proto    table    state  since       info\n"
    "device1  Device   master   up     2024-12-18\n"
    "Node_10_0_0_7 BGP      master   down   2024-12-18  Error: Kernel MD5 auth failed\n"
)
NODES = '{"kind": "List", "items": [{"kind": "Node", "apiVersion": "v1", "metadata": {"name": "rr-1"}}]}'


def facts_of(*texts: str | bytes, node: str | None = "rr-1") -> Facts:
    pieces = []
    for src, text in enumerate(texts):
        data = text.encode() if isinstance(text, str) else text
        pieces.append(Piece(src, f"file-{src}", identify(data), data, node=node, reference=WHEN))
    return parse(pieces, load_ruleset(), Settings())


def check_reconciled(facts: Facts) -> None:
    tally = facts.tally
    told = tally["lines_parsed"] + tally["lines_unparsed"] + tally["lines_rejected"]
    assert tally["lines_read"].to_list() == told.to_list()
    assert facts.counts["events"].sum() == (tally["lines_parsed"] + tally["lines_unparsed"]).sum()


def test_a_log_a_table_and_a_document_in_one_batch() -> None:
    facts = facts_of(LOG, TABLE, NODES)
    check_reconciled(facts)
    assert facts.tally["lines_read"].to_list()[:2] == [6, 5]
    errors = facts.records.filter(pl.col("category") == "hold_timer_expired").row(0, named=True)
    assert (errors["peer"], errors["node"], errors["ts_source"]) == ("10.0.0.1", "rr-1", "envelope")
    assert errors["byte_offset"] == LOG.index("2024-12-18T07:19:37")
    states = facts.states.filter(pl.col("observed_by") == "show protocols").row(0, named=True)
    assert (states["peer"], states["state"], states["last_error"]) == (
        "10.0.0.7", "down", "Error: Kernel MD5 auth failed",
    )  # fmt: skip
    assert states["ts"] == datetime(2024, 12, 18, 7, 19, 36, tzinfo=UTC)
    assert facts.resources["name"].to_list() == ["rr-1"]


def test_what_no_rule_knows_is_unclassified_and_counted() -> None:
    facts = facts_of(LOG)
    assert facts.tally["lines_unparsed"].to_list() == [1]
    unknown = facts.records.filter(pl.col("category") == "unclassified")
    assert unknown["message"].to_list() == ["Never seen 17\n  and goes on"]
    assert unknown["lines"].to_list() == [2]
    silent = facts.counts.filter(pl.col("shape").is_in([CONTINUATION, BLANK]))
    assert dict(silent.select("shape", "events").rows()) == {CONTINUATION: 1, BLANK: 1}


def test_benign_lines_are_counted_and_only_their_first_examples_kept() -> None:
    text = "".join(
        f"2024-12-18T07:19:{n:02}.000000000Z stdout F bird: device1: Scanning interfaces\n" for n in range(20)
    )
    facts = facts_of(text)
    assert facts.records.height == Settings().template_examples
    assert facts.counts["events"].sum() == 20


def test_the_batch_and_the_order_of_sources_do_not_matter() -> None:
    together = facts_of(LOG, TABLE)
    apart = [facts_of(LOG), facts_of(TABLE)]
    assert together.records.drop("src").equals(pl.concat([part.records for part in apart]).drop("src"))
    assert together.states.drop("src").equals(pl.concat([part.states for part in apart]).drop("src"))
    swapped = facts_of(TABLE, LOG)
    keys = ["shape", "component", "minute"]
    assert together.counts.drop("src").sort(keys).equals(swapped.counts.drop("src").sort(keys))


def test_a_secret_is_gone_before_anything_leaves_the_function() -> None:
    secret = "hunter2-hunter2"
    facts = facts_of(
        f'bird: /etc/bird.cfg:5:1 syntax error near password "{secret}"\n',
        f'protocol bgp Node_10_0_0_1 from bgp_template {{\n  neighbor 10.0.0.1 as 64512;\n  password "{secret}";\n}}\n',
        f'{{"kind": "Secret", "apiVersion": "v1", "metadata": {{"name": "bgp"}}, "stringData": {{"password": "{secret}"}}}}',
    )
    check_reconciled(facts)
    for frame in (facts.records, facts.counts, facts.resources, facts.node_facts, facts.rejects):
        assert secret not in frame.write_json()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
def test_any_bytes_are_survived_and_counted(contents: list[bytes]) -> None:
    facts = facts_of(*(data for data in contents if identify(data).family != "binary"))
    check_reconciled(facts)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_cut_and_damaged_samples_are_survived_and_counted(data: st.DataObject) -> None:
    sample = data.draw(st.sampled_from([LOG, TABLE, NODES])).encode()
    cut = data.draw(st.integers(min_value=0, max_value=len(sample)))
    noise = data.draw(st.binary(max_size=8))
    check_reconciled(facts_of(sample[:cut] + noise + sample[cut:]))
    check_reconciled(facts_of(sample[:cut]))


def test_events_that_share_one_line_still_reconcile() -> None:
    item = {
        "kind": "Event", "apiVersion": "v1", "metadata": {"name": "e"}, "reason": "Unhealthy", "type": "Warning",
        "message": "Readiness probe failed: calico/node is not ready: BIRD is not ready: BGP not established with 10.0.0.1",
        "source": {"component": "kubelet", "host": "node-1"}, "lastTimestamp": "2024-12-18T07:19:36Z",
        "involvedObject": {"kind": "Pod", "name": "calico-node-abcde"},
    }  # fmt: skip
    text = json.dumps({"kind": "List", "apiVersion": "v1", "items": [item, {**item, "metadata": {"name": "f"}}]})
    facts = facts_of(text)
    check_reconciled(facts)
    assert facts.tally["lines_read"].to_list() == [1]
    assert facts.records.height == 2
