"""What is too much to be sorted in memory at once is sorted in pieces, each of which follows the one before.

Sorted as a whole it would be written to disk and read again, and take the more memory the longer a storm lasts.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb

from pipeline.warehouse.comments import quoted

#: Rows that are sorted at once: 200 MB of records.
PIECE_ROWS = 1_000_000
# By what the order of a published table begins: a column without nulls, then one whose nulls come last.
_CUTS = {"log_events": ("category", "ts"), "session_states": ("cluster", "node")}
# Where to cut need not be known exactly, and to put all values in order would take as long as sorting some pieces.
SAMPLE = "USING SAMPLE 1 PERCENT (bernoulli, 1)"


def pieces(con: duckdb.DuckDBPyConnection, table: str, facts: str) -> list[str]:
    """Conditions, each for a piece of a published ``table``, which has the rows of ``facts``; in its order."""
    if table not in _CUTS:
        return ["true"]
    first, second = _CUTS[table]
    counts = con.sql(f"SELECT {first}, count(*) FROM main.{facts} GROUP BY 1 ORDER BY 1").fetchall()
    found: list[str] = []
    for start, end, rows in _together(counts):
        whole = f"{first} BETWEEN '{quoted(start)}' AND '{quoted(end)}'"
        cuts = _cuts(con, f"SELECT {second} AS value FROM main.{facts} WHERE {whole}", rows)
        found += [f"{whole} AND {part}" for part in _between(second, cuts)] if cuts else [whole]
    return found if len(found) > 1 else ["true"]


def _together(counts: list[tuple[str, int]]) -> Iterator[tuple[str, str, int]]:
    """Neighbouring values that make one piece: the first, the last and their rows."""
    start, end, rows = "", "", 0
    for value, count in counts:
        if rows and rows + count > PIECE_ROWS:
            yield start, end, rows
            rows = 0
        start, end, rows = (start if rows else value), value, rows + count
    if rows:
        yield start, end, rows


def _cuts(con: duckdb.DuckDBPyConnection, values: str, rows: int) -> list[str]:
    """Values that cut so many rows into even parts, each small enough; fewer where a value has many."""
    parts = -(-rows // PIECE_ROWS)
    if parts == 1:
        return []
    shares = [part / parts for part in range(1, parts)]
    query = f"SELECT CAST(quantile_disc(value, {shares}) AS VARCHAR[]) FROM (FROM ({values}) {SAMPLE})"
    return list(dict.fromkeys(con.sql(query).fetchall()[0][0] or ()))


def _between(column: str, cuts: list[str]) -> list[str]:
    """Conditions for what lies before, between and after the cuts, of which there is one at least."""
    least = [f"{column} >= '{quoted(cut)}'" for cut in cuts]
    below = [f"{column} < '{quoted(cut)}'" for cut in cuts]
    inner = [f"{low} AND {high}" for low, high in zip(least, below[1:], strict=False)]
    return [below[0], *inner, f"({least[-1]} OR {column} IS NULL)"]
