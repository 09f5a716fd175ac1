"""JSON behind a schema id: our converter against Confluent's Python JSON serializers, with and without validation.

    python benchmarks/jsonschema_codec.py [records]

Prints microseconds of CPU a record (best of five) and the ratio. Both sides use one embedded registry over HTTP, whose
answers they keep, and read the same bytes. Confluent's serializer always validates what it has a schema for, so its
time is the same in both rows.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from penstock.data import (
    BOOLEAN,
    FLOAT64,
    INT32,
    INT64,
    OPTIONAL_FLOAT64,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    STRING,
    SchemaBuilder,
)
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_registry.server.service import RegistryService

SCHEMA = (
    SchemaBuilder.struct().name("com.example.Order").version(1)
    .field("id", INT64).field("customer", STRING).field("quantity", INT32).field("price", FLOAT64)
    .field("paid", BOOLEAN).field("note", OPTIONAL_STRING).field("discount", OPTIONAL_FLOAT64).field("parent", OPTIONAL_INT64)
    .build()
)  # fmt: skip


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": 1_700_000_000_000 + i, "customer": f"customer-{i % 997}", "quantity": i % 50, "price": round(1.25 * i + 0.01, 2),
            "paid": i % 3 == 0, "note": None if i % 4 else f"note number {i}", "discount": (i % 100) / 100, "parent": None if i % 2 else i,
        }
        for i in range(count)
    ]  # fmt: skip


def best(work: Callable[[Any], Any], items: list[Any]) -> float:
    """Microseconds of CPU an item, the best of five rounds."""
    times = []
    for _ in range(5):
        start = time.process_time()
        for item in items:
            work(item)
        times.append(time.process_time() - start)
    return min(times) / len(items) * 1e6


def converter(url: str, validate: bool) -> JsonSchemaConverter:
    made = JsonSchemaConverter()
    made.configure({"schema.registry.url": url, "json.fail.invalid.schema": str(validate).lower()}, is_key=False)
    return made


def main(count: int = 2_000) -> None:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0"})
    try:
        compare(service.urls[0], count)
    finally:
        service.stop()


def compare(url: str, count: int) -> None:
    data = rows(count)
    plain, checked = converter(url, False), converter(url, True)
    messages = [plain.from_connect("t", SCHEMA, row) for row in data]
    client = SchemaRegistryClient({"url": url})
    text = client.get_latest_version("t-value").schema.schema_str
    assert text is not None
    context = SerializationContext("t", MessageField.VALUE)
    write, read = JSONSerializer(text, client), JSONDeserializer(None, schema_registry_client=client)
    theirs_write, theirs_read = best(lambda r: write(r, context), data), best(lambda m: read(m, context), messages)
    table = [
        ("write", best(plain.serializer("t", SCHEMA), data), theirs_write),
        ("write, validated", best(checked.serializer("t", SCHEMA), data), theirs_write),
        ("read", best(plain.deserializer("t"), messages), theirs_read),
        ("read, validated", best(checked.deserializer("t"), messages), theirs_read),
    ]
    print(f"{count} records of 8 mixed fields, microseconds of CPU a record")
    print(f"{'':20}{'penstock':>10}{'confluent':>11}{'ratio':>8}")
    for name, mine, theirs in table:
        print(f"{name:20}{mine:10.2f}{theirs:11.2f}{theirs / mine:7.1f}x")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
