"""marcosschroh's python-schema-registry-client against our registry, and its serializers against our converters."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from schema_registry.client import AsyncSchemaRegistryClient, SchemaRegistryClient
from schema_registry.client.errors import ClientError
from schema_registry.client.schema import AvroSchema, JsonSchema
from schema_registry.serializers import (
    AsyncAvroMessageSerializer,
    AvroMessageSerializer,
    JsonMessageSerializer,
)

from penstock.data import INT32, STRING, SchemaBuilder
from penstock_converters.avro.converter import AvroConverter
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_registry.server.service import RegistryService

ITEM = SchemaBuilder.struct().name("shop.Item").field("sku", STRING).field("count", INT32).build()
VALUE = {"sku": "é😀", "count": 7}
RECORD: dict[str, Any] = {
    "type": "record",
    "name": "Item",
    "namespace": "shop",
    "fields": [{"name": "sku", "type": "string"}, {"name": "count", "type": "int"}],
}
WIDER = {**RECORD, "fields": [*RECORD["fields"], {"name": "note", "type": ["null", "string"], "default": None}]}
BROKEN = {**RECORD, "fields": [*RECORD["fields"], {"name": "note", "type": "string"}]}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0"})
    yield service.urls[0]
    service.stop()


@pytest.fixture
def subject() -> str:
    return f"m{secrets.token_hex(4)}"


def test_the_life_of_a_subject(url: str, subject: str) -> None:
    client = SchemaRegistryClient(url=url)
    first = client.register(subject, AvroSchema(RECORD))
    assert client.register(subject, AvroSchema(RECORD)) == first
    assert client.test_compatibility(subject, AvroSchema(WIDER))
    assert not client.test_compatibility(subject, AvroSchema(BROKEN))
    assert client.test_compatibility(subject, AvroSchema(BROKEN), verbose=True)["messages"]
    with pytest.raises(ClientError, match="Incompatible schema"):
        client.register(subject, AvroSchema(BROKEN))
    second = client.register(subject, AvroSchema(WIDER))
    assert client.get_versions(subject) == [1, 2]
    latest = client.get_schema(subject)
    assert latest is not None
    assert (latest.schema_id, latest.version, latest.schema) == (second, 2, AvroSchema(WIDER))
    assert client.get_by_id(first) == AvroSchema(RECORD)
    found = client.check_version(subject, AvroSchema(RECORD))
    assert found is not None
    assert (found.schema_id, found.version) == (first, 1)
    assert subject in client.get_subjects()
    assert [(one.subject, one.version) for one in client.get_schema_subject_versions(first)] == [(subject, 1)]
    assert client.update_compatibility("FULL", subject)
    assert client.get_compatibility(subject) == "FULL"
    assert client.delete_version(subject, 2) == 2
    assert client.get_versions(subject) == [1]
    assert client.delete_subject(subject) == [1]
    assert subject not in client.get_subjects()


def test_the_life_of_a_subject_asynchronously(url: str, subject: str) -> None:
    async def live() -> None:
        client = AsyncSchemaRegistryClient(url=url)
        first = await client.register(subject, AvroSchema(RECORD))
        assert not await client.test_compatibility(subject, AvroSchema(BROKEN))
        second = await client.register(subject, AvroSchema(WIDER))
        latest = await client.get_schema(subject)
        assert latest is not None
        assert (latest.schema_id, latest.version) == (second, 2)
        assert await client.get_by_id(first) == AvroSchema(RECORD)
        assert await client.update_compatibility("NONE", subject)
        assert await client.delete_subject(subject) == [1, 2]

    asyncio.run(live())


def test_avro_data_passes_both_ways(url: str, subject: str) -> None:
    ours = AvroConverter()
    ours.configure({"schema.registry.url": url}, is_key=False)
    theirs = AvroMessageSerializer(SchemaRegistryClient(url=url))
    data = ours.from_connect(subject, ITEM, VALUE)
    assert data is not None
    assert theirs.decode_message(data) == VALUE
    assert (
        ours.to_connect(subject, theirs.encode_record_with_schema(f"{subject}-2", AvroSchema(RECORD), VALUE)).value
        == VALUE
    )

    async def asynchronously() -> None:
        serializer = AsyncAvroMessageSerializer(AsyncSchemaRegistryClient(url=url))
        assert await serializer.decode_message(data) == VALUE
        encoded = await serializer.encode_record_with_schema(f"{subject}-3", AvroSchema(RECORD), VALUE)
        assert ours.to_connect(subject, encoded).value == VALUE

    asyncio.run(asynchronously())


def test_json_data_passes_both_ways(url: str, subject: str) -> None:
    ours = JsonSchemaConverter()
    ours.configure({"schema.registry.url": url}, is_key=False)
    theirs = JsonMessageSerializer(SchemaRegistryClient(url=url))
    data = ours.from_connect(subject, ITEM, VALUE)
    assert data is not None
    assert theirs.decode_message(data) == VALUE
    schema = JsonSchema(
        {"type": "object", "title": "Item", "properties": {"sku": {"type": "string"}, "count": {"type": "integer"}}}
    )
    encoded = theirs.encode_record_with_schema(f"{subject}-2", schema, VALUE)
    assert ours.to_connect(subject, encoded).value == VALUE
