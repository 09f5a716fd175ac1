"""``Flatten``: nested structs or maps become one level, names joined by a delimiter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock.api import BoundTransform, Shape
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import BigInteger, FarDate, Schema, SchemaBuilder, Struct, Type, java_class_name
from penstock.errors import DataError
from penstock_transforms.blame import at_field
from penstock_transforms.levels import copy_basics
from penstock_transforms.operating import OperatingTransform
from penstock_transforms.requirements import not_a_map, not_a_struct

__all__ = ["Flatten", "FlattenKey", "FlattenValue"]

_CONFIG = ConfigDef().define(
    "delimiter",
    ConfigType.STRING,
    ".",
    importance=Importance.MEDIUM,
    doc="What stands between the names of a nested field and of the field it was in.",
)
#: Classes that Connect's data API knows, apart from Map and Struct (``ConnectSchema.schemaType``).
_KEPT: Final = (str, bool, float, bytes, bytearray, memoryview, list, tuple)

Copy = Callable[[Mapping[str, Any], dict[str, Any]], None]


class Flatten(OperatingTransform):
    """Arrays stay as they are; a map inside a struct is refused. A null part stays null."""

    purpose = "flattening"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        self._delimiter: str = _CONFIG.parse(configs)["delimiter"]

    def bind_schema(self, shape: Shape, schema: Schema) -> BoundTransform:
        if schema.type is not Type.STRUCT:
            return self.refuse_type(shape)
        builder = copy_basics(schema)
        copy = self._flatten(schema, "", builder, schema.optional, schema.default)
        purpose = self.purpose

        def flatten(value: Any) -> dict[str, Any]:
            if not isinstance(value, dict):
                raise not_a_struct(purpose, value, schema)
            flat: dict[str, Any] = {}
            copy(value, flat)
            return flat

        return self.convert(shape, builder.build(), flatten, fresh=True)

    def bind_schemaless(self, shape: Shape) -> BoundTransform:
        purpose, delimiter = self.purpose, self._delimiter

        def flatten(value: Any) -> dict[str, Any]:
            if not isinstance(value, dict):
                raise not_a_map(purpose, value)
            flat: dict[str, Any] = {}
            _flatten_map(value, "", delimiter, flat)
            return flat

        return self.convert(shape, None, flatten, fresh=True)

    def _flatten(
        self, schema: Schema, prefix: str, builder: SchemaBuilder, optional: bool, default: Mapping[str, Any] | None
    ) -> Copy:
        """Add the fields of `schema` to `builder`; what copies their values from a struct of it."""
        plain: list[tuple[str, str, Any]] = []
        nested: list[tuple[str, Copy]] = []
        for field in schema.fields:
            name = f"{prefix}{self._delimiter}{field.name}" if prefix else field.name
            of = field.schema
            inner_optional = optional or of.optional
            inner_default = of.default
            if inner_default is None and default is not None:
                inner_default = default.get(field.name)
            if of.type is Type.STRUCT:
                nested.append((field.name, self._flatten(of, name, builder, inner_optional, inner_default)))
            elif of.type is Type.MAP:
                raise DataError(
                    f"Flatten transformation does not support {of.type.name} for record with schemas (for field {name})."
                )
            else:
                builder.field(name, _field_schema(of, inner_optional, inner_default))
                plain.append((field.name, name, of.default))
        return _copying(plain, nested)


def _field_schema(schema: Schema, optional: bool, default: Any) -> Schema:
    builder = copy_basics(schema)
    if optional:
        builder.optional()
    if default is not None:
        builder.default(default)
    return builder.build()


def _copying(plain: list[tuple[str, str, Any]], nested: list[tuple[str, Copy]]) -> Copy:
    def copy(value: Mapping[str, Any], flat: dict[str, Any]) -> None:
        for old, new, default in plain:
            found = value.get(old)
            flat[new] = default if found is None else found
        for name, inner in nested:
            # A nested struct that is null leaves its fields null; its default is in their schemas.
            struct = value.get(name)
            if struct is not None:
                if not isinstance(struct, dict):
                    problem = not_a_struct("flattening", struct, None)
                    at_field(problem, name)
                    raise problem
                try:
                    inner(struct, flat)
                except DataError as error:
                    at_field(error, name)
                    raise

    return copy


def _flatten_map(value: Mapping[Any, Any], prefix: str, delimiter: str, flat: dict[str, Any]) -> None:
    for key, item in value.items():
        if not isinstance(key, str):
            raise DataError(f"Flatten needs maps whose keys are strings, met a key of class {java_class_name(key)}")
        name = f"{prefix}{delimiter}{key}" if prefix else key
        if isinstance(item, Struct):
            raise DataError(
                f"Flatten transformation does not support class {java_class_name(item)} for record without schemas (for field {name})."
            )
        if isinstance(item, dict):
            _flatten_map(item, name, delimiter, flat)
        elif item is None or isinstance(item, _KEPT) or _is_integer(item):
            flat[name] = item
        else:
            raise DataError(
                f"Flatten transformation was passed a value of type class {java_class_name(item)} which is not supported by Connect's data API"
            )


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, BigInteger | FarDate) and -(2**63) <= value < 2**63


class FlattenKey(Flatten):
    part = "key"


class FlattenValue(Flatten):
    part = "value"
