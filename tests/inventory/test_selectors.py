"""Calico's selector language."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SelectorError
from pipeline.inventory.selectors import All, Compare, Group, Has, In, Not, Selector, parse

LABELS = {"pool": "a", "zone": "east-1", "route-reflector": "true"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('pool == "a"', True),
        ("pool == 'b'", False),
        ('pool != "b"', True),
        ('missing == "a"', False),
        ('missing != "a"', True),
        ('pool in {"a", "b"}', True),
        ("pool in {'c',}", False),
        ("pool in {}", False),
        ('pool not in {"a"}', False),
        ('missing not in {"a"}', True),
        ("pool not  in{'b'}", True),
        ("has(pool)", True),
        ("!has(route-reflector)", False),
        ("has( missing )", False),
        ('zone contains "st-"', True),
        ('zone starts with "east"', True),
        ('zone ends  with "2"', False),
        ('missing contains ""', False),
        ("all()", True),
        ("global()", True),
        ("!all()", False),
        ("!!has(pool)", True),
        ("", True),
        ('pool == "b" || pool == "a" && zone == "west"', False),
        ('(pool == "b" || pool == "a") && has(zone)', True),
        ('pool == "a"&&!has(missing)||has(missing)', True),
        ("all == 'x'", False),
        ("\n pool\t== 'a'\n", True),
    ],
)
def test_what_a_selector_matches(text: str, expected: bool) -> None:
    assert parse(text).matches(LABELS) is expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('a = "b"', 3),
        ("a == ", 6),
        ("has(", 5),
        ('(a == "b"', 10),
        ('a in {"b"', 10),
        ('a == "b" c', 10),
        ('a == "b', 6),
        ("&& a", 1),
        ('a == "b" &&', 12),
        ("a is 'b'", 3),
        ("has(a) || || has(b)", 11),
        ("a starts 'x'", 10),
    ],
)
def test_errors_point_at_the_place(text: str, place: int) -> None:
    with pytest.raises(SelectorError) as error:
        parse(text)
    message, shown, caret = str(error.value).split("\n")
    assert f"at position {place}" in message
    assert shown == f"  {text}"
    assert caret.index("^") == 2 + place - 1


@pytest.mark.parametrize("text", ["(" * 5000, "!" * 5000 + "has(a)", "has(a) && " * 20_000, "x" * 100_000])
def test_hostile_selectors_end_in_an_error(text: str) -> None:
    with pytest.raises(SelectorError):
        parse(text)


NAMES = st.from_regex(r"[a-zA-Z0-9_./-]{1,12}", fullmatch=True)
VALUES = st.text(st.characters(blacklist_characters="\"'", blacklist_categories=["Cs"]), max_size=8)
LEAVES: st.SearchStrategy[Selector] = st.one_of(
    st.sampled_from([All(), All("global")]),
    st.builds(Has, NAMES),
    st.builds(Compare, NAMES, st.sampled_from(["==", "!=", "contains", "starts with", "ends with"]), VALUES),
    st.builds(In, NAMES, st.lists(VALUES, unique=True, max_size=3).map(lambda v: tuple(sorted(v))), st.booleans()),
)
SELECTORS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(Group, st.sampled_from(["&&", "||"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)
LABEL_SETS = st.dictionaries(NAMES, VALUES, max_size=4)


@settings(deadline=None)
@given(SELECTORS)
def test_its_text_parses_to_the_same_selector(selector: Selector) -> None:
    assert parse(str(selector)) == selector


@settings(deadline=None)
@given(SELECTORS, SELECTORS, LABEL_SETS)
def test_de_morgan(a: Selector, b: Selector, labels: dict[str, str]) -> None:
    assert parse(f"!(({a}) && ({b}))").matches(labels) == parse(f"!({a}) || !({b})").matches(labels)
    assert parse(f"!(({a}) || ({b}))").matches(labels) == parse(f"!({a}) && !({b})").matches(labels)


@settings(deadline=None)
@given(NAMES, VALUES, LABEL_SETS)
def test_the_negative_forms_negate(name: str, value: str, labels: dict[str, str]) -> None:
    assert Compare(name, "!=", value).matches(labels) is not Compare(name, "==", value).matches(labels)
    assert In(name, (value,), negated=True).matches(labels) is not In(name, (value,)).matches(labels)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_parses_or_says_why(text: str) -> None:
    try:
        parse(text).matches({})
    except SelectorError as error:
        assert "position" in str(error)
