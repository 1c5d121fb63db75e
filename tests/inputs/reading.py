"""How the tests of this folder read an example: the way of a run, without a warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from pipeline.engines.facts import Facts
from pipeline.engines.parse import Piece, parse
from pipeline.grammar import load_ruleset
from pipeline.settings import Settings
from pipeline.sources.archives import Refusal
from pipeline.sources.discover import walk_sources
from pipeline.sources.identify import SNIFF_BYTES, identify
from pipeline.sources.paths import names_in_path

HERE = Path(__file__).parent
EXAMPLES = HERE / "examples"
COLLECTED = datetime(2024, 12, 20, tzinfo=UTC)
"""When the examples claim to have been collected; their own times are two days older."""


@dataclass(frozen=True)
class Sample:
    """A source among the examples: its path below the folder, and its bytes."""

    name: str
    data: bytes


def sources_of(*names: str) -> Iterator[Sample]:
    """Every source in the named examples (files, folders, archives); all examples when none is named."""
    paths = [str(EXAMPLES / name) for name in names] or [str(EXAMPLES)]
    for source in walk_sources(paths, Settings()):
        assert not isinstance(source, Refusal), source
        yield Sample(source.path.removeprefix(f"{EXAMPLES}/"), source.stream.read())


def piece_of(sample: Sample, data: bytes | None = None, src: int = 0, tz: str = "UTC") -> Piece:
    """The sample (or other bytes under its name) as one piece of work."""
    content = sample.data if data is None else data
    names = names_in_path(str(EXAMPLES / sample.name))
    return Piece(
        src, sample.name, identify(content[:SNIFF_BYTES]), content, 0, names.node, names.pod, names.container,
        names.service, tz, names.stamp or COLLECTED,
    )  # fmt: skip


def facts_of(*pieces: Piece) -> Facts:
    """What the pieces say; binary ones are left out, as a run refuses them."""
    return parse([p for p in pieces if p.identity.family != "binary"], load_ruleset(), Settings())


def unreconciled(facts: Facts) -> pl.DataFrame:
    """Sources whose lines do not add up; empty when every line was parsed, unparsed or rejected, and counted once."""
    tally = facts.tally.with_columns(
        told=pl.col("lines_parsed") + pl.col("lines_unparsed") + pl.col("lines_rejected"),
    )
    counted = int(facts.counts["events"].sum())
    said = int((tally["lines_parsed"] + tally["lines_unparsed"]).sum())
    assert counted == said, f"{counted} events counted, {said} lines parsed or unparsed"
    return tally.filter(pl.col("told") != pl.col("lines_read"))
