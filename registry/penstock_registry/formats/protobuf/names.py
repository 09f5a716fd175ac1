"""Names and numbers that a .proto file may give only once, as protoc checks them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from penstock.api import InvalidSchemaError
from penstock_registry.formats.protobuf.model import Enum, FieldDecl, Group, Message, ProtoFile, TypeDecl

__all__ = ["check_names"]


def check_names(file: ProtoFile) -> None:
    """Raise `InvalidSchemaError` for a name that one scope declares twice, or a number that one message uses twice.

    The values of an enum belong to the scope that holds the enum; protoc has this rule from C++. Confluent's registry does
    not check values so strictly, and stores such enums, so that here a value is compared with those of its own enum only.
    """
    extensions = [(f"extension {f.name}", f.name) for e in file.extends for f in e.fields]
    services = [(f"service {s.name}", s.name) for s in file.services]
    _once(file.package or "the file", [*_declared(file.types), *services, *extensions])
    for service in file.services:
        _once(f"service {file.full_name(service.name)}", [(f"rpc {r.name}", r.name) for r in service.rpcs])
    for declared in file.types:
        _check(declared, file.full_name(declared.name))


def _check(declared: TypeDecl, full_name: str) -> None:
    if isinstance(declared, Enum):
        _once(f"enum {full_name}", [(f"value {v.name}", v.name) for v in declared.values])
        return
    message = declared
    fields = list(_fields(message))
    names = [(f"field {f.name}", f.name) for f in fields]
    oneofs = [(f"oneof {o.name}", o.name) for o in message.oneofs]
    extensions = [(f"extension {f.name}", f.name) for e in message.extends for f in e.fields]
    _once(f"message {full_name}", [*names, *oneofs, *extensions, *_declared(_types(message))])
    numbers: dict[int, str] = {}
    for name, tag in (*((f.name, f.tag) for f in fields), *((g.name, g.tag) for g in _groups(message))):
        other = numbers.setdefault(tag, name)
        if other != name:
            raise InvalidSchemaError(f"Message {full_name}: fields {other} and {name} both have the number {tag}")
    for nested in _types(message):
        _check(nested, f"{full_name}.{nested.name}")


def _fields(message: Message) -> Iterator[FieldDecl]:
    yield from message.fields
    for oneof in message.oneofs:
        yield from oneof.fields


def _types(message: Message) -> Iterator[TypeDecl]:
    """Yield the types that `message` declares; a group declares one."""
    yield from message.nested
    for group in _groups(message):
        yield group.body


def _groups(message: Message) -> Iterator[Group]:
    yield from message.groups
    for oneof in message.oneofs:
        yield from oneof.groups


def _declared(types: Iterable[TypeDecl]) -> list[tuple[str, str]]:
    return [(f"{'enum' if isinstance(t, Enum) else 'message'} {t.name}", t.name) for t in types]


def _once(scope: str, declared: list[tuple[str, str]]) -> None:
    known: dict[str, str] = {}
    for what, name in declared:
        other = known.setdefault(name, what)
        if other is not what:
            raise InvalidSchemaError(f"{scope[:1].upper()}{scope[1:]} declares {name} twice: as {other} and as {what}")
