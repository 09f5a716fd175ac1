"""Confluent's asynchronous Python client and serializers against our registry and Avro converter."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import AsyncSchemaRegistryClient, ConfigCompatibilityLevel, ServerConfig
from confluent_kafka.schema_registry import Schema as ClientSchema
from confluent_kafka.schema_registry.avro import AsyncAvroDeserializer, AsyncAvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from penstock.data import INT32, STRING, SchemaBuilder
from penstock_converters.avro.converter import AvroConverter
from penstock_registry.server.service import RegistryService

ITEM = SchemaBuilder.struct().name("shop.Item").field("sku", STRING).field("count", INT32).build()
VALUE = {"sku": "é😀", "count": 7}
FIELDS: list[dict[str, Any]] = [{"name": "sku", "type": "string"}, {"name": "count", "type": "int"}]
TEXT = json.dumps({"type": "record", "name": "Item", "namespace": "shop", "fields": FIELDS})
WIDER = json.dumps(
    {"type": "record", "name": "Item", "namespace": "shop", "fields": [*FIELDS, {"name": "b", "type": "int"}]}
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0"})
    yield service.urls[0]
    service.stop()


@pytest.fixture
def subject() -> str:
    return f"a{secrets.token_hex(4)}"


def test_the_life_of_a_subject(url: str, subject: str) -> None:
    async def live() -> None:
        async with AsyncSchemaRegistryClient({"url": url}) as client:
            first = await client.register_schema(subject, ClientSchema(TEXT, "AVRO"))
            full = await client.register_schema_full_response(subject, ClientSchema(TEXT, "AVRO"))
            assert (full.schema_id, full.version) == (first, 1)
            assert (await client.lookup_schema(subject, ClientSchema(TEXT, "AVRO"))).version == 1
            assert not await client.test_compatibility(subject, ClientSchema(WIDER, "AVRO"))
            assert not await client.test_compatibility_all_versions(subject, ClientSchema(WIDER, "AVRO"))
            with pytest.raises(SchemaRegistryError) as refused:
                await client.register_schema(subject, ClientSchema(WIDER, "AVRO"))
            assert (refused.value.http_status_code, refused.value.error_code) == (409, 40901)
            await client.set_config(subject, ServerConfig(compatibility=ConfigCompatibilityLevel.NONE))
            second = await client.register_schema(subject, ClientSchema(WIDER, "AVRO"))
            assert (await client.get_latest_version(subject)).schema_id == second
            assert await client.get_versions(subject) == [1, 2]
            assert json.loads((await client.get_schema(first)).schema_str) == json.loads(TEXT)
            assert json.loads((await client.get_schema_by_guid(full.guid)).schema_str) == json.loads(TEXT)
            assert [(one.subject, one.version) for one in await client.get_schema_versions(first)] == [(subject, 1)]
            assert await client.get_referenced_by(subject, "1") == []
            assert "AVRO" in await client.get_schema_types()
            assert "." in await client.get_contexts()
            await client.delete_config(subject)
            await client.update_mode(subject, "READONLY")
            assert await client.get_mode(subject) == "READONLY"
            await client.delete_mode(subject)
            assert await client.delete_version(subject, 2) == 2
            assert await client.delete_subject(subject) == [1]
            assert await client.delete_subject(subject, permanent=True) == [1, 2]

    asyncio.run(live())


def test_data_passes_both_ways(url: str, subject: str) -> None:
    ours = AvroConverter()
    ours.configure({"schema.registry.url": url}, is_key=False)
    data = ours.from_connect(subject, ITEM, VALUE)
    context = SerializationContext(subject, MessageField.VALUE)

    async def asynchronously() -> None:
        async with AsyncSchemaRegistryClient({"url": url}) as client:
            read = await (await AsyncAvroDeserializer(client))(data, context)
            assert read == VALUE
            serializer = await AsyncAvroSerializer(client, TEXT)
            encoded = await serializer(VALUE, SerializationContext(f"{subject}-2", MessageField.VALUE))
            assert ours.to_connect(subject, encoded).value == VALUE

    asyncio.run(asynchronously())
