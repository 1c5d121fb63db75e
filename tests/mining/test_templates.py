"""Templates: the same from any order and split, meanings never joined, words of BIRD kept."""

from __future__ import annotations

import random

import polars as pl

from pipeline.mining.templates import MINED, OVERFLOW, mine, template_id

SCHEMA = {
    "shape_id": pl.UInt64,
    "shape": pl.String,
    "component": pl.String,
    "rule": pl.String,
    "category": pl.String,
    "severity": pl.String,
}
STATES = [f"Mesh_<*>: State changed to {state}" for state in ("up", "down", "start", "stop", "feed", "wait", "flush")]
CHATTY = [
    f"endpoint manager finished a pass over all of the {what} interfaces in <*> ms"
    for what in ("local", "remote", "stale")
]


def shapes(texts: list[str], rule: str | None = None, component: str = "bird") -> pl.DataFrame:
    rows = [(number, text, component, rule, "benign", "info") for number, text in enumerate(texts)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


LETTERS = str.maketrans("0123456789", "abcdefghij")


def test_the_words_that_matter_stay() -> None:
    _, texts = mine(shapes(STATES, "bird.state_changed"), 100)
    assert sorted(texts["template"]) == sorted(STATES)


def test_alike_sentences_of_the_unknown_tail_become_one_template() -> None:
    mined, texts = mine(shapes(CHATTY, component="felix"), 100)
    assert texts["template"].to_list() == ["endpoint manager finished a pass over all of the <*> interfaces in <*> ms"]
    assert mined["template_id"].n_unique() == 1


def test_rules_and_components_never_meet_in_one_template() -> None:
    one = shapes(CHATTY[:1], "go.one", "felix")
    other = shapes(CHATTY[1:2], "go.two", "felix").with_columns(shape_id=pl.lit(7, dtype=pl.UInt64))
    third = shapes(CHATTY[2:3], "go.one", "typha").with_columns(shape_id=pl.lit(8, dtype=pl.UInt64))
    _, texts = mine(pl.concat([one, other, third]), 100)
    assert texts.height == 3


def test_ten_orders_give_the_same_templates() -> None:
    frame = shapes(STATES + CHATTY + [f"word {n} <*>" for n in range(50)])
    expected = mine(frame, 1000)
    for seed in range(10):
        rows = list(range(frame.height))
        random.Random(seed).shuffle(rows)
        mined, texts = mine(frame[rows], 1000)
        assert mined.equals(expected[0])
        assert texts.equals(expected[1])


def test_a_flood_of_shapes_is_bounded_and_still_counted() -> None:
    frame = shapes([f"only {chr(97 + n % 26)}{chr(97 + n // 26)} once" for n in range(300)])
    mined, texts = mine(frame, 20)
    assert mined.height == 300
    assert texts.height == 21
    assert OVERFLOW in texts["template"].to_list()


def test_beyond_what_is_mined_a_template_is_how_a_shape_begins() -> None:
    frame = shapes([f"thing {n:05} was seen {n} times".translate(LETTERS) for n in range(MINED + 500)])
    mined, texts = mine(frame, 100_000)
    assert mined.height == frame.height
    late = mined.filter(pl.col("shape_id") == frame.sort("shape")["shape_id"][-1])["template_id"][0]
    assert texts.filter(pl.col("template_id") == late)["template"][0].endswith(" was <*>")


def test_the_id_is_a_hash_of_component_and_text() -> None:
    assert template_id("bird", "Started") == template_id("bird", "Started")
    assert template_id("bird", "Started") != template_id("bird6", "Started")
    assert len(template_id(None, "x")) == 16
