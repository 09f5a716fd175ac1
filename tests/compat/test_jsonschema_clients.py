"""Confluent's Python JSON serializers against our JSON Schema converter, both ways, over HTTP."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema as ClientSchema
from confluent_kafka.schema_registry import SchemaReference as ClientReference
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from penstock.data import BOOLEAN, FLOAT64, INT32, INT64, OPTIONAL_STRING, STRING, Schema, SchemaBuilder
from penstock.errors import DataError
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_registry.server.service import RegistryService


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0"})
    yield service.urls[0]
    service.stop()


@pytest.fixture
def client(url: str) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": url})


@pytest.fixture
def topic() -> str:
    return f"s{secrets.token_hex(4)}"


ITEM = SchemaBuilder.struct().name("Item").field("sku", STRING).field("count", INT32).build()
CASES: dict[str, tuple[Schema, dict[str, Any]]] = {
    "flat": (
        SchemaBuilder.struct().name("Flat").field("id", INT64).field("name", OPTIONAL_STRING).field("ok", BOOLEAN).build(),
        {"id": 2**40, "name": None, "ok": True},
    ),
    "nested": (
        SchemaBuilder.struct()
        .name("Order")
        .field("items", SchemaBuilder.array(ITEM).build())
        .field("labels", SchemaBuilder.map(STRING, FLOAT64).build())
        .field("gift", ITEM.as_optional())
        .build(),
        {
            "items": [{"sku": "a", "count": 1}, {"sku": "é😀", "count": 2}],
            "labels": {"k": 1.5, "l": 1e300},
            "gift": None,
        },
    ),
}  # fmt: skip


def converter(url: str, **settings: str) -> JsonSchemaConverter:
    made = JsonSchemaConverter()
    given = {key.replace("_", "."): value for key, value in settings.items()}
    made.configure({"schema.registry.url": url, **given}, is_key=False)
    return made


def context(topic: str) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE)


@pytest.mark.parametrize("validate", ["true", "false"])
@pytest.mark.parametrize("case", CASES)
def test_the_client_reads_what_the_converter_wrote(
    case: str, validate: str, url: str, client: SchemaRegistryClient, topic: str
) -> None:
    schema, value = CASES[case]
    data = converter(url, json_fail_invalid_schema=validate).from_connect(topic, schema, value)
    assert data is not None
    assert client.get_versions(f"{topic}-value") == [1]
    assert JSONDeserializer(None, schema_registry_client=client)(data, context(topic)) == value


@pytest.mark.parametrize("case", CASES)
def test_the_converter_reads_what_the_client_wrote(
    case: str, url: str, client: SchemaRegistryClient, topic: str
) -> None:
    schema, value = CASES[case]
    ours = converter(url, json_fail_invalid_schema="true")
    ours.from_connect(f"{topic}-pattern", schema, value)
    text = client.get_latest_version(f"{topic}-pattern-value").schema.schema_str
    data = JSONSerializer(text, client)(value, context(topic))
    assert data is not None
    read = ours.to_connect(topic, data)
    assert read.schema == schema.replace(version=1)
    assert read.value == value


def test_both_use_one_schema_with_references(url: str, client: SchemaRegistryClient, topic: str) -> None:
    address = {"type": "object", "properties": {"street": {"type": "string"}}, "required": ["street"]}
    client.register_schema(f"{topic}-a", ClientSchema(json.dumps(address), "JSON"))
    person = {"type": "object", "title": "Person", "properties": {"at": {"$ref": "address.json"}}}
    schema = ClientSchema(json.dumps(person), "JSON", [ClientReference("address.json", f"{topic}-a", 1)])
    value = {"at": {"street": "High Street"}}
    data = JSONSerializer(schema, client)(value, context(topic))
    assert data is not None
    ours = converter(url, json_fail_invalid_schema="true")
    read = ours.to_connect(topic, data)
    assert (read.schema.name, read.value) == ("Person", value)
    bad = data[:5] + b'{"at":{"street":1}}'
    with pytest.raises(DataError) as refused:
        ours.to_connect(topic, bad)
    assert '#/at/street: 1 is not of type "string"' in refused.value.__notes__[0]


def test_the_registry_holds_json_schemas_to_their_compatibility(client: SchemaRegistryClient, topic: str) -> None:
    def schema(**more: Any) -> ClientSchema:
        return ClientSchema(json.dumps({"type": "object", "properties": {"a": {"type": "string"}}, **more}), "JSON")

    client.register_schema(topic, schema())
    assert client.test_compatibility(topic, schema(description="the same"))
    assert not client.test_compatibility(topic, schema(required=["a"]))
    with pytest.raises(SchemaRegistryError) as refused:
        client.register_schema(topic, schema(required=["a"]))
    assert refused.value.http_status_code == 409
    assert "REQUIRED_ATTRIBUTE_ADDED" in str(refused.value)
    with pytest.raises(SchemaRegistryError) as invalid:
        client.register_schema(topic, ClientSchema('{"$ref":"nowhere.json"}', "JSON"))
    assert (invalid.value.http_status_code, invalid.value.error_code) == (422, 42201)


def test_data_whose_schema_the_registry_refuses_is_a_data_error(url: str, topic: str) -> None:
    ours = converter(url)
    ours.from_connect(topic, SchemaBuilder.struct().name("R").field("a", STRING).build(), {"a": "x"})
    with pytest.raises(DataError, match="Converting Kafka Connect data to byte") as refused:
        ours.from_connect(topic, SchemaBuilder.struct().name("R").field("a", INT64).build(), {"a": 1})
    assert "TYPE_CHANGED" in refused.value.__notes__[0]
