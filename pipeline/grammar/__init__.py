"""The grammar: what a record says, decided by rules that are data.

``load_ruleset().understand(frame)`` reads whole columns; ``.explain(...)`` tells how one line was read.
See ``categories.toml`` for the vocabulary and ``rules/`` for the rules.
"""

from __future__ import annotations

from pipeline.grammar.check import check_ruleset
from pipeline.grammar.match import KIND, RULE_NUMBER, SAID, Ruleset, load_ruleset
from pipeline.grammar.model import BENIGN, UNCLASSIFIED, Category, Example, Explanation, Rule, Session
from pipeline.grammar.peers import clean_peer, peer_of_protocol
from pipeline.grammar.rules import grammar_version
from pipeline.grammar.shape import MARK, Shaper

__all__ = [
    "BENIGN",
    "KIND",
    "MARK",
    "RULE_NUMBER",
    "SAID",
    "UNCLASSIFIED",
    "Category",
    "Example",
    "Explanation",
    "Rule",
    "Ruleset",
    "Session",
    "Shaper",
    "check_ruleset",
    "clean_peer",
    "grammar_version",
    "load_ruleset",
    "peer_of_protocol",
]
