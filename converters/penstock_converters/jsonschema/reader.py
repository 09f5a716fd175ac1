"""JSON to Connect values (``JsonSchemaData.toConnectData``): the JSON converter's readers, with what differs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from penstock.data import Schema, Type
from penstock.errors import DataError
from penstock_converters.json.reading import NeedsExact, Reader, Readers, usual_test
from penstock_converters.json.text import node_type
from penstock_converters.jsonschema import names
from penstock_converters.precision import Instants
from penstock_registry.formats.jsonschema.text import write

__all__ = ["SchemaReaders"]


class SchemaReaders(Readers):
    """A field that is absent is null, or its default; one that is ``null`` has to be optional, or have a default.

    One object makes the readers of one schema, in one thread; the readers themselves are for any thread.
    """

    def __init__(self, instants: Instants | None = None) -> None:
        super().__init__(replace_null_with_default=True, instants=instants)
        #: Readers of structs by the schema's identity, empty while they are made: a struct may hold itself.
        self._made: dict[int, list[Reader]] = {}
        self._alive: list[Schema] = []

    def _map_reader(self, schema: Schema) -> Reader:
        assert schema.key_schema is not None
        assert schema.value_schema is not None
        if names.is_object(schema):
            return super()._map_reader(schema)
        key, item = self.reader(schema.key_schema), self.reader(schema.value_schema)

        def pair(tree: Any) -> tuple[Any, Any]:
            if type(tree) is not dict:
                raise DataError(f"Found invalid map entry instead of object: {node_type(tree)}")
            if len(tree) != 2:
                raise DataError(f"Found invalid map entry, expected length 2 but found :{len(tree)}")
            if names.KEY not in tree or names.VALUE not in tree:
                raise DataError(f"Found invalid map entry, expected the members key and value but found {sorted(tree)}")
            found = key(tree[names.KEY])
            if isinstance(found, list | dict):
                raise DataError(
                    f"Found a map whose key is an {node_type(found)}: keys of arrays, maps and structs cannot be read"
                )
            return found, item(tree[names.VALUE])

        def read(tree: Any) -> dict[Any, Any]:
            if type(tree) is not list:
                raise DataError(
                    f"Maps with non-string fields should be encoded as JSON array of objects, but found {node_type(tree)}"
                )
            return dict(map(pair, tree))

        return read

    def _struct_reader(self, schema: Schema) -> Reader:
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
        used: dict[str, Any] = {"_slow": _not_an_object, "_absent": _ABSENT}
        lines = ["def read(tree):", "    if type(tree) is not dict:", "        _slow(tree)", "    get = tree.get"]
        for i, field in enumerate(schema.fields):
            var, reader = f"f{i}", f"r{i}"
            used[reader], used[f"d{i}"] = self.field_reader(field.name, field.schema), field.schema.default
            test = usual_test(field.schema, var)
            lines.append(f"    {var} = get({field.name!r}, _absent)")
            pad = "    "
            if test:
                lines.append(f"    if {test}:")
                pad = "        "
            lines.append(f"{pad}{var} = d{i} if {var} is _absent else {reader}({var})")
        members = ", ".join(f"{f.name!r}: f{i}" for i, f in enumerate(schema.fields))
        lines.append(f"    return {{{members}}}")
        code = compile("\n".join(lines), f"<JSON reader for {repr(schema)!a}>", "exec")
        exec(code, used)  # noqa: S102 - the source holds field names only as quoted literals (repr)
        read: Reader = used["read"]
        return read

    def _union_reader(self, schema: Schema) -> Reader:
        branches = [(f.name, _MATCHES.get(f.schema.type), self.field_reader(f.name, f.schema)) for f in schema.fields]
        structs = [
            (f.name, frozenset(m.name for m in f.schema.fields), self.field_reader(f.name, f.schema))
            for f in schema.fields
            if f.schema.type is Type.STRUCT and not names.is_union(f.schema)
        ]
        nested = [(f.name, self.field_reader(f.name, f.schema)) for f in schema.fields if names.is_union(f.schema)]
        # Bytes are text in JSON, decimals that or a number. The JVM knows neither as such; they come last, therefore.
        binary = [(f.name, self.field_reader(f.name, f.schema)) for f in schema.fields if f.schema.type is Type.BYTES]
        empty = dict.fromkeys(f.name for f in schema.fields)

        def read(tree: Any) -> dict[str, Any]:
            for name, matches, branch in branches:
                if matches is not None and matches(tree):
                    return {**empty, name: branch(tree)}
            if type(tree) is dict and structs:
                # the struct that knows most of the members; the first of several
                name, _, branch = max(structs, key=lambda struct: len(struct[1] & tree.keys()))
                return {**empty, name: branch(tree)}
            for name, branch in nested:
                try:
                    return {**empty, name: branch(tree)}
                except DataError:
                    continue  # none of its branches fits; perhaps another union's does
            for name, branch in binary:
                if isinstance(tree, str) or _is_number(tree):
                    return {**empty, name: branch(tree)}
            raise DataError(f"Did not find matching oneof field for data: {_shown(tree)}")

        return read


def _later(made: list[Reader]) -> Reader:
    """The reader that will stand in `made`."""

    def read(tree: Any) -> Any:
        return made[0](tree)

    return read


class _Absent:
    """In the place of a field that is not there."""


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


def _is_integer(tree: Any) -> bool:
    if type(tree) is float and abs(tree) >= 2**63:
        raise NeedsExact  # may be an integer beyond 64 bits
    return type(tree) is int


def _is_fraction(tree: Any) -> bool:
    if type(tree) is float:
        raise NeedsExact
    return isinstance(tree, Decimal)


def _is_number(tree: Any) -> bool:
    return type(tree) in (int, float, Decimal)


_MATCHES: Final[dict[Type, Callable[[Any], bool]]] = {
    **dict.fromkeys((Type.INT8, Type.INT16, Type.INT32, Type.INT64), _is_integer),
    Type.FLOAT32: _is_number,
    Type.FLOAT64: _is_number,
    Type.BOOLEAN: lambda tree: type(tree) is bool,
    Type.STRING: lambda tree: isinstance(tree, str),
    Type.BYTES: _is_fraction,
    Type.ARRAY: lambda tree: type(tree) is list,
    Type.MAP: lambda tree: type(tree) in (dict, list),
}
