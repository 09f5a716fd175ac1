"""The log a registry writes is Confluent's, record for record, and a registry that reads it knows the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.api import ParsedSchema, SchemaFormat, SchemaReference
from penstock.errors import SerializationError
from penstock_registry.server.formats import Formats
from penstock_registry.server.http.app import make_app
from penstock_registry.server.registry import Registry
from penstock_registry.store import MemoryStore, NoopKey, SchemaKey, StoreRecord, UnknownKey
from penstock_registry.store.records import decode_key, decode_value, encode_key, encode_value

RECORDED = json.loads((Path(__file__).parents[2] / "vectors/schemas_topic.json").read_text())
#: What the recorded server made of the two texts that are not Avro.
CANONICAL = {
    request["body"]["schema"]: request["response"]["schema"]
    for request in RECORDED["requests"]
    if request["body"] and request["body"].get("schemaType") in ("JSON", "PROTOBUF")
}


class AsRecorded:
    def __init__(self, schema_type: str, text: str) -> None:
        self.schema_type = schema_type
        self.canonical = CANONICAL.get(text, text)
        self.references: Sequence[SchemaReference] = ()
        self.name = None

    def normalized(self) -> ParsedSchema:
        return self

    def formatted(self, form: str) -> str:
        return self.canonical

    def incompatibilities(self, previous: ParsedSchema) -> list[str]:
        return []


class RecordedFormat(SchemaFormat):
    def __init__(self, schema_type: str) -> None:
        self.schema_type = schema_type

    def parse(
        self, text: str, references: Sequence[SchemaReference] = (), resolved: Mapping[str, str] | None = None
    ) -> ParsedSchema:
        return AsRecorded(self.schema_type, text)


def registry_over(store: MemoryStore) -> Registry:
    formats = {name: (lambda name=name: RecordedFormat(name)) for name in ("JSON", "PROTOBUF")}
    registry = Registry(store, Formats(formats))
    registry.start()
    return registry


def client_of(registry: Registry) -> httpx.AsyncClient:
    app = make_app(registry, version="1", identity={}, max_request_size=10**6)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://registry")  # type: ignore[arg-type]  # our scope is httpx' scope


def shown(records: Sequence[StoreRecord]) -> list[tuple[str, Any]]:
    """Keys to the byte, values as objects: the recorded server dropped rule sets."""
    result = []
    for record in records:
        value = None if record.value is None else {k: v for k, v in record.value.items() if k != "ruleSet"}
        result.append((encode_key(record.key).decode(), value))
    return result


@pytest.mark.anyio
async def test_the_recorded_requests_write_the_recorded_log() -> None:
    kept: list[StoreRecord] = []
    async with client_of(registry_over(MemoryStore(keep=kept))) as client:
        first = RECORDED["requests"][0]["from_offset"]
        for request in RECORDED["requests"]:
            answer = await client.request(
                request["method"],
                request["path"],
                params=request["query"] and [tuple(entry) for entry in request["query"]],
                content=None if request["body"] is None else json.dumps(request["body"]),
            )
            assert answer.status_code == request["status"], (request, answer.text)
            recorded = RECORDED["records"][first : request["to_offset"]]
            wanted = [(record["key_raw"], record["value"]) for record in recorded]
            assert shown(kept) == wanted, request


def log_as_records() -> list[StoreRecord]:
    return [
        StoreRecord(
            decode_key(record["key_raw"].encode()),
            decode_value(record["value_raw"] and record["value_raw"].encode()),
            record["timestamp_ms"],
        )
        for record in RECORDED["records"]
    ]


@pytest.mark.parametrize("record", RECORDED["records"], ids=lambda record: str(record["offset"]))
def test_keys_and_values_keep_their_bytes(record: Mapping[str, Any]) -> None:
    assert encode_key(decode_key(record["key_raw"].encode())).decode() == record["key_raw"]
    raw = record["value_raw"]
    value = encode_value(decode_value(raw and raw.encode()))
    assert (value and value.decode()) == raw


def test_a_registry_that_reads_a_log_knows_what_its_writer_knew() -> None:
    registry = registry_over(MemoryStore(log_as_records()))
    assert registry.subjects(":*:") == ["imp2", "j", "meta", "p", "ref", "usesref"]
    assert registry.version("imp2", -1).id == 500
    assert registry.catalog.max_id(".") == 500
    assert registry.referenced_by("ref", 1) == [6]
    assert registry.version("meta", 1).content.guid == "9aea4cb1-980e-d501-2199-accce223ecd9"
    assert registry.version("usesref", 1).content.guid == "162e7a48-6725-35da-4c50-d88748bdf6d6"


@pytest.mark.parametrize("keep", ["all", "latest"])
def test_a_compacted_log_says_the_same(keep: str) -> None:
    records = log_as_records()
    if keep == "latest":
        latest = {record.key: index for index, record in enumerate(records)}
        records = [record for index, record in enumerate(records) if latest[record.key] == index]
    registry = registry_over(MemoryStore(records))
    assert [(s.subject, s.version, s.id) for s in registry.schemas(":*:")] == [
        ("imp2", 3, 500), ("j", 1, 3), ("meta", 1, 7), ("p", 1, 4), ("ref", 1, 5), ("usesref", 1, 6),
    ]  # fmt: skip


def test_a_key_of_an_unknown_kind_is_passed_over() -> None:
    raw = b'{"keytype":"ASSOC","tenant":"default","guid":"g","magic":0}'
    key = decode_key(raw)
    assert key == UnknownKey(raw)
    assert encode_key(key) == raw
    registry = registry_over(MemoryStore([StoreRecord(key, {"x": 1}, 0), StoreRecord(NoopKey(), None, 0)]))
    assert registry.subjects(":*:", deleted=True) == []


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'"x"', b'{"magic":0}', b'{"keytype":"SCHEMA"}'])
def test_what_is_no_key_is_refused(raw: bytes) -> None:
    with pytest.raises(SerializationError, match="Not a key of a schema log"):
        decode_key(raw)


def value_of(subject: str, version: int, schema_id: int, text: str) -> StoreRecord:
    value = {"subject": subject, "version": version, "id": schema_id, "schema": text, "deleted": False}
    return StoreRecord(SchemaKey(subject, version), value, 0)


def test_the_first_record_of_an_id_wins(caplog: pytest.LogCaptureFixture) -> None:
    registry = registry_over(MemoryStore([value_of("a", 1, 1, '"int"'), value_of("b", 1, 1, '"long"')]))
    found = registry.by_id(1)
    assert found is not None
    assert found.content.text == '"int"'
    assert registry.subjects(":*:") == ["a"]
    assert "one id never means two schemas" in caplog.text


def test_the_same_id_in_two_contexts_may_mean_two_schemas() -> None:
    registry = registry_over(MemoryStore([value_of("a", 1, 1, '"int"'), value_of(":.c:b", 1, 1, '"long"')]))
    default, other = registry.by_id(1), registry.by_id(1, ":.c:")
    assert default is not None
    assert other is not None
    assert (default.content.text, other.content.text) == ('"int"', '"long"')
    assert registry.catalog.contexts() == [".", ".c"]
