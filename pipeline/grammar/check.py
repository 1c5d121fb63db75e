"""Checking that every rule reads its own examples, and that no two rules share a shape."""

from __future__ import annotations

import json

import polars as pl

from pipeline.errors import RulesetError
from pipeline.grammar.match import Ruleset
from pipeline.grammar.model import Example, Rule
from pipeline.grammar.rules import compile_patterns

_COLUMN = {"state": "session_state", "bgp_state": "session_bgp_state", "last_error": "session_last_error"}
_TYPED = ("protocol", "peer", "component", "level", *_COLUMN)


def check_ruleset(ruleset: Ruleset) -> None:
    """Raise one RulesetError that lists every example read by another rule or with other fields."""
    compile_patterns(ruleset.rules)
    pairs = [(rule, example) for rule in ruleset.rules for example in rule.examples]
    frame = pl.DataFrame(
        {
            "family": [example.family for _, example in pairs],
            "component": [None] * len(pairs),
            "level": [None] * len(pairs),
            "body": [example.line for _, example in pairs],
        },
        dict.fromkeys(("family", "component", "level", "body"), pl.String),
    )
    faults: list[str] = []
    owners: dict[tuple[str, str], Rule] = {}
    for (rule, example), row in zip(pairs, ruleset.understand(frame).iter_rows(named=True), strict=True):
        where = f"{rule.file}: rule {rule.id}: example {example.line!r}"
        if row["rule"] != rule.id:
            faults.append(f"{where} is read by {row['rule'] or 'no rule'} (shape {row['shape']!r})")
            continue
        owner = owners.setdefault((example.family, row["shape"]), rule)
        if owner is not rule:
            faults.append(f"{where} has the shape of an example of {owner.id}")
        faults.extend(f"{where}: {fault}" for fault in _wrong_fields(example, row))
    if faults:
        raise RulesetError(
            "rules that do not read their own examples; correct the pattern, the example or the order:\n  "
            + "\n  ".join(faults)
        )


def _wrong_fields(example: Example, row: dict[str, object]) -> list[str]:
    found = {name: row[_COLUMN.get(name, name)] for name in _TYPED}
    found["peers"] = ",".join(row["peers"])  # type: ignore[arg-type]
    params = json.loads(str(row["params"]))
    return [
        f"{name} is {found[name] if name in found else params.get(name)!r}, not {wanted!r}"
        for name, wanted in example.fields.items()
        if (found[name] if name in found else params.get(name)) != wanted
    ]
