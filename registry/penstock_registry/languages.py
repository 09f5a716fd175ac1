"""The schema languages of this package: where each is, without importing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["BUILT_IN"]

#: By type, in the order ``/schemas/types`` tells them: where the format's class is, imported when it is first used.
BUILT_IN: Final[Mapping[str, str]] = {
    "JSON": "penstock_registry.formats.jsonschema:JsonSchemaFormat",
    "PROTOBUF": "penstock_registry.formats.protobuf:ProtobufFormat",
    "AVRO": "penstock_registry.formats.avro:AvroFormat",
}
