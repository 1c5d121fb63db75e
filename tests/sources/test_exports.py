"""Answers of Loki and Elasticsearch, and journald's export format."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pipeline.engines.parse import Piece, understand_pieces
from pipeline.grammar import load_ruleset
from pipeline.settings import Settings
from pipeline.sources.exports import sniff_export
from pipeline.sources.identify import identify

LINE = "bird: Node_10_0_0_1: Error: Hold timer expired"
MOMENT = datetime(2024, 12, 18, 7, 19, 36, tzinfo=UTC)
LOKI = json.dumps(
    {
        "status": "success",
        "data": {
            "resultType": "streams",
            "result": [
                {
                    "stream": {"pod": "calico-node-abcde", "node_name": "rr-1"},
                    "values": [["1734506376000000000", LINE], ["1734506377000000000", LINE]],
                }
            ],
        },
    }
)
ELASTIC = json.dumps(
    {
        "took": 3,
        "hits": {
            "total": 1,
            "hits": [
                {
                    "_source": {
                        "@timestamp": "2024-12-18T07:19:36.000Z",
                        "message": LINE,
                        "kubernetes": {"pod": {"name": "calico-node-abcde"}, "node": {"name": "rr-1"}},
                    }
                }
            ],
        },
    }
)
JOURNAL = (
    b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1734506376000000\n_HOSTNAME=rr-1\nSYSLOG_IDENTIFIER=bird\n"
    b"MESSAGE=Node_10_0_0_1: Error: Hold timer expired\n\n"
    b"__CURSOR=s=2\n__REALTIME_TIMESTAMP=1734506377000000\nSYSLOG_IDENTIFIER=kubelet\nMESSAGE\n"
    + (9).to_bytes(8, "little")
    + b"two\nlines\n\n"
)


@pytest.mark.parametrize(
    ("data", "name"), [(LOKI.encode(), "loki"), (ELASTIC.encode(), "elasticsearch"), (JOURNAL, "journald-export")]
)
def test_entries_are_read_like_lines(data: bytes, name: str) -> None:
    identity = identify(data)
    assert (identity.family, identity.chain) == ("export", (name,))
    read = understand_pieces([Piece(0, "export", identity, data)], load_ruleset(), Settings())
    row = read.spoken.row(0, named=True)
    assert (row["ts"], row["node"], row["component"]) == (MOMENT, "rr-1", "bird")
    assert (row["category"], row["peer"]) == ("hold_timer_expired", "10.0.0.1")


def test_binary_fields_of_the_journal_may_hold_line_ends() -> None:
    read = understand_pieces([Piece(0, "export", identify(JOURNAL), JOURNAL)], load_ruleset(), Settings())
    row = read.spoken.row(1, named=True)
    assert (row["message"], row["component"], row["lines"]) == ("two\nlines", "kubelet", 7)


@pytest.mark.parametrize("data", [LOKI[:-40].encode(), ELASTIC[:-3].encode(), JOURNAL[:-8]])
def test_what_stands_before_the_damage_is_kept_and_the_rest_rejected(data: bytes) -> None:
    read = understand_pieces([Piece(0, "export", identify(data), data)], load_ruleset(), Settings())
    assert read.rejects["reason"].to_list() == ["broken export"]
    assert read.spoken["peer"].to_list() == ["10.0.0.1"]


def test_other_text_is_no_export() -> None:
    assert sniff_export('{"log":"x","stream":"stdout","time":"2024-12-18T07:19:36Z"}') is None
    assert sniff_export("bird: Started") is None
