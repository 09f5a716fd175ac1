"""Generates, for one Avro schema and the Connect schema that stands for it, Python source that reads it fast.

The generated code covers every schema. It relies on Python to notice data that ends too early (indexing and unpacking
raise), and checks lengths, counts and indexes itself; `make_reader` turns whatever was raised into a `DataError`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from penstock.data import Schema, Type
from penstock.data.keys import as_key, needs_freezing
from penstock.errors import DataError
from penstock_converters.avro import names
from penstock_converters.avro.anything import read_anything
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.avro.reading import UNREADABLE, ScalarSource, failed
from penstock_converters.avro.shape import ends_in_a_slice, may_be_empty, recursive
from penstock_converters.avro.to_connect import is_anything
from penstock_converters.avro.unions import is_map_entry, union_field_name
from penstock_registry.formats.avro.model import AvroSchema

__all__ = ["Reader", "make_locator", "make_reader"]

#: Turns a payload, and the position where the data starts, into a value. Bytes after the data are ignored, as in Java.
Reader = Callable[[bytes, int], Any]
_DEEP: Final = 5
#: Items that take no bytes (nulls, empty records) could be claimed without end by a few bytes.
_MAX_EMPTY_ITEMS: Final = 1 << 16


def make_reader(
    avro: AvroSchema, schema: Schema | None, options: AvroDataOptions, *, raw_bytes: bool = False
) -> Reader:
    """Return a function that reads values of `avro` as values of `schema` (None: values that travel without schema).

    Raises `SerializationError`, or `DataError` where the data is fine and Connect's types cannot hold it. With
    `raw_bytes`, data of the schema ``"bytes"`` itself is all that is left, as Confluent's serializer writes it.
    """
    return _Source(options, f"avro reader of {avro.full_name}", raw_bytes and avro.type == "bytes").reader(avro, schema)


def make_locator(avro: AvroSchema, schema: Schema | None, options: AvroDataOptions) -> Callable[[bytes, int], str]:
    """Return a function that tells in which field the reading of data fails; an empty text where that is in none.

    It reads as `make_reader`'s function does, and keeps a record of where it is: for one thread at a time.
    """
    at: list[str] = [""]
    read = _Source(options, f"avro locator of {avro.full_name}", trace=at).reader(avro, schema)

    def locate(data: bytes, start: int) -> str:
        at[0] = ""
        try:
            read(data, start)
        except DataError:
            return at[0]
        return ""

    return locate


class _Source(ScalarSource):
    """Records, unions, arrays and maps around the scalars."""

    def __init__(self, options: AvroDataOptions, title: str, raw: bool = False, trace: list[str] | None = None) -> None:
        super().__init__(options, title, raw)
        self.env |= {"UNREADABLE": UNREADABLE, "failed": failed, "anything": read_anything, "KEY": as_key, "AT": trace}
        self._traced = trace is not None
        self._records: dict[tuple[int, int], str] = {}

    def reader(self, avro: AvroSchema, schema: Schema | None) -> Reader:
        made: Reader = self.build(self._function(avro, schema, root=True))
        return made

    def _function(self, avro: AvroSchema, schema: Schema | None, root: bool = False) -> str:
        self.packed()
        name = self.name("f")
        after, self.after = self.after, 0
        with self.function(name, "b, p"):
            if root:
                with self.block("try:"):
                    self._emit(avro, schema, "x", 0)
                    self._checked_end(avro)
                    self.line("return x")
                self.line("except UNREADABLE as error:")
                self.line("    raise failed(error) from error")
            else:
                self._emit(avro, schema, "x", 0)
                self.line("return x, p")
        self.after = after
        return name

    def _checked_end(self, avro: AvroSchema) -> None:
        # Slices past the end are silently short; the position tells.
        # At least one byte was read: looking at the last one is the cheapest way to ask.
        if may_be_empty(avro) or self.raw:
            self.line("if p > len(b): raise SHORT")
        elif ends_in_a_slice(avro):
            self.line("b[p - 1]")

    # -- each kind: statements that read from b at p into x -------------------------------------------------------

    def _emit(self, avro: AvroSchema, schema: Schema | None, x: str, depth: int) -> None:
        if depth > _DEEP and avro.type in ("union", "array", "map", "record", "error"):
            self.line(f"{x}, p = {self._function(avro, schema)}(b, p)")
            return
        if schema is None:
            self.anything(avro, x)
            return
        match avro.type:
            case "union":
                self._union(avro, schema, x, depth)
            case "record" | "error":
                self._record(avro, schema, x, depth)
            case "array":
                self._array(avro, schema, x, depth)
            case "map":
                self._map(avro, schema, x, depth)
            case _:
                self.scalar(avro, schema, x)

    def anything(self, avro: AvroSchema, x: str) -> None:
        if is_anything(avro):
            self.line(f"{x}, p = anything(b, p)")
            return
        if avro.type == "union":
            # A union of nothing but null comes here without schema.
            self.line("_, p = N(b, p)")
        self.line(f"{x} = None")

    def _union(self, avro: AvroSchema, schema: Schema, x: str, depth: int) -> None:
        types = avro.types
        null = next((i for i, t in enumerate(types) if t.type == "null"), None)
        wrapped = not (len(types) == 2 and null is not None) and not (
            len(types) == 1 and self.options.flatten_singleton_unions
        )
        n, step = self.name("n"), 1
        if len(types) <= 64:
            self.byte(n, "; p += 1")  # one byte: twice the index
            step = 2
        else:
            self.line(f"{n}, p = N(b, p)")
        word = "if"
        for index, member in enumerate(types):
            self.line(f"{word} {n} == {index * step}:")
            self.indent += 1
            if member.type == "null":
                self.line(f"{x} = None")
            elif wrapped:
                self._branch(member, index, schema, x, depth)
            else:
                self._emit(member, schema, x, depth + 1)
            self.indent -= 1
            word = "elif"
        message = f"a union index is out of range: {avro.full_name} has {len(types)} branches"
        self.line(f"{'else' if types else 'if 1'}: raise IndexError({message!r})")

    def _branch(self, member: AvroSchema, index: int, schema: Schema, x: str, depth: int) -> None:
        name = union_field_name(member, index, self.options)
        field = schema.field(name)
        assert field is not None
        self._emit(member, field.schema, x, depth + 2)
        self.line(f"{x} = {{{name!r}: {x}}}")

    def _record(self, avro: AvroSchema, schema: Schema, x: str, depth: int) -> None:
        known = (id(avro), id(schema.fields))
        name = self._records.get(known)
        if name is not None:
            self.line(f"{x}, p = {name}(b, p)")
            return
        if recursive(avro):
            self.packed()
            name = self._records[known] = self.name("r")
            self.keep(avro, schema)
            path, self.path = self.path, [avro.full_name]  # it may be anywhere
            after, self.after = self.after, 0
            with self.function(name, "b, p"):
                self._fields(avro, schema, "x", 0)
                self.line("return x, p")
            self.path, self.after = path, after
            self.line(f"{x}, p = {name}(b, p)")
            return
        self._fields(avro, schema, x, depth)

    def _fields(self, avro: AvroSchema, schema: Schema, x: str, depth: int) -> None:
        values: list[str] = []
        after = self.after
        self.after += sum(not may_be_empty(member.schema) for member in avro.fields)
        for member in avro.fields:
            field = schema.field(member.name)
            assert field is not None
            self.after -= not may_be_empty(member.schema)
            a = self.name("a")
            values.append(f"{member.name!r}: {a}")
            width = {"double": "d", "float": "f", "boolean": "?"}.get(member.schema.type)
            if width is not None and field.schema.name is None and not self._traced:
                self.run.append((width, a))
                continue
            self.path.append(member.name)
            if self._traced:
                self.line(f"AT[0] = {'.'.join(self.path)!r}")
            self._emit(member.schema, field.schema, a, depth + 1)
            if self._traced:
                self.line("if p > len(b): raise SHORT")
            self.path.pop()
        self.packed()
        self.after = after
        self.line(f"{x} = {{{', '.join(values)}}}")

    def _array(self, avro: AvroSchema, schema: Schema, x: str, depth: int) -> None:
        assert avro.items is not None
        if schema.type is Type.MAP and is_map_entry(avro.items):
            self.line(f"{x} = {{}}")
            self._blocks(avro.items, lambda: self._entry(avro.items, schema, x, depth))  # type: ignore[arg-type]  # asserted above
            return
        add, y = self.name("q"), self.name("y")
        self.line(f"{x} = []; {add} = {x}.append")

        def item() -> None:
            assert avro.items is not None
            self._emit(avro.items, schema.value_schema, y, depth + 2)
            self.line(f"{add}({y})")

        self._blocks(avro.items, item)

    def _entry(self, entry: AvroSchema, schema: Schema, x: str, depth: int) -> None:
        place = {}
        for member in entry.fields:
            place[member.name] = self.name("a")
            inner = schema.key_schema if member.name == names.KEY else schema.value_schema
            self._emit(member.schema, inner, place[member.name], depth + 2)
        key = place[names.KEY]
        self.line(f"{x}[{f'KEY({key})' if needs_freezing(schema.key_schema) else key}] = {place[names.VALUE]}")

    def _map(self, avro: AvroSchema, schema: Schema, x: str, depth: int) -> None:
        assert avro.values is not None
        k, y = self.name("k"), self.name("y")
        self.line(f"{x} = {{}}")

        def entry() -> None:
            assert avro.values is not None
            self.delimited(k, ".decode()")
            self._emit(avro.values, schema.value_schema, y, depth + 2)
            self.line(f"{x}[{k}] = {y}")

        self._blocks(None, entry)

    def _blocks(self, item: AvroSchema | None, body: Callable[[], None]) -> None:
        """Avro's blocks: a count, items, and so on until a count of zero; a negative count has a size behind it."""
        n = self.name("n")
        self.line("while True:")
        self.indent += 1
        self.line(f"{n}, p = L(b, p)")
        self.line(f"if {n} == 0: break")
        self.line(f"if {n} < 0:")
        self.line(f"    {n} = -{n}; _, p = L(b, p)")
        if item is not None and may_be_empty(item):
            self.line(
                f"if {n} > {_MAX_EMPTY_ITEMS}: raise IndexError('a block claims too many items that take no bytes')"
            )
        else:
            self.line(f"if {n} > len(b) - p: raise SHORT")
        self.line(f"for _ in range({n}):")
        self.indent += 1
        body()
        self.indent -= 2
