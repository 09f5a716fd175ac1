"""``timestamp.precision``: what stands on the wire, what is read back, and what others make of it."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Iterator
from typing import Any

import fastavro
import pytest
from google.protobuf import timestamp_pb2
from hypothesis import given
from hypothesis import strategies as st

from penstock.api import Converter
from penstock.config.info import config_infos
from penstock.data import INT64, STRING, TIMESTAMP, TIMESTAMP_NAME, Schema, SchemaBuilder, Type
from penstock.data.nanos import timestamp_from_micros, timestamp_from_nanos, timestamp_to_nanos
from penstock.errors import ConfigError, DataError
from penstock.plugins import PluginKind, Plugins
from penstock_registry.client import MemoryClient, drop_mock, mock_client
from penstock_registry.client.factory import normalized_text

FORMATS = ("avro", "protobuf", "jsonschema", "json")
FINER = {"microseconds": 1000, "nanoseconds": 1}
UNIT = {"milliseconds": 1_000_000, **FINER}
REGISTRY = "timestamp-precision"
PLUGINS = Plugins.discover()
NANOS = 1_700_000_000_123_456_789
LONGEST = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture(autouse=True)
def registry() -> Iterator[MemoryClient]:
    drop_mock(REGISTRY)
    yield mock_client(REGISTRY, normalized_text)
    drop_mock(REGISTRY)


def converter(name: str, precision: str | None = None, **settings: str) -> Converter:
    made: Converter = PLUGINS.new(PluginKind.CONVERTER, name)
    given_ = {key.replace("_", "."): value for key, value in settings.items()}
    if precision is not None:
        given_["timestamp.precision"] = precision
    if name != "json":
        given_["schema.registry.url"] = f"mock://{REGISTRY}"
    made.configure(given_, False)
    return made


def event() -> Schema:
    """Timestamps in every place a schema has: required, optional, with a default, in lists, maps and structs."""
    at = SchemaBuilder(Type.INT64).name(TIMESTAMP_NAME).version(1)
    inner = SchemaBuilder.struct().name("a.Inner").field("at", TIMESTAMP).build()
    return (
        SchemaBuilder.struct().name("a.Event")
        .field("at", TIMESTAMP)
        .field("maybe", TIMESTAMP.as_optional())
        .field("since", at.default(timestamp_from_nanos(NANOS)).build())
        .field("all", SchemaBuilder.array(TIMESTAMP).build())
        .field("by", SchemaBuilder.map(STRING, TIMESTAMP).build())
        .field("inner", inner)
        .field("id", INT64)
        .build()
    )  # fmt: skip


def event_of(value: Any) -> dict[str, Any]:
    return {
        "at": value, "maybe": value, "since": value, "all": [value], "by": {"k": value}, "inner": {"at": value}, "id": 7,
    }  # fmt: skip


EVENT = event()


def cut(nanos: int, unit: int) -> dt.datetime:
    return timestamp_from_nanos(nanos - nanos % unit)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("precision", UNIT)
def test_what_is_written_is_read_back_as_fine_as_was_asked_for(name: str, precision: str) -> None:
    made = converter(name, precision)
    write, read = made.serializer("t", EVENT), made.deserializer("t")

    @given(LONGEST)
    def check(nanos: int) -> None:
        kept = cut(nanos, UNIT[precision])
        data = write(event_of(timestamp_from_nanos(nanos)))
        found = read(data)
        assert found.value == event_of(kept)
        assert type(found.value["at"]) is type(kept)
        assert found.schema is not None
        for field in ("at", "maybe", "since"):
            schema = found.schema.field(field).schema  # type: ignore[union-attr]
            assert (schema.name, schema.version if name != "protobuf" else 1) == (TIMESTAMP_NAME, 1)

    check()


@pytest.mark.parametrize("name", ["avro", "jsonschema", "json"])
@pytest.mark.parametrize("precision", UNIT)
def test_defaults_are_as_fine(name: str, precision: str) -> None:
    made = converter(name, precision)
    kept = cut(NANOS, UNIT[precision])
    data = made.from_connect("t", EVENT, {**event_of(kept), "since": None})
    found = made.to_connect("t", data)
    assert found.value["since"] == kept
    assert found.schema.field("since").schema.default == kept  # type: ignore[union-attr]


@pytest.mark.parametrize("name", FORMATS)
def test_the_default_is_what_it_always_was(name: str, registry: MemoryClient) -> None:
    value = event_of(timestamp_from_nanos(NANOS))
    plain = converter(name).from_connect("t", EVENT, value)
    assert plain == converter(name, "milliseconds").from_connect("t", EVENT, value)
    text = registry.all()[0].schema if name != "json" else plain.decode()  # type: ignore[union-attr]
    assert "icro" not in text
    assert "debezium" not in text


@pytest.mark.parametrize("name", ["avro", "jsonschema", "json"])  # Protobuf has no such records, see its docs
@pytest.mark.parametrize("precision", FINER)
def test_a_whole_record_may_be_a_timestamp(name: str, precision: str) -> None:
    made = converter(name, precision)
    data = made.from_connect("t", TIMESTAMP, timestamp_from_nanos(NANOS))
    assert made.to_connect("t", data).value == cut(NANOS, UNIT[precision])


# -- others ------------------------------------------------------------------------------------------------------------

AT = SchemaBuilder.struct().name("a.At").field("at", TIMESTAMP).build()


def test_fastavro_reads_our_microseconds(registry: MemoryClient) -> None:
    write = converter("avro", "microseconds").serializer("t", AT)

    @given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
    def check(micros: int) -> None:
        data = write({"at": timestamp_from_micros(micros)})
        assert data is not None
        schema = json.loads(registry.all()[0].schema)
        assert schema["fields"] == [{"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}]
        found: Any = fastavro.schemaless_reader(io.BytesIO(data[5:]), schema, None)
        assert found["at"] == timestamp_from_micros(micros)

    check()


def test_we_read_the_microseconds_of_fastavro(registry: MemoryClient) -> None:
    schema = {"type": "record", "name": "R", "fields": [
        {"name": "m", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}], "default": None},
        {"name": "s", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    ]}  # fmt: skip
    number = registry.register("t-value", json.dumps(schema)).id
    moment = dt.datetime(2024, 2, 29, 1, 2, 3, 456789, dt.UTC)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), {"m": moment, "s": moment})
    data = b"\x00" + number.to_bytes(4, "big") + out.getvalue()
    # Whichever of the finer precisions is asked for, each logical type counts in its own unit.
    for precision in FINER:
        assert converter("avro", precision).to_connect("t", data).value == {
            "m": moment, "s": moment.replace(microsecond=456000),
        }  # fmt: skip
    plain = converter("avro").to_connect("t", data)
    assert plain.value["m"] == 1_709_168_523_456_789
    assert plain.schema.field("m").schema.name is None  # type: ignore[union-attr]


@given(LONGEST)
def test_the_protobuf_runtime_reads_our_nanoseconds(nanos: int) -> None:
    data = converter("protobuf", "nanoseconds").from_connect("t", AT, {"at": timestamp_from_nanos(nanos)})
    assert data is not None
    assert data[6] == 0x0A  # field 1, a message
    assert timestamp_pb2.Timestamp.FromString(data[8:]).ToNanoseconds() == nanos


@pytest.mark.parametrize("precision", FINER)
def test_a_reader_at_milliseconds_sees_a_number_or_in_protobuf_the_timestamp(precision: str) -> None:
    number, unit = NANOS // FINER[precision], {"microseconds": "Micro", "nanoseconds": "Nano"}[precision]
    for name, expected in (
        ("avro", (None, None, number)),
        ("json", (f"io.debezium.time.{unit}Timestamp", 1, number)),
        ("jsonschema", (f"io.debezium.time.{unit}Timestamp", 1, number)),
        ("protobuf", (TIMESTAMP_NAME, 1, cut(NANOS, 1_000_000))),
    ):
        drop_mock(REGISTRY)
        data = converter(name, precision).from_connect("t", AT, {"at": timestamp_from_nanos(NANOS)})
        found = converter(name).to_connect("t", data)
        schema = found.schema.field("at").schema  # type: ignore[union-attr]
        assert (schema.name, schema.version, found.value["at"]) == expected, name
        assert schema.type is Type.INT64


def test_json_and_json_schema_go_by_debeziums_names(registry: MemoryClient) -> None:
    value = {"at": timestamp_from_nanos(NANOS)}
    data = converter("json", "nanoseconds").from_connect("t", AT, value)
    assert json.loads(data or b"") == {
        "schema": {"type": "struct", "fields": [{"type": "int64", "optional": False, "name": "io.debezium.time.NanoTimestamp",
                   "version": 1, "field": "at"}], "optional": False, "name": "a.At"},
        "payload": {"at": NANOS},
    }  # fmt: skip
    assert converter("json", "microseconds", schemas_enable="false").from_connect("t", AT, value) == b'{"at":%d}' % (
        NANOS // 1000
    )
    converter("jsonschema", "microseconds").from_connect("t", AT, value)
    assert json.loads(registry.all()[0].schema)["properties"] == {
        "at": {"type": "integer", "title": "io.debezium.time.MicroTimestamp", "connect.index": 0, "connect.version": 1,
               "connect.type": "int64"}
    }  # fmt: skip


def test_either_of_debeziums_names_is_read_and_kafkas_own_stays_in_milliseconds() -> None:
    fields = [("m", "io.debezium.time.MicroTimestamp"), ("n", "io.debezium.time.NanoTimestamp"), ("k", TIMESTAMP_NAME)]
    schema = {"type": "struct", "fields": [
        {"type": "int64", "optional": True, "name": name, "version": 1, "field": field, "default": 5} for field, name in fields
    ] + [{"type": "string", "name": "io.debezium.time.MicroTimestamp", "optional": True, "field": "s"}]}  # fmt: skip
    data = json.dumps({"schema": schema, "payload": {"m": 1_000_001, "n": 1_000_000_001, "k": 1001, "s": "x"}}).encode()
    found = converter("json", "microseconds").to_connect("t", data)
    epoch = timestamp_from_nanos(0)
    assert found.value == {
        "m": timestamp_from_micros(1_000_001), "n": timestamp_from_nanos(1_000_000_001),
        "k": epoch + dt.timedelta(seconds=1, milliseconds=1), "s": "x",
    }  # fmt: skip
    defaults = [found.schema.field(f).schema.default for f, _ in fields]  # type: ignore[union-attr]
    assert list(map(timestamp_to_nanos, defaults)) == [5000, 5, 5_000_000]
    assert found.schema.field("s").schema.name == "io.debezium.time.MicroTimestamp"  # type: ignore[union-attr]


# -- schemas that are not the data's own -------------------------------------------------------------------------------

LATEST = {"auto_register_schemas": "false", "use_latest_version": "true"}


@pytest.mark.parametrize(
    ("logical", "number"),
    [("timestamp-millis", NANOS // 10**6), ("timestamp-micros", NANOS // 1000), ("timestamp-nanos", NANOS), (None, NANOS // 10**6)],
)  # fmt: skip
def test_avro_writes_what_the_registered_schema_counts(
    registry: MemoryClient, logical: str | None, number: int
) -> None:
    kind = {"type": "long", **({"logicalType": logical} if logical else {})}
    schema = {"type": "record", "name": "At", "namespace": "a", "fields": [{"name": "at", "type": kind}]}
    registry.register("t-value", json.dumps(schema))
    data = converter("avro", "microseconds", **LATEST).from_connect("t", AT, {"at": timestamp_from_nanos(NANOS)})
    plain = {**schema, "fields": [{"name": "at", "type": "long"}]}
    assert fastavro.schemaless_reader(io.BytesIO((data or b"")[5:]), plain, None) == {"at": number}


def test_json_schema_refuses_a_registered_schema_of_another_precision() -> None:
    converter("jsonschema").from_connect("t", EVENT, event_of(timestamp_from_nanos(NANOS)))
    with pytest.raises(DataError, match=r"has timestamps in milliseconds.*timestamp.precision=nanoseconds") as caught:
        converter("jsonschema", "nanoseconds", **LATEST).from_connect("t", EVENT, event_of(timestamp_from_nanos(NANOS)))
    assert caught.value.__notes__ == ["Field: at"]
    converter("jsonschema", **LATEST).from_connect("t", EVENT, event_of(timestamp_from_nanos(NANOS)))


# -- out of range, and settings ----------------------------------------------------------------------------------------

FAR = dt.datetime(2262, 4, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize("name", ["avro", "jsonschema", "json"])
def test_what_64_bits_of_nanoseconds_do_not_reach_is_an_error_that_names_the_field(name: str) -> None:
    value = {**event_of(timestamp_from_nanos(0)), "inner": {"at": FAR}}
    with pytest.raises(DataError, match="too far from 1970 for nanoseconds in 64 bits") as caught:
        converter(name, "nanoseconds").from_connect("t", EVENT, value)
    assert "Field: inner.at" in caught.value.__notes__
    assert converter(name, "microseconds").from_connect("t", EVENT, value)


def test_protobuf_holds_nanoseconds_of_every_year() -> None:
    made = converter("protobuf", "nanoseconds")
    assert made.to_connect("t", made.from_connect("t", AT, {"at": FAR})).value == {"at": FAR}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("precision", FINER)
def test_milliseconds_beyond_the_years_are_an_error_that_names_the_field(name: str, precision: str) -> None:
    with pytest.raises(DataError, match=r"years 1 to 9999|holds the years 1 to 9999") as caught:
        converter(name, precision).from_connect("t", AT, {"at": 2**60})
    assert caught.value.__notes__ == ["Field: at"]


@pytest.mark.parametrize("name", ["avro", "jsonschema", "json"])
def test_read_microseconds_beyond_the_years_are_an_error_that_names_the_field(name: str) -> None:
    wide = SchemaBuilder.struct().name("a.At").field("at", Schema(Type.INT64, name="x")).build()
    data: bytes | None
    if name == "avro":
        registered = mock_client(REGISTRY).register("t-value", json.dumps(
            {"type": "record", "name": "At", "fields": [{"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}}]}
        ))  # fmt: skip
        made = converter(name, auto_register_schemas="false", use_schema_id=str(registered.id))
    else:
        made, wide = converter(name), SchemaBuilder.struct().name("a.At").field(
            "at", Schema(Type.INT64, name="io.debezium.time.MicroTimestamp", version=1)
        ).build()  # fmt: skip
    data = made.from_connect("t", wide, {"at": 2**60})
    with pytest.raises(DataError, match="outside the years 1 to 9999") as caught:
        converter(name, "microseconds").to_connect("t", data)
    assert caught.value.__notes__ == ["Field: at"]


@pytest.mark.parametrize("name", FORMATS)
def test_another_value_of_the_key_is_refused_by_name_when_validated_too(name: str) -> None:
    problem = "Invalid value micros for configuration timestamp.precision: String must be one of: milliseconds, microseconds, nanoseconds"
    with pytest.raises(ConfigError) as caught:
        converter(name, "micros")
    assert caught.value.message == problem
    definition = PLUGINS.load(PluginKind.CONVERTER, name).config_def()
    infos = config_infos(name, definition, definition.validate({"timestamp.precision": "micros"}))
    (value,) = (c["value"] for c in infos["configs"] if c["value"]["name"] == "timestamp.precision")
    assert value["errors"] == [problem]


def test_kafkas_own_class_shows_the_key_only_where_it_is_used() -> None:
    definition = PLUGINS.load(PluginKind.CONVERTER, "json").config_def()
    for given_, shown in (({}, False), ({"timestamp.precision": "nanoseconds"}, True)):
        configs = config_infos("json", definition, definition.validate(given_))["configs"]
        assert any(c["value"]["name"] == "timestamp.precision" for c in configs) is shown
