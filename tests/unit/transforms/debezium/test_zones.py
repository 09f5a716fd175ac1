"""Time zones and ISO texts of Debezium's time zone converter."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import DataError
from penstock_transforms.debezium.zones import moved_time, moved_timestamp, zone_of

PARIS = zone_of("Europe/Paris")
HOUR = 3600


def local(*parts):
    return int(dt.datetime(*parts, tzinfo=dt.UTC).timestamp())


def test_local_times_around_a_change_of_clocks_have_the_offset_before_it():
    assert PARIS.of_local(local(2024, 3, 31, 1, 59)) == HOUR
    assert PARIS.of_local(local(2024, 3, 31, 2, 30)) == HOUR  # there is no such time
    assert PARIS.of_local(local(2024, 3, 31, 3, 0)) == 2 * HOUR
    assert PARIS.of_local(local(2024, 10, 27, 2, 30)) == 2 * HOUR  # there are two
    assert PARIS.at(local(2024, 10, 27, 1, 0)) == HOUR


def test_far_years_have_the_rules_of_near_ones():
    four_hundred_years = 146_097 * 86_400
    july = local(2400, 7, 1)
    assert PARIS.of_local(july + 100 * four_hundred_years) == PARIS.of_local(july) == 2 * HOUR
    assert PARIS.of_local(-(10**14)) == PARIS.of_local(local(2, 1, 1))


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("2024-02-29T23:30:00Z", "2024-03-01T00:30:00+01:00"),
        ("2024-02-29T23:30Z", "2024-03-01T00:30:00+01:00"),
        ("2024-02-29t23:30:00.120000000z", "2024-03-01T00:30:00.12+01:00"),
        ("2024-07-01T00:00:00-03:30", "2024-07-01T05:30:00+02:00"),
        ("+12024-07-01T00:00:00+00", "+12024-07-01T02:00:00+02:00"),
        ("-0044-03-15T12:00:00Z", "-0044-03-15T12:09:21+00:09:21"),
    ],
)
def test_a_timestamp_is_written_as_java_writes_it(text, moved):
    assert moved_timestamp(text, PARIS) == moved


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-02-30T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01 00:00:00Z",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00+19:00",
        "2024-01-01T00:00:00+0100",
        "12024-01-01T00:00:00Z",
        "+2024-01-01T00:00:00Z",
    ],
)
def test_other_texts_are_data_errors(text):
    with pytest.raises(DataError, match="is not a date-time with an offset"):
        moved_timestamp(text, PARIS)


def test_times_go_round_the_clock():
    assert moved_time("23:30:00.50Z", HOUR) == "00:30:00.5+01:00"
    assert moved_time("00:15+01:00", 0) == "23:15:00Z"


@given(
    st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29)),
    st.integers(-18 * 60, 18 * 60),
    st.sampled_from(["+05:30", "Europe/Paris", "America/New_York", "Asia/Kolkata", "UTC"]),
)
def test_a_moved_timestamp_is_the_same_point_in_time(moment, minutes, zone):
    aware = moment.replace(tzinfo=dt.timezone(dt.timedelta(minutes=minutes)))
    moved = moved_timestamp(aware.isoformat(), zone_of(zone))
    assert dt.datetime.fromisoformat(moved) == aware
