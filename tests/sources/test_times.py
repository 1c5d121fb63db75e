"""Stamps of every style to UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from pipeline.sources.times import parse_stamps

REFERENCE = datetime(2026, 1, 3, tzinfo=UTC)


def read(text: str, style: str, tz: str = "UTC", reference: datetime | None = REFERENCE) -> datetime | None:
    frame = pl.DataFrame({"text": [text]})
    moment: datetime | None = frame.select(parse_stamps(pl.col("text"), style, tz, reference)).item()
    return moment


@pytest.mark.parametrize(
    ("text", "style", "expected"),
    [
        ("2024-12-18T07:19:36.112345678+01:00", "iso", datetime(2024, 12, 18, 6, 19, 36, 112345, UTC)),
        ("2020-12-03T11:14:26.67388076-05:00", "iso", datetime(2020, 12, 3, 16, 14, 26, 673880, UTC)),
        ("2020-12-03T11:14:26Z", "iso", datetime(2020, 12, 3, 11, 14, 26, tzinfo=UTC)),
        ("2024-12-18T07:19:36+0000", "iso", datetime(2024, 12, 18, 7, 19, 36, tzinfo=UTC)),
        ("2024-12-18 07:19:36,112", "iso_space", datetime(2024, 12, 18, 7, 19, 36, 112000, UTC)),
        ("2016-06-15_07:05:27.75862", "iso_underscore", datetime(2016, 6, 15, 7, 5, 27, 758620, UTC)),
        ("Wed Dec 18 07:19:36 2024", "ctime", datetime(2024, 12, 18, 7, 19, 36, tzinfo=UTC)),
        ("Sun Dec  8 07:19:36 2024", "ctime", datetime(2024, 12, 8, 7, 19, 36, tzinfo=UTC)),
        ("2024/12/18 07:19:36", "slash", datetime(2024, 12, 18, 7, 19, 36, tzinfo=UTC)),
        ("1734506376112345", "epoch_us", datetime(2024, 12, 18, 7, 19, 36, 112345, UTC)),
        ("1734506376112345678", "epoch_ns", datetime(2024, 12, 18, 7, 19, 36, 112345, UTC)),
        ("not a time", "iso", None),
        ("", "iso_space", None),
    ],
)
def test_styles(text: str, style: str, expected: datetime | None) -> None:
    assert read(text, style) == expected


def test_a_stamp_without_zone_is_read_in_the_zone_asked_for() -> None:
    assert read("2024-12-18 07:19:36.000", "iso_space", "Asia/Shanghai") == datetime(
        2024, 12, 17, 23, 19, 36, tzinfo=UTC
    )
    # a stamp that carries its zone does not care
    assert read("2024-12-18T07:19:36Z", "iso", "Asia/Shanghai") == datetime(2024, 12, 18, 7, 19, 36, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Jan  3 10:00:00", datetime(2026, 1, 3, 10, tzinfo=UTC)),  # the day of collection
        ("Jan  4 00:00:00", datetime(2026, 1, 4, tzinfo=UTC)),  # a clock that runs ahead by a day
        ("Dec 31 23:59:59", datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("Feb 29 10:00:00", None),  # neither 2026 nor 2025 has one
    ],
)
def test_the_missing_year_comes_from_the_time_of_collection(text: str, expected: datetime | None) -> None:
    assert read(text, "syslog") == expected


def test_klog_stamps() -> None:
    assert read("1218 07:19:36.123456", "klog") == datetime(2025, 12, 18, 7, 19, 36, 123456, UTC)


def test_without_reference_a_stamp_without_year_stays_unknown() -> None:
    assert read("Jan  3 10:00:00", "syslog", reference=None) is None
