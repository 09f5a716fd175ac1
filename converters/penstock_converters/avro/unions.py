"""The meaning of unions and map entries: rules that schemas, readers, writers and defaults share."""

from __future__ import annotations

from penstock_converters.avro import names
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.sumtypes import GENERAL_UNION_FIELD
from penstock_registry.formats.avro.model import AvroSchema

__all__ = ["is_map_entry", "single", "union_field_name"]


def is_map_entry(schema: AvroSchema) -> bool:
    """True for the records that stand for the entries of a map whose keys are not plain strings."""
    if schema.type not in ("record", "error"):
        return False
    if schema.namespace == names.NAMESPACE and schema.name == names.MAP_ENTRY:
        return True
    return schema.props.get(names.CONNECT_INTERNAL_TYPE) == names.MAP_ENTRY


def union_field_name(member: AvroSchema, index: int, options: AvroDataOptions) -> str:
    """The struct field that stands for branch `index` of a union."""
    if options.general_sum_types:
        return GENERAL_UNION_FIELD + str(index)
    if member.name is not None:
        return member.full_name if options.enhanced else member.name
    return member.type


def single(avro: AvroSchema, options: AvroDataOptions) -> AvroSchema | None:
    """The schema a union is only an optional (or a flattened single) form of."""
    types = avro.types
    if len(types) == 2 and any(t.type == "null" for t in types):
        return next((t for t in types if t.type != "null"), None)
    if len(types) == 1 and options.flatten_singleton_unions:
        return types[0]
    return None
