"""The marks of enums and unions with ``generalized.sum.type.support``: alike in Avro, Protobuf and JSON Schema."""

from __future__ import annotations

from typing import Final

__all__ = ["GENERAL_ENUM", "GENERAL_UNION", "GENERAL_UNION_FIELD", "GENERAL_UNION_PREFIX"]

#: Parameters that mark a schema.
GENERAL_ENUM: Final = "org.apache.kafka.connect.data.Enum"
GENERAL_UNION: Final = "org.apache.kafka.connect.data.Union"
#: Names of unions and of their branches, numbers behind them.
GENERAL_UNION_PREFIX: Final = "connect_union_"
GENERAL_UNION_FIELD: Final = "connect_union_field_"
