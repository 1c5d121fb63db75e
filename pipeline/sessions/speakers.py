"""The sessions of a cluster, made of its facts a slice of speakers at a time.

What one speaker showed says nothing of another's ends, but for the end of the data. So only a part of the
observations, which are the largest frames of an analysis, is ever there; what stays of them is made of names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from pipeline.sessions.addresses import AddressBook
from pipeline.sessions.facts import ClusterFacts
from pipeline.sessions.intervals import SCHEMA, build_intervals
from pipeline.sessions.observations import SNAPSHOTS, bird_logs, build_observations, session_records, speaker_of
from pipeline.sessions.pooled import as_names, in_one_piece
from pipeline.sessions.settings import DEFAULTS, SessionSettings

SLICE_ROWS = 100_000
"""Observations that are looked at together, as far as one speaker has no more: their frames take some 60 MB."""
_TABLES = ["speaker", "node", "peer", "end", "ts", "status", "observed_by", "source_path", "byte_offset"]
_PAIRS = ["node", "peer", "peer_node"]


@dataclass(frozen=True, slots=True)
class Sessions:
    """What is known of sessions: ``intervals``, in the order of speaker, end and time, and of the observations
    the rows of status ``tables``, and the different ``pairs`` of node and far end."""

    intervals: pl.DataFrame
    tables: pl.DataFrame
    pairs: pl.DataFrame


def build_sessions(
    facts: ClusterFacts, book: AddressBook, settings: SessionSettings = DEFAULTS, rows: int = SLICE_ROWS
) -> Sessions:
    """The sessions of a cluster; the same for any number of ``rows`` that are looked at together."""
    parts = _parts(facts, book, settings, rows)
    frames = [part.intervals for part in parts], [part.tables for part in parts], [part.pairs for part in parts]
    parts.clear()
    return Sessions(*map(in_one_piece, frames))


def _parts(facts: ClusterFacts, book: AddressBook, settings: SessionSettings, rows: int) -> list[Sessions]:
    """The sessions of each slice, in their order; nothing of no slice comes first."""
    slices = _Slices(facts, book, settings, rows)
    data_end = slices.data_end()
    nothing = build_observations(ClusterFacts(), book, settings)
    made = {-1: Sessions(pl.DataFrame(schema=SCHEMA), _tables(nothing), _pairs(nothing))}
    for number in slices.numbers:
        seen = slices.observations(number)
        intervals = build_intervals(slices.facts(number), seen, settings, data_end)
        made[number] = Sessions(intervals, _tables(seen), _pairs(seen))
    return [made[number] for number in sorted(made)]


def _tables(observations: pl.DataFrame) -> pl.DataFrame:
    return as_names(observations.filter(pl.col("observed_by").is_in(SNAPSHOTS)).select(_TABLES))


def _pairs(observations: pl.DataFrame) -> pl.DataFrame:
    return as_names(observations.select(_PAIRS).unique(maintain_order=True))


class _Slices:
    """The facts that sessions are made of, in slices of speakers, in the order of these."""

    def __init__(self, facts: ClusterFacts, book: AddressBook, settings: SessionSettings, rows: int) -> None:
        self._book, self._settings = book, settings
        self._looked_at: tuple[int, pl.DataFrame] | None = None
        self._facts = replace(facts, records=session_records(facts.records))
        told = [_told(frame) for frame in (self._facts.states, self._facts.records)]
        known = (
            pl.concat(told).group_by("speaker").agg(pl.col("ts").max(), pl.col("observations").sum()).sort("speaker")
        )
        before = pl.col("observations").cum_sum() - pl.col("observations")
        numbered = known.sort("speaker").with_columns(slice=(before // rows).rle_id())
        self.latest: list[datetime | None] = (
            numbered.group_by("slice").agg(pl.col("ts").max()).sort("slice")["ts"].to_list()
        )
        """The time of the last fact of each slice."""
        number = numbered.select("speaker", "slice")
        self._numbers = [
            frame.select("speaker").join(number, on="speaker", how="left", maintain_order="left")["slice"]
            for frame in told
        ]  # fmt: skip

    def facts(self, number: int) -> ClusterFacts:
        """The facts of one slice."""
        states, records = (rows == number for rows in self._numbers)
        return replace(
            self._facts, states=self._facts.states.filter(states), records=self._facts.records.filter(records)
        )

    @property
    def numbers(self) -> list[int]:
        """All slices; the one whose observations are there already comes first."""
        there = self._looked_at[0] if self._looked_at else 0
        return sorted(range(len(self.latest)), key=lambda number: (number != there, number))

    def observations(self, number: int) -> pl.DataFrame:
        """The observations of one slice; those that were made last are not made again."""
        if self._looked_at is None or self._looked_at[0] != number:
            self._looked_at = None  # one slice is in memory at a time
            self._looked_at = (number, build_observations(self.facts(number), self._book, self._settings))
        return self._looked_at[1]

    def data_end(self) -> datetime | None:
        """The last moment at which any end could be seen.

        Not every fact counts as an observation: slices with later ones than the end that is known are looked through.
        """
        end = bird_logs(self._facts.observed)["last_ts"].max()
        known = end if isinstance(end, datetime) else None
        later = [(ts, number) for number, ts in enumerate(self.latest) if ts is not None]
        for ts, number in sorted(later, reverse=True):
            if known is not None and ts <= known:
                break
            seen = self.observations(number)["ts"].max()
            if isinstance(seen, datetime) and (known is None or seen > known):
                known = seen
        return known


def _told(frame: pl.DataFrame) -> pl.DataFrame:
    """Who told each row, when, and how many observations it may be."""
    count = pl.col("peers").list.len().fill_null(0) + 1 if "peers" in frame.columns else pl.lit(1, pl.UInt32)
    return frame.select("ts", speaker=speaker_of(frame), observations=count.cast(pl.UInt32))
