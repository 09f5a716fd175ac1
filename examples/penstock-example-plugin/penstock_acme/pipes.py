"""Structs as text with a | between the fields: ``1|road runner|``. A null is empty; |, \\ and line ends are escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from penstock.api import Converter
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import (
    OPTIONAL_BOOLEAN,
    OPTIONAL_FLOAT64,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    Schema,
    SchemaAndValue,
    SchemaBuilder,
    Type,
)
from penstock.errors import ConfigError, DataError
from penstock_acme import __version__

CONFIG_DEF = ConfigDef().define(
    "fields",
    ConfigType.LIST,
    importance=Importance.HIGH,
    doc="The fields with their types, in order: id:int64,name:string. Types: int64, float64, boolean, string.",
)

BOOLEANS = {"true": True, "false": False}
ESCAPES = {"|": "\\p", "\\": "\\\\", "\n": "\\n", "": "\\e"}
UNESCAPES = {"p": "|", "\\": "\\", "n": "\n", "e": ""}
ESCAPED = re.compile(r"[|\\\n]|^$")
UNESCAPED = re.compile(r"\\(.)")

#: For each type: its schema, how it is written, how it is read.
TYPES: dict[str, tuple[Schema, Callable[[Any], str], Callable[[str], Any]]] = {
    "int64": (OPTIONAL_INT64, str, int),
    "float64": (OPTIONAL_FLOAT64, repr, float),
    "boolean": (OPTIONAL_BOOLEAN, lambda value: "true" if value else "false", lambda text: BOOLEANS[text]),
    "string": (OPTIONAL_STRING, lambda value: ESCAPED.sub(lambda m: ESCAPES[m[0]], value), lambda text: text),
}


class PipeConverter(Converter):
    version = __version__

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    def configure(self, configs: Mapping[str, Any], is_key: bool) -> None:
        self._fields: list[tuple[str, str]] = []
        builder = SchemaBuilder.struct().optional()
        for entry in CONFIG_DEF.parse(configs)["fields"]:
            name, colon, kind = entry.partition(":")
            if not colon or kind not in TYPES:
                raise ConfigError("fields", entry, f"Expected name:type with a type of {', '.join(TYPES)}")
            self._fields.append((name, kind))
            builder.field(name, TYPES[kind][0])
        self._schema = builder.build()

    def serializer(self, topic: str, schema: Schema | None) -> Callable[[Any], bytes | None]:
        # The schema's part is settled here, once; the returned function runs for every record.
        if schema is not None:
            self._check(schema)
        writers = [(name, TYPES[kind][1]) for name, kind in self._fields]

        def write(value: Any) -> bytes | None:
            if value is None:  # a tombstone stays one
                return None
            try:
                texts = ["" if (item := value.get(name)) is None else text(item) for name, text in writers]
            except (AttributeError, TypeError) as error:
                raise DataError(f"PipeConverter cannot write {value!r} as {self._fields}: {error}") from error
            return "|".join(texts).encode()

        return write

    def _check(self, schema: Schema) -> None:
        if schema.type is not Type.STRUCT:
            raise DataError(f"PipeConverter writes structs, met {schema!r}")
        for name, kind in self._fields:
            field = schema.field(name)
            if field is None or field.schema.type is not TYPES[kind][0].type:
                raise DataError(f"PipeConverter expects the field {name} of type {kind}, met {field and field.schema}")

    def deserializer(self, topic: str) -> Callable[[bytes | None], SchemaAndValue]:
        schema = self._schema
        readers = [(name, kind, TYPES[kind][2]) for name, kind in self._fields]

        def read(data: bytes | None) -> SchemaAndValue:
            if data is None:
                return SchemaAndValue(schema, None)
            texts = data.decode("utf-8", "replace").split("|")
            if len(texts) != len(readers):
                raise DataError(f"PipeConverter expects {len(readers)} fields, met {len(texts)} in {data!r}")
            value = {}
            for (name, kind, convert), text in zip(readers, texts, strict=True):
                plain = UNESCAPED.sub(lambda m: UNESCAPES.get(m[1], m[0]), text)
                try:
                    value[name] = convert(plain) if text else None
                except (ValueError, KeyError) as error:
                    raise DataError(f"PipeConverter expects {kind} in the field {name}, met {plain!r}") from error
            return SchemaAndValue(schema, value)

        return read
