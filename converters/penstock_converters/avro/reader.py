"""Generates, for one Avro schema and the Connect schema that stands for it, Python source that reads it fast.

The generated code covers every schema. It relies on Python to notice data that ends too early (indexing and unpacking
raise), and checks lengths, counts and indexes itself; `make_reader` turns whatever was raised into a `DataError`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from penstock.data import DECIMAL_NAME, Schema, Type
from penstock.data.logical import (
    DATE_NAME,
    MILLIS_PER_DAY,
    TIME_NAME,
    TIMESTAMP_NAME,
    date_from_days,
    decimal_from_bytes,
    decimal_scale,
    time_from_millis,
)
from penstock.errors import DataError, SerializationError
from penstock_converters.avro import names
from penstock_converters.avro.anything import read_anything
from penstock_converters.avro.instants import instants, precision_of
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.avro.shape import ends_in_a_slice, may_be_empty, recursive
from penstock_converters.avro.to_connect import is_anything
from penstock_converters.avro.unions import is_map_entry, union_field_name
from penstock_converters.avro.varint import (
    NUMBERS,
    SIX_HIGH,
    SIX_LOW,
    SIX_MIDDLE,
    THREE_MARKS,
    TIME_HIGH,
    TIME_LOW,
    TOO_SHORT,
    beyond_int,
    read_length,
    read_long,
    read_more,
    read_timestamp,
    six_bytes,
    time_parts,
)
from penstock_registry.formats.avro.model import AvroSchema

__all__ = ["Reader", "make_locator", "make_reader"]

#: From a payload and the position where the data starts to a value. Bytes after the data are left alone, as in Java.
Reader = Callable[[bytes, int], Any]
_DEEP: Final = 5
#: Items that take no bytes (nulls, empty records) could be claimed without end by a few bytes.
_MAX_EMPTY_ITEMS: Final = 1 << 16


def make_reader(
    avro: AvroSchema, schema: Schema | None, options: AvroDataOptions, *, raw_bytes: bool = False
) -> Reader:
    """A function that reads values of `avro` as values of `schema` (None: values that travel without schema).

    Raises `SerializationError`, or `DataError` where the data is fine and Connect's types cannot hold it. With
    `raw_bytes`, data of the schema ``"bytes"`` itself is all that is left, as Confluent's serializer writes it.
    """
    return _Source(options, raw_bytes and avro.type == "bytes").build(avro, schema)


def make_locator(avro: AvroSchema, schema: Schema | None, options: AvroDataOptions) -> Callable[[bytes, int], str]:
    """A function that tells in which field the reading of data fails; an empty text where that is in none.

    It reads as `make_reader`'s function does, and keeps a record of where it is: for one thread at a time.
    """
    at: list[str] = [""]
    read = _Source(options, trace=at).build(avro, schema)

    def locate(data: bytes, start: int) -> str:
        at[0] = ""
        try:
            read(data, start)
        except DataError:
            return at[0]
        return ""

    return locate


class TooShort(IndexError):
    """Raised by generated code where the data ends before what it announced."""

    def __str__(self) -> str:
        return TOO_SHORT


def _failed(error: Exception) -> SerializationError:
    if isinstance(error, struct.error) or (type(error) is IndexError and not str(error).startswith("a ")):
        return SerializationError(TOO_SHORT)
    if isinstance(error, UnicodeDecodeError):
        return SerializationError(f"a string is not UTF-8: {error}")
    if isinstance(error, RecursionError):
        return SerializationError("the data is nested too deep")
    if isinstance(error, IndexError):
        return SerializationError(str(error))
    return SerializationError(f"the data cannot be held: {error}")


def _date(days: int) -> Any:
    try:
        return date_from_days(days)
    except DataError:
        return days * MILLIS_PER_DAY  # beyond the years 1 to 9999: stays a number of milliseconds


def _time(millis: int) -> Any:
    return millis if millis == MILLIS_PER_DAY else time_from_millis(millis)


def _wrong(what: str) -> Any:
    raise DataError(what)


class _Source:
    def __init__(self, options: AvroDataOptions, raw: bool = False, trace: list[str] | None = None) -> None:
        self._traced = trace is not None
        self._options = options
        self._raw = raw
        self._functions: list[str] = []
        self._records: dict[tuple[int, int], str] = {}
        self._keep: list[object] = []
        self._path: list[str] = []
        self._lines: list[str] = []
        self._run: list[tuple[str, str]] = []
        self._after = 0  # bytes that follow what is being read, at least
        self._indent = 0
        self._count = 0
        self.env: dict[str, Any] = {
            "D": NUMBERS,
            # a length of one byte to how far the data's end is from that byte; 0 where there are more bytes to it
            "H": [(n >> 1) + 1 if n < 128 and not n & 1 else 0 for n in range(256)],
            "L": read_long,
            "MORE": read_more,
            "beyond_int": beyond_int,
            "SIX": six_bytes,
            "NO_SIX": (0, 0, 0),
            "S1": SIX_LOW,
            "S2": SIX_MIDDLE,
            "S3": SIX_HIGH,
            "N": read_length,
            "UD": struct.Struct("<d").unpack_from,
            "UF": struct.Struct("<f").unpack_from,
            "DEC": decimal_from_bytes,
            "DATE": _date,
            "TIME": _time,
            "TS": read_timestamp,
            "HIGH": TIME_HIGH,
            "PARTS": time_parts,
            "UNKNOWN": (KeyError, TypeError, struct.error),
            "LOW": TIME_LOW,
            "SHORT": TooShort,
            "UNREADABLE": (IndexError, struct.error, TypeError, ValueError, OverflowError, RecursionError),
            "failed": _failed,
            "wrong": _wrong,
            "anything": read_anything,
            "AT": trace,
        }

    def build(self, avro: AvroSchema, schema: Schema | None) -> Reader:
        name = self._function(avro, schema, root=True)
        source = "\n".join(self._functions)
        exec(compile(source, f"<avro reader of {avro.full_name!a}>", "exec"), self.env)  # noqa: S102 - no user text in it: names are constants of env or repr()s
        return self.env[name]  # type: ignore[no-any-return]  # the function just made

    def _function(self, avro: AvroSchema, schema: Schema | None, root: bool = False) -> str:
        self._packed()
        name = self._name("f")
        outer, self._lines, depth, self._indent = self._lines, [], self._indent, 2 if root else 1
        after, self._after = self._after, 0
        self._emit(avro, schema, "x", 0)
        if root:
            # Slices past the end are silently short; the position tells.
            # With at least one byte read, looking at the last one is the cheapest way to ask.
            if may_be_empty(avro) or self._raw:
                self._line("if p > len(b): raise SHORT")
            elif ends_in_a_slice(avro):
                self._line("b[p - 1]")
            self._lines = ["    try:", *self._lines, "        return x"]
            self._lines += ["    except UNREADABLE as error:", "        raise failed(error) from error"]
        else:
            self._line("return x, p")
        self._functions.append(f"def {name}(b, p):\n" + "\n".join(self._lines) + "\n")
        self._lines, self._indent, self._after = outer, depth, after
        return name

    def _name(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"

    def _constant(self, value: Any) -> str:
        name = self._name("K")
        self.env[name] = value
        return name

    def _line(self, text: str) -> None:
        self._packed()
        self._lines.append("    " * self._indent + text)

    def _byte(self, name: str, then: str = "") -> None:
        """Reads the byte at p, which something begins with, together with what waits to be read before it."""
        if not self._run:
            self._line(f"{name} = b[p]{then}")
            return
        self._run.append(("B", name))
        self._packed(ahead=0 if then else 1)

    # -- each kind: statements that read from b at p into x -------------------------------------------------------

    def _emit(self, avro: AvroSchema, schema: Schema | None, x: str, depth: int) -> None:
        if depth > _DEEP and avro.type in ("union", "array", "map", "record", "error"):
            self._line(f"{x}, p = {self._function(avro, schema)}(b, p)")
            return
        if schema is None:
            self._anything(avro, x)
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
                self._scalar(avro, schema, x)

    def _anything(self, avro: AvroSchema, x: str) -> None:
        if is_anything(avro):
            self._line(f"{x}, p = anything(b, p)")
            return
        if avro.type == "union":
            # A union of nothing but null comes here without schema.
            self._line("_, p = N(b, p)")
        self._line(f"{x} = None")

    def _scalar(self, avro: AvroSchema, schema: Schema, x: str) -> None:
        match avro.type:
            case "long" if schema.name == TIMESTAMP_NAME:
                precision = precision_of(avro, self._options.precision)
                if precision is not None and precision.is_finer:
                    read = self._constant(instants(precision, ".".join(self._path)))
                    self._line(f"{x}, p = L(b, p); {x} = {read}({x})")
                    return
                self._line(f"try: c, d = PARTS(b, p); {x} = HIGH[d] + LOW[c]; p += 6")
                self._line(f"except UNKNOWN: {x}, p = TS(b, p)")
                return
            case "int" | "long":
                self._integer(avro.type, x)
            case "string" | "bytes":
                self._delimited(x, ".decode()" if avro.type == "string" else "")
            case "boolean":
                self._line(f"{x} = b[p] == 1; p += 1")
            case "double":
                self._line(f"{x}, = UD(b, p); p += 8")
            case "float":
                self._line(f"{x}, = UF(b, p); p += 4")
            case "fixed":
                self._line(f"e = p + {avro.size}; {x} = b[p:e]; p = e")
                self._line("if p > len(b): raise SHORT")
            case "enum":
                self._line("n, p = N(b, p)")
                self._line(f"{x} = {self._constant(avro.symbols)}[n]")
            case "null":
                self._line(f"{x} = None")
        self._logical(avro, schema, x)

    def _integer(self, kind: str, x: str) -> None:
        self._byte("c")
        self._line(f"if c < 128: {x} = D[c]; p += 1")
        self._line("else:")
        self._line("    d = b[p + 1]")
        self._line(f"    if d < 128: {x} = D[c + (d << 7)]; p += 2")
        self._line("    else:")
        self._line("        e = b[p + 2]")
        self._line(
            f"        if e < 128: c += (d << 7) + (e << 14) - 16512; {x} = ~(c >> 1) if c & 1 else c >> 1; p += 3"
        )
        more = f"{x}, p = MORE(b, p, c + (d << 7) + (e << 14) - {THREE_MARKS})"
        self._line("        else:")
        if kind == "int":
            self._line(f"            {more}")
            self._line(f"            if not -2147483648 <= {x} <= 2147483647: beyond_int({x})")
            return
        self._line("            try:")
        # Where less than two bytes are sure to follow, one of four or five bytes may be too near to the data's end.
        near = "" if self._after >= 2 else " if p + 6 <= len(b) else NO_SIX"
        self._line(f"                h, i, j = SIX(b, p){near}")
        self._line(f"                if j in S3 and not c & 1: {x} = S1[h] + S2[i] + S3[j]; p += 6")
        self._line(f"                else: {more}")
        self._line(f"            except KeyError: {more}")

    def _delimited(self, x: str, decode: str) -> None:
        """Bytes or text behind their length."""
        if self._raw:
            self._line(f"e = len(b); {x} = b[p:e]; p = e")
            return
        if self._run:
            self._byte("c")
            self._line("e = H[c]")
        else:
            self._line("e = H[b[p]]")
        self._line(f"if e: e += p; {x} = b[p + 1:e]{decode}; p = e")
        self._line(f"else: n, p = N(b, p); e = p + n; {x} = b[p:e]{decode}; p = e")

    def _logical(self, avro: AvroSchema, schema: Schema, x: str) -> None:
        kind = avro.type
        if schema.name == DECIMAL_NAME and kind in ("bytes", "fixed"):
            if "scale" not in schema.parameters:
                self._line('wrong("Invalid Decimal schema: scale parameter not found.")')
            else:
                self._line("if p > len(b): raise SHORT")
                self._line(f"{x} = DEC({x}, {decimal_scale(schema)})")
        elif schema.name == DATE_NAME and kind == "int":
            self._line(f"{x} = DATE({x})")
        elif schema.name == TIME_NAME and kind == "int":
            self._line(f"{x} = TIME({x})")
        elif schema.name in (DECIMAL_NAME, DATE_NAME, TIME_NAME, TIMESTAMP_NAME):
            simple = schema.name.rpartition(".")[2]
            self._line(f"wrong({f'Invalid type for {simple}: its underlying Avro type cannot be {kind}'!r})")
        elif schema.type is Type.INT8:
            self._line(f"{x} = ({x} + 128 & 255) - 128")
        elif schema.type is Type.INT16:
            self._line(f"{x} = ({x} + 32768 & 65535) - 32768")

    def _union(self, avro: AvroSchema, schema: Schema, x: str, depth: int) -> None:
        types = avro.types
        null = next((i for i, t in enumerate(types) if t.type == "null"), None)
        wrapped = not (len(types) == 2 and null is not None) and not (
            len(types) == 1 and self._options.flatten_singleton_unions
        )
        n, step = self._name("n"), 1
        if len(types) <= 64:
            self._byte(n, "; p += 1")  # one byte: twice the index
            step = 2
        else:
            self._line(f"{n}, p = N(b, p)")
        word = "if"
        for index, member in enumerate(types):
            self._line(f"{word} {n} == {index * step}:")
            self._indent += 1
            if member.type == "null":
                self._line(f"{x} = None")
            elif wrapped:
                self._branch(member, index, schema, x, depth)
            else:
                self._emit(member, schema, x, depth + 1)
            self._indent -= 1
            word = "elif"
        message = f"a union index is out of range: {avro.full_name} has {len(types)} branches"
        self._line(f"{'else' if types else 'if 1'}: raise IndexError({message!r})")

    def _branch(self, member: AvroSchema, index: int, schema: Schema, x: str, depth: int) -> None:
        name = union_field_name(member, index, self._options)
        field = schema.field(name)
        assert field is not None
        self._emit(member, field.schema, x, depth + 2)
        self._line(f"{x} = {{{name!r}: {x}}}")

    def _record(self, avro: AvroSchema, schema: Schema, x: str, depth: int) -> None:
        known = (id(avro), id(schema.fields))
        name = self._records.get(known)
        if name is not None:
            self._line(f"{x}, p = {name}(b, p)")
            return
        if recursive(avro):
            name = self._records[known] = self._name("r")
            self._keep.append((avro, schema))
            made = self._function_body(avro, schema, name)
            self._line(f"{x}, p = {made}(b, p)")
            return
        self._fields(avro, schema, x, depth)

    def _function_body(self, avro: AvroSchema, schema: Schema, name: str) -> str:
        self._packed()
        outer, self._lines, depth, self._indent = self._lines, [], self._indent, 1
        path, self._path = self._path, [avro.full_name]  # it may be anywhere
        after, self._after = self._after, 0
        self._fields(avro, schema, "x", 0)
        self._line("return x, p")
        self._functions.append(f"def {name}(b, p):\n" + "\n".join(self._lines) + "\n")
        self._lines, self._indent, self._path, self._after = outer, depth, path, after
        return name

    def _fields(self, avro: AvroSchema, schema: Schema, x: str, depth: int) -> None:
        values: list[str] = []
        after = self._after
        self._after += sum(not may_be_empty(member.schema) for member in avro.fields)
        for member in avro.fields:
            field = schema.field(member.name)
            assert field is not None
            self._after -= not may_be_empty(member.schema)
            a = self._name("a")
            values.append(f"{member.name!r}: {a}")
            width = {"double": "d", "float": "f", "boolean": "?"}.get(member.schema.type)
            if width is not None and field.schema.name is None and not self._traced:
                self._run.append((width, a))
                continue
            self._path.append(member.name)
            if self._traced:
                self._line(f"AT[0] = {'.'.join(self._path)!r}")
            self._emit(member.schema, field.schema, a, depth + 1)
            if self._traced:
                self._line("if p > len(b): raise SHORT")
            self._path.pop()
        self._packed()
        self._after = after
        self._line(f"{x} = {{{', '.join(values)}}}")

    def _packed(self, ahead: int = 0) -> None:
        """Reads the waiting neighbours of fixed width in one call; p stays before the last `ahead` bytes of them."""
        if self._run:
            packed = struct.Struct("<" + "".join(width for width, _ in self._run))
            names = ", ".join(name for _, name in self._run)
            self._run.clear()
            self._line(f"{names}, = {self._constant(packed.unpack_from)}(b, p); p += {packed.size - ahead}")

    def _array(self, avro: AvroSchema, schema: Schema, x: str, depth: int) -> None:
        assert avro.items is not None
        if schema.type is Type.MAP and is_map_entry(avro.items):
            self._line(f"{x} = {{}}")
            self._blocks(avro.items, lambda: self._entry(avro.items, schema, x, depth))  # type: ignore[arg-type]  # asserted above
            return
        add, y = self._name("q"), self._name("y")
        self._line(f"{x} = []; {add} = {x}.append")

        def item() -> None:
            assert avro.items is not None
            self._emit(avro.items, schema.value_schema, y, depth + 2)
            self._line(f"{add}({y})")

        self._blocks(avro.items, item)

    def _entry(self, entry: AvroSchema, schema: Schema, x: str, depth: int) -> None:
        place = {}
        for member in entry.fields:
            place[member.name] = self._name("a")
            inner = schema.key_schema if member.name == names.KEY else schema.value_schema
            self._emit(member.schema, inner, place[member.name], depth + 2)
        self._line(f"{x}[{place[names.KEY]}] = {place[names.VALUE]}")

    def _map(self, avro: AvroSchema, schema: Schema, x: str, depth: int) -> None:
        assert avro.values is not None
        k, y = self._name("k"), self._name("y")
        self._line(f"{x} = {{}}")

        def entry() -> None:
            assert avro.values is not None
            self._delimited(k, ".decode()")
            self._emit(avro.values, schema.value_schema, y, depth + 2)
            self._line(f"{x}[{k}] = {y}")

        self._blocks(None, entry)

    def _blocks(self, item: AvroSchema | None, body: Callable[[], None]) -> None:
        """Avro's blocks: a count, items, and so on until a count of zero; a negative count has a size behind it."""
        n = self._name("n")
        self._line("while True:")
        self._indent += 1
        self._line(f"{n}, p = L(b, p)")
        self._line(f"if {n} == 0: break")
        self._line(f"if {n} < 0:")
        self._line(f"    {n} = -{n}; _, p = L(b, p)")
        if item is not None and may_be_empty(item):
            self._line(
                f"if {n} > {_MAX_EMPTY_ITEMS}: raise IndexError('a block claims too many items that take no bytes')"
            )
        else:
            self._line(f"if {n} > len(b) - p: raise SHORT")
        self._line(f"for _ in range({n}):")
        self._indent += 1
        body()
        self._indent -= 2
