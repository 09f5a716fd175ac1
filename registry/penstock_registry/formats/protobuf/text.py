"""A `ProtoFile` as text, in the form in which Confluent's registry stores and compares Protobuf schemas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock_registry.formats.protobuf.escapes import escaped
from penstock_registry.formats.protobuf.model import (
    MAX_TAG,
    SCALARS,
    Enum,
    EnumValue,
    Extend,
    FieldDecl,
    Group,
    Message,
    OneOf,
    Option,
    OptionKind,
    ProtoFile,
    Ranges,
    Rpc,
    Service,
    TypeDecl,
)

__all__ = ["to_text"]


def to_text(file: ProtoFile) -> str:
    parts: list[str] = []
    if file.syntax is not None:
        parts.append(f'syntax = "{file.syntax}";\n')
    if file.package is not None:
        parts.append(f"package {file.package};\n")
    if file.all_imports:
        parts.append("\n")
        parts += [f"import {_quoted(name)};\n" for name in file.imports]
        parts += [f"import public {_quoted(name)};\n" for name in file.public_imports]
        parts += [f"import weak {_quoted(name)};\n" for name in file.weak_imports]
    for block in (
        [_declaration(option) for option in file.options],
        _types(file.types),
        [_extend(extend) for extend in file.extends],
        [_service(service) for service in file.services],
    ):
        if block:
            parts += ["\n", *block]
    return "".join(parts)


def _indented(text: str) -> str:
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return "".join(f"  {line}\n" for line in lines)


def _blocks(head: str, blocks: Iterable[Sequence[str]]) -> str:
    """`head`, then in braces every block that is not empty, each after an empty line."""
    body = "".join("\n" + "".join(map(_indented, block)) for block in blocks if block)
    return f"{head} {{{body}}}\n"


def _types(declared: Sequence[TypeDecl]) -> list[str]:
    """Messages stand before enums, as Confluent's registry stores them."""
    messages = [_message(t) for t in declared if isinstance(t, Message)]
    return messages + [_enum(t) for t in declared if isinstance(t, Enum)]


def _message(message: Message) -> str:
    return _message_like(f"message {message.name}", message)


def _message_like(head: str, message: Message) -> str:
    return _blocks(
        head,
        (
            [f"reserved {_ranges(r.values)};\n" for r in message.reserved],
            [_declaration(option) for option in message.options],
            [_field(field) for field in message.fields],
            [_oneof(oneof) for oneof in message.oneofs],
            [_group(group) for group in message.groups],
            [f"extensions {_ranges(e.values)}{_bracketed(e.options)};\n" for e in message.extensions],
            [_extend(extend) for extend in message.extends],
            _types(message.nested),
        ),
    )


def _enum(enum: Enum) -> str:
    # One block: no empty line between options and values.
    members = [f"reserved {_ranges(r.values)};\n" for r in enum.reserved]
    members += [_declaration(option) for option in enum.options]
    members += [_enum_value(value) for value in enum.values]
    return _blocks(f"enum {enum.name}", (members,))


def _enum_value(value: EnumValue) -> str:
    return f"{value.name} = {value.number}{_bracketed(value.options)};\n"


def _field(field: FieldDecl) -> str:
    options = list(field.options)
    if field.default is not None:
        options.append(Option("default", _default_kind(field.type), field.default))
    if field.json_name is not None:
        options.append(Option("json_name", "string", field.json_name))
    label = f"{field.label} " if field.label else ""
    return f"{label}{field.type} {field.name} = {field.tag}{_bracketed(options)};\n"


def _default_kind(type_name: str) -> OptionKind:
    if type_name in ("string", "bytes"):
        return "string"
    if type_name == "bool":
        return "boolean"
    return "number" if type_name in SCALARS else "enum"


def _oneof(oneof: OneOf) -> str:
    return _blocks(
        f"oneof {oneof.name}",
        (
            [_declaration(option) for option in oneof.options],
            [_field(field) for field in oneof.fields],
            [_group(group) for group in oneof.groups],
        ),
    )


def _group(group: Group) -> str:
    label = f"{group.label} " if group.label else ""
    return _message_like(f"{label}group {group.name} = {group.tag}{_bracketed(group.options)}", group.body)


def _extend(extend: Extend) -> str:
    return _blocks(
        f"extend {extend.name}",
        ([_field(field) for field in extend.fields], [_group(group) for group in extend.groups]),
    )


def _service(service: Service) -> str:
    return _blocks(
        f"service {service.name}",
        ([_declaration(option) for option in service.options], [_rpc(rpc) for rpc in service.rpcs]),
    )


def _rpc(rpc: Rpc) -> str:
    request = ("stream " if rpc.request_stream else "") + rpc.request
    response = ("stream " if rpc.response_stream else "") + rpc.response
    head = f"rpc {rpc.name} ({request}) returns ({response})"
    if not rpc.options:
        return head + ";\n"
    return f"{head} {{\n" + "".join(_indented(_declaration(option)) for option in rpc.options) + "};\n"


def _ranges(values: Ranges) -> str:
    return ", ".join(map(_range, values))


def _range(value: int | str | tuple[int, int]) -> str:
    if isinstance(value, tuple):
        return f"{value[0]} to {'max' if value[1] >= MAX_TAG else value[1]}"
    return _quoted(value) if isinstance(value, str) else str(value)


# -- options ------------------------------------------------------------------------------------------------------


def _declaration(option: Option) -> str:
    return f"option {_option(option)};\n"


def _bracketed(options: Sequence[Option]) -> str:
    if not options:
        return ""
    if len(options) == 1:
        return f" [{_option(options[0])}]"
    return " [\n" + "".join(_indented(text) for text in _listed(map(_option, options))) + "]"


def _option(option: Option) -> str:
    name = f"({option.name})" if option.parenthesized else option.name
    match option.kind:
        case "string":
            return f"{name} = {_quoted(option.value)}"
        case "option":
            inner: Option = option.value
            return f"{name}.{_option(inner)}"
        case "map":
            return f"{name} = {{\n{_map(option.value)}}}"
        case "list":
            return f"{name} = [\n{_list(option.value)}]"
    return f"{name} = {option.value}"


def _map(members: Mapping[str, Option]) -> str:
    return "".join(_indented(text) for text in _listed(f"{k}: {_value(v)}" for k, v in members.items()))


def _list(items: Sequence[Option]) -> str:
    return "".join(_indented(text) for text in _listed(_value(item) for item in items))


def _listed(texts: Iterable[str]) -> list[str]:
    listed = list(texts)
    return [text + "," for text in listed[:-1]] + listed[-1:]


def _value(option: Option) -> str:
    match option.kind:
        case "string":
            return _quoted(option.value)
        case "map":
            return f"{{\n{_map(option.value)}}}"
        case "list":
            return f"[\n{_list(option.value)}]"
    return str(option.value)


def _quoted(value: Any) -> str:
    return f'"{escaped(str(value))}"'
