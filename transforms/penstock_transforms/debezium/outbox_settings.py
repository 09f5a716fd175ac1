"""The settings of `EventRouter`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from penstock.config import ConfigDef, ConfigType, Importance, Validator, Width
from penstock_transforms.debezium.event_fields import split_as_java
from penstock_transforms.debezium.names import ADJUSTMENTS
from penstock_transforms.debezium.settings import OneOf, Pattern, define_unused, refused, word

__all__ = ["OUTBOX", "UNUSED", "AdditionalField", "additional_fields"]

_PLACEMENT: Final = "table.fields.additional.placement"
_PLACES: Final = ("header", "envelope", "partition")
_TRACING: Final = "this transform starts no spans; the worker's own OpenTelemetry spans do not need it"
UNUSED: Final = {
    "table.field.event.type": "Debezium does not read the type either; table.fields.additional.placement takes it into a header or the value",
    "tracing.span.context.field": _TRACING,
    "tracing.operation.name": _TRACING,
    "tracing.with.context.field.only": _TRACING,
}


class AdditionalField(NamedTuple):
    """A further column, its place (``header``, ``envelope``, ``partition``), and its name there."""

    field: str
    place: str
    name: str


def additional_fields(config: Mapping[str, Any]) -> list[AdditionalField]:
    """Return the columns of ``table.fields.additional.placement``."""
    fields = []
    for text in config[_PLACEMENT] or ():
        parts = [part.strip() for part in split_as_java(text, ":")]
        place = word(parts[1])
        fields.append(AdditionalField(parts[0], place, parts[2] if len(parts) == 3 else parts[0]))
    return fields


class _Placements:
    """Accepts pairs and trios with colons between, whose second part is a place."""

    def ensure_valid(self, name: str, value: Any) -> None:
        for text in value or ():
            parts = split_as_java(text, ":")
            if len(parts) not in (2, 3):
                problem = "A comma-separated list of valid String pairs or trios is expected but got: "
                raise refused(name, ",".join(value), problem + f"[{', '.join(value)}]")
            if word(parts[1]) not in _PLACES:
                raise refused(name, text, f"The place is one of {', '.join(_PLACES)}, found {parts[1]}")

    def __str__(self) -> str:
        return "column:place or column:place:name, place one of header, envelope, partition"


def _text(
    config: ConfigDef,
    group: str,
    name: str,
    default: str | None,
    importance: Importance,
    doc: str,
    validator: Validator | None = None,
) -> None:
    config.define(
        name, ConfigType.STRING, default, importance=importance, doc=doc, validator=validator, group=group, width=Width.MEDIUM
    )  # fmt: skip


def _define_table(config: ConfigDef) -> None:
    low, medium = Importance.LOW, Importance.MEDIUM
    _text(
        config, "Table", "table.field.event.id", "id", low, "Column with the event's id, which becomes the header id."
    )
    _text(config, "Table", "table.field.event.key", "aggregateid", low, "Column with the record's key.")
    _text(config, "Table", "table.field.event.payload", "payload", low, "Column with the record's value.")
    _text(config, "Table", "table.field.event.timestamp", None, medium,
          "Column with the record's timestamp (io.debezium.time.Timestamp, MicroTimestamp or NanoTimestamp); the event's ts_ms if not set or null.")  # fmt: skip
    config.define(
        _PLACEMENT,
        ConfigType.LIST,
        None,
        validator=_Placements(),
        importance=Importance.HIGH,
        group="Table",
        width=Width.MEDIUM,
        doc="Further columns and where they go: column:header, column:envelope:name, column:partition. With one in the envelope the value is a "
        "struct of the payload and these.",
    )
    _text(config, "Table", "table.field.additional.missing", "error", medium,
          "What a column of table.fields.additional.placement does that the row has not: error, or ignore.", OneOf("error", "ignore"))  # fmt: skip
    _text(config, "Table", "table.field.event.schema.version", None, low,
          "Column of type int32 with the version of the value's schema, where that is a struct with further columns.")  # fmt: skip
    _text(config, "Table", "table.op.invalid.behavior", "warn", medium,
          "What an update of a row does: warn and error write it into the log and ignore it, fatal is an error.", OneOf("warn", "error", "fatal"))  # fmt: skip
    config.define(
        "table.expand.json.payload",
        ConfigType.BOOLEAN,
        False,
        importance=medium,
        group="Table",
        width=Width.MEDIUM,
        doc="Make a struct of a payload that is a text with a JSON object or array. Other texts stay as they are.",
    )
    _text(config, "Table", "table.json.payload.null.behavior", "ignore", medium,
          "What a null in such JSON becomes: ignore leaves the field out, optional_bytes makes it null bytes.", OneOf("ignore", "optional_bytes"))  # fmt: skip
    _text(config, "Table", "table.json.payload.empty.array.behavior", "ignore", medium,
          "What an empty array in such JSON becomes: ignore leaves the field out, optional_string makes it an array of strings.",
          OneOf("ignore", "optional_string"))  # fmt: skip
    _text(config, "Table", "field.name.adjustment.mode", "none", low,
          "How names of fields in such JSON are made fit for Avro: none, avro (underscores) or avro_unicode (escapes).", OneOf(*ADJUSTMENTS))  # fmt: skip


def _define_router(config: ConfigDef) -> None:
    high = Importance.HIGH
    _text(config, "Router", "route.by.field", "aggregatetype", high, "Text column that the topic is made of.")
    _text(config, "Router", "route.topic.regex", "(?<routedByValue>.*)", Importance.LOW,
          "Java regular expression that the column's whole text has to match for route.topic.replacement to apply.", Pattern())  # fmt: skip
    _text(config, "Router", "route.topic.replacement", "outbox.event.${routedByValue}", high,
          "The topic; $1 or ${name} stand for what the groups of route.topic.regex matched.")  # fmt: skip
    config.define(
        "route.tombstone.on.empty.payload",
        ConfigType.BOOLEAN,
        False,
        importance=high,
        group="Router",
        width=Width.MEDIUM,
        doc="Make a tombstone of a row whose payload is null, empty or blank.",
    )


def _config() -> ConfigDef:
    config = ConfigDef()
    _define_table(config)
    _define_router(config)
    return define_unused(config, UNUSED)


OUTBOX: Final = _config()
