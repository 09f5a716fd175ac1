"""Confluent's Python client against our registry, and its Avro serializers against our Avro converter, over HTTP."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import time
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry import Schema as ClientSchema
from confluent_kafka.schema_registry import SchemaReference as ClientReference
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from lab.worker_process import WorkerProcess, free_port
from penstock.data import (
    DATE,
    INT32,
    INT64,
    OPTIONAL_STRING,
    STRING,
    TIMESTAMP,
    Schema,
    SchemaBuilder,
    decimal_schema,
)
from penstock_converters.avro.converter import AvroConverter
from penstock_registry.server.service import RegistryService


@pytest.fixture(scope="module", params=["embedded", "standalone"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry inside this process, and one of its own process started by the command line."""
    if request.param == "embedded":
        service = RegistryService()
        service.start({"listeners": "http://127.0.0.1:0"})
        yield service.urls[0]
        service.stop()
        return
    folder = tmp_path_factory.mktemp("registry")
    base = f"http://127.0.0.1:{free_port()}"
    properties = folder / "registry.properties"
    properties.write_text(f"listeners={base}\nschema.compatibility.level=backward\n")
    with WorkerProcess(["registry", properties], folder / "log") as process:
        wait_until_it_answers(process, base)
        yield base
        assert process.stop() == 0


def wait_until_it_answers(process: WorkerProcess, base: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        process.check()
        try:
            with urllib.request.urlopen(base, timeout=10) as answer:
                assert answer.status == 200
                return
        except OSError:
            assert time.monotonic() < deadline, process.log()
            time.sleep(0.05)


@pytest.fixture
def client(url: str) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": url})


@pytest.fixture
def subject() -> str:
    return f"s{secrets.token_hex(4)}"


def avro(text: Any) -> ClientSchema:
    return ClientSchema(json.dumps(text), "AVRO")


def record(name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields)}


A, B = {"name": "a", "type": "int"}, {"name": "b", "type": "string", "default": ""}


def test_register_lookup_and_read_back(client: SchemaRegistryClient, subject: str) -> None:
    first = client.register_schema(subject, avro(record("R", A)))
    assert client.register_schema(subject, avro(record("R", A))) == first
    second = client.register_schema(subject, avro(record("R", A, B)))
    assert second != first
    assert client.get_versions(subject) == [1, 2]
    assert client.lookup_schema(subject, avro(record("R", A))).version == 1
    latest = client.get_latest_version(subject)
    assert (latest.schema_id, latest.version) == (second, 2)
    assert json.loads(client.get_schema(first).schema_str) == record("R", A)
    assert subject in client.get_subjects()


def test_incompatible_schemas_are_refused_until_the_config_allows_them(
    client: SchemaRegistryClient, subject: str
) -> None:
    client.register_schema(subject, avro(record("R", A)))
    wanted = avro(record("R", A, {"name": "b", "type": "string"}))
    assert not client.test_compatibility(subject, wanted)
    with pytest.raises(SchemaRegistryError) as refused:
        client.register_schema(subject, wanted)
    assert (refused.value.http_status_code, refused.value.error_code) == (409, 40901)
    client.set_config(subject, ServerConfig(compatibility=ConfigCompatibilityLevel.FORWARD))
    assert client.get_config(subject).compatibility_level == "FORWARD"
    assert client.test_compatibility(subject, wanted)
    client.register_schema(subject, wanted)
    assert client.get_versions(subject) == [1, 2]


def test_deleting_softly_and_for_good(client: SchemaRegistryClient, subject: str) -> None:
    client.register_schema(subject, avro(record("R", A)))
    assert client.delete_subject(subject) == [1]
    assert subject not in client.get_subjects()
    assert subject in client.get_subjects(deleted=True)
    assert client.delete_subject(subject, permanent=True) == [1]
    with pytest.raises(SchemaRegistryError) as gone:
        client.get_versions(subject)
    assert gone.value.error_code == 40401


def test_references_resolve(client: SchemaRegistryClient, subject: str) -> None:
    client.register_schema(f"{subject}-a", avro(record("Addr", A)))
    reference = ClientReference("Addr", f"{subject}-a", 1)
    text = json.dumps(record("Person", {"name": "at", "type": "Addr"}))
    schema_id = client.register_schema(subject, ClientSchema(text, "AVRO", [reference]))
    found = client.get_schema(schema_id)
    assert [(r.name, r.subject, r.version) for r in found.references] == [("Addr", f"{subject}-a", 1)]


NESTED = SchemaBuilder.struct().name("shop.Item").field("sku", STRING).field("count", INT32).build()
CASES: dict[str, tuple[Schema, dict[str, Any]]] = {
    "flat": (
        SchemaBuilder.struct().name("shop.Flat").field("id", INT64).field("name", OPTIONAL_STRING).build(),
        {"id": 2**40, "name": None},
    ),
    "nested": (
        SchemaBuilder.struct()
        .name("shop.Order")
        .field("items", SchemaBuilder.array(NESTED).build())
        .field("labels", SchemaBuilder.map(STRING, STRING).build())
        .build(),
        {"items": [{"sku": "a", "count": 1}, {"sku": "b", "count": 2}], "labels": {"k": "v"}},
    ),
    "logical": (
        SchemaBuilder.struct()
        .name("shop.Payment")
        .field("day", DATE)
        .field("at", TIMESTAMP)
        .field("amount", decimal_schema(2))
        .build(),
        {
            "day": dt.date(2026, 2, 28),
            "at": dt.datetime(2026, 2, 28, 12, 30, 15, 250000, dt.UTC),
            "amount": Decimal("12.34"),
        },
    ),
}


def converter(url: str) -> AvroConverter:
    made = AvroConverter()
    made.configure({"schema.registry.url": url}, is_key=False)
    return made


def context(topic: str) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE)


@pytest.mark.parametrize("case", CASES)
def test_the_client_reads_what_the_converter_wrote(
    case: str, url: str, client: SchemaRegistryClient, subject: str
) -> None:
    schema, value = CASES[case]
    data = converter(url).from_connect(subject, schema, value)
    assert data is not None
    assert client.get_versions(f"{subject}-value") == [1]
    assert AvroDeserializer(client)(data, context(subject)) == value


@pytest.mark.parametrize("case", CASES)
def test_the_converter_reads_what_the_client_wrote(
    case: str, url: str, client: SchemaRegistryClient, subject: str
) -> None:
    schema, value = CASES[case]
    ours = converter(url)
    ours.from_connect(f"{subject}-pattern", schema, value)
    text = client.get_latest_version(f"{subject}-pattern-value").schema.schema_str
    data = AvroSerializer(client, text)(value, context(subject))
    read = ours.to_connect(subject, data)
    # A struct that comes from a registry has its version there as the schema's.
    assert read.schema == schema.replace(version=1)
    assert read.value == value


def test_a_converter_beside_the_registry_needs_no_http(subject: str) -> None:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0", "registry.name": subject})
    try:
        schema, value = CASES["nested"]
        ours = converter(f"local://{subject}")
        data = ours.from_connect(subject, schema, value)
        assert ours.to_connect(subject, data).value == value
        remote = SchemaRegistryClient({"url": service.urls[0]})
        assert remote.get_versions(f"{subject}-value") == [1]
        assert AvroDeserializer(remote)(data, context(subject)) == value
    finally:
        service.stop()
