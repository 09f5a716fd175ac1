"""What a user is told of a record that no converter can read or write: who, where, which field, and what to do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from penstock.api import Converter, Shape, SinkTask
from penstock.data import INT32, INT64, STRING, TIMESTAMP, SchemaBuilder, SourceRecord
from penstock.plugins import PluginKind, Plugins
from penstock.runtime.assembly import Converters
from penstock.runtime.chain import Chain
from penstock.runtime.conversion import locate
from penstock.runtime.sink import SinkTaskParts, WorkerSinkTask
from penstock.runtime.sink.conversion import SinkConversion
from penstock.runtime.source.conversion import SourceConversion
from penstock.runtime.status import ConnectorTaskId, TargetState
from penstock.runtime.tolerance import ErrorPolicy, RecordFailure, ToleranceExceeded
from penstock.testing.fake_kafka import FakeConsumer, FakeMessage
from penstock_registry.client import drop_mock, mock_client

PLUGINS = Plugins.discover()
TASK = ConnectorTaskId("archive", 0)
INNER = SchemaBuilder.struct().name("a.In").field("x", INT32).field("s", STRING).field("at", TIMESTAMP).build()
ROW = SchemaBuilder.struct().name("a.Row").field("id", INT64).field("in", INNER).build()
INSIDE = {"x": 2, "s": "abc", "at": dt.datetime(2024, 1, 1, tzinfo=dt.UTC)}
FORMATS = {
    "avro": "AvroConverter",
    "protobuf": "ProtobufConverter",
    "jsonschema": "JsonSchemaConverter",
    "json": "JsonConverter",
}
WITH_REGISTRY = ("avro", "protobuf", "jsonschema")


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    drop_mock("failures")
    yield
    drop_mock("failures")


def converter(name: str) -> Converter:
    made: Converter = PLUGINS.new(PluginKind.CONVERTER, name)
    made.configure({} if name in ("json", "string") else {"schema.registry.url": "mock://failures"}, False)
    return made


def converters(name: str) -> Converters:
    headers: Any = PLUGINS.new(PluginKind.HEADER_CONVERTER, "simple")
    return Converters(converter("string"), converter(name), headers, "StringConverter", FORMATS[name], "Simple")


class Nothing(SinkTask):
    def start(self, props: Any) -> None: ...

    def put(self, records: Any) -> None: ...

    def stop(self) -> None: ...


def told_of(name: str, data: bytes) -> str:
    """The error with which a sink task ends that consumes `data` at offset 41."""
    consumer = FakeConsumer()

    def make(extra: Any, **callbacks: Callable[..., Any]) -> Any:
        consumer.on_commit = callbacks["on_commit"]
        return consumer

    class Quiet:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *args: None

    listener: Any = Quiet()
    topics: list[str] = []
    loop = WorkerSinkTask(TASK, listener, TargetState.STARTED, SinkTaskParts(
        Nothing(), {}, dict, SinkConversion(Chain(()), converters(name), False), ErrorPolicy(TASK), make, ["orders"], 500,
        False, 60.0, 1.0, topics.append, reports=False,
    ))  # fmt: skip
    loop.initialize()
    consumer.assign_now(("orders", 0))
    consumer.feed(FakeMessage("orders", data, b"k", 0, 41, timestamp=5))
    with pytest.raises(ToleranceExceeded) as caught:
        loop.iterate()
    told = "\n".join(map(str, (caught.value, *getattr(caught.value, "__notes__", ()))))
    assert "archive|task-0" in told
    assert "topic orders, partition 0, offset 41" in told
    assert f"VALUE_CONVERTER ({FORMATS[name]})" in told
    return told


def written(name: str) -> bytes:
    data = converter(name).from_connect("orders", ROW, {"id": 1, "in": INSIDE})
    assert data is not None
    return data


@pytest.mark.parametrize("name", WITH_REGISTRY)
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a":1}', "looks like JSON text; JsonConverter reads it"),
        (b"Obj\x01\x04\x14avro", "is an Avro object container (it starts with 'Obj', version 1)"),
        ("grüße".encode(), "looks like plain text; StringConverter reads it"),
        (b"", "The payload is empty; a schema id needs five bytes"),
        (b"\0\0\0", "has only 3 of the 5 bytes"),
        (b"\x05\xc8\x01", "is binary; ByteArrayConverter passes it on as it is"),
        (b"\0\0\0\0\x63abc", "for id 99: Subject Not Found; error code: 40401"),
        (bytes(8) + b"\x07abc", "the payload may have an id of eight bytes, 7"),
    ],
)
def test_bytes_that_are_no_frame_are_told_by_what_they_look_like(name: str, data: bytes, said: str) -> None:
    assert said in told_of(name, data)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("avro", "for id 1: the data ends too early (field in.at)"),
        ("protobuf", "Wire format was corrupt (field in)"),
        ("jsonschema", "for id 1: Invalid JSON: Expecting ',' delimiter"),
        ("json", "(Invalid JSON: Expecting ',' delimiter"),
    ],
)
def test_a_truncated_payload_is_told_with_the_field_it_ends_in(name: str, said: str) -> None:
    assert said in told_of(name, written(name)[:-2])


@pytest.mark.parametrize(
    ("name", "said"), [("avro", "a string is not UTF-8"), ("protobuf", "String field had bad UTF-8")]
)
def test_text_that_is_no_utf_8_is_told_with_its_field(name: str, said: str) -> None:
    told = told_of(name, written(name).replace(b"abc", b"\xff\xfe\xfd"))
    assert said in told
    assert "(field in.s)" in told


def test_a_frame_of_another_format_is_told() -> None:
    data = written("avro")
    assert "Schema id 1 is a schema of type AVRO, not PROTOBUF" in told_of("protobuf", data)
    assert "Schema id 1 is a schema of type AVRO, not JSON" in told_of("jsonschema", data)
    assert "data behind schema id 1 of a registry" in told_of("json", data)


@pytest.mark.parametrize("name", ["json", "jsonschema"])
def test_json_of_another_type_is_told_with_the_whole_path(name: str) -> None:
    data = written(name).replace(b'"at":17', b'"at":"x","y":17')
    told = told_of(name, data)
    assert "Invalid type for Timestamp, underlying representation should be integral but was STRING" in told
    assert "(Field: in.at)" in told


def test_a_message_that_is_no_value_of_connect_s_is_told_with_its_field() -> None:
    text = (
        'syntax = "proto3"; import "google/protobuf/timestamp.proto"; message M { I in = 1; message I { repeated '
        "google.protobuf.Timestamp at = 1; map<string, google.protobuf.Timestamp> by = 2; } }"
    )
    mock_client("failures").register("orders-value", text, "PROTOBUF")
    bad = b"\x10\x80\x94\xeb\xdc\x03"  # 1,000,000,000 nanoseconds
    by_list, by_map = b"\x0a\x06" + bad, b"\x12\x0b\x0a\x01k\x12\x06" + bad
    for inner, field in ((by_list, "at"), (by_map, "by")):
        told = told_of("protobuf", b"\0\0\0\0\x01\0" + b"\x0a" + bytes([len(inner)]) + inner)
        assert "Timestamp is not valid: nanos 1000000000" in told
        assert f"(Field: in.{field})" in told


def refused(name: str, value: Any) -> str:
    """What is told of a source record that cannot be written."""
    record = SourceRecord(
        source_partition={"f": 1}, source_offset={"o": 2}, topic="orders", value_schema=ROW, value=value
    )
    write = SourceConversion(Chain(()), converters(name)).bind(Shape("orders", None, ROW), lambda topic: None)
    with pytest.raises(Exception, match="VALUE_CONVERTER") as caught:
        write(record)
    stage, class_name, error = locate(caught.value)
    return RecordFailure(TASK, stage, class_name, error, "source offset {'o': 2}", record).describe()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": "no"}, "Invalid type for INT32: class java.lang.String"),
        ({"x": 2**40}, "Value 1099511627776 does not fit schema type INT32"),
        ({"x": None}, "null"),
        ({"at": 5}, "Invalid type for Timestamp, expected Date but was class java.lang.Long"),
    ],
)
def test_a_value_that_cannot_be_written_is_told_with_its_field(name: str, change: dict[str, Any], said: str) -> None:
    if (name, change) == ("jsonschema", {"x": None}):
        assert converter(name).from_connect("orders", ROW, {"id": 1, "in": {**INSIDE, **change}})  # as on the JVM
        return
    told = refused(name, {"id": 1, "in": {**INSIDE, **change}})
    assert said in told
    assert f"(Field: in.{next(iter(change))})" in told
    assert "archive|task-0" in told
    assert "source offset {'o': 2}" in told
