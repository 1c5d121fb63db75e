"""bird and bird6 write the same prefix: which of the two a line is from.

A service folder, a file of the daemon named in the line, or the kind of address in a protocol's name tell them
apart. Lines that name nobody belong to the daemon whose neighbours are named nearby, when these are of one kind.
"""

from __future__ import annotations

import polars as pl

FOUR = r"/\.?bird(?:_\w+)?\.c|\b(?:Mesh|Node|Global)_(?:\d{1,3}_){3}\d{1,3}(?:_port_\d+)?\b"
SIX = r"\bbird6(?:_\w+)?\.c|\b(?:Mesh|Node|Global)_[0-9a-f]{0,4}_[0-9a-f]{0,4}_[0-9a-f_]*\b"


def name_birds(frame: pl.DataFrame, neighbour_bytes: int) -> tuple[pl.DataFrame, bool]:
    """Sets ``component`` of BIRD's lines; ``bird_known`` is what the source's place says.

    Adds ``guessed`` when the second value is true: lines that name nobody and have no IPv4 neighbour nearby,
    for which more of the source could tell more.
    """
    birds = frame.filter(pl.col("component") == "bird").select("src", "offset", "body", told="bird_known")
    if birds.is_empty():
        return frame, False
    four = pl.when(pl.col("body").str.contains(FOUR)).then(pl.lit("bird"))
    birds = birds.with_columns(told=pl.coalesce("told", four) if birds["told"].null_count() else pl.col("told"))
    open_lines = birds.filter(pl.col("told").is_null()).select("src", "offset", six=pl.col("body").str.contains(SIX))
    if open_lines.is_empty():
        known = birds.filter(pl.col("told") != "bird").select("src", "offset", now="told")
        return (_renamed(frame, known) if known.height else frame), False
    birds = birds.drop("body").join(open_lines, on=["src", "offset"], how="left", maintain_order="left")
    six = pl.when("six").then(pl.lit("bird6"))
    birds = birds.with_columns(told=pl.coalesce("told", six))
    silent = pl.col("told").is_null()
    birds = birds.with_columns(
        guessed=silent & ~_near("bird", neighbour_bytes),
        now=pl.when(silent & ~_near("bird", neighbour_bytes) & _near("bird6", neighbour_bytes))
        .then(pl.lit("bird6"))
        .otherwise(pl.col("told")),
    )
    frame = _renamed(frame, birds.select("src", "offset", "now", "guessed"))
    return frame.with_columns(pl.col("guessed").fill_null(False)), True


def _near(daemon: str, reach: int) -> pl.Expr:
    """Whether a line that names neighbours of that daemon stands less than ``reach`` bytes away."""
    place = pl.when(pl.col("told") == daemon).then("offset")
    before = pl.col("offset") - place.forward_fill().over("src") < reach
    after = place.backward_fill().over("src") - pl.col("offset") < reach
    return before.fill_null(False) | after.fill_null(False)


def _renamed(frame: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    frame = frame.join(known, on=["src", "offset"], how="left", maintain_order="left")
    return frame.with_columns(component=pl.coalesce("now", "component")).drop("now")
