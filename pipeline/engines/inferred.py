"""Releases that a node may run, from where its lines stand in the source and from BIRD's version."""

from __future__ import annotations

import re

import polars as pl

from pipeline.engines.facts import NODE_FACTS
from pipeline.frames import conform
from pipeline.inventory.fingerprints import FACT, load_fingerprints

_QUOTED = r"([\w-]+\.go [0-9]+): "


def with_inferred(facts: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    """``facts`` (schema ``NODE_FACTS``) and below them one fact for each range that a source and node give."""
    return pl.concat([facts, _of_birds(facts), _of_lines(told)])


def inferred_releases(rule: str | None, code: str | None, message: str) -> str | None:
    """The range that one record gives, or None; ``code`` is where the line stood, unless the message quotes it."""
    known = load_fingerprints()
    found = known.of_line(rule, code) if rule and code else None
    for quoted in known.messages if found is None else ():
        place = re.search(_QUOTED + re.escape(quoted.embedded), message) if quoted.embedded else None
        found = quoted.places.get(place[1]) if place else found
    return str(found) if found else None


def _of_birds(facts: pl.DataFrame) -> pl.DataFrame:
    birds = facts.filter(pl.col("fact") == "bird_version")
    known = load_fingerprints()
    ranges = {version: known.of_bird(version) for version in birds["value"].unique().to_list()}
    said = {version: str(releases) for version, releases in ranges.items() if releases}
    if not said:
        return facts.clear()
    value = pl.col("value").replace_strict(said, default=None, return_dtype=pl.String)
    return _first(birds.with_columns(value=value, fact=pl.lit(FACT)))


def _of_lines(told: pl.DataFrame) -> pl.DataFrame:
    """Ranges from the place of a line, or from a line that the message of a probe quotes."""
    known = load_fingerprints()
    told = told.select("src", "node", "rule", "code", "message", observed_at="ts", byte_offset="offset")
    rows = told.filter(pl.col("rule").is_in(known.rules) & pl.col("code").is_not_null())
    frames = [rows.drop("message")]
    for message in known.messages:
        if message.embedded is None:
            continue
        quoting = told.filter(pl.col("message").str.contains(message.embedded, literal=True))
        if quoting.is_empty():
            continue
        code = pl.col("message").str.extract(_QUOTED + re.escape(message.embedded), 1)
        frames.append(
            quoting.with_columns(rule=pl.lit(min(message.rules)), code=code)
            .filter(pl.col("code").is_not_null())
            .drop("message")
        )
    places = pl.concat(frames)
    if places.is_empty():
        return NODE_FACTS.to_frame()
    pairs = places.select("rule", "code").unique()
    values = [known.of_line(rule, code) for rule, code in pairs.iter_rows()]
    named = pairs.with_columns(value=pl.Series([str(v) if v else None for v in values], dtype=pl.String))
    return _first(places.join(named, on=["rule", "code"], how="left").with_columns(fact=pl.lit(FACT)))


def _first(facts: pl.DataFrame) -> pl.DataFrame:
    """One fact for each source, node and value: a probe says the same every ten seconds."""
    known = facts.filter(pl.col("value").is_not_null()).sort("src", "byte_offset")
    return conform(known.unique(["src", "node", "value"], keep="first", maintain_order=True), NODE_FACTS)
