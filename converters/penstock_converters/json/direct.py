"""Payloads of one schema straight into Connect values: msgspec parses and checks types in one pass.

It knows documents as Kafka's converter writes them: every member of the type its field has, none that is no field.
Whatever else it meets makes the function raise one of `UNUSUAL`, and the caller reads the document again as a tree
(`penstock_converters.json.reading`), which is lenient where Kafka is and words the errors. So this file needs to be right
about what it accepts, never about why something is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from types import GenericAlias
from typing import Annotated, Any, Final

import msgspec

from penstock.data import Field, Schema, Type
from penstock.data.codegen import Source
from penstock.data.logical import LOGICAL_NAMES
from penstock.errors import DataError
from penstock_converters.json.reading import Readers
from penstock_converters.json.scalars import NeedsExact

__all__ = ["UNUSUAL", "DirectReader", "direct_reader"]

#: Turns a document into a value. Raises one of `UNUSUAL`.
DirectReader = Callable[[bytes], Any]
UNUSUAL: Final = (msgspec.MsgspecError, ValueError, RecursionError, DataError, NeedsExact)
_PLAIN: Final[dict[Type, Any]] = {
    **{
        Type[f"INT{bits}"]: Annotated[int, msgspec.Meta(ge=-(1 << bits - 1), le=(1 << bits - 1) - 1)]
        for bits in (8, 16, 32, 64)
    },
    Type.FLOAT64: float,
    Type.BOOLEAN: bool,
    Type.STRING: str,
}


def direct_reader(schema: Schema, readers: Readers) -> DirectReader | None:
    """Return a reader, or None for a schema whose values this file does not read."""
    try:
        return _Source(schema, readers).reader(schema)
    except ValueError:
        return None  # msgspec takes no names with quotes, backslashes or control characters


#: A member: its type for msgspec, an expression for its value, and whether it may be null or absent.
_Member = tuple[Any, str, bool]


class _Source(Source):
    def __init__(self, schema: Schema, readers: Readers) -> None:
        super().__init__(f"direct JSON reader for {schema!r}")
        self._readers = readers

    def reader(self, schema: Schema) -> DirectReader | None:
        if schema.type is Type.STRUCT:
            members = [self._member(i, f) or self._member_by_tree(i, f) for i, f in enumerate(schema.fields)]
            kind, expression = self._object(schema, members)
        else:
            usual = self._usual(schema, "s")
            if usual is None:
                return None
            kind, expression = usual
        self.env["decode"] = msgspec.json.Decoder(kind).decode
        with self.function("read", "data"):
            self.line("s = decode(data)")
            self.line(f"return {expression}")
        read: DirectReader = self.build("read")
        return read

    def _object(self, schema: Schema, members: list[_Member]) -> tuple[Any, str]:
        """A type for msgspec, and the dict that an object `s` of it stands for."""
        fields = [
            (f"f{i}", kind, msgspec.field(name=field.name, **({"default": None} if null else {})))
            for i, (field, (kind, _, null)) in enumerate(zip(schema.fields, members, strict=True))
        ]
        # Unknown members are left to the tree's reader: msgspec skips them without looking whether they are well-formed.
        made = msgspec.defstruct("Members", fields, kw_only=True, gc=False, forbid_unknown_fields=True)
        pairs = (f"{f.name!r}: {expression}" for f, (_, expression, _) in zip(schema.fields, members, strict=True))
        return made, f"{{{', '.join(pairs)}}}"

    def _member(self, i: int, field: Field) -> _Member | None:
        return self._nullable(field.schema, f"s.f{i}")

    def _member_by_tree(self, i: int, field: Field) -> _Member:
        """Return the member for a field whose JSON only the tree's reader understands."""
        read = self.constant(self._readers.field_reader(field.name, field.schema))
        return Any, f"{read}(s.f{i})", self._may_be_null(field.schema)

    def _may_be_null(self, schema: Schema) -> bool:
        return schema.optional or self._readers.stands_for_null(schema) is not None

    def _nullable(self, schema: Schema, x: str) -> _Member | None:
        usual = self._usual(schema, x)
        if usual is None:
            return None
        kind, expression = usual
        if not self._may_be_null(schema):
            return kind, expression, False
        default = self._readers.stands_for_null(schema)
        if default is not None:
            expression = f"({self.constant(default)} if {x} is None else {expression})"
        elif expression != x:
            expression = f"(None if {x} is None else {expression})"
        return kind | None, expression, True

    def _usual(self, schema: Schema, x: str) -> tuple[Any, str] | None:
        """A type for msgspec, and the value that `x` of it stands for; None for what needs the tree's readers."""
        if schema.name in LOGICAL_NAMES:
            return None
        if schema.type in _PLAIN:
            # a zero's sign is lost on the way, for BigDecimal has none
            return _PLAIN[schema.type], f"({x} or 0.0)" if schema.type is Type.FLOAT64 else x
        if schema.type is Type.STRUCT:
            return self._struct(schema, x)
        if schema.value_schema is None or schema.type not in (Type.ARRAY, Type.MAP):
            return None
        y, k = self.name("y"), self.name("k")
        item = self._nullable(schema.value_schema, y)
        if item is None:
            return None
        kind, expression, _ = item
        if schema.type is Type.ARRAY:
            return GenericAlias(list, (kind,)), x if expression == y else f"[{expression} for {y} in {x}]"
        if schema.key_schema is None or schema.key_schema.type is not Type.STRING:
            return None
        return GenericAlias(
            dict, (str, kind)
        ), x if expression == y else f"{{{k}: {expression} for {k}, {y} in {x}.items()}}"

    def _struct(self, schema: Schema, x: str) -> tuple[Any, str] | None:
        found = [self._member(i, field) for i, field in enumerate(schema.fields)]
        members = [member for member in found if member is not None]
        if len(members) < len(found):
            return None
        kind, expression = self._object(schema, members)
        name = self.name("f")
        with self.function(name, "s"):
            self.line(f"return {expression}")
        return kind, f"{name}({x})"
