"""Every converter on the records of every other: what is told is the one that wrote them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from lab.surroundings import FakeSampler, findings, situation
from penstock.data import SchemaBuilder, Struct
from penstock.data.schema import FLOAT64, INT32, INT64, STRING
from penstock.doctor import Finding, Level
from penstock.doctor.converters import ConvertersCheck
from penstock.doctor.payload import Form, form_of
from penstock.doctor.samples import reason
from penstock.doctor.transforms import TransformsCheck
from penstock.errors import ConnectError, DataError
from penstock.plugins import PluginKind
from penstock.testing.fake_message import FakeMessage

OK, WARNING, BROKEN, SKIPPED = Level.OK, Level.WARNING, Level.BROKEN, Level.SKIPPED
REGISTRY = f"mock://{uuid.uuid4().hex}"
KAFKA, CONFLUENT = "org.apache.kafka.connect.", "io.confluent.connect."

AVRO = f"{CONFLUENT}avro.AvroConverter"
PROTOBUF = f"{CONFLUENT}protobuf.ProtobufConverter"
JSON_SCHEMA = f"{CONFLUENT}json.JsonSchemaConverter"
JSON, STRING_CONVERTER = f"{KAFKA}json.JsonConverter", f"{KAFKA}storage.StringConverter"
LONG, INTEGER, DOUBLE = (f"{KAFKA}converters.{n}Converter" for n in ("Long", "Integer", "Double"))
BYTES = f"{KAFKA}converters.ByteArrayConverter"

#: Name → class and settings of a converter.
CONVERTERS: dict[str, tuple[str, dict[str, str]]] = {
    "avro": (AVRO, {"schema.registry.url": REGISTRY}),
    "protobuf": (PROTOBUF, {"schema.registry.url": REGISTRY}),
    "json-schema": (JSON_SCHEMA, {"schema.registry.url": REGISTRY}),
    "json-with-schemas": (JSON, {"schemas.enable": "true"}),
    "json": (JSON, {"schemas.enable": "false"}),
    "string": (STRING_CONVERTER, {}),
    "long": (LONG, {}),
    "integer": (INTEGER, {}),
    "double": (DOUBLE, {}),
    "bytes": (BYTES, {}),
}
ORDER = SchemaBuilder.struct().name("Order").field("item", STRING).field("count", INT32).build()
ORDERS = [Struct(ORDER, {"item": f"ink {n}", "count": n}) for n in range(3)]
#: What each writes: schema and values.
WRITTEN: dict[str, tuple[Any, list[Any]]] = {
    **dict.fromkeys(("avro", "protobuf", "json-schema", "json-with-schemas"), (ORDER, ORDERS)),
    "json": (None, [{"item": f"ink {n}", "count": n} for n in range(3)]),
    "string": (STRING, ["ink, 1", "ink, 2", "plain text"]),
    "long": (INT64, [1_700_000_000_000 + n for n in range(3)]),
    "integer": (INT32, [-7, 70_000, 2_000_000_000]),
    "double": (FLOAT64, [0.5, 1.5, -2.25]),
}


def made(name: str, which: str = "value") -> Any:
    class_name, settings = CONVERTERS[name]
    converter = situation().plugins.new(PluginKind.CONVERTER, class_name)
    converter.configure({**settings, "converter.type": which}, which == "key")
    return converter


def payloads(writer: str, which: str = "value") -> list[bytes]:
    schema, values = WRITTEN[writer]
    serialize = made(writer, which).serializer("orders", schema)
    return [serialize(value) for value in values]


def records(values: list[bytes | None], keys: list[bytes | None] | None = None) -> list[FakeMessage]:
    return [
        FakeMessage("orders", value, (keys or [None] * len(values))[number], offset=number)
        for number, value in enumerate(values)
    ]


def settings_of(reader: str, which: str = "value") -> dict[str, str]:
    class_name, settings = CONVERTERS[reader]
    return {f"{which}.converter": class_name, **{f"{which}.converter.{k}": v for k, v in settings.items()}}


def check(reader: str, sample: Any, *, source: bool = False, tolerance: str = "none", **changed: Any) -> list[Finding]:
    kind = {"connector.class": "FileStreamSource", "topic": "orders"} if source else {
        "connector.class": "FileStreamSink", "topics": "orders",
    }  # fmt: skip
    examined = situation(
        {**kind, "file": "f", "errors.tolerance": tolerance, **settings_of(reader)}, registry_url=REGISTRY, **changed
    )
    return findings(ConvertersCheck(examined, FakeSampler({"orders": sample})))


def advice_for(writer: str) -> str:
    """The words that name the right converter."""
    class_name, settings = CONVERTERS[writer]
    text = f"value.converter={class_name}"
    if "schemas.enable" in settings:
        text += f", value.converter.schemas.enable={settings['schemas.enable']}"
    return text


#: Pairs that nobody can tell apart by bytes: any eight are a long and a double, any four an integer, and so on; and bytes.
READ_ALL_THE_SAME = {("double", "long"), ("long", "double"), ("json", "string"), ("json-with-schemas", "string")}
PAIRS = [
    (writer, reader)
    for writer in WRITTEN
    for reader in CONVERTERS
    if reader not in (writer, "bytes") and (writer, reader) not in READ_ALL_THE_SAME
]


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
def test_a_converter_that_does_not_fit_is_told_with_the_one_that_wrote_the_records(writer: str, reader: str) -> None:
    keys, values = check(reader, records(payloads(writer)))
    assert keys.level is OK
    if (writer, reader) == ("json-with-schemas", "json"):  # the envelope is JSON, too
        assert values.level is WARNING
        assert "schemas.enable=true" in values.advice
        return
    assert values.level is BROKEN, values
    assert advice_for(writer) in values.advice
    if reader != "string":  # which makes text of anything
        assert "orders-0@0" in values.message


@pytest.mark.parametrize("name", WRITTEN)
def test_the_converter_that_wrote_the_records_is_fine(name: str) -> None:
    assert [finding.level for finding in check(name, records(payloads(name)))] == [OK, OK]


@pytest.mark.parametrize(("writer", "reader"), [("avro", "bytes"), ("json", "string"), ("json-with-schemas", "bytes")])
def test_text_and_bytes_are_passed_on_as_such_and_the_finer_converter_is_mentioned(writer: str, reader: str) -> None:
    _, values = check(reader, records(payloads(writer)))
    assert values.level is OK
    assert advice_for(writer) in f"{values.message} {values.advice}"


def test_keys_are_tried_with_the_keys_converter() -> None:
    sample = records(payloads("json"), payloads("avro", "key"))
    keys, values = check("json", sample, key__converter=JSON)
    assert values.level is OK
    assert keys.level is BROKEN
    assert f"key.converter={AVRO}" in keys.advice


def test_an_id_that_the_registry_does_not_know_points_at_another_registry() -> None:
    _, values = check("avro", records([b"\x00\x00\x00\x27\x0f" + b"data"]))
    assert values.level is BROKEN
    assert "the registry of whoever wrote them" in values.advice


def test_without_any_registry_the_possible_converters_are_named() -> None:
    connector = {"connector.class": "FileStreamSink", "topics": "orders", "file": "f", **settings_of("json")}
    check = ConvertersCheck(situation(connector), FakeSampler({"orders": records(payloads("avro"))}))
    _, values = findings(check)
    assert "one of AvroConverter, ProtobufConverter, JsonSchemaConverter" in values.advice
    assert "value.converter.schema.registry.url" in values.advice


def test_a_topic_of_several_forms_is_told_with_their_numbers_and_the_rest() -> None:
    _, values = check("json", records([*payloads("avro"), b'{"a": 1}']))
    assert "cannot read 3 of 4" in values.message
    assert "1 JSON without a schema" in values.message
    assert advice_for("avro") in values.advice
    assert "the other 1 need errors.tolerance=all" in values.advice


def test_single_records_that_do_not_fit_are_not_the_converters_fault() -> None:
    _, values = check("json", records([*payloads("json"), b"not json"]))
    assert values.level is BROKEN
    assert "cannot read 1 of 4" in values.message
    assert values.advice.startswith("The converter is right for 3 of them")
    assert "the other 1 are something else" in values.advice
    _, values = check("json", records([*payloads("json"), b"not json"]), tolerance="all")
    assert values.level is WARNING
    _, values = check("json", records([b"not json"]), tolerance="all")
    assert values.level is BROKEN
    _, values = check("json-with-schemas", records([*payloads("json-with-schemas"), b"not json"]))
    assert values.advice.startswith("The converter is right for 3 of them")


def test_data_behind_a_known_id_that_nobody_reads_is_told_with_the_reason() -> None:
    frame = payloads("avro")[0][:5]
    _, values = check("avro", records([frame + b"\xff" * 12]))
    assert values.level is BROKEN
    assert "none of AvroConverter, ProtobufConverter, JsonSchemaConverter reads them; AvroConverter:" in values.advice


def test_a_source_beside_records_of_another_form_is_warned_about() -> None:
    _, values = check("json", records(payloads("avro")), source=True)
    assert values.level is WARNING
    assert "not what this source writes" in values.message


def test_nulls_are_nobodys_fault_and_an_empty_topic_gives_no_verdict() -> None:
    assert [finding.level for finding in check("avro", records([None, None]))] == [OK, OK]
    [finding] = check("avro", [])
    assert finding.level is SKIPPED
    [finding] = check("avro", ConnectError("Topic authorization failed"))
    assert (finding.level, finding.message) == (SKIPPED, "Topic authorization failed")


def test_a_converter_whose_settings_are_wrong_is_told_as_such() -> None:
    connector = {"connector.class": "FileStreamSink", "topics": "orders", "file": "f", "value.converter": AVRO}
    check = ConvertersCheck(situation(connector), FakeSampler({"orders": records([b"x"])}))
    _, values = findings(check)
    assert values.level is BROKEN
    assert "schema.registry.url" in values.message


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"\x00\x00\x00\x00\x07data", Form.FRAMED),
        (b"\x01" + bytes(range(16)) + b"data", Form.FRAMED),
        (b"\x00\x00\x00\x00\x00\x00\x00\x09", Form.BINARY),  # a long, since no id is 0
        (b"\x00\x00\x00\x07", Form.BINARY),
        (b"Obj\x01rest", Form.AVRO_FILE),
        (b'{"schema": {"type": "string"}, "payload": "a"}', Form.ENVELOPE),
        (b'{"schema": 1, "payload": 2, "more": 3}', Form.JSON),
        (b"[1, 2]", Form.JSON),
        (b"12", Form.JSON_SCALAR),
        (b"a, b", Form.TEXT),
        ("größer\n".encode(), Form.TEXT),
        (b"", Form.TEXT),
        (b"a\x02b", Form.BINARY),
        (b"\xff\xfe", Form.BINARY),
        (b"[" * 100_000, Form.TEXT),
    ],
)
def test_bytes_are_known_by_their_form(data: bytes, form: Form) -> None:
    assert form_of(data) is form


def test_the_reason_of_an_error_has_message_notes_and_cause_once_each() -> None:
    error = DataError("cannot read it: no magic byte")
    error.add_note("no magic byte")
    error.__cause__ = ValueError("the payload\n  is text")
    assert reason(error) == "cannot read it: no magic byte the payload is text"
    assert reason(KeyError("a")) == "KeyError: 'a'"


def test_a_schema_named_in_a_header_is_a_frame_of_that_part_only() -> None:
    assert form_of(b"\x02", ["__value_schema_id"], "value") is Form.FRAMED
    assert form_of(b"a", ["__value_schema_id"], "key") is Form.TEXT


# --- transforms


def transforms(sample: Any, **chain: str) -> list[Finding]:
    connector = {
        "connector.class": "FileStreamSink", "topics": "orders", "file": "f", **settings_of("json"),
        **{name.replace("__", "."): value for name, value in chain.items()},
    }  # fmt: skip
    return findings(TransformsCheck(situation(connector), FakeSampler({"orders": sample})))


VALUE_TO_KEY = "org.apache.kafka.connect.transforms.ValueToKey"


def test_transforms_are_tried_on_what_the_converters_read() -> None:
    chain = {"transforms": "k", "transforms__k__type": VALUE_TO_KEY, "transforms__k__fields": "count"}
    sample = records([*payloads("json"), b"not json"])
    [finding] = transforms(sample, **chain)
    assert (finding.level, finding.message) == (OK, "3 records pass, 0 are dropped")
    dropping = {"transforms": "f", "transforms__f__type": "org.apache.kafka.connect.transforms.Filter"}
    [finding] = transforms(sample, **dropping)
    assert finding.message == "0 records pass, 3 are dropped"


def test_a_transform_that_fails_is_told_with_the_record_and_the_command_that_shows_it() -> None:
    chain = {"transforms": "k", "transforms__k__type": VALUE_TO_KEY, "transforms__k__fields": "item"}
    [failed, passed] = transforms(records([b'{"item": "a"}', b'"no object"']), **chain)
    assert (failed.level, passed.level) == (BROKEN, OK)
    assert "ValueToKey as k fails for 1 of 2; orders-0@1:" in failed.message
    assert "--topic orders --partition 0 --offset 1" in failed.advice
    [failed, _] = transforms(records([b'{"item": "a"}', b'"no object"']), **chain, errors__tolerance="all")
    assert failed.level is WARNING


def test_without_transforms_there_is_nothing_to_say() -> None:
    assert transforms(records([b"1"])) == []
