"""The Protobuf schema language."""

from penstock_registry.formats.protobuf.compiled import CompiledFile, message_class, message_indexes
from penstock_registry.formats.protobuf.format import ProtobufFormat, ProtobufParsedSchema
from penstock_registry.formats.protobuf.linked import Linked
from penstock_registry.formats.protobuf.model import ProtoFile
from penstock_registry.formats.protobuf.parser import parse
from penstock_registry.formats.protobuf.text import to_text
from penstock_registry.formats.protobuf.to_descriptor import UNKNOWN_ENUM_VALUE, enum_values
from penstock_registry.formats.protobuf.wellknown import known_file

__all__ = [
    "UNKNOWN_ENUM_VALUE",
    "CompiledFile",
    "Linked",
    "ProtoFile",
    "ProtobufFormat",
    "ProtobufParsedSchema",
    "enum_values",
    "known_file",
    "message_class",
    "message_indexes",
    "parse",
    "to_text",
]
