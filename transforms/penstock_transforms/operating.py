"""The common part of transforms of a record's key or value.

The part a transform works on is its *operating* part, as in Kafka's ``operatingValue``. A subclass sets `part` and
implements `bind_schema` and `bind_schemaless`, which say what is done to that part by one of two means:

* `edit`: a function that changes the part's top-level dict in place. The chain copies once for all of them.
* `convert`: a function from the old object to another one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from penstock import KAFKA_VERSION
from penstock.api import NOTHING, BoundTransform, InPlace, NewPart, Shape, Transform
from penstock.data import Schema
from penstock.errors import ConnectError
from penstock_transforms.blame import at_field, blame_part, with_notes_of
from penstock_transforms.requirements import not_a_map, not_a_struct

__all__ = ["Edit", "OperatingTransform", "defaults_filler", "in_sequence", "unchanged"]

#: Changes a struct's or map's dict in place; the dict is the caller's own.
Edit = Callable[[dict[str, Any]], None]
Apply = Callable[[Any], Any]


def unchanged(record: Any) -> Any:
    return record


def in_sequence(edits: list[Edit]) -> Edit | None:
    """One edit that does all of them, or None if there are none."""
    if not edits:
        return None
    if len(edits) == 1:
        return edits[0]
    if len(edits) == 2:
        first, second = edits

        def both(value: dict[str, Any]) -> None:
            first(value)
            second(value)

        return both

    def every(value: dict[str, Any]) -> None:
        for edit in edits:
            edit(value)

    return every


def defaults_filler(schema: Schema | None) -> Edit | None:
    """An edit that puts defaults in place of nulls (``Struct.get`` instead of ``getWithoutDefault``)."""
    if schema is None:
        return None
    defaults = [(f.name, f.schema.default) for f in schema.fields if f.schema.default is not None]
    if not defaults:
        return None

    def fill(value: dict[str, Any]) -> None:
        for name, default in defaults:
            if value.get(name) is None:
                value[name] = default

    return fill


class OperatingTransform(Transform):
    """Base of the ``$Key`` and ``$Value`` transforms."""

    version = KAFKA_VERSION
    #: ``"key"`` or ``"value"``.
    part: ClassVar[str] = "value"
    #: For messages: ``Only Struct objects supported for [<purpose>]``.
    purpose: ClassVar[str]
    #: A null part goes through as it is, its schema too.
    passes_null: ClassVar[bool] = True

    def bind(self, shape: Shape) -> BoundTransform:
        schema = shape.key_schema if self.part == "key" else shape.value_schema
        if not self.passes_null:
            return self.bind_schemaless(shape) if schema is None else self.bind_schema(shape, schema)
        try:
            return self.bind_schemaless(shape) if schema is None else self.bind_schema(shape, schema)
        except ConnectError as error:
            # Nulls of this shape still go through: the error belongs to the other records.
            return self._refuse(shape, error)

    @abstractmethod
    def bind_schema(self, shape: Shape, schema: Schema) -> BoundTransform:
        """Tie to records whose operating part has `schema`."""

    @abstractmethod
    def bind_schemaless(self, shape: Shape) -> BoundTransform:
        """Tie to records whose operating part has no schema."""

    def edit(self, shape: Shape, schema: Schema | None, edit: Edit | None) -> BoundTransform:
        """Edit the part in place and give it `schema`; anything but a map (struct, with a schema) is refused."""
        writes = {"record", self.part} if edit is not None else {"record"}
        before = self._schema_in(shape)
        run = (_edit_key if self.part == "key" else _edit_value)(edit or _leave, schema, self._complaint(before))
        part = self.part
        in_place = None if edit is None else InPlace(part, edit, lambda error: blame_part(error, part))
        return BoundTransform(run, self._shape(shape, schema), writes=frozenset(writes), in_place=in_place)

    def convert(
        self, shape: Shape, schema: Schema | None, convert: Callable[[Any], Any], fresh: bool = False
    ) -> BoundTransform:
        """Put ``convert(old)`` in the part's place, with `schema`. `fresh`: nobody else holds what comes out."""
        make = _convert_key if self.part == "key" else _convert_value
        parts = frozenset({self.part})
        return BoundTransform(
            make(convert, schema, self.passes_null),
            self._shape(shape, schema),
            writes=frozenset({"record"}),
            replaces=NOTHING if fresh else parts,
            owns=parts if fresh else NOTHING,
            new_part=NewPart(self.part, convert, self.passes_null),
        )

    def refuse_type(self, shape: Shape) -> BoundTransform:
        """Every part that is not null has the wrong type; the message names the class met."""
        run = (_edit_key if self.part == "key" else _edit_value)(None, None, self._complaint(self._schema_in(shape)))
        return BoundTransform(run, shape)

    def _schema_in(self, shape: Shape) -> Schema | None:
        return shape.key_schema if self.part == "key" else shape.value_schema

    def _complaint(self, schema: Schema | None) -> Callable[[Any], None]:
        purpose, passes_null = self.purpose, self.passes_null

        def complain(value: Any) -> None:
            if value is None and passes_null:
                return
            raise not_a_map(purpose, value) if schema is None else not_a_struct(purpose, value, schema)

        return complain

    def _shape(self, shape: Shape, schema: Schema | None) -> Shape | None:
        before = self._schema_in(shape)
        if self.passes_null and before is not None and before.optional and before != schema:
            return None  # a null keeps the old schema, so what comes out has one of two shapes
        return shape._replace(key_schema=schema) if self.part == "key" else shape._replace(value_schema=schema)

    def _refuse(self, shape: Shape, error: ConnectError) -> BoundTransform:
        part, kind, message = self.part, type(error), error.message
        at_field(error, part)

        def refuse(record: Any) -> Any:
            if getattr(record, part) is None:
                return record
            raise with_notes_of(kind(message), error)

        return BoundTransform(refuse, shape)


def _leave(value: dict[str, Any]) -> None:
    """The edit that changes nothing."""


# Written out for key and value: attribute access by name costs as much as everything else these closures do.


def _edit_value(edit: Edit | None, schema: Schema | None, complain: Callable[[Any], None]) -> Apply:
    def apply(record: Any) -> Any:
        value = record.value
        if edit is not None and isinstance(value, dict):
            try:
                edit(value)
            except Exception as error:
                told = blame_part(error, "value")
                raise told from told.__cause__
            record.value_schema = schema
        else:
            complain(value)
        return record

    return apply


def _edit_key(edit: Edit | None, schema: Schema | None, complain: Callable[[Any], None]) -> Apply:
    def apply(record: Any) -> Any:
        key = record.key
        if edit is not None and isinstance(key, dict):
            try:
                edit(key)
            except Exception as error:
                told = blame_part(error, "key")
                raise told from told.__cause__
            record.key_schema = schema
        else:
            complain(key)
        return record

    return apply


def _convert_value(convert: Callable[[Any], Any], schema: Schema | None, passes_null: bool) -> Apply:
    def apply(record: Any) -> Any:
        value = record.value
        if value is not None or not passes_null:
            try:
                record.value = convert(value)
            except Exception as error:
                told = blame_part(error, "value")
                raise told from told.__cause__
            record.value_schema = schema
        return record

    return apply


def _convert_key(convert: Callable[[Any], Any], schema: Schema | None, passes_null: bool) -> Apply:
    def apply(record: Any) -> Any:
        key = record.key
        if key is not None or not passes_null:
            try:
                record.key = convert(key)
            except Exception as error:
                told = blame_part(error, "key")
                raise told from told.__cause__
            record.key_schema = schema
        return record

    return apply
