"""The text of structs by generated functions is that of the general way."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from penstock.data import (
    DATE,
    FLOAT32,
    FLOAT64,
    INT8,
    INT64,
    OPTIONAL_STRING,
    TIME,
    TIMESTAMP,
    Schema,
    SchemaBuilder,
    decimal_schema,
)
from penstock.data.javatext import date_text, java_text, millis_of
from penstock.data.struct_text import Printer, struct_printer
from penstock.java.number_text import shortest_float32, widened_float32

INNER = SchemaBuilder.struct().field("x", FLOAT32).field("list", SchemaBuilder.array(FLOAT32).build()).build()
SCHEMA = (
    SchemaBuilder.struct()
    .field("small", INT8).field("big", INT64).field("single", FLOAT32).field("double", FLOAT64)
    .field("a'b\n{%s", OPTIONAL_STRING).field("at", TIMESTAMP).field("on", DATE).field("daily", TIME)
    .field("price", decimal_schema(2)).field("inner", INNER)
    .build()
)  # fmt: skip
SINGLES = st.floats(width=32)
VALUES = st.fixed_dictionaries(
    {
        "small": st.integers(-128, 127), "big": st.integers() | st.booleans(), "single": SINGLES, "double": st.floats(),
        "a'b\n{%s": st.text() | st.none(), "at": st.datetimes(timezones=st.just(dt.UTC)) | st.integers(-(2**62), 2**62),
        "on": st.dates(), "daily": st.times(), "price": st.decimals(allow_nan=False, allow_infinity=False, places=2),
        "inner": st.none() | st.fixed_dictionaries({"x": SINGLES, "list": st.lists(SINGLES)}),
    }
)  # fmt: skip


def general(schema: Schema) -> Printer:
    return lambda value: java_text(value, schema)


@given(VALUES)
def test_the_generated_text_is_the_general_one(value: dict[str, object]) -> None:
    assert struct_printer(SCHEMA, general)(value) == java_text(value, SCHEMA)


def test_an_empty_struct_has_a_text() -> None:
    assert struct_printer(SCHEMA, general)({}) == "Struct{}"


def test_a_field_is_bound_once_and_only_for_an_unusual_value() -> None:
    bound: list[Schema] = []

    def bind(schema: Schema) -> Printer:
        bound.append(schema)
        return str

    text = struct_printer(SCHEMA, bind)
    text({"big": 1, "single": 1.0, "double": 1.0})
    assert not bound
    text({"big": True, "price": Decimal(1)})
    text({"big": False})
    assert bound == [INT64, decimal_schema(2)]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_is_widened_to_the_double_of_its_shortest_digits(value: float) -> None:
    assert widened_float32(value) == float(shortest_float32(value))


@given(st.integers(0, 2**7), st.integers(0, 23), st.integers(-3, 3))
def test_a_float_beside_a_power_of_two_is_widened_the_same_way(exponent: int, bit: int, beside: int) -> None:
    value = 2.0 ** (exponent % 32 - 12) * (1 + 2.0**-bit + beside * 2.0**-23)
    assert widened_float32(value) == float(shortest_float32(value))


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_a_moments_text_is_that_of_its_milliseconds(value: dt.datetime) -> None:
    assert date_text(value) == date_text(millis_of(value))
