"""AvroConverter's wiring: registration, ids, subjects, evolution, errors, caches."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from penstock.data import INT32, INT64, OPTIONAL_STRING, STRING, SchemaBuilder
from penstock.errors import ConfigError, DataError, RetriableError
from penstock_converters.avro.converter import AvroConverter
from penstock_registry.client import MemoryClient, RegisteredSchema, register_local, unregister_local

ROW = SchemaBuilder.struct().name("com.acme.Row").field("id", INT64).field("note", OPTIONAL_STRING).build()
VALUE = {"id": 1, "note": "n"}
NAME = "test-avro-converter"


@pytest.fixture
def registry() -> Any:
    client = MemoryClient()
    register_local(NAME, client)
    yield client
    unregister_local(NAME)


def converter(is_key: bool = False, **settings: str) -> AvroConverter:
    made = AvroConverter()
    configs = {k.replace("_", "."): v for k, v in settings.items()}
    made.configure({"schema.registry.url": f"local://{NAME}", **configs}, is_key)
    return made


def test_a_record_goes_both_ways_and_asks_the_registry_once(registry: MemoryClient) -> None:
    avro = converter()
    serialize, deserialize = avro.serializer("t", ROW), avro.deserializer("t")
    for i in range(5):
        data = serialize({"id": i, "note": None})
        assert data is not None
        assert data[:5] == b"\x00\x00\x00\x00\x01"
        found = deserialize(data)
        assert found.value == {"id": i, "note": None}
        assert found.schema is not None
        assert found.schema.version == 1
    assert registry.requests == {"register": 1, "schema_by_id": 1, "lookup": 1}


def test_nothing_is_registered_for_nulls_and_for_values_that_cannot_be_written(registry: MemoryClient) -> None:
    serialize = converter().serializer("t", ROW.as_optional())
    assert serialize(None) is None
    with pytest.raises(DataError, match="Found null value"):
        serialize({"id": None})
    assert registry.all() == []


def test_an_error_is_no_cause_of_itself(registry: MemoryClient) -> None:
    with pytest.raises(DataError, match="Invalid type for INT64") as caught:
        converter().serializer("t", ROW)({"id": "1", "note": None})
    assert caught.value.__cause__ is None


def test_null_of_a_required_schema_is_refused(registry: MemoryClient) -> None:
    with pytest.raises(DataError, match="Found null value for non-optional schema"):
        converter().serializer("t", INT32)(None)


@pytest.mark.parametrize(
    ("strategy", "subject"),
    [
        ("TopicNameStrategy", "t-key"),
        ("io.confluent.kafka.serializers.subject.RecordNameStrategy", "com.acme.Row"),
        ("TopicRecordNameStrategy", "t-com.acme.Row"),
        ("json.JSONEncoder", None),
    ],
)
def test_subjects_are_named_by_the_strategy(registry: MemoryClient, strategy: str, subject: str | None) -> None:
    if subject is None:
        with pytest.raises(ConfigError, match="expected a class with a method subject_name"):
            converter(True, key_subject_name_strategy=strategy)
        return
    avro = converter(True, key_subject_name_strategy=strategy)
    data = avro.from_connect("t", ROW, VALUE)
    assert [r.subject for r in registry.all()] == [subject]
    assert avro.to_connect("t", data).value == VALUE


def test_the_latest_version_writes_what_it_has_room_for(registry: MemoryClient) -> None:
    registry.register(
        "t-value",
        '{"type":"record","name":"Row","namespace":"com.acme","fields":[{"name":"note","type":["null","string"]},'
        '{"name":"id","type":"long"},{"name":"extra","type":"string","default":"e"}]}',
    )
    avro = converter(auto_register_schemas="false", use_latest_version="true")
    data = avro.from_connect("t", ROW, VALUE)
    assert avro.to_connect("t", data).value == {"note": "n", "id": 1, "extra": "e"}
    assert len(registry.all()) == 1


def test_a_latest_version_that_could_not_read_the_data_is_refused_unless_asked_not_to(registry: MemoryClient) -> None:
    registry.register(
        "t-value", '{"type":"record","name":"Row","namespace":"com.acme","fields":[{"name":"id","type":"int"}]}'
    )
    with pytest.raises(DataError, match="Failed to serialize Avro data from topic t :") as caught:
        converter(auto_register_schemas="false", use_latest_version="true").from_connect("t", ROW, VALUE)
    assert "reader type: INT not compatible with writer type: LONG" in str(caught.value.__cause__)
    lenient = converter(auto_register_schemas="false", use_latest_version="true", latest_compatibility_strict="false")
    with pytest.raises(DataError, match='in field "id" cannot be written as the Avro type "int"'):
        lenient.from_connect("t", ROW, VALUE)


def test_a_given_schema_id_is_written_with(registry: MemoryClient) -> None:
    registry.register("other", '"string"')
    registry.register("t-value", '["null","string"]')
    avro = converter(auto_register_schemas="false", use_schema_id="2")
    assert avro.from_connect("t", STRING, "x") == b"\x00\x00\x00\x00\x02\x02\x02x"


def test_without_registration_the_schema_has_to_be_there(registry: MemoryClient) -> None:
    avro = converter(auto_register_schemas="false")
    with pytest.raises(DataError) as caught:
        avro.from_connect("t", STRING, "x")
    assert 'Error retrieving Avro schema"string"' in str(caught.value.__cause__)
    registry.register("t-value", '"string"')
    assert avro.from_connect("t", STRING, "x") == b"\x00\x00\x00\x00\x01\x02x"


def test_a_registry_that_is_away_is_retriable_and_an_incompatible_schema_a_matter_of_settings(
    registry: MemoryClient,
) -> None:
    class Away(MemoryClient):
        def register(self, *args: Any, **kwargs: Any) -> RegisteredSchema:
            raise RetriableError("away")

    register_local(NAME, Away())
    serialize = converter().serializer("t", STRING)
    with pytest.raises(RetriableError, match="away"):
        serialize("x")
    register_local(NAME, registry)

    class Refusing(MemoryClient):
        def register(self, *args: Any, **kwargs: Any) -> RegisteredSchema:
            from penstock_registry.client import RegistryRequestError

            raise RegistryRequestError("Schema being registered is incompatible", 409)

    register_local(NAME, Refusing())
    with pytest.raises(
        ConfigError, match="Failed to access Avro data from topic t : Schema being registered is incompatible"
    ):
        converter().serializer("t", STRING)("x")


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b'{"a":1}', "Unknown magic byte! The payload starts with 0x7b and looks like JSON text; JsonConverter"),
        (b"\x00\x00", "only 2 of the 5 bytes"),
        (
            b"\x00\x00\x00\x00\x63\x02",
            "Error retrieving Avro value schema for id 99: Subject Not Found; error code: 40401",
        ),
        (b"\x00\x00\x00\x00\x01\x02", "Error deserializing Avro message for id 1: the data ends too early"),
        (b"\x00\x00\x00\x00\x01\x02\x06", "a union index is out of range"),
        (b"\x00\x00\x00\x00\x02", "is a schema of type JSON, not AVRO"),
    ],
)
def test_unreadable_data_is_a_data_error_that_says_why(registry: MemoryClient, data: bytes, cause: str) -> None:
    avro = converter()
    avro.from_connect("t", ROW, VALUE)
    registry.register("j", "{}", "JSON")
    with pytest.raises(DataError, match="Failed to deserialize data for topic t to Avro: ") as caught:
        avro.to_connect("t", data)
    assert cause in str(caught.value.__cause__)
    assert cause in "".join(caught.value.__notes__)


def test_data_of_another_topic_is_read_with_its_own_schema_and_without_a_version(registry: MemoryClient) -> None:
    data = converter().from_connect("t", ROW, VALUE)
    found = converter().to_connect("copy", data)
    assert found.value == VALUE
    assert found.schema is not None
    assert found.schema.version is None


def test_the_number_of_schemas_kept_is_bounded(registry: MemoryClient) -> None:
    avro = converter(schemas_cache_config="2")
    payloads = [
        avro.from_connect("t", SchemaBuilder.struct().name(f"R{i}").field("a", INT32).build(), {"a": i})
        for i in range(5)
    ]
    read = avro.deserializer("t")
    for _ in range(2):
        assert [read(p).value["a"] for p in payloads] == list(range(5))
    assert len(avro._readers) == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use.latest.with.metadata", "a=b"),
        ("rule.executors", "encrypt"),
        ("rule.executors.encrypt.class", "x"),
        ("context.name.strategy", "x"),
        ("use.schema.guid", "89791762-2336-186f-7438-1b1df2c8b0a4"),
        ("specific.avro.reader", "true"),
    ],
)
def test_settings_that_are_not_supported_are_refused_by_name(registry: MemoryClient, key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=key):
        AvroConverter().configure({"schema.registry.url": f"local://{NAME}", key: value}, False)


def test_a_setting_without_effect_or_meaning_warns(registry: MemoryClient, caplog: pytest.LogCaptureFixture) -> None:
    AvroConverter().configure(
        {"schema.registry.url": f"local://{NAME}", "no.such.key": "1", "specific.avro.reader": "false"}, False
    )
    assert ["unknown setting no.such.key" in m for m in caplog.messages] == [True]


def test_announcing_the_plugin_imports_none_of_its_libraries() -> None:
    code = (
        "import sys, penstock_converters.plugin, penstock_registry.plugin;"
        "heavy = [m for m in sys.modules if m.split('.')[0] in ('fastavro', 'confluent_kafka', 'httpx')];"
        "sys.exit(str(heavy) if heavy or 'penstock_converters.avro.converter' in sys.modules else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
