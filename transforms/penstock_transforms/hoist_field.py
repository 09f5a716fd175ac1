"""``HoistField``: wraps the whole key or value into a struct or map of one field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from penstock.api import BoundTransform, Shape
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import Schema, SchemaBuilder, validate_value
from penstock_transforms.field_path import FieldPath, FieldSyntax
from penstock_transforms.operating import OperatingTransform
from penstock_transforms.settings import define_field_syntax

__all__ = ["HoistField", "HoistFieldKey", "HoistFieldValue"]

_CONFIG = define_field_syntax(
    ConfigDef().define(
        "field",
        ConfigType.STRING,
        importance=Importance.MEDIUM,
        doc="Name of the one field of the struct or map that is made. With field.syntax.version=V2 a path makes "
        "a struct in a struct.",
    )
)


class HoistField(OperatingTransform):
    """A null is wrapped, too."""

    purpose = "hoisting"
    passes_null: ClassVar[bool] = False

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        self._steps = FieldPath.parse(config["field"], FieldSyntax.of(config)).steps

    def bind_schema(self, shape: Shape, schema: Schema) -> BoundTransform:
        after = schema
        for step in reversed(self._steps):
            after = SchemaBuilder.struct().field(step, after).build()
        wrap, name = self._wrap(), self._steps[-1]
        if schema.optional:
            return self.convert(shape, after, wrap, fresh=True)
        if len(self._steps) == 1:

            def hoist(value: Any) -> Any:
                if value is None:
                    validate_value(schema, None, name)  # raises: the struct would be invalid
                return {name: value}

        else:

            def hoist(value: Any) -> Any:
                if value is None:
                    validate_value(schema, None, name)
                return wrap(value)

        return self.convert(shape, after, hoist, fresh=True)

    def bind_schemaless(self, shape: Shape) -> BoundTransform:
        return self.convert(shape, None, self._wrap(), fresh=True)

    def _wrap(self) -> Any:
        if len(self._steps) == 1:
            name = self._steps[0]
            return lambda value: {name: value}
        steps = self._steps[::-1]

        def wrap(value: Any) -> Any:
            for step in steps:
                value = {step: value}
            return value

        return wrap


class HoistFieldKey(HoistField):
    part = "key"


class HoistFieldValue(HoistField):
    part = "value"
