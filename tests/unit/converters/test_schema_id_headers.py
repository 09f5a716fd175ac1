"""Schema GUIDs in record headers, by all converters that have a registry; and what the worker does with them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from penstock.api import HeaderConverter, Shape
from penstock.data import (
    INT64,
    OPTIONAL_STRING,
    STRING,
    Header,
    Headers,
    Schema,
    SchemaBuilder,
    SinkRecord,
    SourceRecord,
)
from penstock.errors import ConfigError, DataError
from penstock.runtime.assembly import Converters
from penstock.runtime.chain import Chain
from penstock.runtime.sink.conversion import SinkConversion
from penstock.runtime.source.conversion import SourceConversion
from penstock_converters.avro.converter import AvroConverter
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_converters.protobuf.converter import ProtobufConverter
from penstock_converters.registry_converter import RegistryConverter
from penstock_converters.simple.header import SimpleHeaderConverter
from penstock_converters.simple.text import StringConverter
from penstock_registry.client import MemoryClient, RegisteredSchema, register_local, unregister_local
from penstock_registry.guid import content_guid
from penstock_registry.server.direct import DirectClient
from penstock_registry.server.service import RegistryService

NAME = "test-schema-id-headers"
PACKAGE = "io.confluent.kafka.serializers.schema.id."
ROW = SchemaBuilder.struct().name("com.acme.Row").field("id", INT64).field("note", OPTIONAL_STRING).build()
VALUE = {"id": 7, "note": "n"}
ALL = pytest.mark.parametrize("kind", [AvroConverter, JsonSchemaConverter, ProtobufConverter])


@pytest.fixture(autouse=True)
def registry() -> Iterator[MemoryClient]:
    client = MemoryClient()
    register_local(NAME, client)
    yield client
    unregister_local(NAME)


def converter(kind: type[RegistryConverter], is_key: bool = False, **settings: str) -> RegistryConverter:
    made = kind()
    which = "key" if is_key else "value"
    named = {f"{which}.schema.id.{k}": f"{PACKAGE}{v}" for k, v in settings.items()}
    made.configure({"schema.registry.url": f"local://{NAME}", **named}, is_key)
    return made


def writer(kind: type[RegistryConverter], is_key: bool = False) -> RegistryConverter:
    return converter(kind, is_key, serializer="HeaderSchemaIdSerializer")


def written(kind: type[RegistryConverter]) -> tuple[bytes, Headers]:
    headers = Headers()
    data = writer(kind).serializer_with_headers("t", ROW)(VALUE, headers)
    assert data is not None
    return data, headers


@ALL
def test_the_guid_goes_into_a_header_and_the_data_is_left_bare(
    kind: type[RegistryConverter], registry: MemoryClient
) -> None:
    data, headers = written(kind)
    registered = registry.all()[0]
    assert registered.guid == content_guid(registered.schema)
    indexes = b"\x00" if kind is ProtobufConverter else b""
    assert headers == [Header("__value_schema_id", None, b"\x01" + uuid.UUID(registered.guid).bytes + indexes)]
    framed = converter(kind).serializer("t", ROW)(VALUE)
    assert framed == b"\x00\x00\x00\x00\x01" + indexes + data


@ALL
def test_records_with_headers_and_records_with_prefixes_are_read_side_by_side(
    kind: type[RegistryConverter], registry: MemoryClient
) -> None:
    data, headers = written(kind)
    framed = converter(kind).serializer("t", ROW)(VALUE)
    reader = converter(kind)
    read = reader.deserializer_with_headers("t")
    registry.requests.clear()
    for _ in range(3):
        for found in (read(data, headers), read(framed, Headers()), read(framed, Headers().add("other", b"x"))):
            assert found.value == VALUE
            assert found.schema is not None
            assert found.schema.version == 1
        assert read(None, headers).value is None
    # once for each way to name the schema
    assert registry.requests == {"schema_by_guid": 1, "schema_by_id": 1, "lookup": 2}


@ALL
def test_the_guid_may_stand_before_the_data_too(kind: type[RegistryConverter]) -> None:
    data, headers = written(kind)
    assert converter(kind).to_connect("t", headers[0].value + data).value == VALUE


def test_a_header_may_hold_an_id() -> None:
    data, _ = written(AvroConverter)
    headers = Headers().add("__value_schema_id", b"\x00\x00\x00\x00\x01")
    assert converter(AvroConverter).deserializer_with_headers("t")(data, headers).value == VALUE


def test_a_key_has_a_header_of_its_own() -> None:
    headers = Headers()
    data = writer(AvroConverter, is_key=True).serializer_with_headers("t", STRING)("k", headers)
    assert [h.key for h in headers] == ["__key_schema_id"]
    assert converter(AvroConverter, is_key=True).deserializer_with_headers("t")(data, headers).value == "k"


def test_a_header_of_another_topic_is_replaced_and_a_null_writes_none() -> None:
    old = Headers().add("__value_schema_id", b"\x01" + bytes(16)).add("mine", b"1")
    write = writer(AvroConverter).serializer_with_headers("t", ROW.as_optional())
    assert write(None, old) is None
    assert [h.key for h in old] == ["__value_schema_id", "mine"]
    write(VALUE, old)
    assert [h.key for h in old] == ["mine", "__value_schema_id"]
    assert old[1].value != b"\x01" + bytes(16)


def test_the_second_of_two_messages_is_found_by_the_header_s_indexes(registry: MemoryClient) -> None:
    text = 'syntax = "proto3"; message A { int64 id = 1; } message B { string note = 1; }'
    guid = registry.register("t-value", text, "PROTOBUF").guid
    assert guid is not None
    headers = Headers().add("__value_schema_id", b"\x01" + uuid.UUID(guid).bytes + b"\x02\x02")
    assert converter(ProtobufConverter).deserializer_with_headers("t")(b"\x0a\x01x", headers).value == {"note": "x"}


@ALL
def test_an_unknown_guid_is_a_data_error_that_names_it(kind: type[RegistryConverter]) -> None:
    guid = "89791762-2336-186f-7438-1b1df2c8b0a4"
    headers = Headers().add("__value_schema_id", b"\x01" + uuid.UUID(guid).bytes + b"\x00")
    with pytest.raises(DataError) as caught:
        converter(kind).deserializer_with_headers("t")(b"\x02", headers)
    assert f"for GUID {guid}: Schema {guid} not found; error code: 40403" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (AvroConverter, b"\x01" + bytes(15), "has 16 bytes, which begin with 0x01; expected 0x01 and the 16 bytes"),
        (AvroConverter, b"\x02" + bytes(16), "has 17 bytes, which begin with 0x02"),
        (AvroConverter, b"\x00\x00", "has 2 bytes, which begin with 0x00"),
        (JsonSchemaConverter, b"", "has 0 bytes; expected 0x01"),
        (ProtobufConverter, b"\x01" + bytes(16), "no message indexes to read: Payload ends inside"),
    ],
)
def test_a_damaged_header_is_a_data_error_that_says_so(kind: type[RegistryConverter], value: bytes, said: str) -> None:
    with pytest.raises(DataError) as caught:
        converter(kind).deserializer_with_headers("t")(b"\x02", Headers().add("__value_schema_id", value))
    assert said in caught.value.__notes__[0]
    assert "header __value_schema_id" in caught.value.__notes__[0]


def test_a_schema_of_another_language_is_told() -> None:
    data, headers = written(JsonSchemaConverter)
    with pytest.raises(DataError) as caught:
        converter(AvroConverter).deserializer_with_headers("t")(data, headers)
    assert "is a schema of type JSON, not AVRO" in caught.value.__notes__[0]


def test_the_prefix_deserializer_does_not_look_at_headers() -> None:
    data, headers = written(AvroConverter)
    reader = converter(AvroConverter, deserializer="PrefixSchemaIdDeserializer")
    assert not reader.reads_headers
    with pytest.raises(DataError) as caught:
        reader.deserializer_with_headers("t")(data, headers)
    assert "Unknown magic byte!" in caught.value.__notes__[0]


@pytest.mark.parametrize("key", ["value.schema.id.serializer", "value.schema.id.deserializer"])
def test_a_class_that_is_not_confluent_s_is_refused_by_name(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"com\.acme\.Mine.*{key}.*expected one of io\.confluent"):
        AvroConverter().configure({"schema.registry.url": f"local://{NAME}", key: "com.acme.Mine"}, False)


def test_a_schema_chosen_by_its_id_is_written_by_its_guid(registry: MemoryClient) -> None:
    found = registry.register("t-value", '{"type":"record","name":"Row","fields":[{"name":"id","type":"long"}]}')
    made = AvroConverter()
    settings = {"use.schema.id": "1", "auto.register.schemas": "false", "id.compatibility.strict": "false"}
    where = {"schema.registry.url": f"local://{NAME}"}
    made.configure({**where, **settings, "value.schema.id.serializer": f"{PACKAGE}HeaderSchemaIdSerializer"}, False)
    headers = Headers()
    assert made.serializer_with_headers("t", ROW)(VALUE, headers) == b"\x0e"
    assert headers[0].value == b"\x01" + uuid.UUID(found.guid).bytes


class OldRegistry(MemoryClient):
    """One from before there were GUIDs."""

    def register(self, *args: Any, **kwargs: Any) -> RegisteredSchema:
        return replace(super().register(*args, **kwargs), guid=None)

    def lookup(self, *args: Any, **kwargs: Any) -> RegisteredSchema:
        return replace(super().lookup(*args, **kwargs), guid=None)


@ALL
def test_a_registry_without_guids_is_refused_in_words_that_help(kind: type[RegistryConverter]) -> None:
    register_local(NAME, OldRegistry())
    with pytest.raises(DataError) as caught:
        written(kind)
    assert "this registry has no GUIDs, which HeaderSchemaIdSerializer writes" in caught.value.__notes__[0]


def test_the_memory_s_guids_are_the_server_s() -> None:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0"})
    try:
        local = DirectClient(service.registry)
        registered = local.register("s", '"int"')
        assert registered.guid == content_guid('"int"')
        found = local.schema_by_guid(content_guid('"int"'))
        assert (found.id, found.schema, found.schema_type) == (-1, '"int"', "AVRO")
    finally:
        service.stop()


# --- in the worker


class Message:
    """What a consumer hands over, as far as a conversion looks at it."""

    def __init__(self, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]] | None) -> None:
        self._parts = key, value, headers

    def key(self) -> bytes | None:
        return self._parts[0]

    def value(self) -> bytes | None:
        return self._parts[1]

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self._parts[2]

    def timestamp(self) -> tuple[int, int]:
        return 1, 5


def converters(value: RegistryConverter) -> Converters:
    key, header = StringConverter(), SimpleHeaderConverter()
    key.configure({}, True)
    header.configure({})
    assert isinstance(header, HeaderConverter)
    return Converters(key, value, header, "K", "V", "H")


def sent(value: RegistryConverter, *records: SourceRecord) -> list[Any]:
    conversion = SourceConversion(Chain([]), converters(value))
    shape = Shape("t", STRING, ROW)
    return [conversion.bind(shape, lambda topic: None)(record) for record in records]


def record(schema: Schema = ROW, **headers: str) -> SourceRecord:
    made = SourceRecord("t", None, STRING, "k", schema, VALUE)
    for name, text in headers.items():
        made.headers.add(name, text, STRING)
    return made


def test_a_worker_sends_the_header_raw_beside_the_record_s_own(registry: MemoryClient) -> None:
    given = record(mine="1")
    first, second = sent(writer(AvroConverter), given, record())
    guid = b"\x01" + uuid.UUID(registry.all()[0].guid).bytes
    assert first[5] == [("mine", b"1"), ("__value_schema_id", guid)]
    assert second[5] == [("__value_schema_id", guid)]
    assert first[1] == second[1] == written(AvroConverter)[0]
    assert [h.key for h in given.headers] == ["mine"]  # the connector's record stays as it is
    assert registry.requests["register"] == 2  # once by the worker's converter, once by `written`'s


def test_a_headers_name_with_half_of_a_surrogate_pair_goes_out_as_java_writes_it() -> None:
    """The client library ends the process at such a name."""
    given = record()
    given.headers.add("cut \ud83d", "1", STRING)
    given.headers.add("whole \U0001f600", "2", STRING)
    (out,) = sent(writer(AvroConverter), given)
    assert [name for name, _ in out[5]][:2] == ["cut ?", "whole \U0001f600"]


def test_a_worker_reads_what_it_sent_and_leaves_the_header(registry: MemoryClient) -> None:
    out = sent(writer(AvroConverter), record(mine="1"))[0]
    prefixed = converter(AvroConverter).serializer("t", ROW)(VALUE)
    conversion = SinkConversion(Chain([]), converters(converter(AvroConverter)))
    registry.requests.clear()
    for message in (Message(out[2], out[1], out[5]), Message(b"k", prefixed, None), Message(out[2], out[1], out[5])):
        found = conversion.record(message, "t", 0, 0)  # type: ignore[arg-type]  # a message of the test's own
        assert isinstance(found, SinkRecord)
        assert (found.key, found.value) == ("k", VALUE)
        assert [h.key for h in found.headers] == [name for name, _ in message.headers() or []]
    assert registry.requests["schema_by_guid"] == 1


def test_converters_without_the_settings_are_bound_without_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("the form with headers was asked for")

    monkeypatch.setattr(RegistryConverter, "serializer_with_headers", refuse)
    monkeypatch.setattr(RegistryConverter, "deserializer_with_headers", refuse)
    out = sent(converter(AvroConverter), record(mine="1"))[0]
    conversion = SinkConversion(Chain([]), converters(converter(AvroConverter)))
    found = conversion.record(Message(out[2], out[1], None), "t", 0, 0)  # type: ignore[arg-type]  # the test's own
    assert found is not None
    assert found.value == VALUE
