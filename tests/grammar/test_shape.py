"""The shape is a pure function of the body that keeps protected words and no other digit."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.grammar import MARK, load_ruleset
from pipeline.grammar.rules import BUILT_IN, read_grammar

SHAPER = read_grammar(BUILT_IN).shaper

WORDS = st.sampled_from(
    ["MD5", "TCP_MD5SIG", "IPv4", "BIRDv6", "Mesh_", "Node_", "10.0.0.1", "fd00::1", "code=6.3", "device1", "bird6"]
)
PIECES = st.one_of(WORDS, st.sampled_from(list(" .:,;-_/()[]=\"'\n\t")), st.text(max_size=6))
BODIES = st.lists(PIECES, max_size=20).map("".join)


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ("Mesh_10_0_0_12: State changed to up", "Mesh_<*>: State changed to up"),
        ("Mesh_fd80_24e2__2: State changed to up", "Mesh_<*>: State changed to up"),
        ("session1: State changed to up", "<*>: State changed to up"),
        ("uplink: State changed to up", "uplink: State changed to up"),
        ("device1: Initializing", "device1: Initializing"),
        ("device12: Initializing", "<*>: Initializing"),
        ("Socket error: TCP_MD5SIG: Out of memory", "Socket error: TCP_MD5SIG: Out of memory"),
        ("Error: Kernel MD5 auth failed", "Error: Kernel MD5 auth failed"),
        ("bgp1: Sending NOTIFICATION(code=6.3)", "<*>: Sending NOTIFICATION(code=6.3)"),
        ("Sending NOTIFICATION(code=6.10)", "Sending NOTIFICATION(code=6.10)"),
        ("not established with 10.0.0.1,10.0.0.2,10.0.0.3", "not established with <*>"),
        ("(10.0.0.1, 179)->(10.0.0.2, 41245)", "(<*>, <*>)->(<*>, <*>)"),
        ("took 5.123 ms for 3 events", "took <*> ms for <*> events"),
        ("/etc/calico/confd/config/bird.cfg:55:12 syntax error", "/etc/calico/confd/config/<*> syntax error"),
        ("No IPv4 peers found.", "No IPv4 peers found."),
        ("peers established = 0", "peers established = 0"),
        ("peers established = 10", "peers established = <*>"),
        ("calico-node-ab3de is gone", "calico-node-<*> is gone"),
        ("", ""),
    ],
)
def test_shapes(body: str, shape: str) -> None:
    assert SHAPER.shape(body) == shape


def test_a_missing_body_has_the_empty_shape() -> None:
    assert SHAPER.shapes(pl.Series([None, "a1"], dtype=pl.String)).to_list() == ["", MARK]


@settings(deadline=None)
@given(BODIES)
def test_the_shape_of_a_shape_is_itself(body: str) -> None:
    shape = SHAPER.shape(body)
    assert SHAPER.shape(shape) == shape


@settings(deadline=None)
@given(BODIES)
def test_digits_survive_only_in_protected_words(body: str) -> None:
    shape = SHAPER.shape(body)
    for word in sorted(SHAPER.words, key=len, reverse=True):
        shape = shape.replace(word, " ")
    assert not re.search("[0-9]", shape)


@settings(max_examples=40, deadline=None)
@given(st.lists(BODIES, max_size=30), st.randoms(use_true_random=False), st.integers(1, 7))
def test_the_shape_does_not_depend_on_the_batch(bodies: list[str], random: object, step: int) -> None:
    alone = {body: SHAPER.shape(body) for body in bodies}
    shuffled = list(bodies)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for start in range(0, len(shuffled), step):
        batch = shuffled[start : start + step]
        shapes = load_ruleset().shapes(pl.Series(batch, dtype=pl.String)).to_list()
        assert shapes == [alone[body] for body in batch]


def test_long_lists_of_peers_have_one_shape() -> None:
    short, long = (",".join(f"10.0.{i // 250}.{i % 250}" for i in range(n)) for n in (2, 200))
    assert SHAPER.shape(f"with {short}") == SHAPER.shape(f"with {long}")
