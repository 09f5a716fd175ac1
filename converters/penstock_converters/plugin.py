"""The plugins that this package brings to penstock. It imports nothing that they need at run time."""

from __future__ import annotations

from penstock.api import Plugin, hookimpl

_SIMPLE = "org.apache.kafka.connect.converters."

#: Converters of keys and values that convert headers as well.
_BOTH = (
    Plugin(
        "string",
        "penstock_converters.simple:StringConverter",
        ("org.apache.kafka.connect.storage.StringConverter",),
        "Any value as its text",
    ),
    Plugin(
        "bytearray",
        "penstock_converters.simple:ByteArrayConverter",
        (f"{_SIMPLE}ByteArrayConverter", "bytes"),
        "Bytes as they are",
    ),
    Plugin(
        "boolean",
        "penstock_converters.simple:BooleanConverter",
        (f"{_SIMPLE}BooleanConverter",),
        "A boolean in one byte",
    ),
    Plugin(
        "short",
        "penstock_converters.simple:ShortConverter",
        (f"{_SIMPLE}ShortConverter",),
        "An integer in two bytes",
    ),
    Plugin(
        "integer",
        "penstock_converters.simple:IntegerConverter",
        (f"{_SIMPLE}IntegerConverter",),
        "An integer in four bytes",
    ),
    Plugin(
        "long",
        "penstock_converters.simple:LongConverter",
        (f"{_SIMPLE}LongConverter",),
        "An integer in eight bytes",
    ),
    Plugin(
        "float",
        "penstock_converters.simple:FloatConverter",
        (f"{_SIMPLE}FloatConverter",),
        "A float in four bytes",
    ),
    Plugin(
        "double",
        "penstock_converters.simple:DoubleConverter",
        (f"{_SIMPLE}DoubleConverter",),
        "A float in eight bytes",
    ),
    Plugin(
        "json",
        "penstock_converters.json:JsonConverter",
        ("org.apache.kafka.connect.json.JsonConverter",),
        "JSON, with the schema beside the payload or without any",
    ),
)

_WITH_REGISTRY = (
    Plugin(
        "protobuf",
        "penstock_converters.protobuf.converter:ProtobufConverter",
        ("io.confluent.connect.protobuf.ProtobufConverter",),
        "Protobuf behind a schema id",
        uses_registry=True,
    ),
    Plugin(
        "avro",
        "penstock_converters.avro.converter:AvroConverter",
        ("io.confluent.connect.avro.AvroConverter",),
        "Avro behind a schema id",
        uses_registry=True,
    ),
    Plugin(
        "jsonschema",
        "penstock_converters.jsonschema.converter:JsonSchemaConverter",
        ("io.confluent.connect.json.JsonSchemaConverter",),
        "JSON with a JSON Schema, behind a schema id",
        uses_registry=True,
    ),
)

_HEADERS_ONLY = (
    Plugin(
        "simple",
        "penstock_converters.simple:SimpleHeaderConverter",
        ("org.apache.kafka.connect.storage.SimpleHeaderConverter",),
        "Header values as text that says its own type",
    ),
)


@hookimpl
def penstock_register_converters() -> list[Plugin]:
    return [*_BOTH, *_WITH_REGISTRY]


@hookimpl
def penstock_register_header_converters() -> list[Plugin]:
    return [*_BOTH, *_HEADERS_ONLY]
