"""The normal form of a file: what may be written in several orders or ways, written in one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from penstock_registry.formats.protobuf.linked import Linked
from penstock_registry.formats.protobuf.model import (
    SCALARS,
    Enum,
    Extend,
    Extensions,
    FieldDecl,
    Group,
    Message,
    OneOf,
    Option,
    ProtoFile,
    RangeValue,
    Reserved,
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
            extends=self._extends(file.extends, scope),
            services=tuple(self._service(s, scope) for s in file.services),
        )

    def _type(self, declared: TypeDecl, scope: str) -> TypeDecl:
        return _enum(declared) if isinstance(declared, Enum) else self._message(declared, scope)

    def _message(self, message: Message, scope: str) -> Message:
        oneofs = [self._oneof(o, scope) for o in message.oneofs if o.fields or o.groups]
        return replace(
            message,
            fields=self._fields(message.fields, scope),
            oneofs=tuple(sorted(oneofs, key=_first_tag)),
            nested=tuple(
                self._type(t, f"{scope}.{t.name}")
                for t in message.nested
                if not (isinstance(t, Message) and t.is_map_entry)
            ),
            options=_options(message.options),
            reserved=_reserved(message.reserved),
            extensions=_extensions(message.extensions),
            groups=tuple(self._group(g, scope) for g in sorted(message.groups, key=lambda g: g.tag)),
            extends=self._extends(message.extends, scope),
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
        body = self._message(group.body, f"{scope}.{group.name}" if scope else group.name)
        return replace(group, body=body, options=_options(group.options))

    def _extends(self, extends: tuple[Extend, ...], scope: str) -> tuple[Extend, ...]:
        """Return one declaration for each extended type, in the order of their first fields."""
        together: dict[str, Extend] = {}
        for extend in extends:
            name = self._name(extend.name, scope)
            known = together.get(name, Extend(name))
            together[name] = replace(known, fields=known.fields + extend.fields, groups=known.groups + extend.groups)
        return tuple(
            replace(
                e,
                fields=self._fields(e.fields, scope),
                groups=tuple(self._group(g, scope) for g in sorted(e.groups, key=lambda g: g.tag)),
            )
            for e in together.values()
        )

    def _service(self, service: Service, scope: str) -> Service:
        rpcs = tuple(self._rpc(r, scope) for r in service.rpcs)
        return replace(service, rpcs=rpcs, options=_options(service.options))

    def _rpc(self, rpc: Rpc, scope: str) -> Rpc:
        request, response = self._name(rpc.request, scope), self._name(rpc.response, scope)
        return replace(rpc, request=request, response=response, options=_options(rpc.options))


def _enum(enum: Enum) -> Enum:
    values = sorted((replace(v, options=_options(v.options)) for v in enum.values), key=lambda v: (v.number, v.name))
    return replace(enum, values=tuple(values), options=_options(enum.options), reserved=_reserved(enum.reserved))


def _first_tag(oneof: OneOf) -> int:
    return min((*(f.tag for f in oneof.fields), *(g.tag for g in oneof.groups)), default=0)


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


def _reserved(reserved: tuple[Reserved, ...]) -> tuple[Reserved, ...]:
    """Return one declaration for each number, range and name, in their order."""
    return tuple(Reserved((value,)) for value in _sorted(v for r in reserved for v in r.values))


def _extensions(extensions: tuple[Extensions, ...]) -> tuple[Extensions, ...]:
    single = [Extensions((value,), _options(e.options)) for e in extensions for value in _sorted(e.values)]
    return tuple(sorted(single, key=lambda e: _range_order(e.values[0])))


def _sorted(values: Iterable[RangeValue]) -> list[RangeValue]:
    one = (value[0] if isinstance(value, tuple) and value[0] == value[1] else value for value in values)
    return sorted(one, key=_range_order)


def _range_order(value: RangeValue) -> tuple[int, str]:
    # Names stand behind all numbers, as Java's Integer.MAX_VALUE puts them.
    if isinstance(value, str):
        return 2**31 - 1, value
    return (value, str(value)) if isinstance(value, int) else (value[0], f"{value[0]}..{value[1]}")


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
        oneofs=tuple(
            replace(
                o,
                fields=_plain(o.fields),
                groups=tuple(_plain_group(g) for g in o.groups),
                options=_own(o.options),
            )
            for o in declared.oneofs
        ),
        nested=tuple(_without(t) for t in declared.nested),
        options=_own(declared.options),
        groups=tuple(_plain_group(g) for g in declared.groups),
        extensions=(),
        extends=(),
    )


def _plain_group(group: Group) -> Group:
    body = _without(group.body)
    assert isinstance(body, Message)
    return replace(group, body=body, options=_own(group.options))


def _plain(fields: tuple[FieldDecl, ...]) -> tuple[FieldDecl, ...]:
    return tuple(replace(f, options=_own(f.options)) for f in fields)


def _own(options: tuple[Option, ...]) -> tuple[Option, ...]:
    return tuple(o for o in options if not o.parenthesized)
