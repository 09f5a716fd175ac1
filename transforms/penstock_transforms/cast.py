"""``Cast``: fields, or the whole key or value, become another type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.api import BoundTransform, Shape
from penstock.config import ConfigDef, ConfigType, Importance, LambdaValidator
from penstock.data import Schema, SchemaBuilder, Type
from penstock.errors import ConfigError, DataError
from penstock.java.hash_order import in_java_order
from penstock_transforms.blame import at_field
from penstock_transforms.cast_values import CastsByType, Convert, caster, caster_without_schema, check_target
from penstock_transforms.field_path import FieldPath, FieldSyntax
from penstock_transforms.levels import Level, bind_level, carry_metadata, copy_basics
from penstock_transforms.operating import Edit, OperatingTransform
from penstock_transforms.settings import REPLACE_NULL, define_field_syntax, define_replace_null, split_pair

__all__ = ["Cast", "CastKey", "CastValue"]


def _type(name: str) -> Type:
    upper = name.strip().upper()
    try:
        return check_target(Type[upper])
    except KeyError:
        # The words that Java's ConfigException makes of a cause given as a value; people search for them.
        raise ConfigError(
            f"Invalid type found in casting spec: {name.strip()}",
            f"java.lang.IllegalArgumentException: No enum constant org.apache.kafka.connect.data.Schema.Type.{upper}",
        ) from None


def _parse_spec(spec: list[str]) -> dict[str | None, Type]:
    """Field name to type; the name None stands for the whole."""
    casts: dict[str | None, Type] = {}
    for mapping in spec:
        parts = split_pair(mapping)
        if len(parts) > 2:
            raise ConfigError("renames", spec, f"Invalid rename mapping: {mapping}")
        if len(parts) == 1:
            casts[None] = _type(parts[0])
        else:
            casts[parts[0].strip()] = _type(parts[1])
    if None in casts and len(spec) > 1:
        raise ConfigError(
            "Cast transformations that specify a type to cast the entire value to may only specify a single cast in their spec"
        )
    return casts


def _check_spec(name: str, value: Any) -> None:
    if not value:
        raise ConfigError("Must specify at least one field to cast.")
    _parse_spec(value)


_CONFIG = define_field_syntax(
    define_replace_null(
        ConfigDef().define(
            "spec",
            ConfigType.LIST,
            validator=LambdaValidator(_check_spec, "list of colon-delimited pairs, e.g. foo:bar,abc:xyz"),
            importance=Importance.HIGH,
            doc="Fields and the types they get, as field:type pairs; or one type alone for the whole key or value. "
            "Types: int8, int16, int32, int64, float32, float64, boolean, string. bytes can only be cast to string.",
        )
    )
)


class Cast(OperatingTransform):
    """A null stays null. Numbers wrap, are cut or saturate as Java's casts do; texts are parsed as Java parses them."""

    purpose = "cast types"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        syntax = FieldSyntax.of(config)
        casts = _parse_spec(config["spec"])
        self._fill: bool = config[REPLACE_NULL]
        self._whole: Type | None = casts.pop(None, None)
        self._level: Level[dict[str, Type]] = Level(dict)
        for name, target in casts.items():
            assert name is not None  # the whole was taken out
            path = FieldPath.parse(name, syntax)
            self._level.at(path.parents).work[path.name] = target

    def bind_schema(self, shape: Shape, schema: Schema) -> BoundTransform:
        if self._whole is not None:
            convert = caster(schema, self._whole)
            return self.convert(shape, _cast_schema(schema, self._whole, metadata=True), convert or _same)
        if schema.type is not Type.STRUCT:
            raise DataError("Cannot list fields on non-struct type")
        if schema.default is not None:
            raise DataError("Cast cannot cast fields of a struct whose schema has a default value")
        after, edit = bind_level(self._level, schema, _bind_struct, self.purpose, self._fill)
        return self.edit(shape, after, edit)

    def bind_schemaless(self, shape: Shape) -> BoundTransform:
        if self._whole is not None:
            return self.convert(shape, None, caster_without_schema(self._whole))
        _, edit = bind_level(self._level, None, _bind_map, self.purpose, self._fill)
        return self.edit(shape, None, edit)


def _same(value: Any) -> Any:
    return value


def _cast_schema(schema: Schema, target: Type, metadata: bool) -> Schema:
    """The schema after a cast. A field's loses name, version, doc and parameters; the whole's keeps them, as in Kafka."""
    builder = SchemaBuilder(target)
    if metadata:
        carry_metadata(schema, builder)
    if schema.optional:
        builder.optional()
    if schema.default is not None:
        convert = caster(schema, target)
        builder.default(schema.default if convert is None else convert(schema.default))
    return builder.build()


def _bind_struct(schema: Schema | None, work: dict[str, Type]) -> tuple[Schema | None, Edit | None]:
    assert schema is not None  # bound with one by bind_schema
    builder = copy_basics(schema)
    casts: list[tuple[str, Convert]] = []
    for field in schema.fields:
        target = work.get(field.name)
        if target is None:
            builder.field(field.name, field.schema)
            continue
        try:
            builder.field(field.name, _cast_schema(field.schema, target, metadata=False))
        except DataError as error:
            at_field(error, field.name)
            raise
        try:
            convert = caster(field.schema, target)
        except DataError as error:
            convert = _refusing(error.message)  # a null can be cast from any type
        if convert is not None:
            casts.append((field.name, convert))
    if schema.optional:
        builder.optional()
    return builder.build(), _casting(casts) if casts else None


def _refusing(message: str) -> Convert:
    def refuse(_: Any) -> Any:
        raise DataError(message)

    return refuse


def _casting(casts: list[tuple[str, Convert]]) -> Edit:
    if len(casts) == 2:
        return _casting_two(*casts[0], *casts[1])

    def cast(value: dict[str, Any]) -> None:
        name = ""
        try:
            for name, convert in casts:
                old = value.get(name)
                if old is not None:
                    value[name] = convert(old)
        except Exception as error:
            at_field(error, name)
            raise

    return cast


def _casting_two(name1: str, convert1: Convert, name2: str, convert2: Convert) -> Edit:
    """The loop of `_casting`, unrolled: it costs as much as a conversion."""

    def cast(value: dict[str, Any]) -> None:
        name = name1
        try:
            old = value.get(name1)
            if old is not None:
                value[name1] = convert1(old)
            name = name2
            old = value.get(name2)
            if old is not None:
                value[name2] = convert2(old)
        except Exception as error:
            at_field(error, name)
            raise

    return cast


def _bind_map(schema: Schema | None, work: dict[str, Type]) -> tuple[Schema | None, Edit | None]:
    # The order of Kafka's HashMap decides which of several bad fields is complained of.
    casts = [(name, CastsByType(target)) for name, target in in_java_order(work)]

    def cast(value: dict[str, Any]) -> None:
        name = ""
        try:
            for name, by_type in casts:
                old = value.get(name)
                value[name] = None if old is None else by_type[type(old)](old)
        except Exception as error:
            at_field(error, name)
            raise

    return None, cast if casts else None


class CastKey(Cast):
    part = "key"


class CastValue(Cast):
    part = "value"
