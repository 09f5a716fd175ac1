"""The places where a record names its schema: before the data, or in a header (Confluent's package ``serializers.schema.id``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from penstock.errors import ConfigError, SerializationError
from penstock_registry.wire import GUID_FRAME_SIZE, frame_size

__all__ = ["DUAL_DESERIALIZER", "PREFIX_SERIALIZER", "SchemaIdPlaces", "frame_in_header"]

_PACKAGE: Final = "io.confluent.kafka.serializers.schema.id."
PREFIX_SERIALIZER: Final = f"{_PACKAGE}PrefixSchemaIdSerializer"
DUAL_DESERIALIZER: Final = f"{_PACKAGE}DualSchemaIdDeserializer"

#: Whether headers are written, or read, by the name of the class.
_WRITES: Final = {"PrefixSchemaIdSerializer": False, "HeaderSchemaIdSerializer": True}
_READS: Final = {"DualSchemaIdDeserializer": True, "PrefixSchemaIdDeserializer": False}


class SchemaIdPlaces(NamedTuple):
    """The places that the settings of a key's or value's converter name."""

    writes_headers: bool
    reads_headers: bool
    header_name: str

    @classmethod
    def of(cls, values: Mapping[str, Any], is_key: bool) -> SchemaIdPlaces:
        """Raises `ConfigError` for a class that is none of Confluent's."""
        which = "key" if is_key else "value"
        writes = _one_of(_WRITES, f"{which}.schema.id.serializer", values)
        reads = _one_of(_READS, f"{which}.schema.id.deserializer", values)
        return cls(writes, reads, f"__{which}_schema_id")


def _one_of(known: Mapping[str, bool], key: str, values: Mapping[str, Any]) -> bool:
    name = str(values[key])
    found = known.get(name.removeprefix(_PACKAGE))
    if found is None:
        raise ConfigError(key, name, f"expected one of {', '.join(_PACKAGE + each for each in known)}")
    return found


def frame_in_header(name: str, value: bytes, frame_end: Callable[[bytes, int], int]) -> bytes:
    """The frame that the value of the header `name` is: as it would stand before the data.

    `frame_end` gives the end of the message indexes, given where they begin. Raises `SerializationError`.
    """
    size = frame_size(value)
    if not size or len(value) < size:
        begins = f", which begin with {value[0]:#04x}" if value else ""
        raise SerializationError(
            f"The record's header {name} names no schema: it has {len(value)} bytes{begins}; expected 0x01 and the"
            f" {GUID_FRAME_SIZE - 1} bytes of a schema's GUID"
        )
    try:
        return bytes(value[: frame_end(value, size)])
    except SerializationError as error:
        raise SerializationError(f"The record's header {name} has no message indexes to read: {error}") from error
