"""From the text of a .proto file to a `ProtoFile`. What is not known to proto2 and proto3 is an `InvalidSchemaError`."""

from __future__ import annotations

from typing import Final

from penstock.api import InvalidSchemaError
from penstock_registry.formats.protobuf.lexer import Lexer
from penstock_registry.formats.protobuf.model import (
    MAX_TAG,
    Enum,
    EnumValue,
    Extend,
    Extensions,
    FieldDecl,
    Group,
    Message,
    OneOf,
    Option,
    ProtoFile,
    Ranges,
    Reserved,
    Rpc,
    Service,
    TypeDecl,
    fits_default,
)
from penstock_registry.formats.protobuf.option_parser import OptionParser

__all__ = ["parse"]

_LABELS: Final = ("required", "optional", "repeated")


def parse(text: str, strict: bool = False) -> ProtoFile:
    """Return the declarations of `text`. Raises `InvalidSchemaError` with line and column.

    `strict` asks for the labels that proto2 requires; texts that are stored already are read without it.
    """
    try:
        return _Parser(text, strict).file()
    except InvalidSchemaError as error:
        raise InvalidSchemaError(f"Could not parse Protobuf - {error.message}") from None


class _Parser:
    def __init__(self, text: str, strict: bool) -> None:
        self._in = Lexer(text)
        self._options = OptionParser(self._in)
        self._needs_labels = strict

    def file(self) -> ProtoFile:
        lexer = self._in
        syntax: str | None = None
        package: str | None = None
        imports: dict[str | None, list[str]] = {None: [], "public": [], "weak": []}
        options: list[Option] = []
        types: list[TypeDecl] = []
        extends: list[Extend] = []
        services: list[Service] = []
        while lexer.peek():
            if lexer.take(";"):
                continue
            match word := lexer.word():
                case "syntax":
                    lexer.expect("=")
                    syntax = lexer.quoted()
                    if syntax not in ("proto2", "proto3"):
                        raise lexer.error(f"unexpected syntax: {syntax}")
                    self._needs_labels = self._needs_labels and syntax == "proto2"
                    lexer.expect(";")
                case "edition":
                    raise lexer.error("edition is not currently supported")
                case "package":
                    if package is not None:
                        raise lexer.error("too many package names")
                    package = lexer.dotted()
                    lexer.expect(";")
                case "import":
                    kind = None if lexer.peek() in "\"'" else lexer.word()
                    if kind not in imports:
                        raise lexer.error(f"expected public, weak or a file's name, met {kind}")
                    imports[kind].append(lexer.quoted())
                    lexer.expect(";")
                case "option":
                    options.append(self._options.statement())
                case "message":
                    types.append(self._message())
                case "enum":
                    types.append(self._enum())
                case "extend":
                    extends.append(self._extend())
                case "service":
                    services.append(self._service())
                case _:
                    raise lexer.error(f"unexpected label: {word}")
        return ProtoFile(
            syntax, package, tuple(imports[None]), tuple(imports["public"]), tuple(options), tuple(types),
            tuple(extends), tuple(services), tuple(imports["weak"]),
        )  # fmt: skip

    # -- messages -------------------------------------------------------------------------------------------------

    def _message(self) -> Message:
        return self._body(self._in.word())

    def _body(self, name: str) -> Message:
        """Read a message's members, with their braces."""
        lexer = self._in
        self._options.deeper()
        parts = _Body()
        lexer.expect("{")
        while not lexer.take("}"):
            if not lexer.take(";"):
                self._member(parts)
        self._options.higher()
        return Message(
            name, tuple(parts.fields), tuple(parts.oneofs), tuple(parts.nested), tuple(parts.options),
            tuple(parts.reserved), tuple(parts.extensions), tuple(parts.groups), tuple(parts.extends),
        )  # fmt: skip

    def _member(self, parts: _Body) -> None:
        lexer = self._in
        word = lexer.type_name()
        # A field's type may be called like a keyword; then a name and '=' follow, never a name and '{'.
        match word:
            case "message":
                parts.nested.append(self._message())
            case "enum":
                parts.nested.append(self._enum())
            case "extend":
                parts.extends.append(self._extend())
            case "option":
                parts.options.append(self._options.statement())
            case "oneof":
                parts.oneofs.append(self._oneof())
            case "reserved":
                parts.reserved.append(self._reserved())
            case "extensions":
                parts.extensions.append(self._extensions())
            case "group":
                parts.groups.append(self._group(None))
            case _:
                label = word if word in _LABELS else None
                type_name = lexer.type_name() if label else word
                if type_name == "group":
                    parts.groups.append(self._group(label))
                elif label is None and self._needs_labels and not type_name.startswith("map<"):
                    raise lexer.error(
                        f"unexpected label: {type_name} (a field of proto2 is required, optional or repeated)"
                    )
                else:
                    parts.fields.append(self._field(type_name, label))

    def _field(self, type_name: str, label: str | None) -> FieldDecl:
        lexer = self._in
        if type_name.startswith("map<") and label is not None:
            raise lexer.error("a map field has no label")
        name = lexer.word()
        lexer.expect("=")
        tag = lexer.integer()
        options = self._options.in_brackets()
        lexer.expect(";")
        default = json_name = None
        rest: list[Option] = []
        for option in options:
            if option.name == "default" and not option.parenthesized and isinstance(option.value, str):
                default = option
            elif option.name == "json_name" and not option.parenthesized and option.kind == "string":
                json_name = option.value
            else:
                rest.append(option)
        if default is not None and not fits_default(type_name, default):
            raise lexer.error(f"field {name} of type {type_name} cannot have the default {str(default.value)[:80]!r}")
        text = None if default is None else default.value
        return FieldDecl(name, type_name, tag, label, text, json_name, tuple(rest))

    def _oneof(self) -> OneOf:
        lexer = self._in
        name = lexer.word()
        fields: list[FieldDecl] = []
        groups: list[Group] = []
        options: list[Option] = []
        lexer.expect("{")
        while not lexer.take("}"):
            if lexer.take(";"):
                continue
            word = lexer.type_name()
            if word == "group":
                groups.append(self._group(None))
            elif word == "option":
                options.append(self._options.statement())
            elif word in _LABELS:
                raise lexer.error(f"a field of a oneof has no label, met {word}")
            else:
                fields.append(self._field(word, None))
        return OneOf(name, tuple(fields), tuple(groups), tuple(options))

    def _group(self, label: str | None) -> Group:
        lexer = self._in
        name = lexer.word()
        lexer.expect("=")
        tag = lexer.integer()
        options = self._options.in_brackets()
        return Group(name, tag, label, self._body(name), options)

    def _extensions(self) -> Extensions:
        values = self._ranges(names=False)
        options = self._options.in_brackets()
        self._in.expect(";")
        return Extensions(values, options)

    def _reserved(self) -> Reserved:
        values = self._ranges(names=True)
        self._in.expect(";")
        return Reserved(values)

    def _ranges(self, names: bool) -> Ranges:
        lexer = self._in
        values: list[int | str | tuple[int, int]] = []
        while True:
            if names and lexer.peek() in "\"'":
                values.append(lexer.quoted())
            else:
                values.append(self._range())
            if lexer.peek() in (";", "["):
                return tuple(values)
            lexer.expect(",")

    def _range(self) -> int | tuple[int, int]:
        lexer = self._in
        first = lexer.integer()
        if lexer.peek() in ",;[":
            return first
        if lexer.word() != "to":
            raise lexer.error("expected ',' ';' or 'to'")
        if lexer.peek() == "m":
            if lexer.word() != "max":
                raise lexer.error("expected an integer or max")
            return first, MAX_TAG
        return first, lexer.integer()

    # -- the other declarations -----------------------------------------------------------------------------------

    def _enum(self) -> Enum:
        lexer = self._in
        name = lexer.word()
        values: list[EnumValue] = []
        options: list[Option] = []
        reserved: list[Reserved] = []
        lexer.expect("{")
        while not lexer.take("}"):
            if lexer.take(";"):
                continue
            word = lexer.word()
            if word == "option" and lexer.peek() != "=":
                options.append(self._options.statement())
            elif word == "reserved" and lexer.peek() != "=":
                reserved.append(self._reserved())
            else:
                lexer.expect("=")
                number = lexer.integer()
                values.append(EnumValue(word, number, self._options.in_brackets()))
                lexer.expect(";")
        return Enum(name, tuple(values), tuple(options), tuple(reserved))

    def _extend(self) -> Extend:
        lexer = self._in
        name = lexer.dotted()
        parts = _Body()
        lexer.expect("{")
        while not lexer.take("}"):
            if not lexer.take(";"):
                self._member(parts)
        return Extend(name, tuple(parts.fields), tuple(parts.groups))

    def _service(self) -> Service:
        lexer = self._in
        name = lexer.word()
        rpcs: list[Rpc] = []
        options: list[Option] = []
        lexer.expect("{")
        while not lexer.take("}"):
            if lexer.take(";"):
                continue
            word = lexer.word()
            if word == "option":
                options.append(self._options.statement())
            elif word == "rpc":
                rpcs.append(self._rpc())
            else:
                raise lexer.error(f"unexpected label in a service: {word}")
        return Service(name, tuple(rpcs), tuple(options))

    def _rpc(self) -> Rpc:
        lexer = self._in
        name = lexer.word()
        request, request_stream = self._rpc_type()
        if lexer.word() != "returns":
            raise lexer.error("expected 'returns'")
        response, response_stream = self._rpc_type()
        options: list[Option] = []
        if lexer.take("{"):
            while not lexer.take("}"):
                if lexer.take(";"):
                    continue
                if lexer.word() != "option":
                    raise lexer.error("expected 'option'")
                options.append(self._options.statement())
        else:
            lexer.expect(";")
        return Rpc(name, request, response, request_stream, response_stream, tuple(options))

    def _rpc_type(self) -> tuple[str, bool]:
        lexer = self._in
        lexer.expect("(")
        name = lexer.word()
        stream = name == "stream" and lexer.peek() != ")"
        if stream:
            name = lexer.dotted()
        elif name.endswith(".") or lexer.peek() == ".":
            name += lexer.dotted()
        lexer.expect(")")
        return name, stream


class _Body:
    """The members of one message while it is read."""

    def __init__(self) -> None:
        self.fields: list[FieldDecl] = []
        self.oneofs: list[OneOf] = []
        self.nested: list[TypeDecl] = []
        self.options: list[Option] = []
        self.reserved: list[Reserved] = []
        self.extensions: list[Extensions] = []
        self.groups: list[Group] = []
        self.extends: list[Extend] = []
