"""``ExtractField``: one field becomes the whole key or value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from penstock.api import BoundTransform, Shape
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import Schema
from penstock.errors import DataError
from penstock_transforms.field_path import FieldPath, FieldSyntax
from penstock_transforms.operating import OperatingTransform
from penstock_transforms.requirements import require_map_or_null, require_struct_or_null
from penstock_transforms.settings import REPLACE_NULL, define_field_syntax, define_replace_null

__all__ = ["ExtractField", "ExtractFieldKey", "ExtractFieldValue"]

_CONFIG = define_field_syntax(
    define_replace_null(
        ConfigDef().define(
            "field",
            ConfigType.STRING,
            importance=Importance.MEDIUM,
            doc="Name of the field to take out. With field.syntax.version=V2 a path such as customer.address.city.",
        )
    ),
    kafkas_own=True,
)


class ExtractField(OperatingTransform):
    """Null in, null out. A map without the field gives null; a struct whose schema lacks it is an error."""

    purpose = "field extraction"
    passes_null: ClassVar[bool] = False

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        self._text: str = config["field"]
        self._path = FieldPath.parse(self._text, FieldSyntax.of(config))
        self._with_default: bool = config[REPLACE_NULL]

    def bind_schema(self, shape: Shape, schema: Schema) -> BoundTransform:
        purpose, path, with_default = self.purpose, self._path, self._with_default
        try:
            field = path.field_in(schema)
            problem = None if field is not None else f"Unknown field: {self._text}"
        except DataError as error:
            field, problem = None, error.message
        if field is None:
            return self.convert(shape, None, self._failure(schema, problem or ""))
        after = field.schema
        if path.parents:
            return self.convert(
                shape, after,
                lambda value: None
                if require_struct_or_null(value, purpose, schema) is None
                else path.value_in_struct(value, schema, with_default),
            )  # fmt: skip
        name, default = path.name, after.default if with_default else None

        def extract(value: Any) -> Any:
            if not isinstance(value, dict):
                return require_struct_or_null(value, purpose, schema)
            found = value.get(name)
            return default if found is None else found

        return self.convert(shape, after, extract)

    def _failure(self, schema: Schema, problem: str) -> Any:
        purpose = self.purpose

        def fail(value: Any) -> Any:
            # A value of the wrong type is the first thing Kafka looks at.
            require_struct_or_null(value, purpose, schema)
            raise DataError(problem)

        return fail

    def bind_schemaless(self, shape: Shape) -> BoundTransform:
        purpose, path = self.purpose, self._path

        def extract(value: Any) -> Any:
            fields = require_map_or_null(value, purpose)
            return None if fields is None else path.value_in_map(fields)

        return self.convert(shape, None, extract)


class ExtractFieldKey(ExtractField):
    part = "key"


class ExtractFieldValue(ExtractField):
    part = "value"
