"""Schema GUIDs in record headers between Confluent's Python serializers and our converters, over HTTP."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    Schema as ClientSchema,
)
from confluent_kafka.schema_registry import (
    SchemaRegistryClient,
    header_schema_id_serializer,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

from penstock.data import INT64, OPTIONAL_STRING, STRING, Headers, SchemaBuilder
from penstock.errors import DataError
from penstock_converters.avro.converter import AvroConverter
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_converters.protobuf.converter import ProtobufConverter
from penstock_converters.registry_converter import RegistryConverter
from penstock_registry.client import RegistryRequestError, client_for
from penstock_registry.server.service import RegistryService

SERIALIZER = "io.confluent.kafka.serializers.schema.id.HeaderSchemaIdSerializer"
ROW = SchemaBuilder.struct().name("Row").field("id", INT64).field("note", OPTIONAL_STRING).build()
TEXT = json.dumps(
    {
        "type": "record",
        "name": "Row",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "note", "type": ["null", "string"], "default": None},
        ],
    },
    separators=(",", ":"),
)
# The client refuses to read less than six bytes, though there is no frame in them.
VALUE = {"id": 7, "note": "a longer note"}
KEY = "a longer key"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0"})
    yield service.urls[0]
    service.stop()


@pytest.fixture
def client(url: str) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": url})


def converter(kind: type[RegistryConverter], url: str, is_key: bool = False, **settings: str) -> RegistryConverter:
    made = kind()
    which = "key" if is_key else "value"
    more = {key.replace("_", "."): value for key, value in settings.items()}
    made.configure({"schema.registry.url": url, f"{which}.schema.id.serializer": SERIALIZER, **more}, is_key)
    return made


def context(topic: str, headers: list[Any], field: str = MessageField.VALUE) -> SerializationContext:
    return SerializationContext(topic, field, headers)


def raw(headers: Headers) -> list[tuple[str, Any]]:
    return [(header.key, header.value) for header in headers]


def connect(pairs: list[tuple[str, Any]]) -> Headers:
    headers = Headers()
    for key, value in pairs:
        headers.add(key, value)
    return headers


def test_what_our_avro_converter_writes_the_client_reads(url: str, client: SchemaRegistryClient) -> None:
    headers = Headers()
    data = converter(AvroConverter, url).serializer_with_headers("ours", ROW)(VALUE, headers)
    assert AvroDeserializer(client)(data, context("ours", raw(headers))) == VALUE


def test_what_the_client_writes_our_avro_converter_reads(url: str, client: SchemaRegistryClient) -> None:
    pairs: list[tuple[str, Any]] = []
    conf = {"schema.id.serializer": header_schema_id_serializer}
    data = AvroSerializer(client, TEXT, conf=conf)(VALUE, context("theirs", pairs))
    assert [key for key, _ in pairs] == ["__value_schema_id"]
    assert converter(AvroConverter, url).deserializer_with_headers("theirs")(data, connect(pairs)).value == VALUE


def test_both_write_the_same_bytes_and_the_same_header(url: str, client: SchemaRegistryClient) -> None:
    headers = Headers()
    ours = converter(AvroConverter, url, connect_meta_data="false")
    data = ours.serializer_with_headers("same", ROW)(VALUE, headers)
    text = client.get_latest_version("same-value").schema.schema_str
    pairs: list[tuple[str, Any]] = []
    conf = {"schema.id.serializer": header_schema_id_serializer}
    assert AvroSerializer(client, text, conf=conf)(VALUE, context("same", pairs)) == data
    assert raw(headers) == pairs


def test_keys_go_both_ways(url: str, client: SchemaRegistryClient) -> None:
    ours = converter(AvroConverter, url, is_key=True)
    headers = Headers()
    data = ours.serializer_with_headers("keys", STRING)(KEY, headers)
    assert AvroDeserializer(client)(data, context("keys", raw(headers), MessageField.KEY)) == KEY
    pairs: list[tuple[str, Any]] = []
    conf = {"schema.id.serializer": header_schema_id_serializer}
    theirs = AvroSerializer(client, '"string"', conf=conf)(KEY, context("keys", pairs, MessageField.KEY))
    assert ours.deserializer_with_headers("keys")(theirs, connect(pairs)).value == KEY


def test_what_our_json_schema_converter_writes_the_client_reads(url: str, client: SchemaRegistryClient) -> None:
    headers = Headers()
    data = converter(JsonSchemaConverter, url).serializer_with_headers("json", ROW)(VALUE, headers)
    read = JSONDeserializer(None, schema_registry_client=client)
    assert read(data, context("json", raw(headers))) == VALUE


@pytest.mark.parametrize("message", [Int64Value(value=5), StringValue(value="five")])
def test_message_indexes_in_the_client_s_header_are_read(
    url: str, client: SchemaRegistryClient, message: Int64Value | StringValue
) -> None:
    pairs: list[tuple[str, Any]] = []
    conf = {"schema.id.serializer": header_schema_id_serializer, "use.deprecated.format": False}
    topic = type(message).__name__
    data = ProtobufSerializer(type(message), client, conf=conf)(message, context(topic, pairs))
    assert len(pairs[0][1]) > 18  # neither is the first message of its file
    read = converter(ProtobufConverter, url).deserializer_with_headers(topic)
    assert read(data, connect(pairs)).value == message.value


def test_a_schema_of_a_given_id_is_written_by_its_guid_over_http(url: str, client: SchemaRegistryClient) -> None:
    number = client.register_schema("by-id-value", ClientSchema(TEXT, "AVRO"))
    settings = {"use.schema.id": str(number), "auto.register.schemas": "false", "id.compatibility.strict": "false"}
    made = AvroConverter()
    made.configure({"schema.registry.url": url, "value.schema.id.serializer": SERIALIZER, **settings}, False)
    headers = Headers()
    data = made.serializer_with_headers("by-id", ROW)(VALUE, headers)
    assert AvroDeserializer(client)(data, context("by-id", raw(headers))) == VALUE


def test_the_http_client_tells_schemas_of_guids_and_refuses_unknown_ones(url: str) -> None:
    ours = client_for([url], {})
    registered = ours.register("guids", TEXT)
    assert registered.guid is not None
    assert ours.schema_by_guid(registered.guid).schema == TEXT
    unknown = str(uuid.UUID(int=1))
    with pytest.raises(RegistryRequestError, match=unknown) as caught:
        ours.schema_by_guid(unknown)
    assert caught.value.error_code == 40403
    headers = Headers().add("__value_schema_id", b"\x01" + uuid.UUID(unknown).bytes)
    with pytest.raises(DataError) as failed:
        converter(AvroConverter, url).deserializer_with_headers("guids")(b"\x02", headers)
    assert f"for GUID {unknown}: " in failed.value.__notes__[0]
