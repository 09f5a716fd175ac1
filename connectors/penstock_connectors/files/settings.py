"""The settings of the JSON lines and CSV sources, and what is made of them before a file is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from penstock.config import ConfigDef, ConfigType, Importance, NonEmptyString, Range, ValidString
from penstock.data import Schema, Type
from penstock.errors import ConfigError
from penstock_connectors.files.declared import declared_schema
from penstock_connectors.reading import CHUNK, file_error

__all__ = ["check_settings", "decimal_fields", "key_extractor", "schema_of", "source_config_def"]


def source_config_def() -> ConfigDef:
    """The settings of both sources; each adds its own."""
    high, medium, low = Importance.HIGH, Importance.MEDIUM, Importance.LOW
    return (
        ConfigDef()
        .define("file", ConfigType.STRING, validator=NonEmptyString(), importance=high, doc="The file to read.")
        .define("topic", ConfigType.STRING, validator=NonEmptyString(), importance=high, doc="The topic that the records go to.")
        .define("schema", ConfigType.STRING, "infer", importance=high,
                doc="What the values look like: 'infer' finds a schema from the file's first records, 'none' hands over values without one, and a text that starts with { declares one in the form of JsonConverter.")
        .define("schema.file", ConfigType.STRING, None, importance=medium, doc="A file with the declared schema, instead of 'schema'.")
        .define("schema.name", ConfigType.STRING, None, importance=medium,
                doc="The name of an inferred schema, such as com.example.Order; structs below it get names made from it and the field's.")
        .define("schema.infer.rows", ConfigType.INT, 1000, validator=Range.at_least(1), importance=medium,
                doc="How many records, from the file's start, a schema is inferred from.")
        .define("schema.infer.dates", ConfigType.BOOLEAN, "false", importance=low,
                doc="Whether strings that are ISO dates, times or timestamps throughout the sample become Date, Time and Timestamp.")
        .define("decimal.fields", ConfigType.LIST, "", importance=low,
                doc="Fields that become Decimal in an inferred schema, with their scale: price:2, items.price:2.")
        .define("key.field", ConfigType.STRING, None, importance=medium,
                doc="The field whose value becomes the record's key, dotted for a field of a struct; without it keys are null.")
        .define("file.end", ConfigType.STRING, "wait", validator=ValidString("wait", "stop"), importance=medium,
                doc="What the file's end means: 'wait' for more, or 'stop', the data is complete. With 'wait' a last line without line end waits for it, with 'stop' it is a record.")
        .define("batch.size", ConfigType.INT, 2000, validator=Range.at_least(1), importance=low, doc="How many records are handed over at once, at most.")
        .define("max.record.bytes", ConfigType.INT, 16_777_216, validator=Range.at_least(CHUNK), importance=low,
                doc="For how many bytes a record's end is looked for; a longer record is an error, since it usually means a missing line end or an unclosed quote.")
    )  # fmt: skip


def check_settings(config: Mapping[str, Any]) -> None:
    """Rules across settings; a declared schema is read and checked."""
    decimal_fields(config)
    mode = config["schema"]
    inline = mode.startswith("{")
    if not inline and mode not in ("infer", "none"):
        raise ConfigError("schema", mode, "Expected infer, none, or a schema as JSON that starts with {")
    if config["schema.file"] and mode != "infer":
        raise ConfigError("schema.file", config["schema.file"], "There is also a 'schema'; give one of the two")
    if inline:
        declared_schema(mode, "The setting 'schema'")


def decimal_fields(config: Mapping[str, Any]) -> dict[str, int]:
    fields = {}
    for entry in config["decimal.fields"]:
        path, colon, scale = entry.rpartition(":")
        if not colon or not path or not scale.isdigit():
            raise ConfigError("decimal.fields", entry, "Expected field:scale, such as price:2")
        fields[path] = int(scale)
    return fields


def schema_of(config: Mapping[str, Any]) -> Schema | None:
    """The declared schema; None if it is to be inferred or there is none."""
    path = config["schema.file"]
    if path:
        try:
            return declared_schema(Path(path).read_bytes(), f"The schema file {path!r}")
        except OSError as error:
            raise file_error("schema.file:", "read", path, error) from error
    mode: str = config["schema"]
    return declared_schema(mode, "The setting 'schema'") if mode.startswith("{") else None


def key_extractor(path: str | None, schema: Schema | None) -> tuple[Schema | None, Callable[[Any], Any] | None]:
    """The key's schema and what takes it out of a value; (None, None) without a key field."""
    if not path:
        return None, None
    steps = path.split(".")
    key_schema = schema
    for step in steps if schema is not None else ():
        assert key_schema is not None
        field = key_schema.field(step) if key_schema.type is Type.STRUCT else None
        if field is None:
            raise ConfigError("key.field", path, f"The schema has no field {step!r} there")
        key_schema = field.schema.as_optional() if key_schema.optional else field.schema
    if len(steps) == 1:
        name = steps[0]
        return key_schema, lambda value: value.get(name) if type(value) is dict else None

    def walk(value: Any) -> Any:
        for step in steps:
            value = value.get(step) if type(value) is dict else None
        return value

    return key_schema, walk
