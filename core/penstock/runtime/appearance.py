"""The appearance of bytes in a few words, for messages about records that no converter could read."""

from __future__ import annotations

from typing import Final

__all__ = ["looks_like"]

#: The bytes of a record that a message shows: enough to tell formats apart, too few to give its content away.
_SHOWN: Final = 8
_FRAME_HEAD: Final = 5


def looks_like(data: bytes | None) -> str:
    """``6 bytes that begin 00 00 00 00 01 6f: they look like data with schema id 1 in front (…)``."""
    if data is None:
        return "null"
    if not data:
        return "empty"
    start = " ".join(f"{byte:02x}" for byte in data[:_SHOWN])
    begins = f"{len(data)} bytes that begin {start}" if len(data) > _SHOWN else f"the {len(data)} bytes {start}"
    return f"{begins}, {_kind(data)}"


def _kind(data: bytes) -> str:
    if data[0] == 0 and len(data) > _FRAME_HEAD:
        schema_id = int.from_bytes(data[1:_FRAME_HEAD], "big")
        return f"which look like data behind schema id {schema_id} of a registry (Avro, Protobuf or JSON Schema)"
    try:
        text = data[:4096].decode() if len(data) <= 4096 else data[:4096].decode(errors="ignore")
    except UnicodeDecodeError:
        return "which are no text"
    if any(ord(char) < 32 and char not in "\t\r\n" for char in text):
        return "which are no text"
    return "which look like JSON" if text.lstrip()[:1] in ("{", "[") else "which look like text"
