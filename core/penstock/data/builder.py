"""`SchemaBuilder`: makes schemas step by step, and checks each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from penstock.data.schema import Field, Schema, Type
from penstock.data.validation import validate_value
from penstock.errors import DataError, SchemaBuilderError

__all__ = ["SchemaBuilder"]


class SchemaBuilder:
    """Builds a `Schema` step by step, as ``org.apache.kafka.connect.data.SchemaBuilder`` does.

    ::

        schema = (
            SchemaBuilder.struct().name("com.example.Order").version(1)
            .field("id", INT64)
            .field("note", OPTIONAL_STRING)
            .build()
        )

    Not for use by several threads at once.
    """

    def __init__(self, type: Type) -> None:  # noqa: A002 - Connect's word
        if type is None:
            raise SchemaBuilderError("type cannot be null")
        self._type = type
        self._optional: bool | None = None
        self._name: str | None = None
        self._version: int | None = None
        self._doc: str | None = None
        self._default: Any = None
        self._parameters: dict[str, str] = {}
        self._fields: dict[str, Schema] = {}
        self._key_schema: Schema | None = None
        self._value_schema: Schema | None = None

    @classmethod
    def struct(cls) -> Self:
        return cls(Type.STRUCT)

    @classmethod
    def array(cls, value_schema: Schema) -> Self:
        if value_schema is None:
            raise SchemaBuilderError("valueSchema cannot be null.")
        builder = cls(Type.ARRAY)
        builder._value_schema = value_schema
        return builder

    @classmethod
    def map(cls, key_schema: Schema, value_schema: Schema) -> Self:
        if key_schema is None:
            raise SchemaBuilderError("keySchema cannot be null.")
        if value_schema is None:
            raise SchemaBuilderError("valueSchema cannot be null.")
        builder = cls(Type.MAP)
        builder._key_schema = key_schema
        builder._value_schema = value_schema
        return builder

    def optional(self) -> Self:
        self._once("optional", self._optional)
        self._optional = True
        return self

    def required(self) -> Self:
        self._once("optional", self._optional)
        self._optional = False
        return self

    def name(self, name: str) -> Self:
        self._once("name", self._name)
        self._name = name
        return self

    def version(self, version: int) -> Self:
        self._once("version", self._version)
        self._version = version
        return self

    def doc(self, doc: str) -> Self:
        self._once("doc", self._doc)
        self._doc = doc
        return self

    def default(self, value: Any) -> Self:
        """The value taken where none is given; checked against what was built so far."""
        self._once("default", self._default)
        try:
            validate_value(self.build(), value)
        except DataError as error:
            raise SchemaBuilderError("Invalid default value") from error
        self._default = value
        return self

    def parameter(self, name: str, value: str) -> Self:
        if name in self._parameters:
            raise SchemaBuilderError(f"Invalid SchemaBuilder call: {name} has already been set.")
        self._parameters[name] = value
        return self

    def parameters(self, parameters: Mapping[str, str]) -> Self:
        for name, value in parameters.items():
            self.parameter(name, value)
        return self

    def field(self, name: str, schema: Schema) -> Self:
        if self._type is not Type.STRUCT:
            raise SchemaBuilderError(f"Cannot create fields on type {self._type.name}")
        if not name:
            raise SchemaBuilderError("fieldName cannot be null.")
        if schema is None:
            raise SchemaBuilderError(f"fieldSchema for field {name} cannot be null.")
        if name in self._fields:
            raise SchemaBuilderError(f"Cannot create field because of field name duplication {name}")
        self._fields[name] = schema
        return self

    def build(self) -> Schema:
        return Schema(
            self._type,
            bool(self._optional),
            self._name,
            self._version,
            self._doc,
            self._parameters,
            self._default,
            [Field(n, i, s) for i, (n, s) in enumerate(self._fields.items())],
            self._key_schema,
            self._value_schema,
        )

    def build_recursive(self, fields: Callable[[Schema], Iterable[tuple[str, Schema]]]) -> Schema:
        """A struct whose fields may refer to the struct itself: `fields` is called once with the unfinished schema."""
        schema = self.build()
        schema._set_fields(tuple(Field(n, i, s) for i, (n, s) in enumerate(fields(schema))))
        return schema

    def build_recursive_pair(
        self, fields: Callable[[Schema, Schema], Iterable[tuple[str, Schema]]]
    ) -> tuple[Schema, Schema]:
        """Build as `build_recursive` does, for structs that may also hold themselves as an optional field.

        `fields` is called once with two unfinished schemas: this one, and one that differs from it by being optional
        only. Both are finished, and returned, together.
        """
        schema = self.build()
        twin = schema.replace(optional=True)
        members = tuple(Field(n, i, s) for i, (n, s) in enumerate(fields(schema, twin)))
        schema._set_fields(members)
        twin._set_fields(members)
        return schema, twin

    def _once(self, what: str, value: object) -> None:
        if value is not None:
            raise SchemaBuilderError(f"Invalid SchemaBuilder call: {what} has already been set.")
