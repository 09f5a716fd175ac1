"""Settings that all registry converters share: contexts, the age of the latest version, who is let in, and who asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from penstock.data import INT64, SchemaBuilder
from penstock.errors import ConfigError, DataError
from penstock.plugins import PluginKind, Plugins
from penstock_converters.registry_converter import RegistryConverter
from penstock_registry.client import MemoryClient, RegisteredSchema, drop_mock, mock_client
from penstock_registry.client.factory import normalized_text

SCOPE = "registry-settings"
FORMATS = ("avro", "protobuf", "jsonschema")
ROW = SchemaBuilder.struct().name("a.Row").field("id", INT64).build()
PLUGINS = Plugins.discover()


class ByRegion:
    """A user's own strategy."""

    def context_name(self, topic: str) -> str | None:
        return None if topic == "plain" else f".{topic.partition('-')[0]}"


class Wrong:
    def context_name(self, topic: str) -> str:
        return "a:b"


@pytest.fixture(autouse=True)
def registry() -> Iterator[MemoryClient]:
    drop_mock(SCOPE)
    yield mock_client(SCOPE, normalized_text)
    drop_mock(SCOPE)


def converter(name: str, **settings: Any) -> RegistryConverter:
    made: RegistryConverter = PLUGINS.new(PluginKind.CONVERTER, name)
    given = {key.replace("_", "."): value for key, value in settings.items()}
    made.configure({"schema.registry.url": f"mock://{SCOPE}", **given}, False)
    return made


@pytest.mark.parametrize("name", FORMATS)
def test_a_strategy_puts_a_topic_s_subjects_into_a_context(registry: MemoryClient, name: str) -> None:
    made = converter(name, context_name_strategy=ByRegion)
    for topic, subject in (("eu-orders", ":.eu:eu-orders-value"), ("plain", "plain-value")):
        data = made.from_connect(topic, ROW, {"id": 1})
        assert registry.all()[-1].subject == subject
        found = made.to_connect(topic, data)
        assert (found.value, found.schema and found.schema.version) == ({"id": 1}, 1)


def test_an_id_is_asked_for_in_its_context_where_the_subject_needs_the_record() -> None:
    asked: list[str | None] = []

    class Asked(MemoryClient):
        def schema_by_id(self, id: int, subject: str | None = None) -> RegisteredSchema:  # noqa: A002 - the registry's word
            asked.append(subject)
            return super().schema_by_id(id, subject)

    made = converter("avro", context_name_strategy=ByRegion, value_subject_name_strategy="RecordNameStrategy")
    made._client = Asked()
    data = made.from_connect("eu-orders", ROW, {"id": 1})
    assert [r.subject for r in made._client.all()] == [":.eu:a.Row"]  # type: ignore[attr-defined]
    made.to_connect("eu-orders", data)
    made.to_connect("plain", data)
    assert asked == [":.eu:", None]


def test_a_strategy_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"com\.acme\.Ctx could not be found"):
        converter("avro", context_name_strategy="com.acme.Ctx")
    with pytest.raises(ConfigError, match="expected a class with a method context_name"):
        converter("avro", context_name_strategy="json.JSONEncoder")
    with pytest.raises(DataError, match="Failed to serialize"):
        converter("avro", context_name_strategy=Wrong).from_connect("t", ROW, {"id": 1})
    converter("avro", context_name_strategy="io.confluent.kafka.serializers.context.NullContextNameStrategy")


TEXTS = {
    "avro": '{"type":"record","name":"Row","namespace":"a","fields":[{"name":"id","type":"long"}%s]}',
    "protobuf": 'syntax = "proto3"; package a; message Row { int64 id = 1; %s }',
    "jsonschema": '{"type":"object","title":"a.Row","properties":{"id":{"type":"integer"}%s}}',
}
MORE = {
    "avro": ',{"name":"more","type":"string","default":"m"}',
    "protobuf": "string more = 2;",
    "jsonschema": ',"more":{"type":"string"}',
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("ttl", "ids"), [("60", [1, 1, 2]), ("-1", [1, 1, 1])])
def test_the_latest_version_is_asked_for_again_when_its_time_is_over(
    registry: MemoryClient, name: str, ttl: str, ids: list[int]
) -> None:
    kind = {"avro": "AVRO", "protobuf": "PROTOBUF", "jsonschema": "JSON"}[name]
    registry.register("t-value", TEXTS[name] % "", kind)
    made = converter(name, auto_register_schemas="false", use_latest_version="true", latest_cache_ttl_sec=ttl,
                     latest_compatibility_strict="false")  # fmt: skip
    now = [100.0]
    made._clock = lambda: now[0]
    write = made.serializer("t", ROW)
    met = []
    for later in (0, 59, 1):
        now[0] += later
        data = write({"id": 1})
        assert data is not None
        met.append(int.from_bytes(data[1:5], "big"))
        if len(met) == 1:
            registry.register("t-value", TEXTS[name] % MORE[name], kind)
    assert met == ids


@pytest.mark.parametrize("name", FORMATS)
def test_however_many_threads_miss_a_schema_one_asks(registry: MemoryClient, name: str) -> None:
    data = converter(name).from_connect("t", ROW, {"id": 1})
    made, before = converter(name), dict(registry.requests)
    together = threading.Barrier(8)

    def read() -> Any:
        deserialize = made.deserializer("t")
        together.wait()
        return deserialize(data)

    with ThreadPoolExecutor(8) as pool:
        found = [f.result() for f in [pool.submit(read) for _ in range(8)]]
    assert len({id(f.schema) for f in found}) == 1
    assert registry.requests["schema_by_id"] == before.get("schema_by_id", 0) + 1


@pytest.mark.parametrize("key", ["validation.rules.x", "rule.executors", "use.schema.guid", "use.latest.with.metadata"])
@pytest.mark.parametrize("name", FORMATS)
def test_what_is_not_supported_is_refused_by_name(name: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"the setting {key} is not supported"):
        converter(name, **{key: "com.acme.X"})


@pytest.mark.parametrize(("name", "kind"), [("bytes", "ByteArrayConverter"), ("AvroConverter", "AvroConverter")])
def test_converters_go_by_short_names_and_class_names(name: str, kind: str) -> None:
    assert PLUGINS.load(PluginKind.CONVERTER, name).__name__ == kind
