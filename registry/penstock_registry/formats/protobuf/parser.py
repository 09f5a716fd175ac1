"""From the text of a .proto file to a `ProtoFile`. What is not known to proto2 and proto3 is an `InvalidSchemaError`."""

from __future__ import annotations

from typing import Any, Final

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
)

__all__ = ["parse"]

_LABELS: Final = ("required", "optional", "repeated")
_MAX_DEPTH: Final = 100


def parse(text: str) -> ProtoFile:
    try:
        return _Parser(text).file()
    except InvalidSchemaError as error:
        raise InvalidSchemaError(f"Could not parse Protobuf - {error.message}") from None


class _Parser:
    def __init__(self, text: str) -> None:
        self._in = Lexer(text)
        self._depth = 0

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
                    lexer.expect(";")
                case "edition":
                    raise lexer.error("edition is not currently supported")
                case "package":
                    if package is not None:
                        raise lexer.error("too many package names")
                    package = lexer.word()
                    lexer.expect(";")
                case "import":
                    kind = None if lexer.peek() in "\"'" else lexer.word()
                    if kind not in imports:
                        raise lexer.error(f"expected public, weak or a file's name, met {kind}")
                    imports[kind].append(lexer.quoted())
                    lexer.expect(";")
                case "option":
                    options.append(self._option_statement())
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
        lexer = self._in
        name = lexer.word()
        self._deeper()
        parts = _Body()
        lexer.expect("{")
        while not lexer.take("}"):
            if not lexer.take(";"):
                self._member(parts)
        self._depth -= 1
        return Message(
            name, tuple(parts.fields), tuple(parts.oneofs), tuple(parts.nested), tuple(parts.options),
            tuple(parts.reserved), tuple(parts.extensions), tuple(parts.groups), tuple(parts.extends),
        )  # fmt: skip

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._in.error(f"declarations nested more than {_MAX_DEPTH} deep")

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
                parts.options.append(self._option_statement())
            case "oneof":
                parts.oneofs.append(self._oneof())
            case "reserved":
                parts.reserved.append(Reserved(self._ranges(names=True)))
            case "extensions":
                parts.extensions.append(Extensions(self._ranges(names=False)))
            case "group":
                parts.groups.append(self._group(None))
            case _:
                label = word if word in _LABELS else None
                type_name = lexer.type_name() if label else word
                if type_name == "group":
                    parts.groups.append(self._group(label))
                else:
                    parts.fields.append(self._field(type_name, label))

    def _field(self, type_name: str, label: str | None) -> FieldDecl:
        lexer = self._in
        if type_name.startswith("map<") and label is not None:
            raise lexer.error("a map field has no label")
        name = lexer.word()
        lexer.expect("=")
        tag = lexer.integer()
        options = self._bracketed_options()
        lexer.expect(";")
        default = json_name = None
        rest: list[Option] = []
        for option in options:
            if option.name == "default" and not option.parenthesized and isinstance(option.value, str):
                default = option.value
            elif option.name == "json_name" and not option.parenthesized and isinstance(option.value, str):
                json_name = option.value
            else:
                rest.append(option)
        return FieldDecl(name, type_name, tag, label, default, json_name, tuple(rest))

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
                options.append(self._option_statement())
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
        self._bracketed_options()
        self._deeper()
        parts = _Body()
        lexer.expect("{")
        while not lexer.take("}"):
            if not lexer.take(";"):
                self._member(parts)
        self._depth -= 1
        return Group(name, tag, label, tuple(parts.fields))

    def _ranges(self, names: bool) -> Ranges:
        lexer = self._in
        values: list[int | str | tuple[int, int]] = []
        while True:
            if names and lexer.peek() in "\"'":
                values.append(lexer.quoted())
            else:
                values.append(self._range())
            if lexer.take(";"):
                return tuple(values)
            if lexer.peek() == "[":
                self._bracketed_options()
                lexer.expect(";")
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
                options.append(self._option_statement())
            elif word == "reserved" and lexer.peek() != "=":
                reserved.append(Reserved(self._ranges(names=True)))
            else:
                lexer.expect("=")
                number = lexer.integer()
                values.append(EnumValue(word, number, self._bracketed_options()))
                lexer.expect(";")
        return Enum(name, tuple(values), tuple(options), tuple(reserved))

    def _extend(self) -> Extend:
        lexer = self._in
        name = lexer.word()
        parts = _Body()
        lexer.expect("{")
        while not lexer.take("}"):
            if not lexer.take(";"):
                self._member(parts)
        return Extend(name, tuple(parts.fields))

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
                options.append(self._option_statement())
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
                options.append(self._option_statement())
        else:
            lexer.expect(";")
        return Rpc(name, request, response, request_stream, response_stream, tuple(options))

    def _rpc_type(self) -> tuple[str, bool]:
        lexer = self._in
        lexer.expect("(")
        name = lexer.word()
        stream = name == "stream" and lexer.peek() != ")"
        if stream:
            name = lexer.word()
        lexer.expect(")")
        return name, stream

    # -- options --------------------------------------------------------------------------------------------------

    def _option_statement(self) -> Option:
        option = self._option("=")
        self._in.expect(";")
        return option

    def _bracketed_options(self) -> tuple[Option, ...]:
        lexer = self._in
        if not lexer.take("["):
            return ()
        options = [self._option("=")]
        while not lexer.take("]"):
            lexer.expect(",")
            options.append(self._option("="))
        return tuple(options)

    def _option(self, assign: str) -> Option:
        lexer = self._in
        parenthesized = lexer.peek() in ("(", "[") and lexer.peek() != ""
        name = lexer.name()
        path: list[str] = []
        if parenthesized:
            while lexer.peek() not in ("=", ":", "{", ""):
                # "(a).b.(c)": the word begins with the dot
                part = lexer.name()
                path += [p for p in part.split(".") if p]
        elif "." in name:
            name, *path = name.split(".")
        self._deeper()
        lexer.expect(assign)
        kind, value = self._value()
        self._depth -= 1
        for part in reversed(path):
            value, kind = Option(part, kind, value), "option"
        return Option(name, kind, value, parenthesized)

    def _value(self) -> tuple[Any, Any]:
        lexer = self._in
        sign = lexer.peek()
        if sign == "{":
            return "map", self._map("{", "}")
        if sign == "<":
            return "map", self._map("<", ">")
        if sign == "[":
            return "list", self._list()
        if sign in ("'", '"') and sign:
            return "string", lexer.quoted()
        if lexer.take("+"):
            return "number", lexer.word()
        word = lexer.word()
        if word in ("true", "false"):
            return "boolean", word
        return ("number" if word[0].isdigit() or word[0] == "-" else "enum"), word

    def _map(self, opening: str, closing: str) -> dict[str, Option]:
        lexer = self._in
        self._deeper()
        lexer.expect(opening)
        result: dict[str, Option] = {}
        while not lexer.take(closing):
            bracketed = lexer.peek() == "["
            name = lexer.name()
            if bracketed:
                name = f"[{name}]"
            lexer.take(":")
            kind, value = self._value()
            given = result.get(name)
            if given is None:
                result[name] = Option(name, kind, value)
            else:
                # a repeated field, written one by one
                items = given.value if given.kind == "list" else [given]
                more = value if kind == "list" else [Option("", kind, value)]
                result[name] = Option(name, "list", [*items, *more])
            if not lexer.take(","):
                lexer.take(";")
        self._depth -= 1
        return result

    def _list(self) -> list[Option]:
        lexer = self._in
        self._deeper()
        lexer.expect("[")
        result: list[Option] = []
        while not lexer.take("]"):
            kind, value = self._value()
            result.append(Option("", kind, value))
            lexer.take(",")
        self._depth -= 1
        return result


class _Body:
    """What is gathered of one message."""

    def __init__(self) -> None:
        self.fields: list[FieldDecl] = []
        self.oneofs: list[OneOf] = []
        self.nested: list[TypeDecl] = []
        self.options: list[Option] = []
        self.reserved: list[Reserved] = []
        self.extensions: list[Extensions] = []
        self.groups: list[Group] = []
        self.extends: list[Extend] = []
