"""The two line heads that nearly all lines have, BIRD's and logrus', taken off without a pattern for each row.

The places of their parts are found by searching one character; what the head says is read once for each
distinct head (a program has a few hundred). ``headers`` decides which lines come here, and its patterns give
the same answer for them, only slower; the tests hold one against the other.
"""

from __future__ import annotations

import polars as pl

from pipeline.sources.components import FILE_COMPONENTS, LEVELS, PREFIX_COMPONENTS, PROBE_FILES

# lines whose whole head is the prefix: no class in angle brackets, no second prefix
BIRD_PLAIN = r"^bird6?: (?:[^<b]|b[^i])"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}[.,][0-9]{3}"
# The process and the line of the source are numbers. Any word with a digit is taken for one, so that the shape of a
# head decides whether it is one.
PROCESS = r"[0-9A-Za-z_.,/-]*[0-9][0-9A-Za-z_.,/-]*"
LINE = r"[0-9A-Za-z_.,-]*[0-9][0-9A-Za-z_.,-]*|<nil>"
LOGRUS_PLAIN = rf"^{_DATE} \[[A-Z]+\]\[{PROCESS}\] (?:[a-z0-9-]+/)?[0-9A-Za-z_.<>-]+ (?:{LINE}):"
_LOGRUS_HEAD = (
    rf"^\[(?P<level>[A-Z]+)\]\[{PROCESS}\] (?:(?P<said>[a-z0-9-]+)/)?(?P<file>[0-9A-Za-z_.<>-]+) (?P<line>{LINE})$"
)
_STAMP_WIDTH = 23
_PROBE = "Number of node(s)"


def take_bird(rows: pl.DataFrame) -> pl.DataFrame:
    """Component and body of lines that fit ``BIRD_PLAIN``."""
    six = pl.col("rest").str.starts_with("bird6")
    body = pl.when(six).then(pl.col("rest").str.slice(7)).otherwise(pl.col("rest").str.slice(6))
    return rows.with_columns(
        component=pl.when(six).then(pl.lit("bird6")).otherwise(pl.lit("bird")),
        level=pl.lit(None, dtype=pl.String),
        family=pl.lit("bird"),
        code=pl.lit(None, dtype=pl.String),
        body=unglued(body),
    )


def unglued(body: pl.Expr) -> pl.Expr:
    """Two daemons write pieces to one pipe; the same message of both comes as one, written twice."""
    half = body.str.len_chars() // 2
    # comparing a few characters first keeps the long comparison to texts that may be doubled
    alike = (body.str.slice(half, 4) == body.str.slice(0, 4)) & (half > 3)
    first = pl.when(alike).then(body).str.slice(0, half)
    doubled = first == pl.when(alike).then(body).str.slice(half)
    return pl.when(doubled.fill_null(False)).then(first).otherwise(body)


def take_logrus(rows: pl.DataFrame) -> pl.DataFrame:
    """Component, level, place in the source and body of lines that fit ``LOGRUS_PLAIN``; the caller reads the stamp."""
    tail = pl.col("rest").str.slice(_STAMP_WIDTH + 1)
    rows = rows.with_columns(tail=tail, colon=tail.str.find(":", literal=True))
    rows = rows.with_columns(
        head=pl.col("tail").str.slice(0, pl.col("colon")),
        body=pl.col("tail").str.slice(pl.col("colon") + 1).str.strip_prefix(" "),
    ).drop("tail", "colon")
    heads = rows.select("head").unique()
    parts = heads["head"].str.extract_groups(_LOGRUS_HEAD).struct.unnest()
    by_file = parts["file"].replace_strict(FILE_COMPONENTS, default="felix")
    said = parts["said"].replace_strict(PREFIX_COMPONENTS, default=parts["said"])
    known = heads.with_columns(
        component=pl.select(pl.coalesce(said, by_file)).to_series(),
        level=parts["level"].replace_strict(LEVELS, default=None),
        asks=parts["file"].is_in(PROBE_FILES),
        code=parts["file"] + " " + parts["line"],
    )
    rows = rows.join(known, on="head", how="left", maintain_order="left")
    probe = pl.col("asks") & pl.col("body").str.starts_with(_PROBE)
    return rows.with_columns(
        component=pl.when(probe).then(pl.lit("probe")).otherwise("component"), family=pl.lit("go")
    ).drop("head", "asks")
