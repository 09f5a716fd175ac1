"""Names and options that mapping and codec share; the spellings are those of Confluent's ``JsonSchemaData``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from penstock.data import Schema, Type
from penstock_converters.precision import Precision
from penstock_converters.sumtypes import GENERAL_UNION

NAMESPACE: Final = "io.confluent.connect.json"
KEY: Final = "key"
VALUE: Final = "value"

CONNECT_TYPE: Final = "connect.type"
CONNECT_VERSION: Final = "connect.version"
CONNECT_PARAMETERS: Final = "connect.parameters"
CONNECT_INDEX: Final = "connect.index"

ENUM: Final = f"{NAMESPACE}.Enum"
ONE_OF: Final = f"{NAMESPACE}.OneOf"
#: The parameter that marks a struct which holds itself.
ID: Final = f"{NAMESPACE}.Id"


@dataclass(frozen=True, slots=True)
class JsonSchemaOptions:
    """Confluent's ``JsonSchemaDataConfig``."""

    additional_properties: bool = True
    optional_for_nonrequired: bool = False
    ignore_modern_dialects: bool = False
    numeric_decimals: bool = False
    general_sum_types: bool = False
    flatten_singleton_unions: bool = False
    #: penstock's own: how fine timestamps are
    precision: Precision = Precision.MILLISECONDS

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> JsonSchemaOptions:
        return cls(
            values["object.additional.properties"],
            values["use.optional.for.nonrequired"],
            values["ignore.modern.dialects"],
            values["decimal.format"].upper() == "NUMERIC",
            values["generalized.sum.type.support"],
            values["flatten.singleton.unions"],
            Precision.of(values),
        )


def is_union(schema: Schema) -> bool:
    """Whether a struct stands for one of its fields."""
    return schema.type is Type.STRUCT and (schema.name == ONE_OF or GENERAL_UNION in schema.parameters)


def is_object(schema: Schema) -> bool:
    """Whether a map is an object in JSON; otherwise it is an array of entries."""
    key = schema.key_schema
    return key is not None and key.type is Type.STRING and not key.optional
