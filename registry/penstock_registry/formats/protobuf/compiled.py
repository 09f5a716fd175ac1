"""A schema made ready for the Protobuf runtime: descriptors and message classes in a pool of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import EnumValueDescriptorProto

from penstock.api import InvalidSchemaError
from penstock_registry.formats.protobuf.linked import ROOT_NAME, Linked, walk_types
from penstock_registry.formats.protobuf.meta import meta_params
from penstock_registry.formats.protobuf.model import Message, ProtoFile
from penstock_registry.formats.protobuf.to_descriptor import UNKNOWN_ENUM_VALUE, safe_package, to_descriptor

__all__ = ["CompiledFile", "compile_file", "message_class", "message_indexes"]

#: The name that Confluent's converter gives an enum number that the schema does not name.
_NOTHING: Final[Mapping[str, str]] = {}


@dataclass(slots=True)
class _Declared:
    """Facts that the runtime's descriptors do not tell, by full name."""

    metas: dict[str, Mapping[str, str]] = field(default_factory=dict)
    #: Fields with the word ``optional``, and whether their file is proto3.
    optional: dict[str, bool] = field(default_factory=dict)
    oneofs: set[str] = field(default_factory=set)
    with_required: bool = False


class CompiledFile:
    """Immutable, safe from any thread."""

    def __init__(self, file: ProtoFile, pool: Any, declared: _Declared) -> None:
        self.file = file
        self._pool = pool
        self._declared = declared
        self._package = safe_package(file.package)

    def message_at(self, indexes: Sequence[int]) -> Descriptor:
        """The message a payload's indexes lead to: places among messages, enums not counted. Raises
        `InvalidSchemaError`."""
        messages = list(self.file.messages)
        names: list[str] = []
        for index in indexes:
            if not 0 <= index < len(messages):
                raise InvalidSchemaError(f"Invalid message indexes: {list(indexes)}")
            names.append(messages[index].name)
            messages = list(messages[index].messages)
        return self.message(".".join(names))

    def message(self, name: str) -> Descriptor:
        """A message by its name without the package. Raises `InvalidSchemaError`."""
        full = f"{self._package}.{name}" if self._package else name
        try:
            return self._pool.FindMessageTypeByName(full)
        except KeyError:
            raise InvalidSchemaError(f"There is no message {name} in package {self.file.package or '(none)'}") from None

    def full_name(self, descriptor: Descriptor | Any) -> str:
        """A descriptor's full name, the package spelled as in the text."""
        name: str = descriptor.full_name
        if self.file.package and name.startswith(self._package + "."):
            return self.file.package + name[len(self._package) :]
        return name

    def meta(self, descriptor: Any) -> Mapping[str, str]:
        """The ``confluent.field_meta`` parameters of a field's descriptor."""
        return self._declared.metas.get(descriptor.full_name, _NOTHING)

    def optional_keyword(self, descriptor: Any) -> str | None:
        """``proto2`` or ``proto3`` for a field declared ``optional`` in such a file, else None."""
        is_proto3 = self._declared.optional.get(descriptor.full_name)
        return None if is_proto3 is None else "proto3" if is_proto3 else "proto2"

    def oneofs(self, descriptor: Any) -> list[Any]:
        """The oneofs of a message that its text has; those behind the word ``optional`` are none."""
        return [o for o in descriptor.oneofs if o.full_name in self._declared.oneofs]

    @property
    def has_required_fields(self) -> bool:
        """Can a message of this file, or of one it imports, lack something (proto2)?"""
        return self._declared.with_required


def compile_file(linked: Linked) -> CompiledFile:
    """Raises `InvalidSchemaError` if the runtime takes the file for invalid."""
    pool = descriptor_pool.DescriptorPool()
    declared = _Declared()
    name = ROOT_NAME
    dependencies = linked.dependencies()
    while name in dependencies:
        name += "_"
    for import_name, file in {**dependencies, name: linked.file}.items():
        descriptor = to_descriptor(linked, file, import_name)
        if file.is_proto3:
            _begin_with_zero(descriptor)
        try:
            pool.Add(descriptor)
            pool.FindFileByName(import_name)  # descriptors are built, and so checked, when first asked for
        except (TypeError, ValueError, KeyError) as error:
            raise InvalidSchemaError(f"Invalid Protobuf schema: {error}") from None
        _gather(file, declared)
    return CompiledFile(linked.file, pool, declared)


def _begin_with_zero(scope: Any) -> None:
    """Give each enum of a file or message a zero to begin with, for the runtime, which takes no other in proto3.

    Confluent's serializers ask for none, so that such schemas stand in registries. A zero that the schema does not
    have goes by the name of a number without one.
    """
    for enum in scope.enum_type:
        if not enum.value or enum.value[0].number == 0:
            continue
        zero = next((value for value in enum.value if value.number == 0), None)
        others = [value for value in enum.value if value is not zero]
        first = EnumValueDescriptorProto(name=f"{UNKNOWN_ENUM_VALUE}{enum.name}_0", number=0) if zero is None else zero
        ordered = [EnumValueDescriptorProto.FromString(v.SerializeToString()) for v in (first, *others)]
        del enum.value[:]
        enum.value.extend(ordered)
    for message in scope.message_type if hasattr(scope, "message_type") else scope.nested_type:
        _begin_with_zero(message)


def _gather(file: ProtoFile, declared: _Declared) -> None:
    for scoped in walk_types(file):
        if not isinstance(scoped.declared, Message):
            continue
        message = scoped.declared
        declared.oneofs.update(safe_package(f"{scoped.full_name}.{o.name}") for o in message.oneofs)
        for member in (*message.fields, *(f for o in message.oneofs for f in o.fields)):
            name = safe_package(f"{scoped.full_name}.{member.name}")
            if member.label == "optional":
                declared.optional[name] = file.is_proto3
            elif member.label == "required":
                declared.with_required = True
            params = meta_params(member.options) if member.options else None
            if params:
                declared.metas[name] = params


def message_class(descriptor: Descriptor) -> Any:
    return message_factory.GetMessageClass(descriptor)


def message_indexes(file: ProtoFile, full_name: str) -> list[int]:
    """The way to a message, for a payload's header; parts of `full_name` that name no message are stepped over."""
    indexes: list[int] = []
    messages = list(file.messages)
    for part in full_name.split("."):
        for index, message in enumerate(messages):
            if message.name == part:
                indexes.append(index)
                messages = list(message.messages)
                break
    return indexes
