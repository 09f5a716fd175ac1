"""A transform in the bound form: the schema's part is done once per shape, the record's part is a plain function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.api import BoundTransform, Shape, Transform
from penstock.config import ConfigDef, ConfigType, Importance, NonEmptyString
from penstock.data import STRING, Schema, Type
from penstock.errors import DataError
from penstock_acme import __version__

CONFIG_DEF = ConfigDef().define(
    "tenant",
    ConfigType.STRING,
    validator=NonEmptyString(),
    importance=Importance.HIGH,
    doc="What the field 'tenant' of every record is to say.",
)


class AddTenant(Transform):
    version = __version__

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    def configure(self, configs: Mapping[str, Any]) -> None:
        self._tenant: str = CONFIG_DEF.parse(configs)["tenant"]

    def bind(self, shape: Shape) -> BoundTransform:
        tenant = self._tenant
        schema = None if shape.value_schema is None else self._with_tenant(shape.value_schema)

        def apply(record: Any) -> Any:
            if record.value is not None:
                if not isinstance(record.value, dict):
                    raise DataError(f"AddTenant adds a field to structs and maps, met {record.value!r}")
                record.value["tenant"] = tenant
            record.value_schema = schema
            return record

        # It changes the record (its schema) and the value's dict in place, and says so: the worker hands it copies
        # where somebody else holds them.
        after = Shape(shape.topic, shape.key_schema, schema)
        return BoundTransform(apply, after, writes=frozenset({"record", "value"}))

    def _with_tenant(self, schema: Schema) -> Schema:
        if schema.type is not Type.STRUCT:
            raise DataError(f"AddTenant adds a field to structs and maps, met {schema!r}")
        if schema.field("tenant") is not None:
            raise DataError("AddTenant would overwrite the field 'tenant'")
        return schema.replace(fields=[*schema.fields, ("tenant", STRING)])
