"""The normal form of a file: what may be written in several orders or ways, written in one."""

from __future__ import annotations

from dataclasses import replace

from penstock_registry.formats.protobuf.linked import Linked
from penstock_registry.formats.protobuf.model import (
    SCALARS,
    Enum,
    Extend,
    FieldDecl,
    Group,
    Message,
    OneOf,
    Option,
    ProtoFile,
    Ranges,
    Rpc,
    Service,
    TypeDecl,
    map_types,
)

__all__ = ["normalized", "without_extensions"]


def normalized(linked: Linked) -> ProtoFile:
    """Imports, options, fields (by number), enum values and reserved numbers sorted; types by their full names."""
    return _Normal(linked).file()


class _Normal:
    def __init__(self, linked: Linked) -> None:
        self._linked = linked
        self._file = linked.file

    def file(self) -> ProtoFile:
        file = self._file
        scope = file.package or ""
        return replace(
            file,
            imports=tuple(sorted(set(file.imports))),
            public_imports=tuple(sorted(set(file.public_imports))),
            weak_imports=tuple(sorted(set(file.weak_imports))),
            options=_options(file.options),
            types=tuple(self._type(t, file.full_name(t.name)) for t in file.types),
            extends=tuple(self._extend(e, scope) for e in file.extends),
            services=tuple(self._service(s, scope) for s in file.services),
        )

    def _type(self, declared: TypeDecl, scope: str) -> TypeDecl:
        return _enum(declared) if isinstance(declared, Enum) else self._message(declared, scope)

    def _message(self, message: Message, scope: str) -> Message:
        oneofs = [self._oneof(o, scope) for o in message.oneofs]
        return replace(
            message,
            fields=self._fields(message.fields, scope),
            oneofs=tuple(sorted(oneofs, key=lambda o: min((f.tag for f in o.fields), default=0))),
            nested=tuple(
                self._type(t, f"{scope}.{t.name}")
                for t in message.nested
                if not (isinstance(t, Message) and t.is_map_entry)
            ),
            options=_options(message.options),
            reserved=tuple(replace(r, values=_ranges(r.values)) for r in message.reserved),
            extensions=tuple(replace(e, values=_ranges(e.values)) for e in message.extensions),
            groups=tuple(self._group(g, scope) for g in sorted(message.groups, key=lambda g: g.tag)),
            extends=tuple(self._extend(e, scope) for e in message.extends),
        )

    def _fields(self, fields: tuple[FieldDecl, ...], scope: str) -> tuple[FieldDecl, ...]:
        return tuple(self._field(f, scope) for f in sorted(fields, key=lambda f: f.tag))

    def _field(self, field: FieldDecl, scope: str) -> FieldDecl:
        entry = self._linked.map_types(self._file, scope, field.type)
        name = field.type if entry is None else f"map<{entry[0]}, {entry[1]}>"
        label = field.label if entry is None else None
        return replace(field, type=self._name(name, scope), label=label, options=_options(field.options))

    def _name(self, name: str, scope: str) -> str:
        entry = map_types(name)
        if entry is not None:
            return f"map<{self._name(entry[0], scope)}, {self._name(entry[1], scope)}>"
        found = None if name in SCALARS else self._linked.resolve(self._file, scope, name)
        return f".{found.full_name}" if found is not None else name

    def _oneof(self, oneof: OneOf, scope: str) -> OneOf:
        return replace(
            oneof,
            fields=self._fields(oneof.fields, scope),
            groups=tuple(self._group(g, scope) for g in sorted(oneof.groups, key=lambda g: g.tag)),
            options=_options(oneof.options),
        )

    def _group(self, group: Group, scope: str) -> Group:
        return replace(group, fields=self._fields(group.fields, scope))

    def _extend(self, extend: Extend, scope: str) -> Extend:
        return replace(extend, fields=self._fields(extend.fields, scope))

    def _service(self, service: Service, scope: str) -> Service:
        rpcs = tuple(self._rpc(r, scope) for r in service.rpcs)
        return replace(service, rpcs=rpcs, options=_options(service.options))

    def _rpc(self, rpc: Rpc, scope: str) -> Rpc:
        request, response = self._name(rpc.request, scope), self._name(rpc.response, scope)
        return replace(rpc, request=request, response=response, options=_options(rpc.options))


def _enum(enum: Enum) -> Enum:
    values = sorted((replace(v, options=_options(v.options)) for v in enum.values), key=lambda v: v.number)
    reserved = tuple(replace(r, values=_ranges(r.values)) for r in enum.reserved)
    return replace(enum, values=tuple(values), options=_options(enum.options), reserved=reserved)


def _options(options: tuple[Option, ...]) -> tuple[Option, ...]:
    return tuple(sorted((_option(o) for o in options), key=lambda o: (o.parenthesized, o.name)))


def _option(option: Option) -> Option:
    if option.kind == "option":
        return replace(option, value=_option(option.value))
    if option.kind == "map":
        return replace(option, value={k: _option(option.value[k]) for k in sorted(option.value)})
    if option.kind == "list":
        return replace(option, value=[_option(item) for item in option.value])
    return option


def _ranges(values: Ranges) -> Ranges:
    def order(value: int | str | tuple[int, int]) -> tuple[int, int, str]:
        if isinstance(value, str):
            return 1, 0, value
        return 0, value if isinstance(value, int) else value[0], ""

    return tuple(sorted(values, key=order))


def without_extensions(file: ProtoFile) -> ProtoFile:
    """`file` without the extensions it declares and without options that are extensions."""
    return replace(
        file,
        options=_own(file.options),
        types=tuple(_without(t) for t in file.types),
        extends=(),
        services=tuple(
            replace(s, options=_own(s.options), rpcs=tuple(replace(r, options=_own(r.options)) for r in s.rpcs))
            for s in file.services
        ),
    )


def _without(declared: TypeDecl) -> TypeDecl:
    if isinstance(declared, Enum):
        values = tuple(replace(v, options=_own(v.options)) for v in declared.values)
        return replace(declared, values=values, options=_own(declared.options))
    return replace(
        declared,
        fields=_plain(declared.fields),
        oneofs=tuple(replace(o, fields=_plain(o.fields), options=_own(o.options)) for o in declared.oneofs),
        nested=tuple(_without(t) for t in declared.nested),
        options=_own(declared.options),
        groups=tuple(replace(g, fields=_plain(g.fields)) for g in declared.groups),
        extends=(),
    )


def _plain(fields: tuple[FieldDecl, ...]) -> tuple[FieldDecl, ...]:
    return tuple(replace(f, options=_own(f.options)) for f in fields)


def _own(options: tuple[Option, ...]) -> tuple[Option, ...]:
    return tuple(o for o in options if not o.parenthesized)
