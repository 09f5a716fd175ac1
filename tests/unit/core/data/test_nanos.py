"""`NanoDatetime`: a datetime in every respect, and nanoseconds that count."""

from __future__ import annotations

import copy
import datetime as dt
import pickle
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import penstock.api
from penstock.data import TIMESTAMP, NanoDatetime, java_class_name, validate_value
from penstock.data.javatext import date_text
from penstock.data.logical import timestamp_to_millis
from penstock.data.nanos import (
    timestamp_from_micros,
    timestamp_from_nanos,
    timestamp_to_micros,
    timestamp_to_nanos,
)
from penstock.errors import DataError

NANOS = st.integers(-(2**63), 2**63 - 1)
A = timestamp_from_nanos(1_700_000_000_123_456_789)
PLAIN = dt.datetime(2023, 11, 14, 22, 13, 20, 123456, dt.UTC)


def test_it_is_made_only_where_there_are_nanoseconds() -> None:
    assert type(A) is NanoDatetime
    assert A.nanosecond == 789
    assert type(timestamp_from_nanos(1_700_000_000_123_456_000)) is dt.datetime
    assert type(A.replace(nanosecond=0)) is dt.datetime
    assert A.replace(nanosecond=0) == PLAIN
    assert penstock.api.NanoDatetime is NanoDatetime


@given(NANOS, NANOS)
def test_order_equality_and_hash_are_those_of_the_numbers(a: int, b: int) -> None:
    for other in (b, a + 1, a - a % 1000):
        x, y = timestamp_from_nanos(a), timestamp_from_nanos(other)
        assert [x == y, x != y, x < y, x <= y, x > y, x >= y] == [
            a == other, a != other, a < other, a <= other, a > other, a >= other,
        ]  # fmt: skip
        assert (hash(x) == hash(y)) or a != other
    assert sorted(map(timestamp_from_nanos, (b, a))) == [timestamp_from_nanos(n) for n in sorted((a, b))]


@given(NANOS)
def test_nothing_is_lost_by_numbers_pickle_copies_and_zones(number: int) -> None:
    x = timestamp_from_nanos(number)
    assert timestamp_to_nanos(x) == number
    assert timestamp_to_micros(x) == number // 1000
    assert timestamp_to_millis(x) == number // 1_000_000
    for y in (pickle.loads(pickle.dumps(x)), copy.copy(x), copy.deepcopy(x)):
        assert (y, type(y)) == (x, type(x))
    berlin = x.astimezone(ZoneInfo("Europe/Berlin")) if x.year > 1900 else x
    assert (berlin, hash(berlin), timestamp_to_nanos(berlin)) == (x, hash(x), number)


@given(NANOS, st.timedeltas(dt.timedelta(-9), dt.timedelta(9)))
def test_adding_keeps_them_and_differences_are_rounded_down(number: int, delta: dt.timedelta) -> None:
    x = timestamp_from_nanos(number)
    moved = x + delta
    micros = delta // dt.timedelta(microseconds=1)
    assert timestamp_to_nanos(moved) == timestamp_to_nanos(delta + x) == number + micros * 1000
    assert moved - delta == x
    other = timestamp_from_nanos(0)
    assert (x - other) // dt.timedelta(microseconds=1) == number // 1000
    assert (other - x) // dt.timedelta(microseconds=1) == -number // 1000


def test_it_prints_all_nine_digits() -> None:
    assert A.isoformat() == "2023-11-14T22:13:20.123456789+00:00"
    assert f"{A}" == "2023-11-14 22:13:20.123456789+00:00"
    assert A.isoformat(timespec="milliseconds") == PLAIN.isoformat(timespec="milliseconds")
    assert eval(repr(A), {"NanoDatetime": NanoDatetime, "datetime": dt}) == A
    assert NanoDatetime(2024, 1, 1).isoformat(timespec="nanoseconds") == "2024-01-01T00:00:00.000000000"


def test_code_that_knows_datetimes_alone_sees_the_microsecond() -> None:
    assert (A.microsecond, A.timestamp(), A.time(), A.strftime("%f")) == (
        PLAIN.microsecond, PLAIN.timestamp(), PLAIN.time(), PLAIN.strftime("%f"),
    )  # fmt: skip
    assert java_class_name(A) == "java.util.Date"
    assert date_text(A) == date_text(PLAIN)
    validate_value(TIMESTAMP, A)


@pytest.mark.parametrize("other", [5, None, dt.date(2023, 11, 14), "x"])
def test_it_compares_with_other_things_as_a_datetime_does(other: Any) -> None:
    assert (other == A, other != A) == (other == PLAIN, other != PLAIN)
    with pytest.raises(TypeError):
        _ = other < A
    with pytest.raises(TypeError):
        _ = A + other


def test_what_is_out_of_range_says_so() -> None:
    with pytest.raises(ValueError, match=r"nanosecond must be in 0\.\.999"):
        NanoDatetime(2024, 1, 1, nanosecond=1000)
    with pytest.raises(DataError, match="outside the years 1 to 9999"):
        timestamp_from_micros(2**63 - 1)
    with pytest.raises(DataError, match="no timezone"):
        timestamp_to_nanos(dt.datetime(2024, 1, 1))
