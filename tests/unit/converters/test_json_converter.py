"""`JsonConverter`: round trips, errors that name the field, and bytes of every kind."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from decimal import Context, Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.data import (
    BOOLEAN,
    DATE,
    FLOAT32,
    FLOAT64,
    INT8,
    INT32,
    INT64,
    OPTIONAL_INT32,
    OPTIONAL_STRING,
    STRING,
    TIME,
    TIMESTAMP,
    Int32,
    Schema,
    SchemaBuilder,
    Struct,
    Type,
    decimal_schema,
)
from penstock.errors import ConfigError, DataError
from penstock.java.numbers import to_float32
from penstock_converters.json import JsonConverter
from penstock_converters.json.direct import UNUSUAL, direct_reader
from penstock_converters.json.reading import Readers
from penstock_converters.json.text import as_jackson, dumps
from penstock_converters.json.writing import Writer


def converter(**settings_: str) -> JsonConverter:
    made = JsonConverter()
    made.configure({key.replace("_", "."): value for key, value in settings_.items()}, is_key=False)
    return made


# --- strategies: any schema, and a value of it as it should come back


def scalar(schema, values):
    return st.just((schema, values))


DIGITS = Context(prec=60)
floats = st.floats(allow_nan=False, allow_infinity=False).map(lambda f: f + 0.0)
leaves = st.one_of(
    scalar(INT8, st.integers(-128, 127)),
    scalar(INT32, st.integers(-(2**31), 2**31 - 1)),
    scalar(INT64, st.integers(-(2**63), 2**63 - 1)),
    scalar(FLOAT64, floats),
    scalar(FLOAT32, st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda f: f + 0.0)),
    scalar(BOOLEAN, st.booleans()),
    scalar(STRING, st.text(st.characters(exclude_categories=()), max_size=8)),
    scalar(Schema(Type.BYTES), st.binary(max_size=8)),
    scalar(DATE, st.dates()),
    scalar(TIME, st.integers(0, 86_399_999).map(lambda ms: (dt.datetime.min + dt.timedelta(milliseconds=ms)).time())),
    scalar(
        TIMESTAMP,
        st.integers(-62_135_596_800_000, 253_402_300_799_999).map(
            lambda ms: dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ms)
        ),
    ),
    scalar(decimal_schema(3), st.integers(-(10**25), 10**25).map(lambda n: Decimal(n).scaleb(-3, DIGITS))),
)


def same(a, b):
    """Equal, and of the same types: 1, 1.0 and True differ here. Order of members does not count."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


def nested(inner):
    def array(part):
        schema, values = part
        return SchemaBuilder.array(schema).build(), st.lists(values, max_size=3)

    def mapping(part):
        schema, values = part
        return SchemaBuilder.map(STRING, schema).build(), st.dictionaries(st.text(max_size=3), values, max_size=3)

    def pairs(part):
        schema, values = part
        return SchemaBuilder.map(INT64, schema).build(), st.dictionaries(st.integers(-5, 5), values, max_size=3)

    def struct(parts):
        builder = SchemaBuilder.struct().name("S")
        for name, (schema, _) in parts.items():
            builder.field(name, schema)
        return builder.build(), st.fixed_dictionaries({name: values for name, (_, values) in parts.items()})

    return st.one_of(
        inner.map(array),
        inner.map(mapping),
        inner.map(pairs),
        inner.map(lambda part: (part[0].as_optional(), st.none() | part[1])),
        st.dictionaries(st.text(min_size=1, max_size=4), inner, min_size=0, max_size=4).map(struct),
    )


schemas_and_values = st.recursive(leaves, nested, max_leaves=6).flatmap(
    lambda part: st.tuples(st.just(part[0]), part[1])
)


@given(schemas_and_values, st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_is_read_back(part, numeric):
    schema, value = part
    one = converter(decimal_format="NUMERIC" if numeric else "BASE64")
    data = one.from_connect("t", schema, value)
    json.loads(data)  # is JSON to others as well
    read = one.deserializer("t")
    for _ in range(2):  # the second time the envelope's start is known
        back = read(data)
        assert back.schema == schema
        assert same(back.value, value)


@given(schemas_and_values)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_generated_writer_writes_what_the_exact_one_writes(part):
    schema, value = part
    assert converter(schemas_enable="false").from_connect("t", schema, value) == dumps(
        Writer(numeric_decimals=False, replace_null_with_default=True).tree(schema, value)
    )


ENVELOPE = converter().from_connect(
    "t",
    SchemaBuilder.struct().field("a", INT32).field("b", OPTIONAL_STRING).field("c", decimal_schema(2)).build(),
    {"a": 1, "b": "é", "c": Decimal("1.50")},
)


@given(
    st.lists(
        st.tuples(st.integers(0, len(ENVELOPE) - 1), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=4
    )
)
@settings(max_examples=100, deadline=None)
def test_damaged_bytes_are_read_or_refused_as_data_errors(damage):
    data = ENVELOPE
    for at, put, drop in damage:
        data = data[:at] + put + data[at + drop :]
    reads = [converter().deserializer("t"), converter(schemas_enable="false").deserializer("t")]
    reads[0](ENVELOPE)
    for read in reads:
        try:
            read(data)
        except DataError:
            continue


#: What a damaged payload may hold in the place of something else.
ODD = (
    b"1", b"-0", b"-0.0", b"0.0", b"1.0", b"2.5", b"1e400", b"1e-400", b"127.5", b"300", b"9223372036854775808", b"9007199254740993.0",
    b"123456789012345678901234567890", b"true", b"null", b'"x"', b'"12"', b'"\\ud800"', b'"\\ud83d\\ude00"', b'"a\x01"', b'"\xff"', b"[]",
    b"[1]", b"{}", b'{"a":1}', b'"YQ=="', b"NaN", b"01", b" ", b",", b":", b'"', b"}", b'"more":[tru],', b'"more":"\xff",', b'"more":1,', b"",
)  # fmt: skip
TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+|[{}\[\],:]')


def outcome(read, data):
    try:
        return read(data)
    except DataError as error:
        return type(error), str(error), getattr(error, "__notes__", [])


@given(schemas_and_values, st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(ODD)), max_size=3))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_known_envelope_is_read_as_an_unknown_one_is_however_damaged(part, damage):
    """A known one's payload goes from text straight to values, an unknown one's by way of a tree."""
    schema, value = part
    good = converter().from_connect("t", schema, value)
    start = good.rindex(b',"payload":') if schema.type is not Type.STRUCT else good.index(b',"payload":')
    head, payload = good[: start + 11], good[start + 11 : -1]
    known = converter().deserializer("t")
    known(good)
    tokens = [match.span() for match in TOKEN.finditer(payload)]
    for at, put in damage:
        begin, end = tokens[at % len(tokens)]
        data = head + payload[:begin] + put + payload[end:] + b"}"
        one, other = outcome(known, data), outcome(converter().deserializer("t"), data)
        if isinstance(one, tuple):
            assert one == other
        else:
            assert one.schema == other.schema
            assert same(one.value, other.value)
            assert repr(one.value) == repr(other.value)  # of the order of members, too


def test_what_kafkas_converter_writes_takes_the_direct_way():
    line = SchemaBuilder.struct().name("L").field("sku", STRING).field("price", FLOAT64.as_optional()).build()
    schema = (
        SchemaBuilder.struct().field("id", INT64).field("lines", SchemaBuilder.array(line).build()).field("at", TIMESTAMP)
        .field("ratio", FLOAT32).field("tags", SchemaBuilder.map(STRING, FLOAT64).optional().build())
        .field("n", Schema(Type.INT32, default=7)).build()
    )  # fmt: skip
    value = {
        "id": 2**62, "lines": [{"sku": "a", "price": None}, {"sku": "", "price": 0.5}],
        "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "ratio": 0.25, "tags": {"k": 1.0}, "n": 1,
    }  # fmt: skip
    data = converter(schemas_enable="false").from_connect("t", schema, value)
    read = direct_reader(schema, Readers(replace_null_with_default=True))
    assert same(read(data), value)
    assert read(data.replace(b'"n":1', b'"n":null'))["n"] == read(data.replace(b',"n":1', b""))["n"] == 7
    for was, odd in (
        (b'"id":', b'"id":1'),
        (b'"id":', b'"more":1,"id":'),
        (b'"sku":"a"', b'"sku":5'),
        (b"0.5", b'"0.5"'),
    ):
        with pytest.raises(UNUSUAL):
            read(data.replace(was, odd))


@given(st.binary(max_size=40))
@settings(max_examples=100, deadline=None)
def test_random_bytes_are_read_or_refused_as_data_errors(data):
    for one in (converter(), converter(schemas_enable="false"), converter(schema_content='{"type":"int32"}')):
        try:
            one.to_connect("t", data)
        except DataError:
            continue


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | floats | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
@settings(max_examples=60, deadline=None)
def test_values_without_a_schema_come_back(value):
    one = converter(schemas_enable="false")
    back = one.to_connect("t", one.from_connect("t", None, value))
    assert back.schema is None
    assert same(back.value, value)


# --- bytes


def test_the_envelope_is_kafkas_to_the_byte():
    schema = SchemaBuilder.struct().name("n").version(3).doc("d").field("f", FLOAT32).field("x", FLOAT64).build()
    assert converter().from_connect("t", schema, {"f": to_float32(1.1), "x": 1e10}) == (
        b'{"schema":{"type":"struct","fields":[{"type":"float","optional":false,"field":"f"},'
        b'{"type":"double","optional":false,"field":"x"}],"optional":false,"name":"n","version":3,"doc":"d"},'
        b'"payload":{"f":1.1,"x":1.0E10}}'
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1e-3, b"0.001"), (9.99e-4, b"9.99E-4"), (9999999.0, b"9999999.0"), (1e7, b"1.0E7"), (-0.0, b"-0.0"),
        (math.inf, b'"Infinity"'), (-math.inf, b'"-Infinity"'), (math.nan, b'"NaN"'), (5e-324, b"4.9E-324"),
    ],
)  # fmt: skip
def test_doubles_are_written_as_java_does(value, expected):
    one = converter(schemas_enable="false")
    assert one.from_connect("t", FLOAT64, value) == expected
    assert one.from_connect("t", None, [value]) == b"[" + expected + b"]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b\x7f", b'"\\u001B\x7f"'), ('\\u001b"', b'"\\\\u001b\\""'), ("\U0001f600é", b'"\\uD83D\\uDE00\xc3\xa9"'),
        ("\ud83d", b'"\\uD83D"'), ("\ude00\x0b", b'"\\uDE00\\u000B"'), ("\u2028/", b'"\xe2\x80\xa8/"'),
    ],
)  # fmt: skip
def test_text_is_escaped_as_jackson_does(text, expected):
    one = converter(schemas_enable="false")
    assert one.from_connect("t", STRING, text) == expected
    assert one.from_connect("t", None, {text: text}) == b"{" + expected + b":" + expected + b"}"
    assert one.to_connect("t", expected).value == text


def test_escapes_are_changed_in_place_only():
    assert as_jackson(b'"\\\\u001b\\u001b\\n"') == b'"\\\\u001b\\u001B\\n"'


def test_deep_nesting_is_written_to_jacksons_limit_and_never_overflows_the_stack():
    one = converter(schemas_enable="false")
    value = [1]
    for _ in range(280):
        value = [value]
    assert one.from_connect("t", None, value) == b"[" * 281 + b"1" + b"]" * 281
    for _ in range(3000):
        value = [value]
    with pytest.raises(DataError):
        one.from_connect("t", None, value)
    for data in (b"[" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000):
        with pytest.raises(DataError):
            one.to_connect("t", data)


# --- errors


def notes(error):
    return " ".join(getattr(error.value, "__notes__", []))


ORDER = (
    SchemaBuilder.struct().name("Order")
    .field("id", INT32)
    .field("lines", SchemaBuilder.array(SchemaBuilder.struct().name("Line").field("sku", STRING).build()).build())
    .field("tags", SchemaBuilder.map(STRING, INT8).optional().build())
    .build()
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "message", "field"),
    [
        ({"id": "x", "lines": []}, "Invalid type for INT32: class java.lang.String", "id"),
        ({"id": True, "lines": []}, "Invalid type for INT32: class java.lang.Boolean", "id"),
        ({"id": 2**31, "lines": []}, "Value 2147483648 does not fit schema type INT32: expected -2147483648 to 2147483647", "id"),
        ({"lines": []}, "Conversion error: null value for field that is required and has no default value", "id"),
        ({"id": 1, "lines": [{"sku": "a"}, {"sku": 5}]}, "Invalid type for STRING: class java.lang.Long", "lines[1].sku"),
        ({"id": 1, "lines": [], "tags": {"k": 128}}, "Value 128 does not fit schema type INT8: expected -128 to 127", "tags['k']"),
        ({"id": 1, "lines": [], "nope": 1}, "nope is not a valid field name", ""),
        ({"id": 1, "lins": []}, "lins is not a valid field name", ""),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_and_its_field_named(value, message, field):
    with pytest.raises(DataError) as caught:
        converter().from_connect("t", ORDER, value)
    assert str(caught.value) == message
    assert field in notes(caught)


def test_rare_but_right_values_are_written():
    one = converter(schemas_enable="false")
    schema = SchemaBuilder.struct().field("a", INT32).field("b", OPTIONAL_INT32).build()
    assert one.from_connect("t", schema, Struct(schema, {"a": 1})) == b'{"a":1,"b":null}'
    assert one.from_connect("t", schema, {"a": Int32(1)}) == b'{"a":1,"b":null}'
    assert one.from_connect("t", SchemaBuilder.array(INT32).build(), (1, 2)) == b"[1,2]"
    assert one.from_connect("t", Schema(Type.BYTES), bytearray(b"a")) == b'"YQ=="'
    with pytest.raises(DataError, match=r"Mismatching schema"):
        one.from_connect("t", schema, Struct(ORDER, {"id": 1}))


def test_a_recursive_schema_writes_payloads_but_no_envelope():
    schema = SchemaBuilder.struct().name("N").optional().build_recursive(lambda n: [("v", INT32), ("next", n)])
    value = {"v": 1, "next": {"v": 2, "next": None}}
    assert converter(schemas_enable="false").from_connect("t", schema, value) == b'{"v":1,"next":{"v":2,"next":null}}'
    with pytest.raises(DataError, match=r"refers to itself"):
        converter().from_connect("t", schema, value)


def test_unreadable_json_says_where():
    with pytest.raises(DataError, match=r"failed due to serialization error") as caught:
        converter().to_connect("t", b'{"schema": nope}')
    assert "char 11" in str(caught.value.__cause__)


def test_a_field_that_cannot_be_read_is_named():
    data = b'{"schema":{"type":"struct","fields":[{"type":"int32","field":"q"}]},"payload":{}}'
    with pytest.raises(DataError, match=r"Invalid null value for required INT32 field") as caught:
        converter().to_connect("t", data)
    assert "Field: q" in notes(caught)


def test_wrong_settings_are_refused():
    for name, value in (("decimal_format", "hex"), ("schemas_enable", "perhaps"), ("schemas_cache_size", "many")):
        with pytest.raises(ConfigError, match=name.replace("_", ".")):
            converter(**{name: value})
    with pytest.raises(DataError, match=r"Failed to parse schema in converter config"):
        converter(schema_content="{")


# --- reading


def envelope(schema: str, payload: str) -> bytes:
    return f'{{"schema":{schema},"payload":{payload}}}'.encode()


@pytest.mark.parametrize(
    ("schema", "payload", "expected"),
    [
        ('{"type":"int32"}', "2.00000000000000000000", 2),
        ('{"type":"int64"}', "9.223372036854775807e18", 2**63 - 1),
        ('{"type":"int8"}', "-1280e-1", -128),
        ('{"type":"float"}', "16777217.0000000001", 16777218.0),
        ('{"type":"float"}', "16777217", 16777216.0),
        ('{"type":"double"}', "1e308", 1e308),
        ('{"type":"bytes"}', '"YQ== Yg=="', b"ab"),
    ],
)  # fmt: skip
def test_numbers_are_exact_before_they_are_narrowed(schema, payload, expected):
    read = converter().deserializer("t")
    for _ in range(2):
        assert read(envelope(schema, payload)).value == expected


def test_the_schema_object_stays_the_same_for_the_same_json():
    one = converter()
    read = one.deserializer("t")
    first = read(envelope('{"type":"int32"}', "1")).schema
    assert read(envelope('{"type":"int32"}', "2")).schema is first
    assert read(b'{"payload": 3, "schema": {"type": "int32"}}').schema is first
    assert one.deserializer("other")(envelope('{"type":"int32"}', "2")).schema is first


def test_many_schemas_in_one_topic_are_kept_apart_and_bounded():
    one = converter(schemas_cache_size="8")
    read = one.deserializer("t")
    for _ in range(2):
        for i in range(20):
            back = read(envelope(f'{{"type":"int32","name":"n{i}"}}', str(i)))
            assert (back.schema.name, back.value) == (f"n{i}", i)
    assert len(one._by_json) == 8
    assert len(one._ready) == 8


def test_a_topic_of_many_schemas_makes_each_reader_once(monkeypatch):
    made = []
    monkeypatch.setattr(
        "penstock_converters.json.converter.direct_reader", lambda *args: made.append(args) or direct_reader(*args)
    )
    read = converter().deserializer("t")
    for _ in range(5):
        for i in range(20):
            read(envelope(f'{{"type":"int32","name":"n{i}"}}', str(i)))
    assert len(made) == 20


def test_a_struct_default_in_an_envelope_is_read():
    schema = SchemaBuilder.struct().field("a", INT32).optional().default({"a": 5}).build()
    one = converter()
    assert one.to_connect("t", one.from_connect("t", schema, None)) == one.to_connect(
        "t", one.from_connect("t", schema, {"a": 5})
    )


def test_points_in_time_beyond_python_stay_numbers_and_are_written_back():
    one = converter()
    for schema, number in ((TIMESTAMP, 2**62), (TIME, 86_400_000)):
        data = one.from_connect("t", schema, number)
        assert data.endswith(f'"payload":{number}}}'.encode())
        assert one.to_connect("t", data).value == number
    with pytest.raises(DataError, match=r"expected Date but was class java.lang.Long"):
        one.from_connect("t", TIMESTAMP, 5)


def test_headers_are_converted_alike():
    one = JsonConverter()
    one.configure({"converter.type": "header", "schemas.enable": "false"})
    data = one.from_connect_header("t", "h", INT32, 5)
    assert data == b"5"
    assert one.to_connect_header("t", "h", data).value == 5


@pytest.mark.parametrize("number", ["1e99999999999999999999", "-1.5e-99999999999999999999"])
def test_an_exponent_beyond_all_decimals_is_a_data_error(number: str):
    plain = JsonConverter()
    plain.configure({"schemas.enable": "false"}, False)
    for text in (number, f'{{"a": 1e400, "b": {number}}}', f"[{number}"):
        with pytest.raises(DataError, match="serialization error") as caught:
            plain.to_connect("t", text.encode() + b"x")
        assert caught.value.__notes__[0].startswith("Invalid JSON: ")


@pytest.mark.parametrize("name", ["a\x00b", "a\ud800b", "a>b\n"])
def test_a_schema_may_have_any_name(name: str):
    schema = SchemaBuilder.struct().name(name).field(name, INT32).build()
    made = JsonConverter()
    made.configure({}, False)
    data = made.from_connect("t", schema, {name: 1})
    found = made.to_connect("t", data)
    assert (found.schema.name, found.value) == (name, {name: 1})
