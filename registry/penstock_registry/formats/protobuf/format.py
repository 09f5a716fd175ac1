"""Protobuf as a schema language of the registry."""

from __future__ import annotations

import base64
import functools
import threading
from collections.abc import Mapping, Sequence
from typing import Final

from penstock.api import InvalidSchemaError, ParsedSchema, SchemaFormat, SchemaReference
from penstock_registry.formats.depth import bounded
from penstock_registry.formats.protobuf.compatibility import incompatibilities
from penstock_registry.formats.protobuf.compiled import CompiledFile, compile_file
from penstock_registry.formats.protobuf.from_descriptor import decoded_descriptor
from penstock_registry.formats.protobuf.linked import ROOT_NAME, Linked
from penstock_registry.formats.protobuf.model import ProtoFile
from penstock_registry.formats.protobuf.names import check_names
from penstock_registry.formats.protobuf.normal import normalized, without_extensions
from penstock_registry.formats.protobuf.parser import parse
from penstock_registry.formats.protobuf.text import to_text
from penstock_registry.formats.protobuf.to_descriptor import to_descriptor

__all__ = ["ProtobufFormat", "ProtobufParsedSchema"]

_SMALL: Final = 16_384  # characters; bounds what the trees that are kept can hold


class ProtobufParsedSchema:
    """A .proto file as the registry sees it; `linked` is the tree with what it imports."""

    schema_type = "PROTOBUF"

    def __init__(self, linked: Linked, references: Sequence[SchemaReference] = ()) -> None:
        self.linked = linked
        self.references: tuple[SchemaReference, ...] = tuple(references)
        self.canonical = to_text(linked.file)
        self._compiled: CompiledFile | None = None
        self._lock = threading.Lock()

    @property
    def file(self) -> ProtoFile:
        return self.linked.file

    @property
    def name(self) -> str | None:
        """The full name of the first message, or of the first enum in a file without messages."""
        first = next(self.file.messages, None) or next(self.file.enums, None)
        return self.file.full_name(first.name) if first is not None else None

    @bounded
    def compiled(self) -> CompiledFile:
        """For the runtime; made once. Raises `InvalidSchemaError` for what a registry stores and no runtime takes."""
        with self._lock:
            if self._compiled is None:
                self._compiled = compile_file(self.linked)
            return self._compiled

    @bounded
    def normalized(self) -> ProtobufParsedSchema:
        file = normalized(self.linked)
        return ProtobufParsedSchema(self.linked.with_file(file), sorted(set(self.references)))

    @bounded
    def formatted(self, form: str) -> str:
        """``serialized``: the file's descriptor in base64. ``ignore_extensions``: the text without extensions and
        options that are extensions. Any other form is the canonical text."""
        if form == "ignore_extensions":
            return to_text(without_extensions(self.file))
        if form == "serialized":
            try:
                descriptor = to_descriptor(self.linked, self.file, ROOT_NAME)
            except InvalidSchemaError:
                return self.canonical
            return base64.b64encode(descriptor.SerializeToString(deterministic=True)).decode()
        return self.canonical

    @bounded
    def incompatibilities(self, previous: ParsedSchema) -> list[str]:
        if not isinstance(previous, ProtobufParsedSchema):
            return ["Incompatible because of different schema type"]
        return incompatibilities(self.linked, previous.linked)

    def top_level_fields(self) -> frozenset[str]:
        """Return the fields of the first message."""
        first = next(self.file.messages, None)
        if first is None:
            return frozenset()
        names = {field.name for field in first.fields} | {group.name for group in first.groups}
        for choice in first.oneofs:
            names |= {field.name for field in choice.fields} | {group.name for group in choice.groups}
        return frozenset(names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ProtobufParsedSchema):
            return NotImplemented
        return self.canonical == other.canonical and self.references == other.references

    def __hash__(self) -> int:
        return hash((self.canonical, self.references))

    def __repr__(self) -> str:
        return f"ProtobufParsedSchema({self.canonical!r})"


class ProtobufFormat(SchemaFormat):
    schema_type = "PROTOBUF"

    @bounded
    def parse(
        self,
        text: str,
        references: Sequence[SchemaReference] = (),
        resolved: Mapping[str, str] | None = None,
    ) -> ProtobufParsedSchema:
        """Parse .proto source, or a serialized file descriptor in base64. Names must be unique and labels complete."""
        parsed = self._parse(text, references, resolved, strict=True)
        check_names(parsed.file)
        return parsed

    @bounded
    def parse_registered(
        self,
        text: str,
        references: Sequence[SchemaReference] = (),
        resolved: Mapping[str, str] | None = None,
    ) -> ProtobufParsedSchema:
        """Parse a text that a registry holds already, with fewer checks: other registries took more than `parse` does."""
        return self._parse(text, references, resolved, strict=False)

    @staticmethod
    def _parse(
        text: str, references: Sequence[SchemaReference], resolved: Mapping[str, str] | None, *, strict: bool
    ) -> ProtobufParsedSchema:
        others = {name: _reference(source, name) for name, source in (resolved or {}).items()}
        linked = Linked(_file(text, strict=strict), others)
        linked.check()
        return ProtobufParsedSchema(linked, references)


def _reference(text: str, name: str) -> ProtoFile:
    # Files that many others import are read once: a tree is immutable.
    return _small_file(text, name) if len(text) <= _SMALL else _file(text, name)


@functools.lru_cache(maxsize=256)
def _small_file(text: str, name: str) -> ProtoFile:
    return _file(text, name)


def _file(text: str, reference: str | None = None, *, strict: bool = False) -> ProtoFile:
    try:
        return parse(text, strict)
    except InvalidSchemaError as error:
        decoded = decoded_descriptor(text)
        if decoded is not None and _can_be_written(decoded):
            return decoded
        if reference is None:
            raise
        raise InvalidSchemaError(f"Reference {reference}: {error.message}") from error


def _can_be_written(file: ProtoFile) -> bool:
    """Return whether the text of a descriptor, which the registry keeps, reads back: its names may be anything."""
    try:
        return to_text(parse(to_text(file))) == to_text(file)
    except InvalidSchemaError:
        return False
