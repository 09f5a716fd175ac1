"""KafkaJS's registry client (Node) against our registry, and its encoders against our converters, both ways."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.npm import fetch_packages, has_node, run_script
from penstock.data import INT32, STRING, SchemaBuilder
from penstock_converters.avro.converter import AvroConverter
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_converters.protobuf.converter import ProtobufConverter
from penstock_registry.server.service import RegistryService

pytestmark = pytest.mark.skipif(not has_node(), reason="no node and npm on PATH (apt-get install nodejs npm)")
HERE = Path(__file__).parent / "npm"

ITEM = SchemaBuilder.struct().name("shop.Item").field("sku", STRING).field("count", INT32).build()
VALUE = {"sku": "é😀", "count": 7}
CONVERTERS = {"AVRO": AvroConverter, "JSON": JsonSchemaConverter, "PROTOBUF": ProtobufConverter}
SCHEMAS = {
    "AVRO": json.dumps(
        {
            "type": "record",
            "name": "Item",
            "namespace": "shop",
            "fields": [{"name": "sku", "type": "string"}, {"name": "count", "type": "int"}],
        }
    ),
    "JSON": json.dumps(
        {
            "type": "object",
            "title": "shop.Item",
            "properties": {"sku": {"type": "string"}, "count": {"type": "integer", "connect.type": "int32"}},
            "required": ["sku", "count"],
        }
    ),
    "PROTOBUF": 'syntax = "proto3"; package shop; message Item { string sku = 1; int32 count = 2; }',
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0"})
    yield service.urls[0]
    service.stop()


@pytest.fixture(scope="module")
def packages() -> Path:
    return fetch_packages(HERE / "package.json")


@pytest.fixture
def subject() -> str:
    return f"k{secrets.token_hex(4)}"


def call(packages: Path, url: str, *calls: list[Any]) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = run_script(HERE / "client.cjs", packages, {"host": url, "calls": calls})
    return answers


@pytest.mark.parametrize("kind", CONVERTERS)
def test_schemas_and_data_pass_between_the_client_and_a_converter(
    kind: str, packages: Path, url: str, subject: str
) -> None:
    made = CONVERTERS[kind]()
    made.configure({"schema.registry.url": url}, is_key=False)
    ours = made.from_connect(subject, ITEM, VALUE)
    assert ours is not None
    theirs = f"{subject}-theirs"
    schema = {"type": kind, "schema": SCHEMAS[kind]}
    registered, again, found, latest, by_version, decoded = call(
        packages,
        url,
        ["register", schema, {"subject": theirs}],
        ["register", schema, {"subject": theirs}],
        ["getRegistryIdBySchema", theirs, schema],
        ["getLatestSchemaId", theirs],
        ["getRegistryId", theirs, 1],
        ["decode", {"base64": base64.b64encode(ours).decode()}],
    )
    schema_id = registered["value"]["id"]
    assert again == registered
    assert found == latest == by_version == {"value": schema_id}
    assert decoded == {"value": VALUE}
    (encoded,) = call(packages, url, ["encode", schema_id, VALUE])
    data = base64.b64decode(encoded["bytes"])
    if kind == "PROTOBUF":
        # This client leaves out the message's indexes, which Confluent's format has after the id.
        data = data[:5] + b"\x00" + data[5:]
    assert made.to_connect(subject, data).value == VALUE


def test_what_is_refused_reaches_the_client_as_such(packages: Path, url: str, subject: str) -> None:
    record = {"type": "record", "name": "R", "namespace": "n", "fields": []}
    incompatible = {**record, "fields": [{"name": "a", "type": "int"}]}
    options = {"subject": subject, "compatibility": "BACKWARD"}
    made, missing, refused, changed = call(
        packages,
        url,
        ["register", {"type": "AVRO", "schema": json.dumps(record)}, options],
        ["getSchema", 99999],
        ["register", {"type": "AVRO", "schema": json.dumps(incompatible)}, options],
        ["register", {"type": "AVRO", "schema": json.dumps(record)}, {**options, "compatibility": "FULL"}],
    )
    assert made["value"]["id"] >= 1
    assert (missing["status"], missing["error"]) == (404, "Confluent_Schema_Registry - Schema 99999 not found")
    assert refused["status"] == 409
    assert "READER_FIELD_MISSING_DEFAULT_VALUE" in refused["error"]
    # A level that is not the one it finds: the client compares it with what GET /config told.
    assert "does not match the configuration" in changed["error"]
