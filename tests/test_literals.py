"""Rules that are not asked could not have matched."""

from __future__ import annotations

import pytest

from pipeline.grammar import load_ruleset
from pipeline.literals import Needed, needed


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        (r"^State changed to (?:up|down)$", ("state changed to ",)),
        (r"(?:Connection closed|Socket error): x", ("connection closed", "socket error")),
        (r"(?i:Hold) timer", (" timer",)),
        (r"(?:abc)?de", ("de",)),
        (r"(?:abc){2,}d", ("abc",)),
        (r"a*b?[xy]", ("",)),
        (r"(?:abc|)d", ("d",)),
        (r"(?:abc|[xy])", ("",)),
        (r"[a-z&&[^x]]\z", ("",)),
    ],
)  # fmt: skip
def test_what_a_pattern_needs(pattern: str, texts: tuple[str, ...]) -> None:
    assert needed(pattern) == texts


def test_every_rule_is_asked_for_its_examples() -> None:
    ruleset = load_ruleset()
    asked = Needed([rule.shape_pattern for rule in ruleset.rules])
    for number, rule in enumerate(ruleset.rules):
        for example in rule.examples:
            said = ruleset.explain(rule.families[0], None, example.line)
            if said.rule is rule:
                assert number in asked.may_match(said.shape)


def test_most_rules_are_not_asked() -> None:
    ruleset = load_ruleset()
    asked = Needed([rule.shape_pattern for rule in ruleset.rules])
    assert len(asked.may_match("Mesh_<*>: State changed to up")) < len(ruleset.rules) / 10


def test_other_scripts_spare_no_rule() -> None:
    """Without regard to case, the sign for kelvin is a k."""
    assert Needed([r"(?i:kernel)"]).may_match("\N{KELVIN SIGN}ernel") == {0}
