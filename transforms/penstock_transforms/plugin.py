"""The plugins of this package; nothing they need at run time is imported here."""

from __future__ import annotations

from penstock import __version__
from penstock.api import Plugin, hookimpl

_JVM = "org.apache.kafka.connect.transforms"
#: Class names of what Kafka does not have.
_OWN = "penstock.transforms"
_DEBEZIUM = "io.debezium.transforms"

#: Class name: module and one line for listings. These come as ``$Key`` and ``$Value``.
_OF_KEY_OR_VALUE = {
    "Cast": ("cast", "Casts fields, or the whole, to another type."),
    "ExtractField": ("extract_field", "Puts one field in the place of the whole."),
    "Flatten": ("flatten", "Takes nested structs apart into one level."),
    "HeaderFrom": ("header_from", "Copies or moves fields into headers."),
    "HoistField": ("hoist_field", "Wraps the whole into a struct of one field."),
    "InsertField": ("insert_field", "Adds fields from record metadata or a fixed text."),
    "MaskField": ("mask_field", "Replaces fields by a null-like or given value."),
    "ReplaceField": ("replace_field", "Keeps, drops and renames fields."),
    "SetSchemaMetadata": ("set_schema_metadata", "Sets the schema's name and version."),
    "TimestampConverter": ("timestamp_converter", "Converts between representations of time."),
}
_OF_RECORD = {
    "DropHeaders": ("drop_headers", "Removes headers by name."),
    "Filter": ("filter", "Drops every record; use it with a predicate."),
    "InsertHeader": ("insert_header", "Adds a header with a fixed value."),
    "RegexRouter": ("regex_router", "Renames the topic by a regular expression."),
    "TimestampRouter": ("timestamp_router", "Makes the topic from topic and timestamp."),
    "ValueToKey": ("value_to_key", "Makes the key from fields of the value."),
}
#: Transforms that Kafka does not have; as ``$Key`` and ``$Value``, under class names of our own.
_OWN_OF_KEY_OR_VALUE = {
    "Drop": ("drop", "Removes fields whose names match a pattern."),
}
#: Name: where it is, the class's name in Debezium's package, and one line for listings.
_OF_DEBEZIUM = {
    "by-logical-table-router": (
        "logical_router:ByLogicalTableRouter",
        "ByLogicalTableRouter",
        "Brings the change events of several tables into one topic.",
    ),
    "extract-new-record-state": (
        "extract_new_record_state:ExtractNewRecordState",
        "ExtractNewRecordState",
        "Puts the row of a change event in the event's place.",
    ),
    "outbox-event-router": (
        "event_router:EventRouter",
        "outbox.EventRouter",
        "Makes records of the rows of an outbox table.",
    ),
    "timezone-converter": (
        "timezone_converter:TimezoneConverter",
        "TimezoneConverter",
        "Moves the times in change events into a time zone.",
    ),
    "to-logical-topic-router": (
        "logical_router:ToLogicalTopicRouter",
        "ToLogicalTopicRouter",
        "Brings the change events of several tables into one topic.",
    ),
}
_PREDICATES = {
    "HasHeaderKey": ("has_header_key", "True where a header of the name is there."),
    "RecordIsTombstone": ("record_is_tombstone", "True where the value is null."),
    "TopicNameMatches": ("topic_name_matches", "True where the whole topic name matches a pattern."),
}


def _short(module: str) -> str:
    return module.replace("_", "-")


@hookimpl
def penstock_register_transforms() -> list[Plugin]:
    plugins = [
        Plugin(
            f"{_short(module)}.{part.lower()}",
            f"penstock_transforms.{module}:{name}{part}",
            aliases=(f"{_JVM}.{name}${part}",),
            summary=summary,
        )
        for name, (module, summary) in _OF_KEY_OR_VALUE.items()
        for part in ("Key", "Value")
    ]
    plugins += [
        Plugin(_short(module), f"penstock_transforms.{module}:{name}", aliases=(f"{_JVM}.{name}",), summary=summary)
        for name, (module, summary) in _OF_RECORD.items()
    ]
    plugins += [
        Plugin(
            f"{_short(module)}.{part.lower()}",
            f"penstock_transforms.{module}:{name}{part}",
            aliases=(f"{_OWN}.{name}${part}",),
            summary=summary,
            version=__version__,
        )
        for name, (module, summary) in _OWN_OF_KEY_OR_VALUE.items()
        for part in ("Key", "Value")
    ]
    plugins += [
        Plugin(
            name,
            f"penstock_transforms.debezium.{target}",
            aliases=(f"{_DEBEZIUM}.{class_name}",),
            summary=summary,
            version=__version__,
        )
        for name, (target, class_name, summary) in _OF_DEBEZIUM.items()
    ]
    return plugins


@hookimpl
def penstock_register_predicates() -> list[Plugin]:
    plugins = [
        Plugin(
            _short(module),
            f"penstock_transforms.predicates.{module}:{name}",
            aliases=(f"{_JVM}.predicates.{name}",),
            summary=summary,
        )
        for name, (module, summary) in _PREDICATES.items()
    ]
    plugins += [
        Plugin(
            f"record-matches.{part.lower()}",
            f"penstock_transforms.predicates.record_matches:RecordMatches{part}",
            aliases=(f"{_OWN}.predicates.RecordMatches${part}",),
            summary="True where a CEL expression over the record's content is.",
            version=__version__,
        )
        for part in ("Key", "Value")
    ]
    return plugins
