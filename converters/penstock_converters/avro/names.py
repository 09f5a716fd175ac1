"""Names and options that mapping and codec share; the spellings are those of Confluent's ``AvroData``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from penstock_converters.options import DataOptions, option

NAMESPACE: Final = "io.confluent.connect.avro"
KEY: Final = "key"
VALUE: Final = "value"
DEFAULT_NAME: Final = "ConnectDefault"
DEFAULT_FULL_NAME: Final = f"{NAMESPACE}.{DEFAULT_NAME}"
MAP_ENTRY: Final = "MapEntry"

CONNECT_NAME: Final = "connect.name"
CONNECT_DOC: Final = "connect.doc"
CONNECT_RECORD_DOC: Final = "connect.record.doc"
CONNECT_ENUM_DOC: Final = "connect.enum.doc"
CONNECT_VERSION: Final = "connect.version"
CONNECT_DEFAULT: Final = "connect.default"
CONNECT_PARAMETERS: Final = "connect.parameters"
CONNECT_INTERNAL_TYPE: Final = "connect.internal.type"
CONNECT_TYPE: Final = "connect.type"
RECORD_DOC: Final = f"{NAMESPACE}.record.doc"
ENUM_DOC_PREFIX: Final = f"{NAMESPACE}.enum.doc."
FIELD_DOC_PREFIX: Final = f"{NAMESPACE}.field.doc."
#: Marks a Connect default that came from an Avro field's default, so that writing it again adds no ``connect.default``.
FIELD_DEFAULT_FLAG: Final = f"{NAMESPACE}.field.default"
ENUM_DEFAULT_PREFIX: Final = f"{NAMESPACE}.enum.default."

AVRO_UNION: Final = f"{NAMESPACE}.Union"
AVRO_ENUM: Final = f"{NAMESPACE}.Enum"
ANYTHING: Final = f"{NAMESPACE}.Anything"

#: A property of the Avro schema that begins so is a parameter of the Connect schema, and the other way round.
AVRO_PROP: Final = "avro"

FIXED_SIZE: Final = "connect.fixed.size"
#: penstock's own: the full name of the fixed that a Decimal was read from, whose Connect name is Decimal's.
FIXED_NAME: Final = "connect.fixed.name"
DECIMAL_PRECISION: Final = "connect.decimal.precision"
DEFAULT_PRECISION: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class AvroDataOptions(DataOptions):
    """Confluent's ``AvroDataConfig``."""

    enhanced: bool = option("enhanced.avro.schema.support")
    connect_meta_data: bool = option("connect.meta.data", default=True)
    scrub_names: bool = option("scrub.invalid.names")
    discard_type_doc_default: bool = option("discard.type.doc.default")
    optional_map_keys: bool = option("allow.optional.map.keys")
    flatten_singleton_unions: bool = option("flatten.singleton.unions")
    general_sum_types: bool = option("generalized.sum.type.support")
    ignore_default_for_nullables: bool = option("ignore.default.for.nullables")
