"""JSON trees to Connect values: ``JsonConverter.convertToConnect``.

Trees come from orjson. It reads numbers as floats where Jackson has BigDecimal and BigInteger; a reader that needs
more than the float raises `NeedsExact`, and the document is read again with exact numbers. Every reader takes both.

A value is read as what it is, or it is a `Misfit`. Kafka reads a text as the number 0, a number as no string, and lets a
number out of range wrap: whether these readers do so too, and say so, is decided by what `Readers` are given for that.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from operator import length_hint
from typing import Any, Final

from penstock.data import DECIMAL_NAME, Schema, Type
from penstock.data.codegen import Source
from penstock.data.keys import as_key
from penstock.data.logical import decimal_scale, scale_of
from penstock.errors import DataError
from penstock_converters.blame import Misfit, add_field
from penstock_converters.json.misfits import OnMisfit, refuse
from penstock_converters.json.scalars import (
    DATES,
    SCALARS,
    Reader,
    decimal_reader,
    finer_reader,
    integer_reader,
    wrong_type,
)
from penstock_converters.json.text import node_type
from penstock_converters.precision import Instants

__all__ = ["Readers", "read_entries", "usual_test"]


_HOLDERS: Final = (Type.ARRAY, Type.MAP, Type.STRUCT)
#: Zeros that a default's number may get to have its schema's scale.
_MAX_PADDING: Final = 1000


class Readers:
    """Makes readers of schemas, as the converter is configured."""

    def __init__(
        self, replace_null_with_default: bool, instants: Instants | None = None, on_misfit: OnMisfit = refuse
    ) -> None:
        self._replace = replace_null_with_default
        self._instants = instants
        self._on_misfit = on_misfit

    def reader(self, schema: Schema, place: str = "") -> Reader:
        """Return a function from trees to values of `schema`. It raises `DataError`, or `NeedsExact`. `place` is where
        the value stands in its document."""
        read = self._present(schema, place)
        default = self.stands_for_null(schema)
        optional, problem = schema.optional, f"Invalid null value for required {schema.type.name} field"

        def nullable(tree: Any) -> Any:
            if tree is not None:
                return read(tree)
            if default is not None:
                return default
            if optional:
                return None
            raise DataError(problem)

        def fitting(tree: Any) -> Any:
            if tree is None:
                return nullable(tree)
            try:
                return read(tree)
            except Misfit as misfit:
                return on_misfit(misfit, schema, tree, place)

        on_misfit = self._on_misfit
        return nullable if on_misfit is refuse or schema.type in _HOLDERS else fitting

    def stands_for_null(self, schema: Schema) -> Any:
        """The default that is read where a document has null, or nothing; None if there is none."""
        return schema.default if self._replace else None

    def default(self, schema: Schema, tree: Any) -> Any:
        """Reads a default value out of a schema's JSON. A Decimal gets its schema's scale, if no digit is lost by that:
        a registry may have written ``1.50`` as ``1.5``."""
        value = self.reader(schema)(tree)
        if schema.name == DECIMAL_NAME and isinstance(value, Decimal):
            missing = decimal_scale(schema) - scale_of(value)
            if 0 < missing <= _MAX_PADDING:
                sign, digits, exponent = value.as_tuple()
                return Decimal((sign, digits + (0,) * missing, int(exponent) - missing))
        return value

    def _present(self, schema: Schema, place: str = "") -> Reader:
        if schema.name == DECIMAL_NAME:
            return decimal_reader(schema)
        if self._instants is not None and self._instants.of(schema).is_finer:
            return finer_reader(self._instants.of(schema))
        if schema.name in DATES:
            return DATES[schema.name]
        match schema.type:
            case Type.INT8 | Type.INT16 | Type.INT32 | Type.INT64:
                return integer_reader(schema)
            case Type.ARRAY:
                return self._array_reader(schema, place)
            case Type.MAP:
                return self._map_reader(schema, place)
            case Type.STRUCT:
                return self._struct_reader(schema, place)
        return SCALARS[schema.type]

    def _array_reader(self, schema: Schema, place: str = "") -> Reader:
        assert schema.value_schema is not None
        item, on_misfit = self.reader(schema.value_schema, f"{place}[]"), self._on_misfit

        def read(tree: Any) -> list[Any]:
            if type(tree) is not list:
                tree = on_misfit(wrong_type(schema, tree), schema, tree, place)
            items = iter(tree)
            try:
                return [item(i) for i in items]
            except DataError as error:
                add_field(error, f"[{len(tree) - length_hint(items) - 1}]")
                raise

        return read

    def _map_reader(self, schema: Schema, place: str = "") -> Reader:
        assert schema.key_schema is not None
        assert schema.value_schema is not None
        key, item = (self.reader(part, f"{place}[]") for part in (schema.key_schema, schema.value_schema))

        def read_object(tree: Any) -> dict[Any, Any]:
            if type(tree) is not dict:
                raise DataError(
                    f"Maps with string fields should be encoded as JSON objects, but found {node_type(tree)}"
                )
            entries = iter(tree.items())
            try:
                return {k: item(i) for k, i in entries}
            except DataError as error:
                add_field(error, f"[{list(tree)[len(tree) - length_hint(entries) - 1]!r}]")
                raise

        def read_pairs(tree: Any) -> dict[Any, Any]:
            if type(tree) is not list:
                raise DataError(
                    f"Maps with non-string fields should be encoded as JSON array of tuples, but found {node_type(tree)}"
                )
            return read_entries(tree, pair)

        def pair(tree: Any) -> tuple[Any, Any]:
            if type(tree) is not list:
                raise DataError(f"Found invalid map entry instead of array tuple: {node_type(tree)}")
            if len(tree) != 2:
                raise DataError(f"Found invalid map entry, expected length 2 but found :{len(tree)}")
            return as_key(key(tree[0])), item(tree[1])

        return read_object if schema.key_schema.type is Type.STRING else read_pairs

    def _struct_reader(self, schema: Schema, place: str = "") -> Reader:
        """Generated: a test and an assignment a field, its reader called for what is not of the usual type."""
        source = Source(f"JSON reader for {schema!r}", {"slow": _not_an_object})
        with source.function("read", "tree"):
            source.line("if type(tree) is not dict: slow(tree)")
            source.line("get = tree.get")
            for i, field in enumerate(schema.fields):
                reader = source.constant(self.field_reader(field.name, field.schema, place))
                test = usual_test(field.schema, f"f{i}")
                source.line(f"f{i} = get({field.name!r})")
                source.line(f"if {test}: f{i} = {reader}(f{i})" if test else f"f{i} = {reader}(f{i})")
            members = ", ".join(f"{f.name!r}: f{i}" for i, f in enumerate(schema.fields))
            source.line(f"return {{{members}}}")
        read: Reader = source.build("read")
        return read

    def field_reader(self, name: str, schema: Schema, place: str = "") -> Reader:
        """Return a reader for the field `name` of a struct at `place`; what it raises names the field."""
        read = self.reader(schema, f"{place}.{name}" if place else name)

        def field(tree: Any) -> Any:
            try:
                return read(tree)
            except DataError as error:
                add_field(error, name)
                raise

        return field


def usual_test(schema: Schema, var: str) -> str:
    """An expression: whether the reader is needed for what is in `var`. Empty if it always is. What is of the usual
    type is its own value."""
    if schema.name in DATES or schema.name == DECIMAL_NAME:
        unusual = ""
    elif schema.type in (Type.INT8, Type.INT16, Type.INT32, Type.INT64):
        half = 1 << (int(schema.type.name[3:]) - 1)
        unusual = f"(type({var}) is not int or not {-half} <= {var} <= {half - 1})"
    else:
        unusual = {
            # a zero's sign is lost on the way, for BigDecimal has none
            Type.FLOAT64: f"(type({var}) is not float or {var} == 0.0)",
            Type.STRING: f"type({var}) is not str",
            Type.BOOLEAN: f"type({var}) is not bool",
        }.get(schema.type, "")
    null_is_null = schema.optional and schema.default is None
    return " and ".join(filter(None, [f"{var} is not None" if null_is_null else "", unusual]))


def _not_an_object(tree: Any) -> None:
    raise DataError(f"Structs should be encoded as JSON objects, but found {node_type(tree)}")


def read_entries(trees: list[Any], pair: Callable[[Any], tuple[Any, Any]]) -> dict[Any, Any]:
    """A map of the entries that `pair` reads; an error's note names the entry's position."""
    items = iter(trees)
    try:
        return dict(map(pair, items))
    except DataError as error:
        add_field(error, f"[{len(trees) - length_hint(items) - 1}]")
        raise
