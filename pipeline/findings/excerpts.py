"""Records by their numbers: what an incident asks of them is answered from columns, and only quoted ones are made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from pipeline.findings.columns import NEVER, Bools, Coded, Ints, coded, distinct, micros, numbered
from pipeline.findings.proofs import PROOFS, Proof, shortened

SILENT = ("benign", "session_established")
"""The ordinary steps of a session: no signal quotes them."""
_LAST = int(np.iinfo(np.int64).max)
_FEW = 64
"""So many records are looked through before all are: most have what is sought among the first."""


class Records:
    """All records of a cluster, numbered in a column ``row``, by which those of an incident are found again."""

    def __init__(self, records: pl.DataFrame) -> None:
        self.frame = records.with_row_index("row")
        self.ts = micros(records["ts"])
        self.node = coded(records["node"])

    @cached_property
    def peer(self) -> Coded:
        """The peer that each record names."""
        return coded(self.frame["peer"])

    @cached_property
    def quotes(self) -> pl.DataFrame:
        """What is quoted of each record, in the order of :class:`Proof`."""
        return self.frame.select("message", "ts", "node", "peer", "source_path", "byte_offset")

    @cached_property
    def kinds(self) -> tuple[Ints, int]:
        """A number for each node and rule, and how many there are."""
        first, codes = numbered(self.node, coded(self.frame["rule"]))
        return codes, len(first)

    @cached_property
    def ordered(self) -> Ints:
        """The records in the order of time and place; what is not known comes last."""
        path = coded(self.frame["source_path"]).codes
        offset = self.frame["byte_offset"].cast(pl.Int64).fill_null(_LAST).to_numpy()
        path = np.where(path == 0, np.iinfo(path.dtype).max, path)
        ts = np.where(self.ts == NEVER, _LAST, self.ts)
        in_place = (path[1:] > path[:-1]) | ((path[1:] == path[:-1]) & (offset[1:] >= offset[:-1]))
        # as they come from the warehouse they are in order of place: each file is in order of time, or nearly so
        order = np.argsort(ts, kind="stable") if in_place.all() else np.lexsort((offset, path, ts))
        return order.astype(np.int32)

    @cached_property
    def rank(self) -> Ints:
        """The place of each record in that order."""
        rank = np.empty_like(self.ordered)
        rank[self.ordered] = np.arange(len(rank), dtype=np.int32)
        return rank


@dataclass(frozen=True)
class Excerpt:
    """Some records, by their numbers."""

    records: Records
    rows: Ints

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, chosen: Bools) -> Excerpt:
        """Those that are chosen."""
        return Excerpt(self.records, self.rows[chosen])

    @property
    def peers(self) -> Coded:
        """The peer that each of them names."""
        return self.records.peer.at(self.rows)

    @cached_property
    def nodes(self) -> list[str]:
        """The nodes that told them."""
        return distinct(self.records.node.at(self.rows))

    def told(self, name: str) -> list[Any]:
        """One column of them."""
        return self.records.frame[name].gather(self.rows).to_list()

    @property
    def first(self) -> dict[str, Any]:
        """The first of them."""
        return self.records.frame.row(int(self.rows[0]), named=True)

    @cached_property
    def proofs(self) -> tuple[Proof, ...]:
        """Quotes of the first ones, as many as one sign has at most."""
        return self.quoted()

    def quoted(self, limit: int = PROOFS) -> tuple[Proof, ...]:
        """Quotes of the first ones, one of each node and text as far as the limit goes."""
        ranks = self.records.rank[self.rows]
        quotes = [*self._quotes(self._first_of_kinds(ranks, limit))]
        if len(quotes) < limit:
            places: dict[tuple[Any, ...], tuple[Any, ...]] = {}
            for quote in chain(quotes, self._quotes(_in_order(ranks))):
                places.setdefault(quote[4:6], quote)
                if len(places) >= limit:
                    break
            quotes = list(places.values())
        return tuple(Proof(shortened(text or ""), *rest) for text, *rest in quotes)

    def _first_of_kinds(self, ranks: Ints, limit: int) -> Ints:
        """The first record of each node and rule, by their places in order."""
        kinds, number = self.records.kinds
        best = np.full(number, _LAST)
        np.minimum.at(best, kinds[self.rows], ranks)
        return np.sort(best[best < _LAST])[:limit]

    def _quotes(self, ranks: Iterable[int]) -> Iterator[tuple[Any, ...]]:
        return (self.records.quotes.row(int(self.records.ordered[rank])) for rank in ranks)


def _in_order(ranks: Ints) -> Iterator[int]:
    """The numbers in order. Few are asked for, so that the others are only sorted when these do not do."""
    few = np.sort(np.partition(ranks, _FEW)[:_FEW] if len(ranks) > _FEW else ranks)
    yield from few
    if len(ranks) > _FEW:
        yield from np.sort(ranks)[_FEW:]


class Selection:
    """Records that have something in common."""

    def __init__(self, frame: pl.DataFrame, records: Records) -> None:
        self._records, self._all = records, frame["row"].cast(pl.Int64).to_numpy()
        loud = frame.filter(~pl.col("category").is_in(SILENT)) if frame.height else frame
        self._rows = loud["row"].cast(pl.Int64).to_numpy()
        self._ts, self._node = records.ts[self._rows], records.node.at(self._rows)

    def __len__(self) -> int:
        return len(self._all)

    @cached_property
    def _chosen(self) -> Bools:
        chosen = np.zeros(len(self._records.ts), np.bool_)
        chosen[self._all] = True
        return chosen

    def among(self, rows: Ints) -> Excerpt:
        """Those that are among these rows, in their order."""
        return Excerpt(self._records, rows[self._chosen[rows]])

    def part(self, names: Set[str] | None, begun: int, done: int) -> Excerpt:
        """Those from nodes of these names and within the times, in microseconds.

        What names no node or time is not left out, the ordinary steps of a session are.
        """
        undated = self._ts == NEVER
        chosen = undated | (self._ts >= begun)
        if done != NEVER:
            chosen &= undated | (self._ts <= done)
        if names is not None and chosen.any():
            chosen &= self._node.among({None, *names})
        return Excerpt(self._records, self._rows[chosen])
