"""Frames of records for the grammar's tests."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from pipeline.grammar import Ruleset

SCHEMA = {"family": pl.String, "component": pl.String, "level": pl.String, "body": pl.String}


def records(lines: Iterable[tuple[str | None, str | None]]) -> pl.DataFrame:
    """A frame for ``understand`` from (family, body) pairs."""
    rows = [(family, None, None, body) for family, body in lines]
    return pl.DataFrame(rows, SCHEMA, orient="row")


def examples(ruleset: Ruleset) -> list[tuple[str, str]]:
    """(family, line) of every example of every rule."""
    return [(example.family, example.line) for rule in ruleset.rules for example in rule.examples]
