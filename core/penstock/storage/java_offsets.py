"""Offsets out of the file of a JVM standalone worker (``FileOffsetBackingStore``): a Java ``HashMap`` of byte arrays."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from penstock.errors import DataError
from penstock.storage.offset_records import OffsetTable

__all__ = ["read_java_offsets"]

_MAGIC: Final = b"\xac\xed"
_NULL, _REFERENCE, _CLASS, _OBJECT, _ARRAY, _BLOCK, _END = 0x70, 0x71, 0x72, 0x73, 0x75, 0x77, 0x78
_FIRST_HANDLE: Final = 0x7E0000

Offset = tuple[Mapping[str, Any], Mapping[str, Any]]


def read_java_offsets(data: bytes) -> dict[str, list[Offset]]:
    """Return source partitions and offsets of each connector. Nothing but the map that Connect writes is read, so that no file
    can make other objects. Raises `DataError` for any other."""
    try:
        entries = _Stream(data).byte_map()
    except (IndexError, struct.error):
        raise DataError("The file ends in the middle of a value") from None
    table = OffsetTable()
    for key, value in entries:
        table.read(key, value)
    return {connector: offsets for connector in table.connectors() if (offsets := table.all(connector))}


class _Stream:
    """Reads as much of the Java Object Serialization Stream Protocol (version 5) as that map needs."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0
        #: The objects that a later reference may mean, by their number.
        self._handles: list[object] = []

    def byte_map(self) -> list[tuple[bytes | None, bytes | None]]:
        if self._take(4) != _MAGIC + b"\x00\x05":
            raise DataError("The file is no Java serialisation stream of version 5")
        if self._byte() != _OBJECT or self._class() != "java.util.HashMap":
            raise DataError("The file does not hold a java.util.HashMap")
        self._handles.append("the map")
        self._take(8)  # loadFactor and threshold
        if self._byte() != _BLOCK or self._byte() != 8:
            raise DataError("The map in the file is not written as java.util.HashMap writes itself")
        _, size = self._unpack(">ii")
        entries = [(self._bytes(), self._bytes()) for _ in range(size)]
        if self._byte() != _END:
            raise DataError("The map in the file goes on after its last entry")
        return entries

    def _class(self) -> str:
        kind = self._byte()
        if kind == _REFERENCE:
            return str(self._referred())
        if kind != _CLASS:
            raise DataError(f"Expected a class at byte {self._at - 1}, met type {kind:#x}")
        name = self._text()
        self._take(9)  # serialVersionUID and flags
        self._handles.append(name)
        for _ in range(self._unpack(">h")[0]):
            if chr(self._byte()) in "[L":
                raise DataError(f"Class {name} has fields that are objects; Connect's offsets have none")
            self._text()
        if self._byte() != _END or self._byte() != _NULL:
            raise DataError(f"Class {name} has annotations or a superclass; Connect's offsets have none")
        return name

    def _bytes(self) -> bytes | None:
        kind = self._byte()
        if kind == _NULL:
            return None
        if kind == _REFERENCE:
            found = self._referred()
            if isinstance(found, bytes):
                return found
            raise DataError("A reference in the file leads to what is no byte array")
        if kind != _ARRAY or self._class() != "[B":
            raise DataError(f"Expected a byte array before byte {self._at}, met something else")
        array = self._take(self._unpack(">i")[0])
        self._handles.append(array)
        return array

    def _referred(self) -> object:
        number = self._unpack(">i")[0] - _FIRST_HANDLE
        if not 0 <= number < len(self._handles):
            raise DataError("A reference in the file leads nowhere")
        return self._handles[number]

    def _text(self) -> str:
        return self._take(self._unpack(">H")[0]).decode("utf-8", "replace")

    def _byte(self) -> int:
        return self._take(1)[0]

    def _unpack(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))

    def _take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        if count < 0 or len(taken) < count:
            raise IndexError
        self._at += count
        return taken
