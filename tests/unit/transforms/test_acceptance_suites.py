"""The transforms and predicates that come with penstock pass the suites that plugin authors run."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from penstock.api import Plugin, Predicate, Transform
from penstock.data import INT64, OPTIONAL_STRING, STRING, Header, Headers, SchemaBuilder, SinkRecord, SourceRecord
from penstock.testing.suites import predicate_suite, transform_suite
from penstock_transforms.plugin import penstock_register_predicates, penstock_register_transforms

INNER = SchemaBuilder.struct().name("Inner").field("city", STRING).build()
PERSON = (
    SchemaBuilder.struct().name("Person").field("id", INT64).field("name", STRING).field("note", OPTIONAL_STRING).field("home", INNER).build()
)  # fmt: skip
VALUE = {"id": 1, "name": "x", "note": None, "home": {"city": "c"}}
FLAT = SchemaBuilder.struct().name("Flat").field("id", INT64).field("at", INT64).field("name", STRING).build()
ENVELOPE = (
    SchemaBuilder.struct().name("db.Envelope").field("before", PERSON.as_optional()).field("after", PERSON.as_optional())
    .field("op", STRING).field("source", SchemaBuilder.struct().name("Source").field("table", STRING).build())
    .field("ts_ms", INT64).build()
)  # fmt: skip


def records(schema: Any, value: Any) -> list[Any]:
    """The value with a schema and without, as key and as value, from a source and to a sink, with headers."""
    headers = Headers([Header("h", STRING, "v")])
    return [
        SourceRecord("t", key_schema=schema, key=value, value_schema=schema, value=value, timestamp=1, headers=headers,
                     source_partition={"p": 1}, source_offset={"o": 2}),
        SourceRecord("t", key=value, value=value, timestamp=1, headers=headers, source_partition={"p": 1}, source_offset={"o": 2}),
        SinkRecord("t", partition=0, key_schema=schema, key=value, value_schema=schema, value=value, offset=7, timestamp=1, headers=headers),
    ]  # fmt: skip


PEOPLE, FLATS = records(PERSON, VALUE), records(FLAT, {"id": 1, "at": 1_700_000_000_000, "name": "x"})
CHANGE = {"before": None, "after": VALUE, "op": "c", "source": {"table": "people"}, "ts_ms": 5}
CHANGES = records(ENVELOPE, CHANGE)
ROUTED = {"topic.regex": "t", "topic.replacement": "all"}
ROUTABLE = [CHANGES[0], CHANGES[2]]  # their keys are structs
#: Class name: settings, records that it handles, settings that are wrong.
CASES: dict[str, tuple[dict[str, Any], list[Any], list[dict[str, Any]]]] = {
    "Cast": ({"spec": "id:string"}, FLATS, [{}, {"spec": "id:x"}]),
    "ExtractField": ({"field": "name"}, PEOPLE, [{}]),
    "Flatten": ({"delimiter": "_"}, PEOPLE, []),
    "HeaderFrom": (
        {"fields": "name", "headers": "n", "operation": "move"},
        PEOPLE,
        [{}, {"fields": "a", "headers": "b", "operation": "x"}],
    ),
    "HoistField": ({"field": "f"}, PEOPLE, [{}]),
    "InsertField": ({"static.field": "site", "static.value": "s"}, PEOPLE, [{"static.field": "x"}]),
    "MaskField": ({"fields": "name"}, FLATS, [{}]),
    "ReplaceField": ({"exclude": "name", "renames": "id:key"}, PEOPLE, [{"renames": "x"}]),
    "SetSchemaMetadata": ({"schema.name": "Other", "schema.version": "3"}, PEOPLE[:1], []),
    "TimestampConverter": ({"field": "at", "target.type": "Timestamp"}, FLATS, [{}, {"target.type": "x"}]),
    "DropHeaders": ({"headers": "h"}, PEOPLE, [{}]),
    "Filter": ({}, PEOPLE, []),
    "InsertHeader": ({"header": "n", "value.literal": "1"}, PEOPLE, [{}]),
    "RegexRouter": ({"regex": "(.*)", "replacement": "$1-x"}, PEOPLE, [{}, {"regex": "(", "replacement": "x"}]),
    "TimestampRouter": ({"topic.format": "${topic}-${timestamp}", "timestamp.format": "yyyy"}, PEOPLE, []),
    "ValueToKey": ({"fields": "id"}, FLATS, [{}]),
    "Drop": ({"pattern": "n.*"}, FLATS, []),
    "ExtractNewRecordState": ({}, CHANGES, [{"delete.tombstone.handling.mode": "x"}, {"add.fields": "a:b:c"}]),
    "EventRouter": (
        {"table.field.event.key": "id", "table.field.event.payload": "note", "route.by.field": "name"},
        CHANGES,
        [{"route.topic.regex": "("}, {"table.fields.additional.placement": "x"}],
    ),
    "ByLogicalTableRouter": (ROUTED, ROUTABLE, [{}, {"topic.regex": "("}]),
    "ToLogicalTopicRouter": (ROUTED, ROUTABLE, [{}, {"topic.regex": "t"}]),
    "TimezoneConverter": ({"converted.timezone": "+01:00"}, CHANGES, [{}, {"converted.timezone": "Mars"}]),
}
PREDICATES: dict[str, tuple[dict[str, Any], list[tuple[Any, bool]], list[dict[str, Any]]]] = {
    "HasHeaderKey": ({"name": "h"}, [(PEOPLE[0], True), (SourceRecord("t"), False)], [{}]),
    "RecordIsTombstone": ({}, [(PEOPLE[0], False), (SourceRecord("t"), True)], []),
    "TopicNameMatches": ({"pattern": "t|x"}, [(PEOPLE[0], True), (SourceRecord("tx"), False)], [{}, {"pattern": "("}]),
    "RecordMatches": (
        {"condition": "value.name == 'x'"},
        [(PEOPLE[0], True), (SourceRecord("t", value={"name": "y"}), False)],
        [{}],
    ),
}


def loaded(plugin: Plugin) -> Any:
    module, _, name = plugin.target.partition(":")
    return getattr(importlib.import_module(module), name)


def case_of(plugin: Plugin, cases: dict[str, Any]) -> Any:
    return next(
        case for name, case in cases.items() if plugin.target.partition(":")[2] in (name, f"{name}Key", f"{name}Value")
    )


TRANSFORMS = {plugin.name: plugin for plugin in penstock_register_transforms()}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_passes(name: str) -> None:
    plugin = TRANSFORMS[name]
    kind: type[Transform] = loaded(plugin)
    settings, handled, wrong = case_of(plugin, CASES)
    run(transform_suite(kind, settings, records=handled, refused_settings=wrong))


@pytest.mark.parametrize("plugin", penstock_register_predicates(), ids=lambda plugin: plugin.name)
def test_a_predicate_passes(plugin: Plugin) -> None:
    kind: type[Predicate] = loaded(plugin)
    settings, verdicts, wrong = case_of(plugin, PREDICATES)
    run(predicate_suite(kind, settings, records=verdicts, refused_settings=wrong))


def run(suite: type[Any]) -> None:
    for name in dir(suite):
        if name.startswith("test_"):
            getattr(suite(), name)()
