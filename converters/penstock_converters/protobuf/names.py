"""Names and options that mapping and codec share; the spellings are those of Confluent's ``ProtobufData``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from penstock.data import Schema
from penstock.data.logical import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME
from penstock_converters.options import DataOptions, option
from penstock_converters.scrub import scrub
from penstock_converters.sumtypes import GENERAL_ENUM, GENERAL_UNION

NAMESPACE: Final = "io.confluent.connect.protobuf"
KEY: Final = "key"
VALUE: Final = "value"
DEFAULT_NAME: Final = "ConnectDefault"
ENTRY: Final = "Entry"

TAG: Final = f"{NAMESPACE}.Tag"
TYPE: Final = f"{NAMESPACE}.Type"
ENUM: Final = f"{NAMESPACE}.Enum"
UNION: Final = f"{NAMESPACE}.Union"

CONNECT_TYPE: Final = "connect.type"
META_SCALE: Final = "scale"
META_PRECISION: Final = "precision"
DECIMAL_PRECISION: Final = "connect.decimal.precision"

DECIMAL: Final = "confluent.type.Decimal"
DATE: Final = "google.type.Date"
TIME: Final = "google.type.TimeOfDay"
TIMESTAMP: Final = "google.protobuf.Timestamp"
#: Connect's logical types and the messages they become.
LOGICAL: Final = {DECIMAL_NAME: DECIMAL, DATE_NAME: DATE, TIME_NAME: TIME, TIMESTAMP_NAME: TIMESTAMP}
#: Messages that stand for a value of their own, and the file each comes from.
FILES: Final = {
    DECIMAL: "confluent/type/decimal.proto",
    DATE: "google/type/date.proto",
    TIME: "google/type/timeofday.proto",
    TIMESTAMP: "google/protobuf/timestamp.proto",
}
WRAPPERS_FILE: Final = "google/protobuf/wrappers.proto"
#: Wrappers by the scalar they wrap.
WRAPPERS: Final = {
    "double": "google.protobuf.DoubleValue",
    "float": "google.protobuf.FloatValue",
    "int64": "google.protobuf.Int64Value",
    "uint64": "google.protobuf.UInt64Value",
    "int32": "google.protobuf.Int32Value",
    "uint32": "google.protobuf.UInt32Value",
    "bool": "google.protobuf.BoolValue",
    "string": "google.protobuf.StringValue",
    "bytes": "google.protobuf.BytesValue",
}
WRAPPED: Final = {wrapper: scalar for scalar, wrapper in WRAPPERS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtobufDataOptions(DataOptions):
    """Confluent's ``ProtobufDataConfig``."""

    enhanced: bool = option("enhanced.protobuf.schema.support")
    scrub_names: bool = option("scrub.invalid.names")
    general_sum_types: bool = option("generalized.sum.type.support")
    int_for_enums: bool = option("int.for.enums")
    optional_for_nullables: bool = option("optional.for.nullables")
    optional_for_proto2: bool = option("optional.for.proto2", default=True)
    wrapper_for_nullables: bool = option("wrapper.for.nullables")
    wrapper_for_raw_primitives: bool = option("wrapper.for.raw.primitives", default=True)
    struct_for_nulls: bool = option("generate.struct.for.nulls")
    index_for_unions: bool = option("generate.index.for.unions", default=True)
    flatten_unions: bool = option("flatten.unions")
    ignore_default_for_nullables: bool = option("ignore.default.for.nullables")

    @property
    def enum_parameter(self) -> str:
        return GENERAL_ENUM if self.general_sum_types else ENUM


def is_union(schema: Schema) -> bool:
    """Return True if this struct stands for a oneof."""
    return (schema.name or "").startswith(UNION) or GENERAL_UNION in schema.parameters


def union_name(schema: Schema) -> str:
    """The oneof's name without what stands before it."""
    name = schema.name or schema.parameters.get(GENERAL_UNION) or ""
    if GENERAL_UNION not in schema.parameters:
        name = name.removeprefix(UNION).lstrip(".")
    return name.rpartition(".")[2]


def scrubbed(name: str) -> str:
    """`name` as Protobuf takes it. Unlike other formats', a name may not begin with an underscore of its own."""
    return ("x" if name.startswith("_") else "") + scrub(name)


_UPPER: Final = re.compile(r"(?<!^)(?=[A-Z])")


def map_field(name: str) -> str:
    """A map's Connect name, from its entry message's; what stands before the last dot stays as it is."""
    if not name.endswith(ENTRY):
        return name
    outer, dot, simple = name.removesuffix(ENTRY).rpartition(".")
    return outer + dot + _UPPER.sub("_", simple).lower()


def map_entry(name: str) -> str:
    """An entry message's name, from the map's Connect name."""
    if "_" in name:
        name = "".join(part[:1].upper() + part[1:].lower() for part in name.split("_"))
    return name + ENTRY
