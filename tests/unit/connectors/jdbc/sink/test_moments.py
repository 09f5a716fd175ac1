"""Dates, times and timestamps as databases take them."""

from __future__ import annotations

import datetime as dt

import pytest

from penstock.errors import DataError
from penstock_connectors.jdbc.sink.config import SinkConfig
from penstock_connectors.jdbc.sink.moments import Moments

LEAP = dt.datetime(2024, 2, 29, 23, 59, 59, 123000, dt.UTC)
OLD_MILLIS = -14_831_769_600_000  # 1500-01-01 of the modern calendar


def moments(**settings: str) -> Moments:
    return Moments(SinkConfig.parse({"connection.url": "x", **{k.replace("_", "."): v for k, v in settings.items()}}))


def test_texts_have_the_zones_clock_and_offset() -> None:
    utc, york = moments(), moments(db_timezone="America/New_York")
    assert utc.timestamp_text(LEAP) == "2024-02-29 23:59:59.123000+00:00"
    assert york.timestamp_text(LEAP) == "2024-02-29 18:59:59.123000-05:00"
    assert york.time_text(dt.time(1)) == "20:00:00.000000-05:00"
    assert (utc.date_text(dt.date(2024, 2, 29)), york.date_text(dt.date(2024, 2, 29))) == ("2024-02-29", "2024-02-28")


def test_a_date_keeps_its_day_where_its_own_zone_is_utc() -> None:
    assert moments(db_timezone="America/New_York", date_timezone="UTC").date_text(dt.date(2024, 2, 29)) == "2024-02-29"


def test_python_values_are_the_zones_clock_without_a_zone() -> None:
    york = moments(db_timezone="America/New_York")
    assert york.timestamp_value(LEAP) == dt.datetime(2024, 2, 29, 18, 59, 59, 123000)
    assert york.time_value(dt.time(1)) == dt.time(20)
    assert york.date_value(dt.date(2024, 2, 29)) == dt.date(2024, 2, 28)


def test_milliseconds_have_no_zone() -> None:
    york = moments(db_timezone="America/New_York")
    assert york.timestamp_millis(LEAP) == 1_709_251_199_123
    assert york.timestamp_millis(dt.datetime(1969, 12, 31, 23, 59, 59, 999500, dt.UTC)) == -1
    assert (york.date_millis(dt.date(1969, 12, 31)), york.time_millis(dt.time(0, 0, 1))) == (-86_400_000, 1000)


def test_before_1582_the_calendar_is_the_one_that_is_asked_for() -> None:
    old = dt.date(1500, 1, 1)
    assert moments().date_text(old) == "1499-12-23"
    modern = moments(date_calendar_system="PROLEPTIC_GREGORIAN")
    assert modern.date_text(old) == "1500-01-01"
    assert modern.timestamp_text(dt.datetime(1500, 1, 1, tzinfo=dt.UTC)).startswith("1500-01-01 00:00:00")
    # sqlite-jdbc writes milliseconds, which the old calendar reads as the same date
    assert modern.date_millis(old) - moments().date_millis(old) == 9 * 86_400_000


def test_years_beyond_pythons_are_written_as_text_and_refused_as_values() -> None:
    far = 300_000_000_000_000  # in the year 11476
    assert moments().timestamp_text(far).startswith("11476-")
    assert moments().timestamp_millis(far) == far
    with pytest.raises(DataError):
        moments().timestamp_value(far)
    assert moments().date_text(-70_000_000_000_000).endswith(" BC")


@pytest.mark.parametrize(
    ("mode", "count", "text"),
    [
        ("microseconds", 1709251199123456, "2024-02-29 23:59:59.123456+00:00"),
        ("microseconds", "1709251199123456", "2024-02-29 23:59:59.123456+00:00"),
        ("microseconds", -1, "1969-12-31 23:59:59.999999+00:00"),
        ("nanoseconds", 1709251199123456000, "2024-02-29 23:59:59.123456+00:00"),
        ("nanoseconds", "1709251199123456789", "2024-02-29 23:59:59.123456789+00:00"),
    ],
)
def test_counts_since_the_epoch_become_timestamps(mode: str, count: object, text: str) -> None:
    made = moments(timestamp_precision_mode=mode)
    assert made.counted(made.timestamp_text)(count) == text


def test_what_is_no_count_is_refused() -> None:
    made = moments()
    with pytest.raises(DataError, match=r"'2024-02-29' in a field of timestamp\.fields\.list"):
        made.counted(made.timestamp_text)("2024-02-29")
