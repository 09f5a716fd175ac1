"""JSON texts as structs: schemas worked out from the data (``table.expand.json.payload``).

Followed is Debezium's ``JsonSchemaData``: everything is optional, numbers are int32, int64 or float64, an object is a
struct named after the path to it, and elements of an array have one schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple, NoReturn

from penstock.data import (
    OPTIONAL_BOOLEAN,
    OPTIONAL_BYTES,
    OPTIONAL_FLOAT64,
    OPTIONAL_INT32,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    Schema,
    SchemaBuilder,
    Type,
)
from penstock_transforms.debezium.names import Adjust

__all__ = ["JsonPayloads", "NotExpandableError"]

#: Takes a parsed object or array; gives the value.
Make = Callable[[Any], Any]

_MAX_SCHEMAS: Final = 1000
_EMPTY_ARRAY: Final = SchemaBuilder.array(OPTIONAL_STRING).optional().build()


class NotExpandableError(ValueError):
    """A text that is no JSON object or array, or JSON that no schema describes. The message holds nothing of the text."""


class JsonPayloads:
    """Makes structs of texts. Payloads of the same form have the same `Schema` object, which is worked out once.

    `nulls_as_bytes`: a field that is null becomes an optional bytes field rather than none. `empty_arrays_as_strings`:
    an array without elements becomes one of strings rather than no field. `adjust` makes the fields' names.
    """

    def __init__(self, nulls_as_bytes: bool, empty_arrays_as_strings: bool, adjust: Adjust) -> None:
        self._null = OPTIONAL_BYTES if nulls_as_bytes else None
        self._empty_array = _EMPTY_ARRAY if empty_arrays_as_strings else None
        self._adjust = adjust
        #: Name and form: the schema, and what makes the value of the parsed JSON, None if that is the value.
        self._known: dict[tuple[str, Any], tuple[Schema, Make | None]] = {}

    def expand(self, text: str, name: str) -> tuple[Schema, Any]:
        """Return schema and value of a JSON object or array; `name` is the struct's. Raise `NotExpandableError`."""
        try:
            node = _parsed(text)
            key = (name, _form(node))
            known = self._known.get(key)
            if known is None:
                if len(self._known) >= _MAX_SCHEMAS:
                    self._known.clear()
                known = self._known[key] = self._bind(node, key[1], name)
        except RecursionError:
            raise NotExpandableError("JSON nested too deeply") from None
        schema, make = known
        return schema, node if make is None else make(node)

    def _bind(self, node: Any, form: Any, name: str) -> tuple[Schema, Make | None]:
        schema = self._schema(node, name)
        if schema is None:
            raise NotExpandableError("an array of nothing has no schema")
        return schema, self._maker(form, schema)

    def _maker(self, form: Any, schema: Schema) -> Make | None:
        """Return what makes the value of a parsed object or array of that form; None where it is the value."""
        if isinstance(form, _Array):
            item = schema.value_schema
            assert item is not None  # an array's
            if all(self._maker(element, item) is None for element in form.elements):
                return None
            return lambda items: [self._value(element, item) for element in items]
        if not isinstance(form, _Object):
            return None
        steps: dict[str, tuple[str, Make | None]] = {}
        for key, inner in zip(form.keys, form.values, strict=True):
            field = schema.field(self._adjust(key))
            if field is not None and field.name not in steps:
                steps[field.name] = key, self._maker(inner, field.schema)
        if all(name == key and make is None for name, (key, make) in steps.items()) and len(steps) == len(form.keys):
            return None
        fields = [(name, key, make) for name, (key, make) in steps.items()]
        return lambda node: {name: node[key] if make is None else make(node[key]) for name, key, make in fields}

    def _schema(self, node: Any, name: str | None) -> Schema | None:
        """Return the schema of a value; None for one that is left out."""
        match node:
            case None:
                return self._null
            case bool():
                return OPTIONAL_BOOLEAN
            case str():
                return OPTIONAL_STRING
            case float():
                return OPTIONAL_FLOAT64
            case int():
                return _integer(node)
            case list():
                return self._array(node, name)
        return self._struct(node, name)

    def _struct(self, node: dict[str, Any], name: str | None) -> Schema:
        builder = SchemaBuilder.struct().optional()
        if name is not None:
            builder.name(name)
        seen = set()
        for key, item in node.items():
            field = self._adjust(key)
            if not field:
                raise NotExpandableError("a name is empty")
            schema = self._schema(item, f"{name}.{field}" if name and name.strip() else field)
            if schema is not None and field not in seen:
                seen.add(field)
                builder.field(field, schema)
        return builder.build()

    def _array(self, items: list[Any], name: str | None) -> Schema | None:
        if not items:
            return self._empty_array
        some = [item for item in items if item is not None]
        objects = bool(some) and isinstance(some[0], dict)
        schemas = [self._schema(item, name if objects else None) for item in some] or [self._null]
        element = schemas[0]
        for schema in schemas[1:]:
            element = _merged(element, schema)
        if element is None:
            raise NotExpandableError("an array whose elements have no schema")
        # Debezium's mixture of different objects is required; where a null is among them it has to be optional.
        if objects and len(some) == len(items) and len(set(schemas)) > 1:
            element = element.replace(optional=False)
        return SchemaBuilder.array(element).optional().build()

    def _value(self, node: Any, schema: Schema) -> Any:
        if isinstance(node, list):
            item = schema.value_schema
            assert item is not None  # an array's
            return [self._value(element, item) for element in node]
        if not isinstance(node, dict):
            return node
        value: dict[str, Any] = {}
        for key, item in node.items():
            field = schema.field(self._adjust(key))
            if field is not None and field.name not in value:
                value[field.name] = self._value(item, field.schema)
        return value


class _Object(NamedTuple):
    """The form of a JSON object: its names and the forms of its values."""

    keys: tuple[str, ...]
    values: tuple[Any, ...]


class _Array(NamedTuple):
    """The form of an array: the different forms of its elements, in order."""

    elements: tuple[Any, ...]


def _form(node: Any) -> Any:
    """Return what the schema of a parsed value depends on; values of one form have one schema."""
    kind = type(node)
    if kind is int:
        return _integer(node).type
    if kind is dict:
        return _Object(tuple(node), tuple(map(_form, node.values())))
    return _Array(tuple(dict.fromkeys(map(_form, node)))) if kind is list else kind


def _parsed(text: str) -> Any:
    if not text.startswith(("{", "[")):
        raise NotExpandableError("the text does not begin with { or [")
    try:
        # Text behind the object is ignored, as with Jackson.
        return _DECODER.raw_decode(text)[0]
    except json.JSONDecodeError as error:
        raise NotExpandableError(f"no JSON: {error.msg} at character {error.pos}") from None
    except NotExpandableError:
        raise
    except ValueError:  # a number of thousands of digits
        raise NotExpandableError("a number is too long") from None


def _no_number(text: str) -> NoReturn:
    raise NotExpandableError(f"no JSON: {text}")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_number)


def _integer(number: int) -> Schema:
    if -(2**31) <= number < 2**31:
        return OPTIONAL_INT32
    if -(2**63) <= number < 2**63:
        return OPTIONAL_INT64
    raise NotExpandableError("an integer does not fit into 64 bits")


def _merged(left: Schema | None, right: Schema | None) -> Schema | None:
    """Return the schema of elements of both kinds; structs get the fields of both."""
    if left == right:
        return left
    if left is None or right is None or left.type is not right.type:
        raise NotExpandableError("the elements of an array differ in type")
    if left.type is Type.ARRAY:
        item = _merged(left.value_schema, right.value_schema)
        return left.replace(value_schema=item)
    if left.type is not Type.STRUCT:
        raise NotExpandableError("the elements of an array differ in type")
    return left.replace(fields=_merged_fields(left, right))


def _merged_fields(left: Schema, right: Schema) -> Iterable[tuple[str, Schema]]:
    fields = {field.name: field.schema for field in left.fields}
    for field in right.fields:
        old = fields.get(field.name)
        if old is None or old == OPTIONAL_BYTES:
            fields[field.name] = field.schema
        elif field.schema != OPTIONAL_BYTES:
            both = _merged(old, field.schema)
            assert both is not None  # of two schemas
            fields[field.name] = both
    return fields.items()
