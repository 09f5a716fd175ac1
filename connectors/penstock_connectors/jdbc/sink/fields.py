"""The columns that a record's key and value fill: which are there, in which order, and which are the key.

The rules are those of ``io.confluent.connect.jdbc.sink.metadata.FieldsMetadata``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.data import INT32, INT64, OPTIONAL_STRING, STRING, Schema, Type
from penstock.errors import ConnectError
from penstock_connectors.jdbc.sink.config import PrimaryKeyMode, SinkConfig

__all__ = ["KAFKA_FIELDS", "FieldsMetadata", "SinkField"]

#: The key columns of ``pk.mode=kafka`` where ``pk.fields`` names none: topic, partition, offset.
KAFKA_FIELDS: Final = ("__connect_topic", "__connect_partition", "__connect_offset")


@dataclass(frozen=True, slots=True)
class SinkField:
    """One column as the records' schemas have it."""

    schema: Schema
    name: str
    primary_key: bool

    @property
    def optional(self) -> bool:
        """Return whether the column may be null. A key column may not, whatever its schema says."""
        return not self.primary_key and self.schema.optional

    @property
    def default(self) -> Any:
        """Return the schema's default, None if there is none."""
        return self.schema.default

    def __str__(self) -> str:
        """Return the field as the JVM's messages show it."""
        flag = "true" if self.primary_key else "false"
        return f"SinkRecordField{{schema={self.schema!r}, name='{self.name}', isPrimaryKey={flag}}}"


@dataclass(frozen=True, slots=True)
class FieldsMetadata:
    """The columns of one pair of key schema and value schema."""

    #: The key columns, in the order of statements: as ``pk.fields`` or the schema has them.
    keys: tuple[str, ...]
    #: The other columns, in the value's order.
    others: tuple[str, ...]
    #: All columns, in the order of a new table.
    all: tuple[SinkField, ...]

    @classmethod
    def extract(
        cls, table: str, config: SinkConfig, key_schema: Schema | None, value_schema: Schema | None
    ) -> FieldsMetadata:
        """Return the columns for `table`. Raise `ConnectError` if the schemas do not have what the settings name."""
        if value_schema is not None and value_schema.type not in (Type.STRUCT, Type.STRING):
            raise ConnectError("Value schema must be of type Struct or String")
        text = value_schema is not None and value_schema.type is Type.STRING
        if text and config.pk_mode is PrimaryKeyMode.RECORD_VALUE:
            raise ConnectError("pk.mode record_value is not supported with String value schemas")
        keys = _keys(table, config, key_schema, value_schema)
        others = _others(table, config, keys, value_schema)
        if not keys and not others:
            raise ConnectError(f"No fields found using key and value schemas for table: {table}")
        found = {name: SinkField(schema, name, True) for name, schema in keys.items()}
        found |= {name: SinkField(schema, name, False) for name, schema in others.items()}
        return cls(tuple(keys), tuple(others), _in_table_order(found, config, value_schema))


def _keys(
    table: str, config: SinkConfig, key_schema: Schema | None, value_schema: Schema | None
) -> Mapping[str, Schema]:
    match config.pk_mode:
        case PrimaryKeyMode.KAFKA:
            return _kafka_keys(table, config.pk_fields)
        case PrimaryKeyMode.RECORD_KEY:
            return _record_keys(table, config, key_schema)
        case PrimaryKeyMode.RECORD_VALUE:
            return _struct_keys(table, config, value_schema, "value")
    return {}


def _kafka_keys(table: str, named: Sequence[str]) -> Mapping[str, Schema]:
    if named and len(named) != len(KAFKA_FIELDS):
        raise ConnectError(
            f"PK mode for table '{table}' is KAFKA so there should either be no field names defined for defaults "
            f"[{', '.join(KAFKA_FIELDS)}] to be applicable, or exactly 3, defined fields are: [{', '.join(named)}]"
        )
    return dict(zip(named or KAFKA_FIELDS, (STRING, INT32, INT64), strict=True))


def _record_keys(table: str, config: SinkConfig, schema: Schema | None) -> Mapping[str, Schema]:
    if schema is None or schema.type is Type.STRUCT:
        return _struct_keys(table, config, schema, "key")
    if not schema.type.is_primitive:
        raise ConnectError(f"Key schema must be primitive type or Struct, but is of type: {schema.type.name}")
    if len(config.pk_fields) != 1:
        raise ConnectError(
            "Need exactly one PK column defined since the key schema for records is a primitive type, "
            f"defined columns are: [{', '.join(config.pk_fields)}]"
        )
    return {config.pk_fields[0]: schema}


def _struct_keys(table: str, config: SinkConfig, schema: Schema | None, side: str) -> Mapping[str, Schema]:
    mode = config.pk_mode.name
    if schema is None:
        raise ConnectError(f"PK mode for table '{table}' is {mode}, but record {side} schema is missing")
    if not config.pk_fields:
        return {field.name: field.schema for field in schema.fields}
    keys = {}
    for name in config.pk_fields:
        field = schema.field(name)
        if field is None:
            raise ConnectError(
                f"PK mode for table '{table}' is {mode} with configured PK fields [{', '.join(config.pk_fields)}], "
                f"but record {side} schema does not contain field: {name}"
            )
        keys[name] = field.schema
    return keys


def _others(table: str, config: SinkConfig, keys: Mapping[str, Schema], schema: Schema | None) -> Mapping[str, Schema]:
    if schema is None:
        return {}
    if schema.type is Type.STRING:
        name = config.string_column
        if name in keys:
            raise ConnectError(
                f"Configured string.output.value.column.name '{name}' conflicts with a primary key column for table '{table}'"
            )
        return {name: OPTIONAL_STRING}
    wanted = config.fields_whitelist
    return {f.name: f.schema for f in schema.fields if f.name not in keys and (not wanted or f.name in wanted)}


def _in_table_order(found: Mapping[str, SinkField], config: SinkConfig, schema: Schema | None) -> tuple[SinkField, ...]:
    names = [name for name in KAFKA_FIELDS if name in found]
    if schema is not None:
        of_value = [config.string_column] if schema.type is Type.STRING else [f.name for f in schema.fields]
        names += [name for name in of_value if name in found]
    first = dict.fromkeys(names)
    # Java sorts by UTF-16 unit, which differs from code points beyond the basic plane alone.
    rest = sorted((name for name in found if name not in first), key=lambda name: name.encode("utf-16-be"))
    return tuple(found[name] for name in (*first, *rest))
