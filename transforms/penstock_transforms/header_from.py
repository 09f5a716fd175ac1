"""``HeaderFrom``: fields of the key or value are copied or moved into headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

from penstock.api import BoundTransform, Shape
from penstock.config import ConfigDef, ConfigType, Importance, ValidString
from penstock.data import Header, Schema, Type
from penstock.errors import ConfigError, DataError
from penstock_transforms.field_path import FieldPath, FieldSyntax
from penstock_transforms.levels import Level, bind_level, copy_basics
from penstock_transforms.operating import Edit, OperatingTransform
from penstock_transforms.settings import REPLACE_NULL, NonEmptyList, define_field_syntax, define_replace_null

__all__ = ["HeaderFrom", "HeaderFromKey", "HeaderFromValue"]

_CONFIG = define_field_syntax(
    define_replace_null(
        ConfigDef()
        .define(
            "fields",
            ConfigType.LIST,
            validator=NonEmptyList(),
            importance=Importance.HIGH,
            doc="Fields to take, in this order.",
        )
        .define(
            "headers",
            ConfigType.LIST,
            validator=NonEmptyList(),
            importance=Importance.HIGH,
            doc="Names of the headers to make, one for each of the fields.",
        )
        .define(
            "operation",
            ConfigType.STRING,
            validator=ValidString("move", "copy"),
            importance=Importance.HIGH,
            doc="move takes the fields out of the key or value, copy leaves them there.",
        )
    )
)


class _Source(NamedTuple):
    """A header to make: its name, where the value comes from, and how to get it."""

    header: str
    schema: Schema | None
    get: Callable[[dict[str, Any]], Any]


class HeaderFrom(OperatingTransform):
    """Headers are added behind those there are. A null part is an error, as in Kafka."""

    passes_null: ClassVar[bool] = False

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        if len(config["fields"]) != len(config["headers"]):
            raise ConfigError("'fields' config must have the same number of elements as 'headers' config.")
        syntax = FieldSyntax.of(config)
        self._paths = [FieldPath.parse(text, syntax) for text in config["fields"]]
        self._texts: list[str] = config["fields"]
        self._headers: list[str] = config["headers"]
        self._moves = config["operation"] == "move"
        self._with_default: bool = config[REPLACE_NULL]
        self._level: Level[set[str]] = Level(set)
        if self._moves:
            for path in self._paths:
                self._level.at(path.parents).work.add(path.name)
        self.purpose: str = f"header {config['operation']}"  # type: ignore[misc]  # known once configured

    def bind_schema(self, shape: Shape, schema: Schema) -> BoundTransform:
        if schema.type is not Type.STRUCT:
            return self.refuse_type(shape)
        sources = []
        for header, path, text in zip(self._headers, self._paths, self._texts, strict=True):
            field = path.field_in(schema)
            if field is None:
                raise DataError(f"Unknown field: {text}")
            sources.append(_Source(header, field.schema, self._getter(path, schema)))
        after, edit = schema, None
        if self._moves:
            moved, edit = bind_level(self._level, schema, _without, self.purpose, self._with_default)
            after = moved or schema
        return self._bound(shape, after, sources, edit)

    def bind_schemaless(self, shape: Shape) -> BoundTransform:
        sources = [_Source(h, None, p.value_in_map) for h, p in zip(self._headers, self._paths, strict=True)]
        edit = None
        if self._moves:
            _, edit = bind_level(self._level, None, _without, self.purpose, False)
        return self._bound(shape, None, sources, edit)

    def _getter(self, path: FieldPath, schema: Schema) -> Callable[[dict[str, Any]], Any]:
        with_default = self._with_default
        return lambda value: path.value_in_struct(value, schema, with_default)

    def _bound(self, shape: Shape, after: Schema | None, sources: list[_Source], edit: Edit | None) -> BoundTransform:
        bound = self.edit(shape, after, edit)
        part, finish = self.part, bound.apply

        def apply(record: Any) -> Any:
            value = getattr(record, part)
            if isinstance(value, dict):
                headers = record.headers
                for header, schema, get in sources:
                    headers.append(Header(header, schema, get(value)))
            return finish(record)

        return bound._replace(apply=apply, writes=bound.writes | {"headers"}, in_place=None)


def _without(schema: Schema | None, names: set[str]) -> tuple[Schema | None, Edit | None]:
    def remove(value: dict[str, Any]) -> None:
        for name in names:
            value.pop(name, None)

    if schema is not None:
        builder = copy_basics(schema)
        for field in schema.fields:
            if field.name not in names:
                builder.field(field.name, field.schema)
        schema = builder.build()
    return schema, remove if names else None


class HeaderFromKey(HeaderFrom):
    part = "key"


class HeaderFromValue(HeaderFrom):
    part = "value"
