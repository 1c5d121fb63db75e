"""The grammar's data: every rule reads its own examples, and contradictions are refused by name."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import RulesetError
from pipeline.grammar import UNCLASSIFIED, check_ruleset, load_ruleset
from pipeline.grammar.match import Ruleset
from pipeline.grammar.model import SEVERITIES
from pipeline.grammar.rules import BUILT_IN, read_grammar

Change = Callable[[str, str, str], Path]

VOCABULARY = [
    "bgp_not_established",
    "md5_kernel_setup_failed",
    "md5_hash_mismatch",
    "hold_timer_expired",
    "connection_refused",
    "connection_reset",
    "connection_closed",
    "no_route_to_host",
    "connect_timeout",
    "network_unreachable",
    "cannot_assign_address",
    "unexpected_peer",
    "bad_peer_as",
    "open_error",
    "update_error",
    "cease_admin_shutdown",
    "cease_connection_collision",
    "cease_other",
    "neighbor_lost",
    "bird_socket_unavailable",
    "bird_config_error",
    "graceful_restart",
    "session_state_change",
    "session_established",
    "route_programming_error",
    "invalid_route",
    "datastore_unreachable",
    "confd_error",
    "felix_not_ready",
    "ip_autodetection",
    "address_conflict",
    "resource_exhaustion",
    "process_restart",
    "probe_exec_failed",
    "duplicate_instance",
    "benign",
    "unclassified",
]


def test_every_example_is_read_by_its_own_rule_with_its_fields() -> None:
    check_ruleset(load_ruleset())


def test_no_two_rules_share_a_shape() -> None:
    ruleset = load_ruleset()
    owners: dict[tuple[str, str], set[str]] = {}
    pairs = [(rule, example) for rule in ruleset.rules for example in rule.examples]
    shapes = ruleset.shapes(pl.Series([example.line for _, example in pairs]))
    for (rule, example), shape in zip(pairs, shapes, strict=True):
        owners.setdefault((example.family, shape), set()).add(rule.id)
    assert {key: rules for key, rules in owners.items() if len(rules) > 1} == {}


def test_the_vocabulary_is_complete_and_every_category_has_a_rule() -> None:
    ruleset = load_ruleset()
    assert sorted(ruleset.categories) == sorted(VOCABULARY)
    used = Counter(rule.category for rule in ruleset.rules)
    assert set(VOCABULARY) - set(used) == {UNCLASSIFIED}
    assert all(category.definition and category.severity in SEVERITIES for category in ruleset.categories.values())


def test_rules_say_what_they_mean() -> None:
    for rule in load_ruleset().rules:
        assert rule.meaning.endswith((".", "V.", ".)")), rule.id
        assert rule.examples, rule.id
        assert rule.cite or rule.file == "rules/console.toml", rule.id


def test_version_follows_the_content(grammar: Change) -> None:
    folder = grammar("rules/systemd.toml", "The unit failed.", "The unit has failed.")
    assert read_grammar(folder).version != load_ruleset().version
    assert load_ruleset() is load_ruleset()


def test_an_unknown_rule_id_is_an_error() -> None:
    ruleset = load_ruleset()
    assert ruleset.rule("bird.state_changed").category == "session_state_change"
    with pytest.raises(RulesetError, match=r"no rule bird\.nonsense"):
        ruleset.rule("bird.nonsense")


@pytest.fixture
def grammar(tmp_path: Path) -> Change:
    """A copy of the built-in data in which one text is replaced once; returns its folder."""

    def change(file: str, old: str, new: str) -> Path:
        shutil.copytree(BUILT_IN, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        path = tmp_path / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return tmp_path

    return change


SYSTEMD = "rules/systemd.toml"
ID = 'id = "systemd.exited"'


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("categories.toml", "severity = ", "gravity = ", "lacks 'severity'"),
        ("categories.toml", '"warning"', '"grave"', "severity must be one of"),
        ("categories.toml", "[unclassified]", "[unknown]", "category unclassified is missing"),
        ("categories.toml", "[benign]", "[benign", "not TOML"),
        ("macros.toml", "shape = ", "shapes = ", "exactly the forms"),
        ("rules/index.toml", '"systemd",', '"systemd", "absent",', "absent.toml: cannot be read"),
        (SYSTEMD, ID, 'id = "Systemd exited"', "id must look like"),
        (SYSTEMD, ID, 'id = "systemd.failed"', r"rule systemd\.failed: a rule of .* has this id"),
        (SYSTEMD, ID, ID + "\ncolour = 'red'", r"systemd\.exited: unknown key colour"),
        (SYSTEMD, 'in = ["systemd"]', 'in = ["upstart"]', "family upstart is not in rules/index.toml"),
        (SYSTEMD, 'in = ["systemd"]', "in = []", r"systemd\.exited: lacks in"),
        (SYSTEMD, '"process_restart"', '"process_dance"', "category process_dance is not usable"),
        (SYSTEMD, '"process_restart"', '"unclassified"', "category unclassified is not usable"),
        (SYSTEMD, 'level = "warning"', 'level = "loud"', "level one of"),
        (SYSTEMD, "(?P<unit>", "(?P<unit>(", "no regular expression of the Rust dialect"),
        (SYSTEMD, "(?P<unit>{WORD})", "(?P<unit>{WIRD})", r"systemd\.exited: macro WIRD is not in macros\.toml"),
        (SYSTEMD, "(?P<unit>{WORD})", "(?P<unit>[a-z0-9.]+)", "demands digits that a shape does not keep"),
        (SYSTEMD, "(?P<unit>{WORD})", "(?P<unit>unit 7)", "demands digits that a shape does not keep"),
        (SYSTEMD, ID, ID + "\nsession = { state = '{place}' }", "session names place, no group"),
        (SYSTEMD, ID, ID + "\nsession = { mood = 'up' }", "session has unknown mood"),
    ],
)
def test_contradictions_are_refused_by_name(grammar: Change, file: str, old: str, new: str, says: str) -> None:
    folder = grammar(file, old, new)
    with pytest.raises(RulesetError, match=says):
        read_grammar(folder)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RulesetError, match=r"categories\.toml: cannot be read"):
        read_grammar(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("calico-node.service: Main process exited", "calico-node.service: Nothing happened", "is read by no rule"),
        ("status=1/FAILURE', unit", "status=2/FAILURE', unit", "status is '2/FAILURE', not '1/FAILURE'"),
        ("calico-node.service: Main process exited, code=exited, status=1/FAILURE", "x.service: Succeeded.",
         r"is read by systemd\.restarting"),
    ],
)  # fmt: skip
def test_examples_that_lie_are_refused(grammar: Change, old: str, new: str, says: str) -> None:
    folder = grammar(SYSTEMD, old, new)
    with pytest.raises(RulesetError, match=says):
        check_ruleset(Ruleset(read_grammar(folder)))


def test_examples_that_share_a_shape_are_refused(grammar: Change) -> None:
    twin = """
[[rule]]
id = "systemd.twin"
in = ["kernel"]
pattern = '^{WORD}: Succeeded\\.$'
category = "benign"
meaning = "Nothing."
examples = ["a.service: Succeeded.", { line = "b7.service: Succeeded.", in = "systemd" }]
"""
    folder = grammar(SYSTEMD, "\n[[rule]]", twin + "\n[[rule]]")
    with pytest.raises(RulesetError, match=r"systemd\.twin: example 'b7\.service: Succeeded\.' is read by"):
        check_ruleset(Ruleset(read_grammar(folder)))


def test_every_example_fits_its_pattern_to_the_letter() -> None:
    for rule in load_ruleset().rules:
        bodies = pl.Series([example.line for example in rule.examples]).str.strip_chars()
        assert bodies.str.contains(rule.body_pattern).all(), rule.id


def test_what_fits_to_the_letter_fits_in_shape() -> None:
    """The two forms of a macro agree: a body that a rule's pattern matches has a shape that it matches too."""
    ruleset = load_ruleset()
    bodies = pl.Series([line for rule in ruleset.rules for line in (e.line for e in rule.examples)]).str.strip_chars()
    frame = pl.DataFrame({"body": bodies, "shape": ruleset.shapes(bodies)})
    # Numbers that a shape keeps because they decide (codes of a NOTIFICATION, "established = 0") are no {NUM}.
    decided = {
        "bird.received_unknown_error",
        "bird.sent_unknown_error",
        "probe.failed_with_sessions",
        "probe.some_established",
    }
    for rule in ruleset.rules:
        if rule.id in decided:
            continue
        letter = pl.col("body").str.contains(rule.body_pattern)
        shape = pl.col("shape").str.contains(rule.shape_pattern)
        astray = frame.filter(letter & ~shape)
        assert astray.is_empty(), (rule.id, astray["body"].to_list())
