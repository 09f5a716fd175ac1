"""Names and options that mapping and codec share; the spellings are those of Confluent's ``JsonSchemaData``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from penstock.data import Schema, Type
from penstock_converters.options import DataOptions, option
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


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSchemaOptions(DataOptions):
    """Confluent's ``JsonSchemaDataConfig``."""

    additional_properties: bool = option("object.additional.properties", default=True)
    optional_for_nonrequired: bool = option("use.optional.for.nonrequired")
    ignore_modern_dialects: bool = option("ignore.modern.dialects")
    general_sum_types: bool = option("generalized.sum.type.support")
    flatten_singleton_unions: bool = option("flatten.singleton.unions")


def is_union(schema: Schema) -> bool:
    """Return True if a struct stands for one of its fields."""
    return schema.type is Type.STRUCT and (schema.name == ONE_OF or GENERAL_UNION in schema.parameters)


def is_object(schema: Schema) -> bool:
    """Return True if a map is an object in JSON, False if it is an array of entries."""
    key = schema.key_schema
    return key is not None and key.type is Type.STRING and not key.optional
