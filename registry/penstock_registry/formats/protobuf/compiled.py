"""A schema made ready for the Protobuf runtime: descriptors and message classes in a pool of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor

from penstock.api import InvalidSchemaError
from penstock_registry.formats.protobuf.linked import ROOT_NAME, Linked, walk_types
from penstock_registry.formats.protobuf.meta import meta_params
from penstock_registry.formats.protobuf.model import Message, ProtoFile
from penstock_registry.formats.protobuf.to_descriptor import safe_package, to_descriptor

__all__ = ["CompiledFile", "compile_file", "message_class", "message_indexes"]

_NOTHING: Final[Mapping[str, str]] = {}


class CompiledFile:
    """Immutable, safe from any thread."""

    def __init__(self, file: ProtoFile, pool: Any, metas: Mapping[str, Mapping[str, str]]) -> None:
        self.file = file
        self._pool = pool
        self._metas = metas
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
            return self._pool.FindMessageTypeByName(full)  # type: ignore[no-any-return]  # a library without types here
        except KeyError:
            raise InvalidSchemaError(f"There is no message {name} in package {self.file.package or '(none)'}") from None

    def full_name(self, descriptor: Descriptor | Any) -> str:
        """A descriptor's full name, the package spelled as in the text."""
        name: str = descriptor.full_name
        if self.file.package and name.startswith(self._package + "."):
            return self.file.package + name[len(self._package) :]
        return name

    def meta(self, field: Any) -> Mapping[str, str]:
        """The ``confluent.field_meta`` parameters of a field's descriptor."""
        return self._metas.get(field.full_name, _NOTHING)


def compile_file(linked: Linked) -> CompiledFile:
    """Raises `InvalidSchemaError` if the runtime takes the file for invalid."""
    pool = descriptor_pool.DescriptorPool()
    metas: dict[str, Mapping[str, str]] = {}
    name = ROOT_NAME
    dependencies = linked.dependencies()
    while name in dependencies:
        name += "_"
    for import_name, file in {**dependencies, name: linked.file}.items():
        descriptor = to_descriptor(linked, file, import_name)
        try:
            pool.Add(descriptor)  # type: ignore[no-untyped-call]  # a library without types here
            pool.FindFileByName(import_name)  # descriptors are built, and so checked, when first asked for
        except (TypeError, ValueError, KeyError) as error:
            raise InvalidSchemaError(f"Invalid Protobuf schema: {error}") from None
        _gather_metas(file, metas)
    return CompiledFile(linked.file, pool, metas)


def _gather_metas(file: ProtoFile, metas: dict[str, Mapping[str, str]]) -> None:
    for scoped in walk_types(file):
        if not isinstance(scoped.declared, Message):
            continue
        message = scoped.declared
        for field in (*message.fields, *(f for o in message.oneofs for f in o.fields)):
            if field.options:
                params = meta_params(field.options)
                if params:
                    metas[safe_package(f"{scoped.full_name}.{field.name}")] = params


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
