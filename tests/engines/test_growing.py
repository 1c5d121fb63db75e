"""Files that grow between runs: every line counts once, however they were rotated, packed or copied meanwhile."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.engines.endings import finished
from pipeline.engines.local import InputOptions, Summary, ingest
from pipeline.settings import Settings
from pipeline.warehouse.writer import Warehouse
from tests.chaos.check import contents, reconciles

POD = "nodes/node-1/var/log/pods/kube-system_calico-node-abcde_u1/calico-node"
LONG_AGO = 1_700_000_000
SMALL = replace(Settings(), processes=1)
# Files of more than a few lines are large with these: they are read in ranges or in windows.
LARGE = replace(SMALL, item_bytes=1000, record_bytes=300, neighbour_bytes=300)


def lines(first: int, last: int, node: int = 0) -> bytes:
    """Lines of a container log, each with a time of its own."""
    texts = ("State changed to up", "Error: Hold timer expired", "BGP session closed", "Neighbor graceful restart done")
    return b"".join(
        f"2024-12-18T07:{n // 60 % 60:02}:{n % 60:02}.{n:09}Z stdout F bird: "
        f"Node_10_0_{node}_{n % 5}: {texts[n % 4]}\n".encode()
        for n in range(first, last)
    )


def write(path: Path, data: bytes, moment: float = LONG_AGO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (moment, moment))
    return path


def read(warehouse: Path, folder: Path, settings: Settings = SMALL, node: str | None = None) -> Summary:
    with Warehouse.open(warehouse) as opened:
        return ingest(opened, [str(folder)], InputOptions(cluster="c", node=node), settings)


def same(one: Path, other: Path) -> None:
    """Both warehouses hold the same rows; which sources they came through may differ."""
    left, right = contents(one), contents(other)
    for table in ("records", "minute_counts", "state_observations", "rejects", "shapes"):
        assert left[table] == right[table], table
    assert reconciles(one)


@pytest.fixture(params=[SMALL, LARGE], ids=["small", "large"])
def settings(request: pytest.FixtureRequest) -> Settings:
    chosen: Settings = request.param
    return chosen


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / POD / "0.log"


def test_a_file_that_grew_goes_on_where_it_ended(log: Path, tmp_path: Path, settings: Settings) -> None:
    for end in (40, 41, 90):
        write(log, lines(0, end), LONG_AGO + end)
        summary = read(tmp_path / "w", tmp_path / "logs", settings)
        assert summary.files_read == 1
    assert summary.lines_read == 49
    read(tmp_path / "once", tmp_path / "logs", settings)
    same(tmp_path / "once", tmp_path / "w")


def renamed(path: Path, data: bytes) -> None:
    path.unlink()
    write(path.with_name("0.log.20241218-071936"), data)


def packed(path: Path, data: bytes) -> None:
    path.unlink()
    write(path.with_name("0.log.20241218-071936.gz"), gzip.compress(data, mtime=0))


def copied_and_cut(path: Path, data: bytes) -> None:
    write(path.with_name("0.log.1"), data)
    write(path, lines(200, 230), LONG_AGO + 5)


def bundled(path: Path, data: bytes) -> None:
    path.unlink()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo(f"{POD}/0.log")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    write(path.parents[7] / "bundle.tar.gz", buffer.getvalue())


@pytest.mark.parametrize("rotate", [renamed, packed, copied_and_cut, bundled])
def test_growth_and_rotation_between_two_runs(
    log: Path, tmp_path: Path, settings: Settings, rotate: Callable[[Path, bytes], None]
) -> None:
    write(log, lines(0, 40))
    read(tmp_path / "w", tmp_path / "logs", settings, "node-1")
    rotate(log, lines(0, 90))
    summary = read(tmp_path / "w", tmp_path / "logs", settings, "node-1")
    assert summary.lines_read == 50 + 30 * (rotate is copied_and_cut)
    read(tmp_path / "once", tmp_path / "logs", settings, "node-1")
    same(tmp_path / "once", tmp_path / "w")


def test_a_last_line_without_its_end_waits(log: Path, tmp_path: Path, settings: Settings) -> None:
    whole = lines(0, 60)
    log.parent.mkdir(parents=True)
    log.write_bytes(whole[:-20])
    first = read(tmp_path / "w", tmp_path / "logs", settings)
    assert (first.lines_read, first.lines_waiting) == (59, 1)
    again = read(tmp_path / "w", tmp_path / "logs", settings)
    assert (again.files_read, again.files_known, again.lines_waiting) == (0, 1, 1)
    log.write_bytes(whole)
    last = read(tmp_path / "w", tmp_path / "logs", settings)
    assert (last.lines_read, last.lines_waiting) == (1, 0)
    read(tmp_path / "once", tmp_path / "logs", settings)
    same(tmp_path / "once", tmp_path / "w")


def test_it_is_read_once_nobody_writes_any_more(log: Path, tmp_path: Path, settings: Settings) -> None:
    write(log, lines(0, 60)[:-20])
    assert read(tmp_path / "w", tmp_path / "logs", settings).lines_read == 60
    log.write_bytes(lines(0, 60)[:-20])  # just written, but the same
    assert read(tmp_path / "w", tmp_path / "logs", settings).lines_read == 0


def test_a_file_with_nothing_but_an_unfinished_line_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/a.log").write_bytes(lines(0, 1)[:-5])
    summary = read(tmp_path / "w", tmp_path / "logs")
    assert (summary.files_read, summary.lines_waiting, summary.load_id) == (0, 1, None)


def test_pieces_of_a_split_line_wait_for_the_last_one() -> None:
    piece = b"2024-12-18T07:00:00.1Z stdout P first half, \n"
    assert finished(lines(0, 3) + piece) == len(lines(0, 3))
    assert finished(lines(0, 3) + piece + piece + b"2024-12-18T07:") == len(lines(0, 3))
    rest = piece + b"2024-12-18T07:00:00.2Z stdout F second half\n"
    assert finished(rest) == len(rest)


@pytest.mark.parametrize("later", [True, False], ids=["in a later run", "in the same run"])
def test_an_older_copy_that_comes_late_adds_nothing(log: Path, tmp_path: Path, settings: Settings, later: bool) -> None:
    write(log, lines(0, 90))
    if later:
        read(tmp_path / "w", tmp_path / "logs", settings)
    write(log.with_name("zz-copy.log"), lines(0, 30))
    assert read(tmp_path / "w", tmp_path / "logs", settings, "node-1").lines_read == (0 if later else 90)
    read(tmp_path / "once", log, settings)
    same(tmp_path / "once", tmp_path / "w")


def test_an_older_copy_is_known_by_the_file_wherever_that_went(log: Path, tmp_path: Path) -> None:
    write(log, lines(0, 90))
    read(tmp_path / "w", tmp_path / "logs")
    packed(log, lines(0, 90))
    write(log.with_name("zz-copy.log"), lines(0, 30))
    assert read(tmp_path / "w", tmp_path / "logs").lines_read == 0


def test_a_line_that_was_read_half_is_read_whole_when_it_went_on(log: Path, tmp_path: Path) -> None:
    write(log, lines(0, 10)[:-20])
    read(tmp_path / "w", tmp_path / "logs")
    write(log, lines(0, 12), LONG_AGO + 1)
    assert read(tmp_path / "w", tmp_path / "logs").lines_read == 3


def test_a_file_that_begins_alike_is_not_taken_for_it(log: Path, tmp_path: Path, settings: Settings) -> None:
    write(log, lines(0, 40))
    read(tmp_path / "w", tmp_path / "logs", settings)
    write(log, lines(0, 39) + lines(100, 130))
    assert read(tmp_path / "w", tmp_path / "logs", settings).lines_read == 69


def test_another_node_that_begins_alike_is_read_whole(log: Path, tmp_path: Path) -> None:
    write(log, lines(0, 40))
    read(tmp_path / "w", tmp_path / "logs")
    write(tmp_path / "logs" / POD.replace("node-1", "node-2") / "0.log", lines(0, 60))
    assert read(tmp_path / "w", tmp_path / "logs").lines_read == 60


def test_lines_without_a_time_from_nowhere_go_on_in_their_own_file_only(tmp_path: Path) -> None:
    said = b"bird: Started\nbird: Graceful restart done\n"
    write(tmp_path / "logs/a.log", said)
    read(tmp_path / "w", tmp_path / "logs")
    write(tmp_path / "logs/b.log", said + b"bird: Graceful restart done\n")
    assert read(tmp_path / "w", tmp_path / "logs").lines_read == 3
    write(tmp_path / "logs/a.log", said + b"bird: Shutting down\n", LONG_AGO + 1)
    assert read(tmp_path / "w", tmp_path / "logs").lines_read == 1


TABLE = """2024-12-18 07:1{n}:00 UTC
BIRD v0.3.3+birdv1.6.8 ready.
name     proto    table    state  since       info
Node_10_0_0_1 BGP      master   up     07:0{n}:00    Established
Node_10_0_0_2 BGP      master   start  07:0{n}:00    Connect
"""


def test_a_table_printed_once_more_at_the_end_adds_its_rows(log: Path, tmp_path: Path) -> None:
    path = log.with_name("birdcl.txt")
    write(path, TABLE.format(n=1).encode())
    before = read(tmp_path / "w", tmp_path / "logs").lines_read
    write(path, (TABLE.format(n=1) + TABLE.format(n=2)).encode(), LONG_AGO + 1)
    assert read(tmp_path / "w", tmp_path / "logs").lines_read == before


def test_a_table_with_another_row_is_another_table(log: Path, tmp_path: Path) -> None:
    path = log.with_name("birdcl.txt")
    write(path, TABLE.format(n=1).encode())
    before = read(tmp_path / "w", tmp_path / "logs").lines_read
    row = "Node_10_0_0_3 BGP      master   start  07:01:00    Connect\n"
    write(path, (TABLE.format(n=1) + row).encode(), LONG_AGO + 1)
    assert read(tmp_path / "w", tmp_path / "logs").lines_read == before + 1


def test_silence_between_two_reads_was_observed(log: Path, tmp_path: Path) -> None:
    query = "SELECT min(first_ts) AS a, max(last_ts) AS b FROM observed_minutes WHERE load_id = 2"
    whole = "SELECT max(last_ts) AS a FROM observed_minutes WHERE load_id = 1"
    write(log, lines(0, 40))
    read(tmp_path / "w", tmp_path / "logs")
    write(log, lines(0, 40) + lines(3000, 3010), LONG_AGO + 1)
    read(tmp_path / "w", tmp_path / "logs")
    with Warehouse.open(tmp_path / "w") as warehouse:
        assert warehouse.frame(query)["a"].item() == warehouse.frame(whole)["a"].item()


@pytest.mark.parametrize("seed", range(2))
def test_any_growth_ends_in_what_one_run_reads(log: Path, tmp_path: Path, settings: Settings, seed: int) -> None:
    chance = random.Random(seed)
    whole, at = lines(0, 150), 0
    while at < len(whole):
        at = min(at + chance.randint(1, 4000), len(whole))
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(whole[:at])
        read(tmp_path / "w", tmp_path / "logs", settings)
        if chance.random() < 0.3:
            log = log.rename(log.with_name(f"{at}.log"))
    read(tmp_path / "once", tmp_path / "logs", settings)
    same(tmp_path / "once", tmp_path / "w")
