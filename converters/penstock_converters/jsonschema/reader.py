"""JSON to Connect values (``JsonSchemaData.toConnectData``): the JSON converter's readers, with what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from penstock.data import Field, Schema, Type
from penstock.data.codegen import Source
from penstock.data.keys import as_key
from penstock.errors import DataError
from penstock.java.number_text import decimal_text
from penstock_converters.blame import Misfit
from penstock_converters.json.reading import Readers, read_entries, usual_test
from penstock_converters.json.scalars import NeedsExact, Reader, wrong_type
from penstock_converters.json.text import node_type
from penstock_converters.jsonschema import names
from penstock_converters.jsonschema.branches import Branches, Test, is_integer, is_number
from penstock_converters.precision import Instants
from penstock_converters.sumtypes import GENERAL_ENUM
from penstock_registry.formats.jsonschema.text import write

__all__ = ["SchemaReaders"]


class SchemaReaders(Readers):
    """A field that is absent is null, or its default; one that is ``null`` has to be optional, or have a default.

    One object makes the readers of one schema, in one thread; the readers themselves are for any thread.
    """

    def __init__(self, instants: Instants | None = None, branches: Branches | None = None) -> None:
        super().__init__(replace_null_with_default=True, instants=instants)
        self._branches = branches or Branches()
        #: Readers of structs by the schema's identity, empty while they are made: a struct may hold itself.
        self._made: dict[int, list[Reader]] = {}
        self._alive: list[Schema] = []

    def _present(self, schema: Schema, place: str = "") -> Reader:
        mark = next((mark for mark in (names.ENUM, GENERAL_ENUM) if mark in schema.parameters), None)
        if schema.type is Type.STRING and mark is not None:
            return _enumeration_reader(schema, mark)
        return super()._present(schema, place)

    def _map_reader(self, schema: Schema, place: str = "") -> Reader:
        assert schema.key_schema is not None
        assert schema.value_schema is not None
        if names.is_object(schema):
            return super()._map_reader(schema, place)
        key, item = self.reader(schema.key_schema), self.reader(schema.value_schema)

        def pair(tree: Any) -> tuple[Any, Any]:
            if type(tree) is not dict:
                raise DataError(f"Found invalid map entry instead of object: {node_type(tree)}")
            if len(tree) != 2:
                raise DataError(f"Found invalid map entry, expected length 2 but found :{len(tree)}")
            if names.KEY not in tree or names.VALUE not in tree:
                raise DataError(f"Found invalid map entry, expected the members key and value but found {sorted(tree)}")
            return as_key(key(tree[names.KEY])), item(tree[names.VALUE])

        def read(tree: Any) -> dict[Any, Any]:
            if type(tree) is not list:
                raise DataError(
                    f"Maps with non-string fields should be encoded as JSON array of objects, but found {node_type(tree)}"
                )
            return read_entries(tree, pair)

        return read

    def _struct_reader(self, schema: Schema, place: str = "") -> Reader:
        known = self._made.get(id(schema))
        if known is not None:
            return known[0] if known else _later(known)
        made: list[Reader] = []
        self._made[id(schema)] = made
        self._alive.append(schema)
        read = self._union_reader(schema) if names.is_union(schema) else self._object_reader(schema)
        made.append(read)
        return read

    def _object_reader(self, schema: Schema) -> Reader:
        """Generated: a test and an assignment a field, its reader called for what is not of the usual type."""
        source = Source(f"JSON Schema reader for {schema!r}", {"slow": _not_an_object, "absent": _ABSENT})
        with source.function("read", "tree"):
            source.line("if type(tree) is not dict: slow(tree)")
            source.line("get = tree.get")
            for i, field in enumerate(schema.fields):
                var = f"f{i}"
                reader = source.constant(self.field_reader(field.name, field.schema))
                default = source.constant(field.schema.default)
                test = usual_test(field.schema, var)
                source.line(f"{var} = get({field.name!r}, absent)")
                value = f"{var} = {default} if {var} is absent else {reader}({var})"
                source.line(f"if {test}: {value}" if test else value)
            members = ", ".join(f"{f.name!r}: f{i}" for i, f in enumerate(schema.fields))
            source.line(f"return {{{members}}}")
        read: Reader = source.build("read")
        return read

    def _union_reader(self, schema: Schema) -> Reader:
        """The branch that fits is read; of several structs that fit the one that knows most of the members.

        Where none fits, as with documents that break some rule of their schema, the first branch that holds all of the
        document without changing anything of it is read.
        """
        tests = self._branches.tests(schema)
        branches = [
            _Branch(f, test, self.field_reader(f.name, f.schema)) for f, test in zip(schema.fields, tests, strict=True)
        ]
        plain = [b for b in branches if not (b.is_union or b.is_struct)]
        structs = [b for b in branches if b.is_struct]
        # Bytes are text in JSON, decimals that or a number. The JVM knows neither as such; they come last, therefore.
        late = [b for b in branches if b.is_union] + [b for b in branches if b.is_binary]
        empty = dict.fromkeys(f.name for f in schema.fields)

        def candidates(tree: Any) -> Iterator[_Branch]:
            yield from (b for b in plain if b.matches(tree))
            if type(tree) is dict:
                yield from sorted(structs, key=lambda b: -len(b.members & tree.keys())) if len(structs) > 1 else structs
            yield from (b for b in late if b.is_union or isinstance(tree, str) or is_number(tree))

        def read(tree: Any) -> dict[str, Any]:
            for branch in candidates(tree):
                if branch.fits(tree):
                    return {**empty, branch.name: branch.read(tree)}
            for branch in candidates(tree):
                if not branch.is_struct or tree.keys() <= branch.members:
                    try:
                        return {**empty, branch.name: branch.read(tree)}
                    except DataError:
                        continue  # it cannot hold the document; perhaps another one can
            raise Misfit(f"Did not find matching oneof field for data: {_shown(tree)}")

        return read


class _Branch:
    """A field of a union."""

    __slots__ = ("fits", "is_binary", "is_struct", "is_union", "matches", "members", "name", "read")

    def __init__(self, field: Field, fits: Test, read: Reader) -> None:
        kind = field.schema.type
        self.name, self.fits, self.read = field.name, fits, read
        self.is_union = names.is_union(field.schema)
        self.is_binary = kind is Type.BYTES
        #: Tells whether a tree has the branch's type.
        self.matches = _MATCHES[kind]
        self.is_struct = kind is Type.STRUCT and not self.is_union
        self.members = frozenset(f.name for f in field.schema.fields)


def _enumeration_reader(schema: Schema, mark: str) -> Reader:
    """Symbols that are numbers or booleans in JSON are text in Connect."""
    symbols = frozenset(name[len(mark) + 1 :] for name in schema.parameters if name.startswith(f"{mark}."))

    def read(tree: Any) -> str:
        if isinstance(tree, str):
            return tree
        if type(tree) is float:
            raise NeedsExact
        text = {True: "true", False: "false"}.get(tree) if type(tree) is bool else None
        if type(tree) is int:
            text = str(tree)
        elif isinstance(tree, Decimal):
            text = decimal_text(tree)
        if text is None or text not in symbols:
            raise wrong_type(schema, tree)
        return text

    return read


def _later(made: list[Reader]) -> Reader:
    """The reader that will stand in `made`."""

    def read(tree: Any) -> Any:
        return made[0](tree)

    return read


class _Absent:
    """Stands in the place of a field that is absent."""


_ABSENT: Final = _Absent()


def _not_an_object(tree: Any) -> None:
    raise DataError(f"Structs should be encoded as JSON objects, but found {node_type(tree)}")


_SHOWN: Final = 1000


def _shown(tree: Any) -> str:
    """The data's own text, for a message."""
    if _has_float(tree):
        raise NeedsExact  # to show numbers as they were written
    text = write(tree)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _has_float(tree: Any) -> bool:
    if isinstance(tree, dict | list):
        return any(_has_float(part) for part in (tree.values() if isinstance(tree, dict) else tree))
    return isinstance(tree, float)


def _is_fraction(tree: Any) -> bool:
    if type(tree) is float:
        raise NeedsExact
    return isinstance(tree, Decimal)


_MATCHES: Final[dict[Type, Callable[[Any], bool]]] = {
    **dict.fromkeys((Type.INT8, Type.INT16, Type.INT32, Type.INT64), is_integer),
    Type.FLOAT32: is_number,
    Type.FLOAT64: is_number,
    Type.BOOLEAN: lambda tree: type(tree) is bool,
    Type.STRING: lambda tree: isinstance(tree, str),
    Type.BYTES: _is_fraction,
    Type.ARRAY: lambda tree: type(tree) is list,
    Type.MAP: lambda tree: type(tree) in (dict, list),
    Type.STRUCT: lambda tree: type(tree) is dict,
}
