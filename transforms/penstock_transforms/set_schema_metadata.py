"""``SetSchemaMetadata``: gives a struct's schema another name or version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.api import BoundTransform, Shape
from penstock.config import ConfigDef, ConfigType, Importance
from penstock.data import Schema, Type
from penstock.errors import DataError
from penstock_transforms.operating import OperatingTransform, defaults_filler
from penstock_transforms.settings import REPLACE_NULL, define_replace_null

__all__ = ["SetSchemaMetadata", "SetSchemaMetadataKey", "SetSchemaMetadataValue"]

_CONFIG = define_replace_null(
    ConfigDef()
    .define("schema.name", ConfigType.STRING, None, importance=Importance.HIGH, doc="The schema's new name.")
    .define("schema.version", ConfigType.INT, None, importance=Importance.HIGH, doc="The schema's new version.")
)


class SetSchemaMetadata(OperatingTransform):
    """Sets name and version of a schema, each if it is configured. A part without schema that is not null is an error."""

    purpose = "updating schema metadata"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        self._name: str | None = config["schema.name"]
        self._version: int | None = config["schema.version"]
        self._fill: bool = config[REPLACE_NULL]

    def bind(self, shape: Shape) -> BoundTransform:
        schema = shape.key_schema if self.part == "key" else shape.value_schema
        # Unlike for the other transforms, a null under a schema gets the new schema, too.
        return super().bind(shape) if schema is None else self.bind_schema(shape, schema)

    def bind_schema(self, shape: Shape, schema: Schema) -> BoundTransform:
        if schema.type is not Type.STRUCT:
            raise DataError("Cannot list fields on non-struct type")
        after = schema.replace(
            name=schema.name if self._name is None else self._name,
            version=schema.version if self._version is None else self._version,
        )
        fill = defaults_filler(schema) if self._fill else None
        part, attribute = self.part, f"{self.part}_schema"

        def relabel(record: Any) -> Any:
            if fill is not None and isinstance(value := getattr(record, part), dict):
                fill(value)
            setattr(record, attribute, after)
            return record

        new_shape = shape._replace(key_schema=after) if part == "key" else shape._replace(value_schema=after)
        writes = frozenset({"record", part} if fill is not None else {"record"})
        return BoundTransform(relabel, new_shape, writes=writes)

    def bind_schemaless(self, shape: Shape) -> BoundTransform:
        raise DataError(f"Schema required for [{self.purpose}]")


class SetSchemaMetadataKey(SetSchemaMetadata):
    part = "key"


class SetSchemaMetadataValue(SetSchemaMetadata):
    part = "value"
