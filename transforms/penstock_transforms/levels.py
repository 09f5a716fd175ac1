"""Edits that reach into nested structs: what is to be done, sorted by the struct it is done to.

A `Level` holds what a transform does to the fields of one struct, and the levels of its nested structs. With syntax V1
there is one level only, and binding it costs nothing over editing the top-level dict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from penstock.data import Schema, SchemaBuilder, Type
from penstock.errors import DataError
from penstock_transforms.blame import at_field
from penstock_transforms.operating import Edit, defaults_filler, in_sequence
from penstock_transforms.requirements import not_a_map, not_a_struct

__all__ = ["Level", "LocalEdit", "bind_level", "carry_metadata", "copy_basics", "nested_edit"]

S = TypeVar("S")

#: Binds one level's work to that level's schema: the schema afterwards and the edit (None: nothing to change).
LocalEdit = Callable[[Schema | None, S], tuple[Schema | None, Edit | None]]


class Level(Generic[S]):
    """The work on one struct's own fields (`work`), and on the structs inside it."""

    __slots__ = ("children", "make", "work")

    def __init__(self, make: Callable[[], S]) -> None:
        self.make = make
        self.work = make()
        self.children: dict[str, Level[S]] = {}

    def at(self, parents: Iterable[str]) -> Level[S]:
        """The level of the struct that `parents` lead to, made if it is not there yet."""
        level = self
        for step in parents:
            level = level.children.setdefault(step, Level(self.make))
        return level


def copy_basics(schema: Schema) -> SchemaBuilder:
    """A builder with the schema's type, name, version, doc and parameters (``SchemaUtil.copySchemaBasics``).

    Not optional, no default, no fields, as in Kafka.
    """
    if schema.type is Type.ARRAY:
        builder = SchemaBuilder.array(schema.value_schema)  # type: ignore[arg-type]  # None is refused by the builder
    elif schema.type is Type.MAP:
        builder = SchemaBuilder.map(schema.key_schema, schema.value_schema)  # type: ignore[arg-type]  # the same
    else:
        builder = SchemaBuilder(schema.type)
    return carry_metadata(schema, builder)


def carry_metadata(schema: Schema, builder: SchemaBuilder) -> SchemaBuilder:
    """Name, version, doc and parameters of `schema` onto `builder`, whatever its type."""
    if schema.name is not None:
        builder.name(schema.name)
    if schema.version is not None:
        builder.version(schema.version)
    if schema.doc is not None:
        builder.doc(schema.doc)
    return builder.parameters(schema.parameters)


def bind_level(
    level: Level[S], schema: Schema | None, local: LocalEdit[S], purpose: str, fill_defaults: bool
) -> tuple[Schema | None, Edit | None]:
    """Bind a level and those below it. Raises what `local` raises, and a `DataError` where a parent is no struct.

    Defaults are filled in first, in every struct that is touched, since Kafka's transforms copy a struct by
    ``Struct.get``. A parent that does not exist is skipped by leaving the struct as it is.
    """
    edits: list[Edit] = []
    fill = defaults_filler(schema) if fill_defaults else None
    if fill is not None:
        edits.append(fill)
    changed: dict[str, Schema] = {}
    for name, child in level.children.items():
        inner = None
        if schema is not None:
            field = schema.field(name)
            if field is None:
                continue
            inner = field.schema
            if inner.type is not Type.STRUCT:
                raise DataError(f"Field {name} is of type {inner.type.name}; only a STRUCT has fields for [{purpose}]")
        try:
            after, edit = bind_level(child, inner, local, purpose, fill_defaults)
        except DataError as error:
            at_field(error, name)
            raise
        if inner is not None and after is not None and after != inner:
            changed[name] = after.replace(optional=inner.optional)
        if edit is not None:
            edits.append(nested_edit(name, edit, purpose, inner))
    if changed and schema is not None:
        schema = schema.replace(fields=[(f.name, changed.get(f.name, f.schema)) for f in schema.fields])
    schema, edit = local(schema, level.work)
    if edit is not None:
        edits.append(edit)
    return schema, in_sequence(edits)


def nested_edit(name: str, edit: Edit, purpose: str, schema: Schema | None) -> Edit:
    """`edit` done to the struct or map that is the field `name`; a null stays null."""

    def run(value: dict[str, Any]) -> None:
        inner = value.get(name)
        if inner is None:
            return
        if not isinstance(inner, dict):
            problem = not_a_map(purpose, inner) if schema is None else not_a_struct(purpose, inner, schema)
            at_field(problem, name)
            raise problem
        # Others may hold the nested dict: only the top-level one was copied for us.
        mine = value[name] = dict(inner)
        try:
            edit(mine)
        except Exception as error:
            at_field(error, name)
            raise

    return run
