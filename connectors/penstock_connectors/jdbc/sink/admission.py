"""The check whether records have what the settings need (``io.confluent.connect.jdbc.sink.RecordValidator``).

A refused record fails the task whatever ``errors.tolerance`` says: it is the settings that do not fit the topic.
"""

from __future__ import annotations

from typing import Any

from penstock.data import Schema, SinkRecord, Type, java_class_name
from penstock.errors import ConnectError
from penstock_connectors.jdbc.sink.config import PrimaryKeyMode, SinkConfig

__all__ = ["Admission"]


class Admission:
    """Checks the first of several records that have the same schemas, which stands for all of them."""

    def __init__(self, config: SinkConfig) -> None:
        self._config = config
        mode = config.pk_mode
        self._needs_key = mode is PrimaryKeyMode.RECORD_KEY or config.delete_enabled
        self._needs_value = not config.delete_enabled or mode in (PrimaryKeyMode.RECORD_VALUE, PrimaryKeyMode.NONE)

    def check(self, record: SinkRecord) -> None:
        """Raise `ConnectError` if the settings cannot work with `record`."""
        if self._needs_key and not _usable_key(record):
            raise ConnectError(
                self._refusal(record, "a non-null key and non-null Struct or primitive key schema", "key", record.key, record.key_schema)
            )  # fmt: skip
        if not self._needs_value and (record.value is None or record.value_schema is not None):
            return
        if not _usable_value(record):
            # With deletes the JVM's connector ends in a NullPointerException for a value without a schema.
            wanted = "a non-null Struct or String value and non-null Struct or String schema"
            raise ConnectError(self._refusal(record, wanted, "value", record.value, record.value_schema))
        if record.value_schema is not None and record.value_schema.type is Type.STRING:
            self._refuse_field_settings()

    def _refusal(self, record: SinkRecord, wanted: str, side: str, value: Any, schema: Schema | None) -> str:
        config = self._config
        timestamp = "null" if record.timestamp is None else record.timestamp
        return (
            f"Sink connector '{config.connector_name}' is configured with 'delete.enabled={str(config.delete_enabled).lower()}' "
            f"and 'pk.mode={config.pk_mode.value}' and therefore requires records with {wanted}, but found record at "
            f"(topic='{record.topic}',partition={record.partition},offset={record.offset},timestamp={timestamp}) "
            f"with a {_value_kind(value, schema)} {side} and {_schema_kind(schema)} {side} schema.{self._advice(side, value, schema)}"
        )

    def _advice(self, side: str, value: Any, schema: Schema | None) -> str:
        if value is not None and schema is None:
            carriers = (
                f"set a {side}.converter that carries schemas, or {side}.converter.schemas.enable=true of JsonConverter"
            )
            own = (
                "" if self._config.parsed["schemaless.enable"] else "; schemaless.enable=true takes objects without one"
            )
            return f" To give it a schema, {carriers}{own}."
        if value is None and side == "value":
            return " To have null values delete rows, set delete.enabled=true and pk.mode=record_key; to pass over them, unfit.records=report or a transform that drops them."
        return ""

    def _refuse_field_settings(self) -> None:
        config = self._config
        given = {"fields.whitelist": config.fields_whitelist, "timestamp.fields.list": config.timestamp_fields}
        names = [name for name, value in given.items() if value]
        if names:
            raise ConnectError(
                f"Sink connector '{config.connector_name}' is configured with field-level options that are not applicable "
                f"to String values: {', '.join(names)}. Remove these options, or have the upstream producer emit Struct values instead."
            )


def _usable_key(record: SinkRecord) -> bool:
    schema = record.key_schema
    return record.key is not None and schema is not None and (schema.type is Type.STRUCT or schema.type.is_primitive)


def _usable_value(record: SinkRecord) -> bool:
    schema = record.value_schema
    return record.value is not None and schema is not None and schema.type in (Type.STRUCT, Type.STRING)


def _value_kind(value: Any, schema: Schema | None) -> str:
    if value is None:
        return "null"
    if schema is None and type(value) is dict:
        return "HashMap"  # what JsonConverter makes of an object
    return java_class_name(value, schema).rpartition(".")[2].replace("[B", "byte[]")


def _schema_kind(schema: Schema | None) -> str:
    if schema is None:
        return "null"
    return "Struct" if schema.type is Type.STRUCT else schema.type.value
