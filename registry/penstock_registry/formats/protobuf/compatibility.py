"""Can data written with one .proto file be read with another? Confluent's rules (``SchemaDiff``) and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from penstock_registry.formats.protobuf.linked import Linked
from penstock_registry.formats.protobuf.model import SCALARS, Enum, FieldDecl, Message, OneOf, ProtoFile, TypeDecl

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
    """Return why data of `writer` cannot be read with `reader`, one message a reason; empty if it can.

    These changes are fine: an enum, one of its values, a field that is not required or a oneof is added or removed; a
    field is renamed; a field becomes repeated or stops being so, except for a number that has a label before and after
    (repeated numbers are packed). A type of a reference is compared in full if the reference names another version.
    """
    return _Diff(reader, writer).compare()


@dataclass(frozen=True, slots=True)
class _Members:
    """The fields of a message by number, those of its oneofs included, and which oneof each stands in."""

    fields: Mapping[int, FieldDecl]
    oneof_of: Mapping[int, str]
    oneofs: Mapping[str, OneOf]

    @classmethod
    def of(cls, message: Message) -> _Members:
        fields = {f.tag: f for f in message.fields}
        oneof_of: dict[int, str] = {}
        for oneof in message.oneofs:
            fields.update({f.tag: f for f in oneof.fields})
            oneof_of.update({f.tag: oneof.name for f in oneof.fields})
        return cls(fields, oneof_of, {o.name: o for o in message.oneofs})

    def path(self, path: str, tag: int) -> str:
        oneof = self.oneof_of.get(tag)
        return f"{path}/{tag}" if oneof is None else f"{path}/{oneof}/{tag}"


class _Diff:
    def __init__(self, new: Linked, old: Linked, compared: dict[tuple[str, str], list[str]] | None = None) -> None:
        self._new, self._old = new, old
        self._found: list[str] = []
        #: The problems of each pair of referenced types, by their full names. A pair is entered before it is compared:
        #: types may lead back to themselves.
        self._compared: dict[tuple[str, str], list[str]] = {} if compared is None else compared
        #: The root's own types are compared one after the other, wherever they are used.
        self._is_root = compared is None
        self._same_references = self._is_root and new.has_references_of(old)

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
        now, before = _Members.of(new), _Members.of(old)
        for oneof in new.oneofs:
            self._exclusive(oneof, before, f"{path}/{oneof.name}")
        gone = {
            name
            for name, oneof in before.oneofs.items()
            if name not in now.oneofs and not any(f.tag in now.fields for f in oneof.fields)
        }
        for tag in sorted(now.fields.keys() | before.fields.keys()):
            after, earlier = now.fields.get(tag), before.fields.get(tag)
            if after is None:
                assert earlier is not None
                self._removed(earlier, before, gone, path)
            elif earlier is None:
                if after.label == "required" and tag not in now.oneof_of:
                    self._report("REQUIRED_FIELD_ADDED", f"{path}/{tag}")
            else:
                labels = (after.label, earlier.label)
                self._type(after.type, earlier.type, now.path(path, tag), new_scope, old_scope, labels)
        self._types(new.nested, old.nested, path, new_scope, old_scope)

    def _exclusive(self, oneof: OneOf, before: _Members, path: str) -> None:
        """Report fields that exclude each other now and did not: they came from more than one place."""
        moved = [f.tag for f in oneof.fields if f.tag in before.fields and f.tag not in before.oneof_of]
        origins = {before.oneof_of[f.tag] for f in oneof.fields if f.tag in before.oneof_of}
        if len(moved) + len(origins) > 1:
            self._report("MULTIPLE_FIELDS_MOVED_TO_ONEOF" if len(moved) > 1 else "FIELD_MOVED_TO_EXISTING_ONEOF", path)

    def _removed(self, field: FieldDecl, before: _Members, gone: set[str], path: str) -> None:
        oneof = before.oneof_of.get(field.tag)
        if oneof is None:
            if field.label == "required":
                self._report("REQUIRED_FIELD_REMOVED", f"{path}/{field.tag}")
        elif oneof not in gone:  # a oneof that is gone as a whole says nothing of which of its fields was set
            self._report("ONEOF_FIELD_REMOVED", before.path(path, field.tag))

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
            self._message_type(name, old_name, path)
        else:
            now = self._new.map_types(self._new.file, new_scope, new) or ()
            before = self._old.map_types(self._old.file, old_scope, old) or ()
            for inner, old_inner in zip(now, before, strict=True):
                self._type(inner, old_inner, path, new_scope, old_scope)

    def _message_type(self, name: str, old_name: str, path: str) -> None:
        new, old = self._new.declaring(name), self._old.declaring(old_name)
        if new is None or old is None:
            if name != old_name:
                self._report("FIELD_NAMED_TYPE_CHANGED", path)
            return
        # A changed package is reported once, not at every field.
        local = _local(name, new.file)
        if local != _local(old_name, old.file):
            self._report("FIELD_NAMED_TYPE_CHANGED", path)
        elif not self._same_references and not (self._is_root and new is self._new and old is self._old):
            found = self._referenced(new, old, name, old_name, "#/" + local.replace(".", "/"))
            self._found += found
            if found:
                self._report("FIELD_NAMED_TYPE_CHANGED", path)

    def _referenced(self, new: Linked, old: Linked, name: str, old_name: str, path: str) -> list[str]:
        """Compare a type that is declared in a reference, with all that it uses."""
        found = self._compared.get((name, old_name))
        if found is None:
            found = self._compared[name, old_name] = []
            message, old_message = new.types(new.file)[name].declared, old.types(old.file)[old_name].declared
            if isinstance(message, Message) and isinstance(old_message, Message) and new.file is not old.file:
                inner = _Diff(new, old, self._compared)
                inner._message(message, old_message, path, name, old_name)
                found += inner._found
        return found

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


def _local(name: str, file: ProtoFile) -> str:
    return name.removeprefix(f"{file.package}.") if file.package else name


def _inner(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name
