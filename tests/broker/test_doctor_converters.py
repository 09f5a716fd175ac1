"""``penstock doctor`` on a real broker: every wrong converter is told with the right one."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import bcrypt
import pytest

from lab.examined import AVRO, CONFLUENT, JSON, STRING_CONVERTER, Place, sink, worse, write
from penstock.data import SchemaBuilder, Struct
from penstock.data.schema import STRING
from penstock.plugins import PluginKind, Plugins, PluginSettings
from penstock_registry.server.service import RegistryService


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0"})
    yield service.urls[0]
    service.stop()


def written(kind: str, topic: str, registry: str) -> list[bytes]:
    """Ten values of a kind, as the converter of that kind writes them."""
    if kind == "text":
        return [b"line %d, of ten" % number for number in range(10)]
    if kind == "json":
        return [b'{"item": "ink %d"}' % number for number in range(10)]
    settings = {"schemas.enable": "true"} if kind == "envelope" else {"schema.registry.url": registry}
    name = {"envelope": JSON, "avro": AVRO, "protobuf": f"{CONFLUENT}protobuf.ProtobufConverter"}[kind]
    converter = Plugins.discover(PluginSettings()).new(PluginKind.CONVERTER, name)
    converter.configure({**settings, "converter.type": "value"}, False)
    schema = SchemaBuilder.struct().name("Order").field("item", STRING).build()
    serialize = converter.serializer(topic, schema)
    return [serialize(Struct(schema, {"item": f"ink {number}"})) for number in range(10)]


def settings_of(kind: str, registry: str) -> dict[str, str]:
    return {
        "text": {"value__converter": STRING_CONVERTER},
        "json": {"value__converter": JSON, "value__converter__schemas__enable": "false"},
        "envelope": {"value__converter": JSON},
        "avro": {"value__converter": AVRO, "value__converter__schema__registry__url": registry},
    }[kind]


#: What is in the topic, how the sink is set, the level, and the words that name what is right.
MATRIX = [
    ("avro", "json", "broken", f"value.converter={AVRO}"),
    ("avro", "envelope", "broken", f"value.converter={AVRO}"),
    ("avro", "text", "broken", f"value.converter={AVRO}"),
    ("protobuf", "avro", "broken", f"value.converter={CONFLUENT}protobuf.ProtobufConverter"),
    ("protobuf", "json", "broken", f"value.converter={CONFLUENT}protobuf.ProtobufConverter"),
    ("json", "avro", "broken", f"value.converter={JSON}, value.converter.schemas.enable=false"),
    ("json", "envelope", "broken", f"value.converter={JSON}, value.converter.schemas.enable=false"),
    ("envelope", "json", "warning", "value.converter.schemas.enable=true"),
    ("envelope", "avro", "broken", f"value.converter={JSON}, value.converter.schemas.enable=true"),
    ("text", "json", "broken", f"value.converter={STRING_CONVERTER}"),
    ("text", "avro", "broken", f"value.converter={STRING_CONVERTER}"),
]


@pytest.mark.parametrize(("there", "used", "level", "words"), MATRIX)
def test_a_wrong_converter_is_told_with_the_right_one(
    place: Place, kafka: str, topic: Callable[..., str], registry: str, there: str, used: str, level: str, words: str
) -> None:
    name = topic()
    write(kafka, name, written(there, name, registry))
    place.worker |= {"key.converter": AVRO, "key.converter.schema.registry.url": registry}
    place.create_internal_topics()
    status, findings = place.run(sink(name, **settings_of(used, registry)))
    [told] = worse(findings)
    assert (told["check"], told["about"], told["level"]) == ("converters", f"values of {name}", level)
    assert words in told["advice"]
    assert status == (level == "broken")


@pytest.mark.parametrize("kind", ["text", "json", "envelope", "avro"])
def test_the_right_converter_is_fine(
    place: Place, kafka: str, topic: Callable[..., str], registry: str, kind: str
) -> None:
    name = topic()
    write(kafka, name, written(kind, name, registry))
    place.create_internal_topics()
    assert place.run(sink(name, **settings_of(kind, registry)))[0] == 0


def test_topics_of_a_pattern_are_looked_at_too(place: Place, kafka: str, topic: Callable[..., str]) -> None:
    stem = f"pattern-{uuid.uuid4().hex[:8]}"
    for number in range(2):
        place.create_topic(f"{stem}-{number}")
        write(kafka, f"{stem}-{number}", [b"text"])
    place.create_internal_topics()
    config = sink("", topics__regex=f"{stem}-.*")
    del config["topics"]
    _, findings = place.run(config)
    assert {finding["about"] for finding in worse(findings)} == {f"values of {stem}-0", f"values of {stem}-1"}


def test_only_the_newest_records_are_looked_at(place: Place, kafka: str, topic: Callable[..., str]) -> None:
    name = topic()
    write(kafka, name, [b"text"] * 20 + [b'{"n": 1}'] * 5)
    place.create_internal_topics()
    assert place.run(sink(name), "--records", "5")[0] == 0
    assert place.run(sink(name), "--records", "6")[0] == 1


def test_a_registry_that_wants_another_password_is_told_without_the_one_it_got(
    place: Place, kafka: str, topic: Callable[..., str], registry: str
) -> None:
    users = place.folder / "users"
    users.write_text(f"ann:{bcrypt.hashpw(b'the-right-one', bcrypt.gensalt(4)).decode()}:read\n")
    service = RegistryService()
    service.start(
        {
            "listeners": "http://127.0.0.1:0",
            "authentication.method": "BASIC",
            "authentication.basic.users.file": str(users),
        }
    )
    try:
        name = topic()
        write(kafka, name, written("avro", name, registry))
        place.create_internal_topics()
        avro = {"value__converter": AVRO, "value__converter__schema__registry__url": service.urls[0]}
        avro["value__converter__basic__auth__credentials__source"] = "USER_INFO"
        status, findings = place.run(sink(name, **avro, value__converter__basic__auth__user__info="ann:the-wrong-one"))
        assert status == 1
        told = {finding["check"]: finding for finding in worse(findings)}
        assert "401" in told["registry"]["message"]
        assert "value.converter.basic.auth." in told["registry"]["advice"]
        assert told["converters"]["level"] == "broken"
        assert "the-wrong-one" not in place.out
        _, findings = place.run(sink(name, **avro, value__converter__basic__auth__user__info="ann:the-right-one"))
        assert "registry" not in {finding["check"] for finding in worse(findings)}
    finally:
        service.stop()
