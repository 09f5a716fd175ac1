"""Confluent's wire format: a zero byte, the schema id in four bytes, then (Protobuf only) message indexes, then data;
or a one, the schema's GUID in 16 bytes, and the same behind it.

Pure functions, no registry. The errors say what a payload that is not framed looks like, because the usual cause is a
converter that does not fit the topic.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final

from penstock.errors import SerializationError

__all__ = [
    "GUID_FRAME_SIZE",
    "GUID_MAGIC",
    "HEADER_SIZE",
    "MAGIC",
    "decode_message_indexes",
    "describe_id",
    "describe_payload",
    "encode_message_indexes",
    "frame_header",
    "frame_size",
    "guid_frame",
    "schema_guid",
    "schema_id",
]

MAGIC: Final = 0
HEADER_SIZE: Final = 5
#: A frame with the schema's GUID in place of its id; what stands in a record's header is this too.
GUID_MAGIC: Final = 1
GUID_FRAME_SIZE: Final = 17
_WIDE_ID_END: Final = 9  # where an id of eight bytes would end
_MAX_INDEXES: Final = 1024  # nesting depth of a message type; a corrupt count must not become a huge loop


def frame_header(id: int) -> bytes:  # noqa: A002 - the registry's word
    """The five bytes in front of every payload of schema `id`."""
    if not 0 <= id < 2**31:
        raise SerializationError(f"Schema id {id} does not fit the wire format: expected 0 to {2**31 - 1}")
    return b"\x00" + id.to_bytes(4, "big")


def frame_size(data: bytes) -> int:
    """Return how many bytes magic byte and id or GUID take; 0 if `data` begins with no magic byte."""
    first = data[:1]
    return HEADER_SIZE if first == b"\x00" else GUID_FRAME_SIZE if first == b"\x01" else 0


def guid_frame(guid: str) -> bytes:
    """Magic byte and the GUID's 16 bytes, first the most significant."""
    try:
        return b"\x01" + uuid.UUID(guid).bytes
    except ValueError:
        raise SerializationError(f"The registry gave {guid!r} as a schema's GUID: expected a UUID") from None


def schema_guid(frame: bytes) -> str:
    """The GUID of what `guid_frame` makes, whatever comes behind it; in small letters, with dashes."""
    return str(uuid.UUID(bytes=bytes(frame[1:GUID_FRAME_SIZE])))


def schema_id(data: bytes) -> int:
    """The schema id of a framed payload. Raises `SerializationError` if it is not framed."""
    if len(data) < HEADER_SIZE or data[0] != MAGIC:
        raise SerializationError(f"Unknown magic byte! {describe_payload(data)}")
    return int.from_bytes(data[1:HEADER_SIZE], "big", signed=True)


def describe_payload(data: bytes) -> str:
    """Return what an unframed payload seems to be, and which converter would read it."""
    if not data:
        return "The payload is empty; a schema id needs five bytes."
    if data[0] == MAGIC and len(data) < HEADER_SIZE:
        return f"The payload has only {len(data)} of the {HEADER_SIZE} bytes that magic byte and schema id take."
    if data[:4] == b"Obj\x01":
        return (
            "The payload is an Avro object container (it starts with 'Obj', version 1), not a registry-framed record;"
            " ByteArrayConverter passes it on as it is."
        )
    first = f"The payload starts with {data[0]:#04x}"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        if data[0] == 1:
            return (
                f"{first}, which looks like a frame with a schema GUID, of which {min(len(data), GUID_FRAME_SIZE)} of"
                f" {GUID_FRAME_SIZE} bytes are there."
            )
        return f"{first} and is binary; ByteArrayConverter passes it on as it is."
    if text.lstrip()[:1] in ("{", "["):
        return (
            f"{first} and looks like JSON text; JsonConverter reads it (with schemas.enable=false if it has no schema)."
        )
    if text.isprintable() or not any(ord(c) < 32 and c not in "\t\r\n" for c in text):
        return f"{first} and looks like plain text; StringConverter reads it."
    return f"{first} and is no registry frame; ByteArrayConverter passes it on as it is."


def describe_id(data: bytes) -> str:
    """Return a hint about a frame whose id the registry does not know; empty if there is none."""
    if data[:HEADER_SIZE] != bytes(HEADER_SIZE) or len(data) < _WIDE_ID_END:
        return ""
    wide = int.from_bytes(data[1:_WIDE_ID_END], "big")
    return (
        f". No registry gives the id 0: the payload may have an id of eight bytes, {wide}, as some serializers of"
        " Apicurio write it; set those to ids of four bytes"
    )


def encode_message_indexes(indexes: Sequence[int]) -> bytes:
    """The path to a Protobuf message in its file, as zigzag varints; ``[0]`` is shortened to one zero byte."""
    if list(indexes) == [0]:
        return b"\x00"
    return b"".join(_varint(i) for i in (len(indexes), *indexes))


def decode_message_indexes(data: bytes, position: int = HEADER_SIZE) -> tuple[list[int], int]:
    """The message indexes at `position`, and the position after them. Raises `SerializationError`."""
    count, position = _read_varint(data, position)
    if count == 0:
        return [0], position
    if not 0 < count <= _MAX_INDEXES:
        raise SerializationError(f"Protobuf message index count {count} is out of range: expected 0 to {_MAX_INDEXES}")
    indexes = []
    for _ in range(count):
        index, position = _read_varint(data, position)
        if index < 0:
            raise SerializationError(f"Protobuf message index {index} is negative")
        indexes.append(index)
    return indexes, position


def _varint(number: int) -> bytes:
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while shift < 35:
        if position >= len(data):
            raise SerializationError("Payload ends inside the Protobuf message indexes")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (result >> 1) ^ -(result & 1), position
        shift += 7
    raise SerializationError("Protobuf message index is longer than a 32-bit varint can be")
