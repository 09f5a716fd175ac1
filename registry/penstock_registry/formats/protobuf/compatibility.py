"""Can data written with one .proto file be read with another? Confluent's rules (``SchemaDiff``) and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from penstock_registry.formats.protobuf.linked import Linked
from penstock_registry.formats.protobuf.model import SCALARS, Enum, FieldDecl, Message, OneOf, TypeDecl

__all__ = ["incompatibilities"]

#: Types within one row read each other's bytes; an enum is a number of the first row.
_SCALAR_KINDS: Final = {
    name: kind
    for kind, names in enumerate(
        (
            ("int32", "int64", "uint32", "uint64", "bool", "enum"),
            ("sint32", "sint64"),
            ("string", "bytes"),
            ("fixed32", "sfixed32"),
            ("fixed64", "sfixed64"),
            ("float",),
            ("double",),
        )
    )
    for name in names
}

_DESCRIPTIONS: Final = {
    "PACKAGE_CHANGED": "The package at '{path}' in the %new% schema does not match the package in the %old% schema",
    "MESSAGE_REMOVED": "The %new% schema is missing a MESSAGE type at path '{path}' in the %old% schema",
    "FIELD_KIND_CHANGED": "The type of a field at path '{path}' in the %new% schema does not match the %old% schema",
    "FIELD_SCALAR_KIND_CHANGED": (
        "The kind of a SCALAR field at path '{path}' in the %new% schema does not match its kind in the %old% schema"
    ),
    "FIELD_NAMED_TYPE_CHANGED": (
        "The type of a MESSAGE field at path '{path}' in the %new% schema does not match its type in the %old% schema"
    ),
    "FIELD_NUMERIC_LABEL_CHANGED": (
        "The label for a NUMERIC field at path '{path}' in the %new% schema does not match its label in the %old% schema"
    ),
    "REQUIRED_FIELD_ADDED": "A required field  at path '{path}' in the %new% schema is missing in the %old% schema",
    "REQUIRED_FIELD_REMOVED": (
        "The %new% schema is missing a required field at path: '{path}' in the %old% schema"
    ),
    "ONEOF_FIELD_REMOVED": "The %new% schema is missing a oneof field at path '{path}' in the %old% schema",
    "MULTIPLE_FIELDS_MOVED_TO_ONEOF": (
        "Multiple fields in the oneof at path '{path}' in the %new% schema are outside a oneof in the %old% schema"
    ),
    "FIELD_MOVED_TO_EXISTING_ONEOF": (
        "A field in the oneof at path '{path}' in the %new% schema is outside an existing oneof in the %old% schema"
    ),
}  # fmt: skip

_Kind = Literal["scalar", "message", "map"]


def incompatibilities(reader: Linked, writer: Linked) -> list[str]:
    """Why data of `writer` cannot be read with `reader`, one message a reason; empty if it can.

    Adding or removing an enum or one of its values, a field that is not required or a oneof, and renaming a field are all
    fine. So is making a field repeated or not, but for a number that has a label before and after: repeated numbers are
    packed.
    """
    return _Diff(reader, writer).compare()


class _Diff:
    def __init__(self, new: Linked, old: Linked) -> None:
        self._new, self._old = new, old
        self._found: list[str] = []

    def compare(self) -> list[str]:
        new, old = self._new.file, self._old.file
        if (new.package or "") != (old.package or ""):
            self._report("PACKAGE_CHANGED", "#/")
        self._types(new.types, old.types, "#", new.package or "", old.package or "")
        return self._found

    def _report(self, kind: str, path: str) -> None:
        self._found.append(f'{{errorType:"{kind}", description:"{_DESCRIPTIONS[kind].format(path=path)}"}}')

    def _types(
        self, new: Sequence[TypeDecl], old: Sequence[TypeDecl], path: str, new_scope: str, old_scope: str
    ) -> None:
        kept = {t.name: t for t in new if isinstance(t, Message)}
        for message in old:
            if isinstance(message, Enum) or message.is_map_entry:
                continue
            here = f"{path}/{message.name}"
            other = kept.get(message.name)
            if other is None:
                self._report("MESSAGE_REMOVED", here)
                continue
            self._message(other, message, here, _inner(new_scope, message.name), _inner(old_scope, message.name))

    def _message(self, new: Message, old: Message, path: str, new_scope: str, old_scope: str) -> None:
        self._fields(new.fields, old.fields, path, new_scope, old_scope)
        old_oneofs = {o.name: o for o in old.oneofs}
        for oneof in new.oneofs:
            here = f"{path}/{oneof.name}"
            before = old_oneofs.get(oneof.name)
            if before is None:
                if len(_tags(oneof.fields) & _tags(old.fields)) > 1:
                    self._report("MULTIPLE_FIELDS_MOVED_TO_ONEOF", here)
                continue
            self._oneof(oneof, before, new, old, here, new_scope, old_scope)
        self._types(new.nested, old.nested, path, new_scope, old_scope)

    def _fields(
        self, new: Iterable[FieldDecl], old: Iterable[FieldDecl], path: str, new_scope: str, old_scope: str
    ) -> None:
        now, before = {f.tag: f for f in new}, {f.tag: f for f in old}
        for tag in sorted(now.keys() | before.keys()):
            here = f"{path}/{tag}"
            after, earlier = now.get(tag), before.get(tag)
            if after is None:
                assert earlier is not None
                if earlier.label == "required":
                    self._report("REQUIRED_FIELD_REMOVED", here)
            elif earlier is None:
                if after.label == "required":
                    self._report("REQUIRED_FIELD_ADDED", here)
            else:
                self._type(after.type, earlier.type, here, new_scope, old_scope, (after.label, earlier.label))

    def _oneof(
        self, new: OneOf, old: OneOf, message: Message, old_message: Message, path: str, new_scope: str, old_scope: str
    ) -> None:
        now, before = {f.tag: f for f in new.fields}, {f.tag: f for f in old.fields}
        everywhere, formerly = _all_tags(message), _all_tags(old_message)
        for tag in sorted(now.keys() | before.keys()):
            if tag not in now:
                if tag not in everywhere:
                    self._report("ONEOF_FIELD_REMOVED", f"{path}/{tag}")
            elif tag not in before:
                if tag in formerly:
                    self._report("FIELD_MOVED_TO_EXISTING_ONEOF", path)
            else:
                self._type(now[tag].type, before[tag].type, f"{path}/{tag}", new_scope, old_scope)

    def _type(
        self, new: str, old: str, path: str, new_scope: str, old_scope: str,
        labels: tuple[str | None, str | None] = (None, None),
    ) -> None:  # fmt: skip
        kind, name = self._kind(self._new, new, new_scope)
        old_kind, old_name = self._kind(self._old, old, old_scope)
        if kind != old_kind:
            self._report("FIELD_KIND_CHANGED", path)
        elif kind == "scalar":
            if _SCALAR_KINDS[name] != _SCALAR_KINDS[old_name]:
                self._report("FIELD_SCALAR_KIND_CHANGED", path)
            elif name not in ("string", "bytes") and all(labels) and labels[0] != labels[1]:
                self._report("FIELD_NUMERIC_LABEL_CHANGED", path)
        elif kind == "message":
            if self._local(name, self._new) != self._local(old_name, self._old):
                self._report("FIELD_NAMED_TYPE_CHANGED", path)
        else:
            now = self._new.map_types(self._new.file, new_scope, new) or ()
            before = self._old.map_types(self._old.file, old_scope, old) or ()
            for inner, old_inner in zip(now, before, strict=True):
                self._type(inner, old_inner, path, new_scope, old_scope)

    @staticmethod
    def _kind(linked: Linked, name: str, scope: str) -> tuple[_Kind, str]:
        if linked.map_types(linked.file, scope, name) is not None:
            return "map", name
        if name in SCALARS:
            return "scalar", name
        found = linked.resolve(linked.file, scope, name)
        if found is None:
            return "message", name.lstrip(".")
        return ("scalar", "enum") if isinstance(found.declared, Enum) else ("message", found.full_name)

    @staticmethod
    def _local(name: str, linked: Linked) -> str:
        # A changed package is reported once, not at every field.
        package = linked.file.package
        return name.removeprefix(f"{package}.") if package else name


def _inner(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name


def _tags(fields: Iterable[FieldDecl]) -> set[int]:
    return {f.tag for f in fields}


def _all_tags(message: Message) -> set[int]:
    return _tags(message.fields).union(*(_tags(o.fields) for o in message.oneofs))
