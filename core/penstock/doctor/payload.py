"""The forms of keys and values as bytes, and the converters that could have written each."""

from __future__ import annotations

import enum
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

__all__ = ["Candidate", "Form", "candidates", "form_of"]

_CONFLUENT: Final = "io.confluent.connect."
_KAFKA: Final = "org.apache.kafka.connect."
_MAGIC: Final = 0
_GUID_MAGIC: Final = 1
_FRAME: Final = 5
_GUID_FRAME: Final = 17


class Form(enum.Enum):
    """The form of a payload; its value is what the report calls it."""

    FRAMED = "data behind a schema id (a registry's Avro, Protobuf or JSON Schema)"
    AVRO_FILE = "whole Avro files"
    ENVELOPE = "JSON with its schema beside the payload"
    JSON = "JSON without a schema"
    #: A number, true, false, null or a quoted text: JSON, and text as well.
    JSON_SCALAR = "single JSON values"
    TEXT = "plain text"
    BINARY = "binary data without a schema id"


class Candidate(NamedTuple):
    """A converter that may read a form: its class, and the settings that matter."""

    class_name: str
    settings: Mapping[str, str] = {}
    uses_registry: bool = False
    #: Whether it reads any bytes of the right number, so that its success proves little.
    number: bool = False

    @property
    def short_name(self) -> str:
        return self.class_name.rpartition(".")[2]


_REGISTRY: Final = tuple(
    Candidate(_CONFLUENT + name, {}, True)
    for name in ("avro.AvroConverter", "protobuf.ProtobufConverter", "json.JsonSchemaConverter")
)
_WITH_SCHEMAS: Final = Candidate(f"{_KAFKA}json.JsonConverter", {"schemas.enable": "true"})
_PLAIN: Final = Candidate(f"{_KAFKA}json.JsonConverter", {"schemas.enable": "false"})
_STRING: Final = Candidate(f"{_KAFKA}storage.StringConverter")
_BYTES: Final = Candidate(f"{_KAFKA}converters.ByteArrayConverter")
_NUMBERS: Final = {
    2: ("ShortConverter",),
    4: ("IntegerConverter", "FloatConverter"),
    8: ("LongConverter", "DoubleConverter"),
}
#: Size → the float's form in Java, and its everyday range.
_FLOATS: Final = {4: (">f", 1e-6, 1e7), 8: (">d", 1e-30, 1e30)}
_BY_FORM: Final = {
    Form.AVRO_FILE: (_BYTES,),
    Form.ENVELOPE: (_WITH_SCHEMAS,),
    Form.JSON: (_PLAIN, _STRING),
    Form.JSON_SCALAR: (_PLAIN, _STRING),
    Form.TEXT: (_STRING,),
}


def form_of(data: bytes, header_names: Sequence[str] = (), part: str = "value") -> Form:
    """Return the form of a key's or value's bytes. Schema ids may stand in a header of the record, too."""
    if f"__{part}_schema_id" in header_names or _is_framed(data):
        return Form.FRAMED
    if data[:4] == b"Obj\x01":
        return Form.AVRO_FILE
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Form.BINARY
    if any(ord(character) < 32 and character not in "\t\r\n" for character in text):
        return Form.BINARY
    try:
        tree: Any = json.loads(text)
    except (ValueError, RecursionError):
        return Form.TEXT
    if isinstance(tree, dict):
        return Form.ENVELOPE if tree.keys() == {"schema", "payload"} else Form.JSON
    return Form.JSON if isinstance(tree, list) else Form.JSON_SCALAR


def _is_framed(data: bytes) -> bool:
    """Return whether a schema id stands before the data. Ids count from 1; a number of eight bytes that begins with
    five zero bytes is none."""
    if len(data) >= _FRAME and data[0] == _MAGIC:
        return any(data[1:_FRAME])
    return len(data) >= _GUID_FRAME and data[0] == _GUID_MAGIC


def candidates(form: Form, payloads: Sequence[bytes]) -> list[Candidate]:
    """Return the converters that may read `payloads` of `form`, the likeliest first."""
    if form is Form.FRAMED:
        return [*_REGISTRY, *_by_size(payloads)]
    if form is Form.BINARY:
        return [*_by_size(payloads), _BYTES]
    return list(_BY_FORM[form])


def _by_size(payloads: Sequence[bytes]) -> list[Candidate]:
    """Return the converters of numbers of that many bytes, if all payloads have as many; the likelier one first."""
    sizes = {len(data) for data in payloads}
    if len(sizes) != 1 or (size := sizes.pop()) not in _NUMBERS:
        return []
    names = _NUMBERS[size]
    if size in _FLOATS and all(_looks_fractional(data, size) for data in payloads):
        names = names[::-1]
    return [Candidate(f"{_KAFKA}converters.{name}", number=True) for name in names]


def _looks_fractional(data: bytes, size: int) -> bool:
    """Return whether the bytes make a number of an everyday size as a float; whole numbers of everyday sizes do not."""
    form, low, high = _FLOATS[size]
    value: float = abs(struct.unpack(form, data)[0])
    return value == 0 or low <= value <= high
