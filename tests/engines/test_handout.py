"""Spool files: what goes through them, and where they lie."""

from __future__ import annotations

import shutil
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from pipeline.engines import handout
from pipeline.engines.handout import Handout
from pipeline.engines.items import Mapped, run_item
from pipeline.engines.parts import Parsed, Part, spooled_bytes
from pipeline.errors import SpaceError
from pipeline.grammar import load_ruleset
from pipeline.settings import Settings
from pipeline.sources.paths import names_in_path

SOME = 10_000
LINE = "2024-12-18T07:00:{:02d}.034480232Z stdout F bird: Mesh_10_128_1_{}: State changed to start{}"


class Usage(NamedTuple):
    free: int


class Dull:
    """Finds as many bytes of facts as it is told."""

    count = 2
    first_bytes = 1 << 20

    def __init__(self) -> None:
        self.facts = 0

    def close(self) -> None:
        """There is nothing to end."""

    def submit(self, parts: object, size: int) -> Future[Parsed]:
        done: Future[Parsed] = Future()
        done.set_result(Parsed({"counts": pl.DataFrame({"n": np.zeros(self.facts, np.uint8)})}, {}))
        return done


def part_of(number: int) -> Part:
    path = f"/logs/node-{number}/calico-node.log"
    return Part(number, path, names_in_path(path))


@pytest.mark.parametrize("ended", [True, False])
def test_parts_in_a_file_are_those_that_were_put_there(ended: bool) -> None:
    texts = ["".join(LINE.format(n, k, "\n") for k in range(20)).encode() for n in range(3)]
    data = texts if ended else [text[:-1] for text in texts]
    out = Handout(Dull(), 1 << 20)
    try:
        spool = out.spool()
        spooled = [spool.add(part_of(n), text) for n, text in enumerate(data)]
        assert [spooled_bytes(part) for part in spooled] == data
        mapped = Mapped()
        assert [bytes(mapped(part)) for part in spooled] == data
        held = [replace(part_of(n), data=text) for n, text in enumerate(data)]
        settings, ruleset = Settings(), load_ruleset()
        expected = run_item(held, ruleset, settings).frames
        found = run_item(spooled, ruleset, settings, Mapped()).frames
        assert {n: sorted(map(repr, f.rows())) for n, f in found.items()} == {
            n: sorted(map(repr, f.rows())) for n, f in expected.items()
        }
        assert expected["records"].height
    finally:
        out.close()


@pytest.mark.parametrize(("free", "shared"), [(64 << 20, False), (4 << 30, True)])
def test_spool_files_are_kept_in_memory_only_where_there_is_room(
    free: int, shared: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(handout, "_SHARED", tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free))
    out = Handout(Dull(), 48 << 20)
    try:
        assert Path(out.spool().path).is_relative_to(tmp_path) == shared
    finally:
        out.close()


def test_a_full_disk_is_told_with_what_to_do() -> None:
    out = Handout(Dull(), 1 << 20)
    try:
        spool = out.spool()
        spool.path = "/dev/full"
        with pytest.raises(SpaceError, match="TMPDIR"):
            spool.add(part_of(1), b"line\n")
    finally:
        out.close()


def test_items_are_as_large_as_their_facts_may_be() -> None:
    most, dull = 48 << 20, Dull()
    out = Handout(dull, most)
    sizes = []

    def parse(facts_a_byte: float, items: int) -> None:
        for _ in range(items):
            dull.facts = int(SOME * facts_a_byte)
            out.submit([], SOME, lambda _: None)
            out.drain()
            sizes.append(out.item_bytes)

    try:
        assert out.item_bytes == dull.first_bytes
        parse(0.1, 2)
        assert sizes[-1] == most
        parse(4, 2)
        assert sizes[-1] == pytest.approx(handout.FACTS_BYTES / 4, rel=0.01)
        parse(0.1, 2)
        assert sizes[-1] < most, "one quiet item does not end a storm"
        parse(0.1, 5)
        assert sizes[-1] == most
        parse(1000, 3)
        assert sizes[-1] == handout.LEAST_BYTES
    finally:
        out.close()
