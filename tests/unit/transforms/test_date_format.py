"""SimpleDateFormat patterns: written and read as Java does in UTC."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import ConfigError
from penstock.java.calendar import civil_from_day, day_from_civil
from penstock_transforms.date_format import DateFormat

MOMENT = 1700000000123  # 2023-11-14T22:13:20.123Z, a Tuesday
NOW = dt.datetime(2026, 1, 15, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("yyyy-MM-dd HH:mm:ss.SSS", "2023-11-14 22:13:20.123"),
        ("yy y yyy yyyyy", "23 2023 2023 02023"),
        ("M MM MMM MMMM LLL", "11 11 Nov November Nov"),
        ("E EEEE u F W w D", "Tue Tuesday 2 2 3 46 318"),
        ("h hh K k a", "10 10 10 22 PM"),
        ("G z zzzz Z X XX XXX", "AD UTC Coordinated Universal Time +0000 Z Z Z"),
        ("'it''s' yyyy''", "it's 2023'"),
        ("YYYY-'W'ww", "2023-W46"),
        ("S SSSSS", "123 00123"),
        ("%d/%M", "%14/%11"),
        ("d", "14"),
    ],
)
def test_a_moment_is_written_as_java_writes_it(pattern, text):
    assert DateFormat(pattern).format(MOMENT) == text


@pytest.mark.parametrize(
    ("millis", "text"),
    [
        (-1, "1969-12-31 23:59:59.999 AD"),
        (-12219292800001, "1582-10-04 23:59:59.999 AD"),
        (-12219292800000, "1582-10-15 00:00:00.000 AD"),
        (-62135769600001, "0001-12-31 23:59:59.999 BC"),
        (253402300800000, "10000-01-01 00:00:00.000 AD"),
    ],
)
def test_the_calendar_is_javas_far_from_today(millis, text):
    assert DateFormat("yyyy-MM-dd HH:mm:ss.SSS G").format(millis) == text
    assert DateFormat("yyyy-MM-dd HH:mm:ss.SSS G").parse(text) == millis


@pytest.mark.parametrize(
    ("millis", "week"),
    [("2024-12-29", "2025-01"), ("2023-01-01", "2023-01"), ("2022-12-31", "2022-53"), ("2024-01-06", "2024-01")],
)
def test_weeks_are_those_of_the_us_locale(millis, week):
    assert DateFormat("YYYY-ww").format(DateFormat("yyyy-MM-dd").parse(millis)) == week


@pytest.mark.parametrize(
    ("pattern", "text", "iso"),
    [
        ("yyyy-MM-dd", "2023-11-14", "2023-11-14T00:00:00"),
        ("yyyy-MM-dd", "2023-11-14T99 and more", "2023-11-14T00:00:00"),
        ("yyyy-MM-dd", "  2023-13-40", "2024-02-09T00:00:00"),
        ("yyyy-MM-dd", "2023--1-5", "2022-11-05T00:00:00"),
        ("yyyyMMddHHmmss", "20231114221320", "2023-11-14T22:13:20"),
        ("yyyyMMdd", "2023111", "2023-11-01T00:00:00"),
        ("dd MMM yyyy", "14 NOVEMBER 2023", "2023-11-14T00:00:00"),
        ("EEE, d MMM yyyy", "Mon, 14 nov 2023", "2023-11-14T00:00:00"),
        ("yyyy-MM-dd hh:mm a", "2023-11-14 12:30 am", "2023-11-14T00:30:00"),
        ("yyyy-MM-dd kk:mm", "2023-11-14 24:30", "2023-11-14T00:30:00"),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2023-11-14T22:13:20+01:00", "2023-11-14T21:13:20"),
        ("yyyy-MM-dd HH:mm Z", "2023-11-14 22:13 -0530", "2023-11-15T03:43:00"),
        ("yyyy-MM-dd HH:mm z", "2023-11-14 22:13 GMT+2:00", "2023-11-14T20:13:00"),
        ("yyyy-MM-dd HH:mm z", "2023-11-14 22:13 PDT", "2023-11-15T05:13:00"),
        ("yyyy D", "2024 60", "2024-02-29T00:00:00"),
        ("YYYY-ww-u", "2023-46-2", "2023-11-14T00:00:00"),
        ("yyyy-MM F E", "2023-11 2 Tue", "2023-11-14T00:00:00"),
        ("MM/dd/yy", "11/14/23", "2023-11-14T00:00:00"),
        ("MM/dd/yy", "11/14/60", "1960-11-14T00:00:00"),
        ("MM/dd/yy", "01/01/46", "2046-01-01T00:00:00"),
        ("MM/dd/yy", "01/20/46", "1946-01-20T00:00:00"),
        ("HH:mm", "10:20", "1970-01-01T10:20:00"),
    ],
)
def test_a_text_is_read_as_java_reads_it(pattern, text, iso):
    expected = dt.datetime.fromisoformat(iso).replace(tzinfo=dt.UTC)
    assert DateFormat(pattern, NOW).parse(text) == expected.timestamp() * 1000


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("yyyy-MM-dd", ""),
        ("yyyy-MM-dd", "14/11/2023"),
        ("yyyy-MM-dd", "2023-11"),
        ("yyyyMMdd", "20231"),
        ("MMM", "Foo"),
        ("yyyy Z", "2023 trailing"),
        ("HH:mmX", "10:20+25"),
        ("'x'yyyy", "2023"),
    ],
)
def test_a_text_that_does_not_fit_is_refused(pattern, text):
    with pytest.raises(ValueError):
        DateFormat(pattern).parse(text)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("yyyy-q", "Illegal pattern character 'q'"),
        ("b", "Illegal pattern character 'b'"),
        ("'abc", "Unterminated quote"),
        ("XXXX", "invalid ISO 8601 format: length=4"),
    ],
)
def test_a_pattern_java_refuses_is_refused_in_its_words(pattern, message):
    with pytest.raises(ConfigError) as caught:
        DateFormat(pattern)
    assert str(caught.value) == message


@given(st.integers(-200_000_000_000_000, 400_000_000_000_000))
def test_writing_and_reading_give_the_same_moment(millis):
    for pattern in ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX G", "G yyyy D HH mm ss SSS"):
        date_format = DateFormat(pattern)
        assert date_format.parse(date_format.format(millis)) == millis


@given(st.datetimes(dt.datetime(1583, 1, 1), dt.datetime(9999, 12, 31)))
def test_plain_patterns_agree_with_isoformat(moment):
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    millis = (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(milliseconds=1)
    date_format = DateFormat("yyyy-MM-dd'T'HH:mm:ss.SSS")
    assert date_format.format(millis) == moment.isoformat(timespec="milliseconds")
    assert date_format.parse(moment.isoformat(timespec="milliseconds")) == millis


@given(st.integers(-(10**9), 10**9))
def test_every_day_has_one_date(day):
    assert day_from_civil(*civil_from_day(day)) == day
