"""Dates and times of a database as records and offsets have them."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from penstock.errors import DataError
from penstock_connectors.jdbc.source.moments import Moments, micros_text
from penstock_connectors.jdbc.source.offsets import Offset

NOON = dt.datetime(2024, 3, 10, 12, 0, 0, 123456)
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("granularity", "value"),
    [
        ("connect_logical", dt.datetime(2024, 3, 10, 12, 0, 0, 123000, tzinfo=dt.UTC)),
        ("micros_long", 1710072000123456),
        ("micros_string", "1710072000123456"),
        ("micros_iso_datetime_string", "2024-03-10T12:00:00.123456"),
        ("nanos_long", 1710072000123456000),
        ("nanos_string", "1710072000123456000"),
        ("nanos_iso_datetime_string", "2024-03-10T12:00:00.123456000"),
    ],
)
def test_a_timestamp_is_written_in_its_granularity(granularity: str, value: object) -> None:
    moments = Moments(dt.UTC, granularity)
    assert moments.timestamp(moments.instant(NOON)) == value


def test_a_wall_clock_is_read_in_the_databases_zone_and_written_in_it_as_text() -> None:
    moments = Moments(NEW_YORK, "micros_iso_datetime_string")
    instant = moments.instant(dt.datetime(2024, 7, 1, 12))
    assert instant == Moments(dt.UTC).instant(dt.datetime(2024, 7, 1, 16))
    assert moments.timestamp(instant) == "2024-07-01T12:00:00.000000"


def test_of_an_hour_that_comes_twice_the_later_counts_and_one_that_never_comes_moves_on() -> None:
    moments, utc = Moments(NEW_YORK), Moments(dt.UTC)
    assert moments.instant(dt.datetime(2024, 11, 3, 1, 30)) == utc.instant(dt.datetime(2024, 11, 3, 6, 30))
    assert moments.instant(dt.datetime(2024, 3, 10, 2, 30)) == utc.instant(dt.datetime(2024, 3, 10, 7, 30))


def test_a_time_of_day_is_taken_on_the_first_day_of_1970_and_stays_within_a_day() -> None:
    moments = Moments(NEW_YORK)
    assert moments.time(dt.time(13)) == dt.time(18)
    assert moments.time(dt.time(22)) == dt.time(3)
    assert moments.time(dt.time(13, 14, 15), dt.timedelta(hours=2)) == dt.time(11, 14, 15)


def test_old_dates_are_counted_by_the_calendar_asked_for() -> None:
    old = dt.date(1500, 1, 1)
    assert Moments(dt.UTC, legacy=False).date(old) == old
    assert Moments(dt.UTC).date(old) == dt.date(1500, 1, 10)
    assert Moments(dt.UTC).date(dt.date(1582, 10, 15)) == dt.date(1582, 10, 15)


def test_years_beyond_pythons_are_numbers_of_milliseconds_and_texts() -> None:
    far = 16_725_225_600_000_000_000
    assert Moments(dt.UTC).timestamp(far) == far // 1000
    assert micros_text(-62_167_219_200_000_001).startswith("-001-12-31T23:59:59.999999")


def test_nanoseconds_that_do_not_fit_a_long_are_refused() -> None:
    with pytest.raises(DataError, match="nanos_string"):
        Moments(dt.UTC, "nanos_long").timestamp(10**16)


@pytest.mark.parametrize(
    ("offset", "committed"),
    [
        (Offset(3), {"incrementing": 3}),
        (Offset(3, 1_704_103_200_123_456), {"timestamp_nanos": 123_456_000, "incrementing": 3, "timestamp": 1_704_103_200_123}),
        (Offset(None, -500_000), {"timestamp_nanos": 500_000_000, "timestamp": -500}),
        (Offset(), {}),
    ],
)  # fmt: skip
def test_an_offset_is_committed_in_the_jvms_form_and_read_again(offset: Offset, committed: dict[str, int]) -> None:
    assert offset.to_map() == committed
    assert Offset.of_map(committed) == offset


def test_an_offset_without_nanoseconds_is_one_of_milliseconds() -> None:
    assert Offset.of_map({"timestamp": 1_704_103_200_123}) == Offset(None, 1_704_103_200_123_000)
