"""How one line was read."""

from __future__ import annotations

from pipeline.grammar import load_ruleset


def test_a_known_line() -> None:
    told = load_ruleset().explain("bird", None, "Mesh_10_0_0_12: State changed to up")
    assert told.rule is not None
    assert told.rule.id == "bird.state_changed"
    assert told.shape == "Mesh_<*>: State changed to up"
    assert (told.category, told.severity, told.peer) == ("session_state_change", "info", "10.0.0.12")
    assert (told.session_state, told.level, told.component) == ("up", "trace", "bird")
    assert [name for name, _ in told.stages] == [
        "family", "shape", "rules tried before", "rule", "pattern", "meaning", "category",
    ]  # fmt: skip
    assert 0 < told.tried < 200


def test_an_unknown_line() -> None:
    told = load_ruleset().explain("go", "felix", "an unheard-of message", "warning")
    assert told.rule is None
    assert (told.category, told.severity, told.params) == ("unclassified", "warning", {})
    assert dict(told.stages)["rule"] == "none"


def test_explain_agrees_with_understand() -> None:
    ruleset = load_ruleset()
    for rule in ruleset.rules[::7]:
        example = rule.examples[0]
        assert ruleset.explain(example.family, None, example.line).rule is rule
