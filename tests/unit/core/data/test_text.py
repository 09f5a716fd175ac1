"""Java's texts, and values parsed from text and converted to one another."""

from __future__ import annotations

import datetime as dt
import math
import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data import (
    DATE,
    FLOAT32,
    INT32,
    INT64,
    OPTIONAL_INT32,
    STRING,
    TIME,
    TIMESTAMP,
    BigInteger,
    Float32,
    Int8,
    SchemaBuilder,
    Struct,
    Type,
    decimal_schema,
)
from penstock.data.conversion import (
    convert_to,
    convert_to_date,
    convert_to_decimal,
    convert_to_integer,
    convert_to_string,
    convert_to_time,
    convert_to_timestamp,
)
from penstock.data.javatext import java_text
from penstock.data.parsing import infer_schema, parse_string
from penstock.errors import DataError
from penstock.java.number_text import decimal_text, double_text, float_text
from penstock.java.numbers import java_decimal, to_float32, wrap


def single(bits: str) -> float:
    return struct.unpack(">f", bytes.fromhex(bits))[0]


@given(st.floats(allow_nan=False))
def test_a_doubles_text_reads_back_as_the_same_double(value):
    text = double_text(value)
    assert float(text.replace("Infinity", "inf")) == value
    assert math.copysign(1, float(text.replace("Infinity", "inf"))) == math.copysign(1, value)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_floats_text_reads_back_as_the_same_float_in_nine_digits_at_most(value):
    text = float_text(value)
    assert to_float32(float(text)) == value
    assert len(text.partition("E")[0].replace("-", "").replace(".", "").strip("0")) <= 9


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-3, "0.001"), (1e7, "1.0E7"), (1.5e300, "1.5E300"), (5e-324, "4.9E-324"), (math.nan, "NaN"), (-0.0, "-0.0")],
)
def test_javas_notation_of_doubles(value, text):
    assert double_text(value) == text


@pytest.mark.parametrize(
    ("bits", "text"),
    [("00000001", "1.4E-45"), ("00000002", "2.8E-45"), ("7f7fffff", "3.4028235E38"), ("3dcccccd", "0.1"), ("4b18967f", "9999999.0")],
)  # fmt: skip
def test_javas_notation_of_floats(bits, text):
    assert float_text(single(bits)) == text


def test_rounding_to_32_bits_happens_once():
    # 1 + 2**-24 is a tie that goes down; a little more goes up, though as a double it is the tie.
    tie = Decimal(1) + Decimal(2) ** -24
    assert to_float32(tie) == 1.0
    assert to_float32(tie + Decimal("1e-25")) == single("3f800001")
    assert to_float32(tie - Decimal("1e-25")) == 1.0
    assert to_float32(2**24 + 1) == 2.0**24
    assert to_float32(10**400) == math.inf
    assert to_float32(-1e300) == -math.inf


def test_javas_to_string_of_the_rest():
    schema = SchemaBuilder.struct().field("id", INT32).field("f", FLOAT32).field("n", OPTIONAL_INT32).build()
    assert java_text(Struct(schema, {"id": 1, "f": 0.1})) == "Struct{id=1,f=0.1}"
    assert java_text({"id": 1, "f": 0.1}, schema) == "Struct{id=1,f=0.1}"
    assert java_text([1, "a", None, {"k": True}]) == "[1, a, null, {k=true}]"
    assert java_text(dt.datetime(2019, 8, 23, 1, 2, 3, tzinfo=dt.UTC)) == "Fri Aug 23 01:02:03 UTC 2019"
    assert java_text(dt.time(1, 2, 3)) == "Thu Jan 01 01:02:03 UTC 1970"
    assert java_text(b"\x01").startswith("[B@")
    assert decimal_text(Decimal("-0.00")) == "0.00"
    assert decimal_text(Decimal("5E+3")) == "5E+3"


@given(st.text(alphabet='[]{}:,"\\ 12-.eEtrufalsnTZ\t', max_size=30) | st.text(max_size=20))
def test_any_text_is_parsed_to_something(text):
    parsed = parse_string(text)
    assert parsed.schema is not None or parsed.value is None


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ('["null"]', SchemaBuilder.array(STRING).build(), ["null"]),
        ('["a",1]', None, ["a", Int8(1)]),
        ("[1, 2.5]", SchemaBuilder.array(FLOAT32).build(), [1.0, 2.5]),
        ('{"a": [1,300]}', None, {"a": [1, 300]}),
        ("2019-02-30", DATE, dt.date(2019, 3, 2)),
        ("1582-10-15", DATE, dt.date(1582, 10, 15)),
        ("1582-10-04", DATE, dt.date(1582, 10, 14)),  # Julian: the day before the one above
        ("1E1000000000", None, Decimal("1E1000000000")),
        ("[" * 5000, STRING, "[" * 5000),
    ],
)  # fmt: skip
def test_parsed(text, schema, value):
    parsed = parse_string(text)
    assert parsed.value == value
    assert type(parsed.value) is type(value)
    if schema is not None:
        assert parsed.schema == schema


def test_elements_of_a_common_type_need_no_box_and_others_keep_theirs():
    assert [type(v) for v in parse_string("[1, 2]").value] == [int, int]
    assert [type(v) for v in parse_string('[1, 2.5, "a"]').value] == [Int8, Float32, str]
    assert type(parse_string("1.5").value) is float


@given(st.integers(-(2**70), 2**70), st.sampled_from([8, 16, 32, 64]))
def test_wrapping_keeps_the_lowest_bits(number, bits):
    assert (wrap(number, bits) - number) % 2**bits == 0
    assert -(2 ** (bits - 1)) <= wrap(number, bits) < 2 ** (bits - 1)


@pytest.mark.parametrize("text", ["", "abc", "1_000", "0x10", "1e99999999999", "--1", "NaN", "1d", " 1"])
def test_what_java_does_not_take_for_a_decimal_is_refused(text):
    with pytest.raises(ValueError):
        java_decimal(text)


def test_points_in_time_are_converted_to_one_another():
    moment = dt.datetime(2019, 8, 23, 14, 34, 54, 346000, tzinfo=dt.UTC)
    assert convert_to_date(TIMESTAMP, moment) == dt.date(2019, 8, 23)
    assert convert_to_time(TIMESTAMP, moment) == dt.time(14, 34, 54, 346000)
    assert convert_to_timestamp(DATE, dt.date(1970, 1, 2)) == dt.datetime(1970, 1, 2, tzinfo=dt.UTC)
    assert convert_to_timestamp(TIME, dt.time(0, 0, 1)) == dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC)
    # Before 1970 Java cuts a timestamp's days towards zero.
    assert convert_to_date(TIMESTAMP, dt.datetime(1969, 12, 31, 12, tzinfo=dt.UTC)) == dt.date(1970, 1, 1)
    assert convert_to_timestamp(INT64, 2**62) == 2**62
    assert convert_to_integer(DATE, dt.date(1970, 1, 5), 32) == 4


def test_texts_of_values():
    schema = (
        SchemaBuilder.struct().field("a", SchemaBuilder(Type.INT32).default(7).build()).field("w", TIMESTAMP).build()
    )
    moment = dt.datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=dt.UTC)
    assert convert_to_string(schema, {"w": moment}) == '{"a":7,"w":2023-11-14T22:13:20.123Z}'
    assert convert_to_string(None, {'k"': b"a", "l": [None, 'x\\"']}) == '{"k\\"":"YQ==","l":[null,"x\\\\\\""]}'
    assert convert_to_string(None, None) is None


def test_decimals_of_everything():
    assert convert_to_decimal(INT32, 5, 2) == Decimal("5.0")
    assert convert_to_decimal(None, BigInteger(2**70), 2) == Decimal(2**70)
    assert convert_to_decimal(None, b"\x05", 2) == Decimal("0.05")
    for wrong in (math.nan, "x", True, None):
        with pytest.raises(DataError):
            convert_to_decimal(None, wrong, 2)


def test_a_required_target_refuses_null():
    assert convert_to(OPTIONAL_INT32, None, None) is None
    with pytest.raises(DataError, match=r"requires a value"):
        convert_to(INT32, None, None)
    assert convert_to(decimal_schema(1), STRING, "1.5") == Decimal("1.5")


def test_schemas_are_inferred_where_there_is_no_doubt():
    assert infer_schema([1, 2]) == SchemaBuilder.array(INT64).build()
    assert infer_schema({"a": 1, "b": None}).value_schema.optional
    assert infer_schema([1, "a"]) is None
    assert infer_schema(2**64) is None
