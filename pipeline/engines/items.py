"""Work items: from the parts that a process is given to parse to the facts it gives back, ready for the load.

An item holds small sources whole, or one part of a large one. Its bytes travel inside it, lie in a spool file, or
are read by the process itself from a plain file: so no source needs to be in memory whole.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import polars as pl

from pipeline.engines.facts import Facts
from pipeline.engines.parse import Piece, parse, understand_pieces
from pipeline.engines.parts import UNREAD, Parsed, Part, spooled_bytes
from pipeline.engines.ranges import context_bytes
from pipeline.grammar import Ruleset
from pipeline.settings import Settings
from pipeline.shape_ids import SHAPE_KEYS, with_shape_id
from pipeline.sources.identify import SNIFF_BYTES, Identity, identify
from pipeline.sources.lines import Bytes
from pipeline.sources.remote import open_input
from pipeline.sources.windows import read_window

NOTHING = Identity("log", "empty", "no line begins here")
# All of a spool file is read: its pages come in one go, where the system can do that, and not one by one.
_AT_ONCE = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)


def run_item(
    parts: Sequence[Part],
    ruleset: Ruleset,
    settings: Settings,
    unspool: Callable[[Part], Bytes] = spooled_bytes,
) -> Parsed:
    """Read, parse and shape one work item: a pure function of the bytes of its parts.

    ``unspool`` has the bytes of spooled parts.
    """
    pieces = [_piece(part, settings, unspool) for part in parts]
    readable = [piece for piece in pieces if piece.identity.family != "binary"]
    facts = parse(readable, ruleset, settings)
    if parts[0].archive is not None:
        _archive(readable, parts, ruleset, settings)
    return Parsed(_ready(facts, parts), {piece.src: piece.identity for piece in pieces})


def _archive(pieces: Sequence[Piece], parts: Sequence[Part], ruleset: Ruleset, settings: Settings) -> None:
    """Keep every record of the item."""
    from pipeline.engines.archive import write_records  # with it come the warehouse's libraries

    first = parts[0]
    records = understand_pieces(pieces, ruleset, settings).spoken.rename(
        {"offset": "byte_offset", "length": "byte_length"}
    )
    placed = records.join(_paths(parts), on="src", how="left", maintain_order="left")
    write_records(placed, Path(str(first.archive)), first.path, f"{first.src}-{first.begin}")


def _paths(parts: Sequence[Part]) -> pl.DataFrame:
    return pl.DataFrame(
        {"src": [part.src for part in parts], "source_path": [part.path for part in parts]},
        schema={"src": pl.UInt32, "source_path": pl.String},
    ).unique("src")


def _piece(part: Part, settings: Settings, unspool: Callable[[Part], Bytes]) -> Piece:
    names = part.names
    piece = Piece(
        part.src, part.path, part.identity or NOTHING, b"", part.offset, names.node, names.pod, names.container,
        names.service, part.tz, part.reference, part.begin, part.end, part.tail,
    )  # fmt: skip
    if part.spool is not None or part.data is not None:
        data = part.data if part.data is not None else unspool(part)
        identity = part.identity or identify(bytes(data[:SNIFF_BYTES]))
        return replace(piece, data=data, identity=identity)
    context = context_bytes(settings.record_bytes, settings.neighbour_bytes)
    try:
        with open_input(part.path, part.size) as stream:
            window = read_window(
                stream, part.begin, part.end or part.size, part.size, context, settings.line_bytes, part.floor
            )
    except OSError as exc:  # it was moved away, or cannot be had: whoever wanted it is told
        return replace(piece, identity=Identity("log", UNREAD, str(exc)), offset=part.begin, end=part.begin)
    if window is None:
        return replace(piece, identity=part.identity or NOTHING, offset=part.begin, end=part.begin)
    known = part.identity or identify(window.data[:SNIFF_BYTES])
    return replace(piece, identity=known, data=window.data, offset=window.offset, end=window.end, tail=window.tail)


class Mapped:
    """The spool file of an item as memory, for whoever packs its facts before the file is used again."""

    def __init__(self) -> None:
        self._files: dict[str, memoryview] = {}

    def __call__(self, part: Part) -> memoryview:
        """The bytes of a spooled part; those of neighbours in the file are neighbours in memory."""
        path = part.spool or ""
        if path not in self._files:
            with Path(path).open("rb") as file:
                self._files[path] = memoryview(mmap.mmap(file.fileno(), 0, flags=_AT_ONCE, prot=mmap.PROT_READ))
        return self._files[path][part.spool_at : part.spool_at + part.spool_bytes]


def _ready(facts: Facts, parts: Sequence[Part]) -> dict[str, pl.DataFrame]:
    first = min(part.src for part in parts)
    paths = pl.Series("source_path", [""], dtype=pl.String).new_from_index(0, max(p.src for p in parts) - first + 1)
    paths = paths.scatter([part.src - first for part in parts], [part.path for part in parts])
    frames = {}
    for spec in fields(facts):
        frame: pl.DataFrame = getattr(facts, spec.name)
        frames[spec.name] = frame.hstack([paths.gather(frame["src"].to_numpy() - first)])
    # every record is counted, so these are all
    distinct = with_shape_id(facts.counts.select(*SHAPE_KEYS, "category", "severity").unique())
    ids = distinct.select(*SHAPE_KEYS, "shape_id").unique()
    for name, frame in (("records", frames["records"]), ("counts", facts.counts)):
        frames[name] = frame.join(ids, on=SHAPE_KEYS, how="left", nulls_equal=True)
    frames["shapes"] = _shapes(distinct, frames["records"])
    frames["records"] = frames["records"].drop("shape")
    frames["counts"] = frames["counts"].drop("shape", "rule", "category", "severity")
    return frames


def _shapes(distinct: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """Distinct shapes, each with its first record as example: first by source and place, however it was cut."""
    place = ["source_path", "byte_offset"]
    # the first of each source are few, and quickly put in order
    earliest = pl.col("byte_offset").eq_missing(pl.col("byte_offset").min().over("shape_id", "src"))
    told = records.filter(earliest).select("shape_id", *place, example="message")
    first = told.sort(place).unique("shape_id", keep="first")
    return distinct.join(first, on="shape_id", how="left").select(pl.exclude("shape_id"), "shape_id")
