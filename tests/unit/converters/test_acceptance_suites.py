"""The converters that come with penstock pass the suite that plugin authors run."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from penstock.data import (
    BOOLEAN,
    BYTES,
    DATE,
    FLOAT32,
    FLOAT64,
    INT8,
    INT16,
    INT32,
    INT64,
    OPTIONAL_STRING,
    STRING,
    TIMESTAMP,
    SchemaBuilder,
    decimal_schema,
)
from penstock.testing.suites import Sample, converter_suite, header_converter_suite
from penstock_converters.avro.converter import AvroConverter
from penstock_converters.json.converter import JsonConverter
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_converters.protobuf.converter import ProtobufConverter
from penstock_converters.simple import (
    BooleanConverter,
    ByteArrayConverter,
    DoubleConverter,
    FloatConverter,
    IntegerConverter,
    LongConverter,
    ShortConverter,
    SimpleHeaderConverter,
    StringConverter,
)

POINT = SchemaBuilder.struct().name("Point").field("x", INT32).build()
ORDER = (
    SchemaBuilder.struct().name("Order")
    .field("i8", INT8).field("i16", INT16).field("i64", INT64).field("f32", FLOAT32).field("f64", FLOAT64).field("ok", BOOLEAN)
    .field("text", STRING).field("note", OPTIONAL_STRING).field("raw", BYTES).field("sum", decimal_schema(2)).field("day", DATE)
    .field("at", TIMESTAMP).field("tags", SchemaBuilder.array(STRING).build()).field("counts", SchemaBuilder.map(STRING, INT64).build())
    .field("point", POINT.as_optional()).build()
)  # fmt: skip
VALUE = {
    "i8": -8, "i16": 16, "i64": 2**40, "f32": 0.5, "f64": 0.1, "ok": True, "text": "é", "note": None, "raw": b"\x00\xff", "sum": Decimal("1.50"),
    "day": dt.date(2026, 1, 2), "at": dt.datetime(2026, 1, 2, 3, 4, 5, 6000, dt.UTC), "tags": ["a", ""], "counts": {"k": 1}, "point": {"x": 1},
}  # fmt: skip
RECORDS = [Sample(ORDER, VALUE), Sample(ORDER, {**VALUE, "point": None, "note": "n", "tags": [], "counts": {}})]
REGISTRY = {"schema.registry.url": "mock://acceptance"}
WRONG: list[tuple[Any, Any]] = [
    (ORDER, {**VALUE, "i8": 128}),
    (ORDER, {**VALUE, "text": 1}),
    (ORDER, {**VALUE, "sum": Decimal("1.5")}),
]
NO_REGISTRY = [{"schema.registry.url": "ftp://x"}, {}]

TestJson = converter_suite(
    JsonConverter, {"lossy.reads": "fail"}, samples=RECORDS, refused=WRONG, refused_settings=[{"lossy.reads": "x"}, {"decimal.format": "x"}, {"schemas.cache.size": "x"}],
    malformed=[b"", b"{", b"1", b'{"schema":{"type":"int8"},"payload":128}'],
)  # fmt: skip
TestPlainJson = converter_suite(
    JsonConverter, {"schemas.enable": "false"},
    samples=[Sample(POINT, {"x": 1}), Sample(None, {"a": [1, 1.5, "x", None, True]}), Sample(STRING, "é"), Sample(DATE, dt.date(1970, 1, 2), 1)],
    malformed=[b"{", b"[1", b"nul"],
)  # fmt: skip
TestAvro = converter_suite(
    AvroConverter, REGISTRY, samples=[*RECORDS, Sample(INT64, -5), Sample(STRING, "é"), Sample(None, {"a": [1, "x"]})], refused=WRONG,
    refused_settings=NO_REGISTRY, malformed=[b"", b"{}", b"\x00\x00\x00\x00\x63\x02"],
)  # fmt: skip
TestProtobuf = converter_suite(
    ProtobufConverter, {**REGISTRY, "optional.for.nullables": "true"}, samples=[Sample(POINT, {"x": 1}), Sample(ORDER, VALUE)], refused=WRONG[:2], refused_settings=NO_REGISTRY,
    malformed=[b"", b"{}"],
)  # fmt: skip
TestJsonSchema = converter_suite(
    JsonSchemaConverter, REGISTRY, samples=[*RECORDS, Sample(INT64, -5)], refused=WRONG, refused_settings=NO_REGISTRY, malformed=[b"", b"{}"],
)  # fmt: skip
TestString = converter_suite(StringConverter, samples=[Sample(STRING, "é"), Sample(INT64, 5, "5")])
TestByteArray = converter_suite(
    ByteArrayConverter, samples=[Sample(BYTES, b"\x00")], refused=[(STRING, "x"), (BYTES, "x")]
)
TestBoolean = converter_suite(
    BooleanConverter, samples=[Sample(BOOLEAN, True), Sample(BOOLEAN, False)], malformed=[b"12"]
)
TestShort = converter_suite(
    ShortConverter, samples=[Sample(INT16, -5)], refused=[(INT32, 1), (INT16, 2**15)], malformed=[b"1"]
)
TestInteger = converter_suite(IntegerConverter, samples=[Sample(INT32, -5)], refused=[(INT64, 1)], malformed=[b"123"])
TestLong = converter_suite(
    LongConverter, samples=[Sample(INT64, 2**63 - 1)], refused=[(INT32, 1), (INT64, 2**63)], malformed=[b"1"]
)
TestFloat = converter_suite(FloatConverter, samples=[Sample(FLOAT32, 0.5)], refused=[(FLOAT64, 0.5)], malformed=[b"1"])
TestDouble = converter_suite(
    DoubleConverter, samples=[Sample(FLOAT64, 0.1)], refused=[(FLOAT32, 0.5)], malformed=[b"1"]
)
TestSimpleHeaders = header_converter_suite(
    SimpleHeaderConverter, samples=[Sample(STRING, "text"), Sample(INT64, 5), Sample(BOOLEAN, True), Sample(None, None)],
)  # fmt: skip
TestJsonHeaders = header_converter_suite(JsonConverter, samples=RECORDS, refused=WRONG)
