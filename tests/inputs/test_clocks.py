"""Times of bare logs: zones that ``--tz`` names, clocks that jump, hours that a zone has twice or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from tests.inputs.reading import Sample, facts_of, piece_of

BIRD = "bird: Node_10_0_1_1: Error: Hold timer expired"


def logrus(stamp: str, text: str = "Reporter is not ready: x") -> str:
    return f"{stamp} [WARNING][68] felix/health.go 211: {text}"


def times(text: str, tz: str = "UTC") -> list[tuple[datetime | None, str]]:
    records = facts_of(piece_of(Sample("bare.log", text.encode()), tz=tz)).records.sort("byte_offset")
    return records.select("ts", "ts_source").rows()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_stamps_without_a_zone_are_read_in_the_zone_that_is_named() -> None:
    lines = logrus("2024-12-18 08:19:36.112") + "\n" + BIRD + "\n"
    moment = at("2024-12-18 07:19:36.112")
    assert times(lines, "Europe/Berlin") == [(moment, "line"), (moment, "neighbour")]
    assert times(lines)[0] == (at("2024-12-18 08:19:36.112"), "line")
    assert times("2024-12-18 08:19:36 <RMT> tor1: Error: Hold timer expired\n", "Europe/Berlin") == [
        (at("2024-12-18 07:19:36"), "line")
    ]


def test_a_zone_in_the_line_stands_over_the_zone_that_is_named() -> None:
    line = f"2024-12-18T07:19:36.000000000Z stdout F {BIRD}\n"
    assert times(line, "Asia/Tokyo") == [(at("2024-12-18 07:19:36"), "envelope")]
    offset = f"2024-12-18T08:19:36+01:00 rr-1 bird: {BIRD[6:]}\n"
    assert times(offset, "Asia/Tokyo") == [(at("2024-12-18 07:19:36"), "envelope")]


def test_stamps_without_a_year_and_zone() -> None:
    line = f"Dec 18 08:19:36 rr-1 bird: {BIRD[6:]}\n"
    assert times(line, "Europe/Berlin") == [(at("2024-12-18 07:19:36"), "envelope")]
    dated = "[Wed Dec 18 08:19:36 2024] TCP: MD5 Hash failed for (10.0.0.1, 179)->(10.0.0.2, 41245)\n"
    assert times(dated, "Europe/Berlin") == [(at("2024-12-18 07:19:36"), "envelope")]


def test_the_hour_that_a_zone_has_twice_is_the_first_and_the_one_it_has_not_comes_from_a_neighbour() -> None:
    assert times(logrus("2024-10-27 02:30:00.000") + "\n", "Europe/Berlin") == [(at("2024-10-27 00:30"), "line")]
    gap = logrus("2024-03-31 01:59:59.000") + "\n" + logrus("2024-03-31 02:30:00.000") + "\n"
    assert times(gap, "Europe/Berlin") == [
        (at("2024-03-31 00:59:59"), "line"),
        (at("2024-03-31 00:59:59"), "neighbour"),
    ]


def test_a_clock_that_is_set_back_keeps_the_order_of_lines_and_each_its_own_time() -> None:
    lines = [
        logrus("2024-12-18 08:00:00.000"), BIRD, logrus("2024-12-18 07:00:00.000"), BIRD.replace("1_1", "1_2"),
        logrus("2024-12-18 07:00:05.000"),
    ]  # fmt: skip
    late, early = at("2024-12-18 08:00"), at("2024-12-18 07:00")
    assert times("\n".join(lines) + "\n") == [
        (late, "line"), (late, "neighbour"), (early, "line"), (early, "neighbour"), (at("2024-12-18 07:00:05"), "line"),
    ]  # fmt: skip


def test_a_jump_widens_what_was_observed_and_loses_no_line() -> None:
    text = "\n".join(logrus(f"2024-12-1{8 - n % 2} 07:00:0{n}.000") for n in range(8)) + "\n"
    facts = facts_of(piece_of(Sample("bare.log", text.encode())))
    seen = facts.observed.filter(pl.col("component") == "felix").row(0, named=True)
    assert (seen["first_ts"], seen["last_ts"]) == (at("2024-12-17 07:00:01"), at("2024-12-18 07:00:06"))
    assert facts.counts["events"].sum() == 8


def test_what_commands_print_is_read_in_the_zone_that_is_named() -> None:
    table = "name     proto    table    state  since       info\nNode_10_0_1_1 BGP      master   up     07:12:31    Established\n"
    status = f"BIRD v0.3.3+birdv1.6.8\nRouter ID is 10.0.0.11\nCurrent server time is 2024-12-18 08:19:36\n{table}"
    facts = facts_of(piece_of(Sample("x.txt", status.encode()), tz="Europe/Berlin"))
    assert facts.states["ts"].to_list() == [at("2024-12-18 07:19:36")]
    dated = facts_of(piece_of(Sample("x.txt", f"Wed Dec 18 07:19:36 UTC 2024\n{table}".encode()), tz="Asia/Tokyo"))
    assert dated.states["ts"].to_list() == [at("2024-12-18 07:19:36")]
