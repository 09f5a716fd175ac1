"""``ValueToKey``: fields of the value become the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock import KAFKA_VERSION
from penstock.api import BoundTransform, Shape, Transform
from penstock.config import ConfigDef, ConfigType, Importance, ValidList
from penstock.data import Schema, SchemaBuilder, Type
from penstock.errors import DataError
from penstock_transforms.field_path import FieldPath, FieldSyntax
from penstock_transforms.requirements import not_a_map, not_a_struct
from penstock_transforms.settings import REPLACE_NULL, define_field_syntax, define_replace_null

__all__ = ["ValueToKey"]

_PURPOSE = "copying fields from value to key"
_CONFIG = define_field_syntax(
    define_replace_null(
        ConfigDef().define(
            "fields",
            ConfigType.LIST,
            validator=ValidList.any_non_duplicate_values(False, False),
            importance=Importance.HIGH,
            doc="Fields of the value that make up the key, in this order.",
        )
    ),
    kafkas_own=True,
)
_WRITES = frozenset({"record"})
_OWNS = frozenset({"key"})


class ValueToKey(Transform):
    """The key becomes a struct (a map, without schema) of the fields named; the value stays as it is."""

    version = KAFKA_VERSION

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        syntax = FieldSyntax.of(config)
        self._paths = [FieldPath.parse(text, syntax) for text in config["fields"]]
        self._texts: list[str] = config["fields"]
        self._with_default: bool = config[REPLACE_NULL]

    def bind(self, shape: Shape) -> BoundTransform:
        schema = shape.value_schema
        return self._bind_map(shape) if schema is None else self._bind_struct(shape, schema)

    def _bind_map(self, shape: Shape) -> BoundTransform:
        nested = any(path.parents for path in self._paths)
        paths = list(zip(self._texts, self._paths, strict=True))
        names = [(text, path.name) for text, path in paths]

        def apply(record: Any) -> Any:
            value = record.value
            if not isinstance(value, dict):
                raise not_a_map(_PURPOSE, value)
            if nested:
                record.key = {text: path.value_in_map(value) for text, path in paths}
            else:
                record.key = {text: value.get(name) for text, name in names}
            record.key_schema = None
            return record

        return BoundTransform(apply, shape._replace(key_schema=None), writes=_WRITES, owns=_OWNS)

    def _bind_struct(self, shape: Shape, schema: Schema) -> BoundTransform:
        if schema.type is not Type.STRUCT:
            return BoundTransform(_refusing(schema), shape)
        builder = SchemaBuilder.struct()
        for path, text in zip(self._paths, self._texts, strict=True):
            field = path.field_in(schema)
            if field is None:
                raise DataError(f"Field does not exist: {text}")
            builder.field(text, field.schema)  # the path as it is written, backticks included
        key_schema = builder.build()
        paths, with_default = list(zip(self._texts, self._paths, strict=True)), self._with_default
        nested = any(path.parents for path in self._paths)
        plain = [
            (text, path.name, field.schema.default if with_default else None)
            for (text, path), field in zip(paths, key_schema.fields, strict=True)
        ]

        def apply(record: Any) -> Any:
            value = record.value
            if not isinstance(value, dict):
                raise not_a_struct(_PURPOSE, value, schema)
            if nested:
                record.key = {text: path.value_in_struct(value, schema, with_default) for text, path in paths}
            else:
                key = record.key = {}
                for text, name, default in plain:
                    found = value.get(name)
                    key[text] = default if found is None else found
            record.key_schema = key_schema
            return record

        return BoundTransform(apply, shape._replace(key_schema=key_schema), writes=_WRITES, owns=_OWNS)


def _refusing(schema: Schema) -> Any:
    def refuse(record: Any) -> Any:
        raise not_a_struct(_PURPOSE, record.value, schema)

    return refuse
