"""`Struct`: a struct's value that carries its schema and is checked, for plugin authors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from penstock.data.schema import Field, Schema, Type
from penstock.data.validation import validate_fields, validate_value
from penstock.data.values import StructValue
from penstock.errors import DataError

__all__ = ["Struct"]


class Struct(StructValue):
    """A struct's value that carries its schema and checks what is put into it.

    For plugin authors, at the API's edge; inside, a struct is a plain ``dict`` beside its schema. Being a ``dict``, it
    may be handed over wherever a struct's value is expected, and it is also what a struct without a schema beside it
    has to be, as Connect's ``Struct`` is.
    """

    __slots__ = ()

    def __init__(self, schema: Schema, values: Mapping[str, Any] | None = None) -> None:
        if schema.type is not Type.STRUCT:
            raise DataError(f"Not a struct schema: {schema!r}")
        super().__init__()
        self.schema = schema
        for name, value in (values or {}).items():
            self.put(name, value)

    @classmethod
    def trusted(cls, schema: Schema, values: Mapping[str, Any]) -> Self:
        """Without checks: for code that made the values from the schema itself."""
        struct = cls(schema)
        dict.update(struct, values)
        return struct

    def put(self, name: str, value: Any) -> Self:
        """Set a field; a DataError if there is no such field or the value does not fit its schema."""
        field = self._field(name)
        validate_value(field.schema, value, name)
        dict.__setitem__(self, name, value)
        return self

    __setitem__ = put  # type: ignore[assignment]  # returns self for chaining, which item assignment ignores

    def value(self, name: str) -> Any:
        """The field's value, or its default where none was put (``Struct.get``)."""
        field = self._field(name)
        value = dict.get(self, name)
        return field.schema.default if value is None else value

    def without_default(self, name: str) -> Any:
        self._field(name)
        return dict.get(self, name)

    def validate(self) -> None:
        """A DataError if a required field without default has no value."""
        validate_fields(self.schema, self)

    def _field(self, name: str) -> Field:
        field = self.schema.field(name)
        if field is None:
            raise DataError(f"{name} is not a valid field name")
        return field
