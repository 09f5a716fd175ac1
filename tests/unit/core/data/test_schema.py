"""Schemas, their builder, and what fits them."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pytest

from penstock.data import (
    DATE,
    DECIMAL_NAME,
    INT8,
    INT32,
    INT64,
    OPTIONAL_STRING,
    STRING,
    TIME,
    TIMESTAMP,
    BigInteger,
    Field,
    Int8,
    Int32,
    Schema,
    SchemaBuilder,
    Struct,
    Type,
    decimal_schema,
    java_class_name,
    validate_value,
)
from penstock.data.logical import (
    date_from_days,
    date_to_days,
    decimal_from_bytes,
    decimal_scale,
    decimal_to_bytes,
    time_from_millis,
    time_to_millis,
    timestamp_from_millis,
    timestamp_to_millis,
)
from penstock.errors import DataError, SchemaBuilderError


def person() -> SchemaBuilder:
    return SchemaBuilder.struct().name("Person").version(2).doc("d").field("id", INT64).field("name", OPTIONAL_STRING)


@pytest.mark.parametrize(
    "other",
    [
        person().optional().build(),
        SchemaBuilder.struct().name("Person").version(2).field("id", INT64).field("name", OPTIONAL_STRING).build(),
        SchemaBuilder.struct()
        .name("Person")
        .version(2)
        .doc("d")
        .field("name", OPTIONAL_STRING)
        .field("id", INT64)
        .build(),
        SchemaBuilder.struct()
        .name("Person")
        .version(2)
        .doc("d")
        .field("id", INT32)
        .field("name", OPTIONAL_STRING)
        .build(),
        person().parameter("a", "b").build(),
        person().default({"id": 1}).build(),
    ],
)
def test_everything_counts_for_equality(other):
    assert person().build() != other
    assert person().build() == person().build()
    assert hash(person().build()) == hash(person().build())


def test_defaults_compare_as_in_java():
    true = SchemaBuilder(Type.BOOLEAN).default(True).build()
    nan = SchemaBuilder(Type.FLOAT64).default(math.nan).build()
    assert nan == SchemaBuilder(Type.FLOAT64).default(math.nan).build()
    assert true != SchemaBuilder(Type.BOOLEAN).default(False).build()
    assert Schema(Type.BOOLEAN, default=1) != true


def test_a_schema_cannot_be_changed():
    with pytest.raises(AttributeError):
        INT32.optional = True
    with pytest.raises(AttributeError):
        del INT32.name
    with pytest.raises(TypeError):
        person().parameter("a", "b").build().parameters["a"] = "c"


def test_parameters_keep_the_order_they_were_set_in():
    schema = SchemaBuilder(Type.INT32).parameter("b", "2").parameter("a", "1").build()
    assert list(schema.parameters) == ["b", "a"]


def test_replace_renumbers_fields():
    changed = person().build().replace(fields=[("x", STRING), ("id", INT64)])
    assert changed.fields == (Field("x", 0, STRING), Field("id", 1, INT64))
    assert changed.name == "Person"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: SchemaBuilder(Type.INT32).name("a").name("b"),
            "Invalid SchemaBuilder call: name has already been set.",
        ),
        (
            lambda: SchemaBuilder(Type.INT32).optional().required(),
            "Invalid SchemaBuilder call: optional has already been set.",
        ),
        (lambda: SchemaBuilder(Type.INT32).field("a", INT32), "Cannot create fields on type INT32"),
        (lambda: person().field("id", INT32), "Cannot create field because of field name duplication id"),
        (lambda: SchemaBuilder.struct().field("", INT32), "fieldName cannot be null."),
        (lambda: SchemaBuilder(Type.INT32).default("x"), "Invalid default value"),
        (lambda: SchemaBuilder(Type.INT8).default(200), "Invalid default value"),
        (lambda: SchemaBuilder(None), "type cannot be null"),
        (lambda: SchemaBuilder.array(None), "valueSchema cannot be null."),
    ],
)
def test_the_builder_refuses_in_connects_words(build, message):
    with pytest.raises(SchemaBuilderError) as caught:
        build()
    assert str(caught.value) == message


def test_fields_are_looked_up_on_structs_only():
    assert person().build().field("id").index == 0
    assert person().build().field("nope") is None
    with pytest.raises(DataError, match=r"Cannot look up fields on non-struct type"):
        INT32.field("a")


def recursive() -> Schema:
    return SchemaBuilder.struct().name("Node").optional().build_recursive(lambda n: [("v", INT32), ("next", n)])


def test_recursive_schemas_compare_hash_and_print():
    one, other = recursive(), recursive()
    assert one == other
    assert hash(one) == hash(other)
    assert repr(one) == "Schema{Node:STRUCT}"
    different = SchemaBuilder.struct().name("Node").optional().build_recursive(lambda n: [("v", INT64), ("next", n)])
    assert one != different


def test_recursive_values_are_validated_all_the_way():
    validate_value(recursive(), {"v": 1, "next": {"v": 2, "next": None}})
    with pytest.raises(DataError, match=r'class java.lang.String for field: "v"'):
        validate_value(recursive(), {"v": 1, "next": {"v": "x"}})


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        (INT32, "x", "Invalid Java object for schema with type INT32: class java.lang.String for value"),
        (INT32, True, "Invalid Java object for schema with type INT32: class java.lang.Boolean for value"),
        (INT32, Int8(1), "Invalid Java object for schema with type INT32: class java.lang.Byte for value"),
        (INT32, None, "Invalid value: null used for required value, schema type: INT32"),
        (INT8, 128, "Value 128 does not fit schema type INT8 for value: expected -128 to 127"),
        (INT64, BigInteger(5), "Value 5 does not fit schema type INT64 for value: expected -9223372036854775808 to 9223372036854775807"),
        (TIMESTAMP, 5, 'Invalid Java object for schema "org.apache.kafka.connect.data.Timestamp" with type INT64: class java.lang.Long for value'),
        (DATE, dt.datetime(2020, 1, 1, tzinfo=dt.UTC), 'Invalid Java object for schema "org.apache.kafka.connect.data.Date" with type INT32: class java.util.Date for value'),
        (SchemaBuilder.array(INT32).build(), [1, "x"], "Invalid Java object for schema with type INT32: class java.lang.String for element of array value"),
        (SchemaBuilder.map(STRING, INT32).build(), {1: 1}, "Invalid Java object for schema with type STRING: class java.lang.Long for key of map value"),
        (person().build(), {"id": 1, "nope": 2}, "nope is not a valid field name"),
        (person().build(), {"name": "x"}, 'Invalid value: null used for required field: "id", schema type: INT64'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_by_name(schema, value, message):
    with pytest.raises(DataError) as caught:
        validate_value(schema, value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (INT32, Int32(5)),
        (OPTIONAL_STRING, None),
        (TIME, 86_400_000),  # 24:00, which no datetime.time can be
        (TIMESTAMP, -62_135_596_800_001),
        (decimal_schema(2), Decimal("1.5")),
        (SchemaBuilder(Type.BYTES).build(), memoryview(b"x")),
        (person().build(), {"id": 1}),
    ],
)
def test_what_fits(schema, value):
    validate_value(schema, value)


def test_a_struct_checks_what_is_put_into_it():
    struct = Struct(person().build()).put("id", 5)
    assert struct == {"id": 5}
    with pytest.raises(DataError, match=r"nope is not a valid field name"):
        struct.put("nope", 1)
    with pytest.raises(DataError, match=r'class java.lang.String for field: "id"'):
        struct["id"] = "x"


def test_a_struct_gives_defaults_and_knows_what_is_missing():
    schema = SchemaBuilder.struct().field("a", SchemaBuilder(Type.INT32).default(3).build()).field("b", INT32).build()
    struct = Struct(schema)
    assert struct.value("a") == 3
    assert struct.without_default("a") is None
    with pytest.raises(DataError, match=r'required field: "b"'):
        struct.validate()
    with pytest.raises(DataError, match=r"Struct schemas do not match."):
        validate_value(person().build(), Struct(schema, {"b": 1}))


def test_decimals_keep_every_digit():
    value = Decimal("123456789012345678901234567890.1234567890")
    assert decimal_from_bytes(decimal_to_bytes(value, 10), 10) == value
    assert str(decimal_from_bytes(b"\x00", 2)) == "0.00"
    assert decimal_to_bytes(Decimal("-1.28"), 2) == b"\x80"
    with pytest.raises(DataError, match=r"Schema has scale 2, value has scale 1"):
        decimal_to_bytes(Decimal("1.5"), 2)
    with pytest.raises(DataError, match=r"not a finite number"):
        decimal_to_bytes(Decimal("NaN"), 2)
    with pytest.raises(DataError, match=r"scale parameter not found"):
        decimal_scale(Schema(Type.BYTES))


def test_dates_and_times_go_both_ways():
    assert date_from_days(date_to_days(dt.date(1, 1, 1))) == dt.date(1, 1, 1)
    assert time_from_millis(time_to_millis(dt.time(23, 59, 59, 999000))) == dt.time(23, 59, 59, 999000)
    assert timestamp_to_millis(dt.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC)) == -1
    assert timestamp_from_millis(-1) == dt.datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=dt.UTC)


def test_what_python_cannot_hold_is_said():
    for make, value in ((date_from_days, 10**7), (timestamp_from_millis, 2**62), (time_from_millis, -1)):
        with pytest.raises(DataError):
            make(value)
    with pytest.raises(DataError, match=r"no timezone"):
        timestamp_to_millis(dt.datetime(2020, 1, 1))


def test_values_have_the_names_java_gives_them():
    assert java_class_name(5) == "java.lang.Long"
    assert java_class_name(5, INT32) == "java.lang.Integer"
    assert java_class_name(2**70) == "java.math.BigInteger"
    assert java_class_name({}, person().build()) == "org.apache.kafka.connect.data.Struct"


@pytest.mark.parametrize("scale", ["2147483647", "-2147483648", "1999999"])
def test_a_decimal_may_have_any_scale_that_java_has(scale: str) -> None:
    schema = Schema(Type.BYTES, name=DECIMAL_NAME, parameters={"scale": scale})
    value = decimal_from_bytes(b"\x05", decimal_scale(schema))
    assert value.as_tuple().exponent == -int(scale)
    assert decimal_to_bytes(value, int(scale)) == b"\x05"


@pytest.mark.parametrize("scale", ["2147483648", "1_0", " 2", "x", "", "9" * 30])
def test_a_scale_that_is_none_is_a_data_error(scale: str) -> None:
    with pytest.raises(DataError, match="Invalid scale parameter found in Decimal schema"):
        decimal_scale(Schema(Type.BYTES, name=DECIMAL_NAME, parameters={"scale": scale}))
