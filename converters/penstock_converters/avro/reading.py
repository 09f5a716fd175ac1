"""Source that reads Avro's scalars: integers, text, bytes, fixed widths, and Connect's logical types in them.

`penstock_converters.avro.reader` puts records, unions, arrays and maps around it.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from penstock.data import DECIMAL_NAME, Schema, Type
from penstock.data.codegen import Source
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
from penstock_converters.avro.instants import instants, precision_of
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.avro.timestamps import TIME_HIGH, TIME_LOW, read_timestamp, time_parts
from penstock_converters.avro.varint import (
    NUMBERS,
    SIX_HIGH,
    SIX_LOW,
    SIX_MIDDLE,
    THREE_MARKS,
    TOO_SHORT,
    beyond_int,
    read_length,
    read_long,
    read_more,
    six_bytes,
)
from penstock_registry.formats.avro.model import AvroSchema

__all__ = ["UNREADABLE", "ScalarSource", "failed"]

#: The errors that generated code raises for data that does not belong to its schema.
UNREADABLE: Final = (IndexError, struct.error, TypeError, ValueError, OverflowError, RecursionError)


class TooShort(IndexError):
    """Raised by generated code where the data ends before what it announced."""

    def __str__(self) -> str:
        return TOO_SHORT


def failed(error: Exception) -> SerializationError:
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


def _narrow(name: str, low: int, high: int) -> Any:
    def narrow(number: int) -> int:
        if low <= number <= high:
            return number
        raise DataError(f"Value {number} does not fit {name}: expected {low} to {high}")

    return narrow


_NAMES: Final[dict[str, Any]] = {
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
    "wrong": _wrong,
    "INT8": _narrow("INT8", -(2**7), 2**7 - 1),
    "INT16": _narrow("INT16", -(2**15), 2**15 - 1),
}


class ScalarSource(Source):
    """Statements that read from the bytes ``b`` at the position ``p``."""

    def __init__(self, options: AvroDataOptions, title: str, raw: bool = False) -> None:
        super().__init__(title, _NAMES)
        self.options = options
        #: Bytes have no length before them: they are all that is left.
        self.raw = raw
        #: The names of the fields around what is being read.
        self.path: list[str] = []
        #: Neighbours of fixed width that wait to be read in one call: their struct formats and variables.
        self.run: list[tuple[str, str]] = []
        #: The least number of bytes that follow the part being read.
        self.after = 0

    def line(self, text: str) -> None:
        """Add a line, behind one that reads what waits."""
        self.packed()
        super().line(text)

    def packed(self, ahead: int = 0) -> None:
        """Reads the waiting neighbours of fixed width in one call; p stays before the last `ahead` bytes of them."""
        if self.run:
            packed = struct.Struct("<" + "".join(width for width, _ in self.run))
            names = ", ".join(name for _, name in self.run)
            self.run.clear()
            self.line(f"{names}, = {self.constant(packed.unpack_from)}(b, p); p += {packed.size - ahead}")

    def byte(self, name: str, then: str = "") -> None:
        """Reads the byte at p, which something begins with, together with what waits to be read before it."""
        if not self.run:
            self.line(f"{name} = b[p]{then}")
            return
        self.run.append(("B", name))
        self.packed(ahead=0 if then else 1)

    def scalar(self, avro: AvroSchema, schema: Schema, x: str) -> None:
        match avro.type:
            case "long" if schema.name == TIMESTAMP_NAME:
                precision = precision_of(avro, self.options.precision)
                if precision is not None and precision.is_finer:
                    read = self.constant(instants(precision, ".".join(self.path)))
                    self.line(f"{x}, p = L(b, p); {x} = {read}({x})")
                    return
                self.line(f"try: c, d = PARTS(b, p); {x} = HIGH[d] + LOW[c]; p += 6")
                self.line(f"except UNKNOWN: {x}, p = TS(b, p)")
                return
            case "int" | "long":
                self._integer(avro.type, x)
            case "string" | "bytes":
                self.delimited(x, ".decode()" if avro.type == "string" else "")
            case "boolean":
                self.line(f"{x} = b[p] == 1; p += 1")
            case "double":
                self.line(f"{x}, = UD(b, p); p += 8")
            case "float":
                self.line(f"{x}, = UF(b, p); p += 4")
            case "fixed":
                self.line(f"e = p + {avro.size}; {x} = b[p:e]; p = e")
                self.line("if p > len(b): raise SHORT")
            case "enum":
                self.line("n, p = N(b, p)")
                self.line(f"{x} = {self.constant(avro.symbols)}[n]")
            case "null":
                self.line(f"{x} = None")
        self._logical(avro, schema, x)

    def _integer(self, kind: str, x: str) -> None:
        self.byte("c")
        self.line(f"if c < 128: {x} = D[c]; p += 1")
        self.line("else:")
        self.line("    d = b[p + 1]")
        self.line(f"    if d < 128: {x} = D[c + (d << 7)]; p += 2")
        self.line("    else:")
        self.line("        e = b[p + 2]")
        self.line(
            f"        if e < 128: c += (d << 7) + (e << 14) - 16512; {x} = ~(c >> 1) if c & 1 else c >> 1; p += 3"
        )
        more = f"{x}, p = MORE(b, p, c + (d << 7) + (e << 14) - {THREE_MARKS})"
        self.line("        else:")
        if kind == "int":
            self.line(f"            {more}")
            self.line(f"            if not -2147483648 <= {x} <= 2147483647: beyond_int({x})")
            return
        self.line("            try:")
        # If fewer than two bytes are sure to follow, an integer of four or five bytes may be too near to the data's end.
        near = "" if self.after >= 2 else " if p + 6 <= len(b) else NO_SIX"
        self.line(f"                h, i, j = SIX(b, p){near}")
        self.line(f"                if j in S3 and not c & 1: {x} = S1[h] + S2[i] + S3[j]; p += 6")
        self.line(f"                else: {more}")
        self.line(f"            except KeyError: {more}")

    def delimited(self, x: str, decode: str) -> None:
        """Bytes or text behind their length."""
        if self.raw:
            self.line(f"e = len(b); {x} = b[p:e]; p = e")
            return
        if self.run:
            self.byte("c")
            self.line("e = H[c]")
        else:
            self.line("e = H[b[p]]")
        self.line(f"if e: e += p; {x} = b[p + 1:e]{decode}; p = e")
        self.line(f"else: n, p = N(b, p); e = p + n; {x} = b[p:e]{decode}; p = e")

    def _logical(self, avro: AvroSchema, schema: Schema, x: str) -> None:
        kind = avro.type
        if schema.name == DECIMAL_NAME and kind in ("bytes", "fixed"):
            if "scale" not in schema.parameters:
                self.line('wrong("Invalid Decimal schema: scale parameter not found.")')
            else:
                self.line("if p > len(b): raise SHORT")
                self.line(f"{x} = DEC({x}, {decimal_scale(schema)})")
        elif schema.name == DATE_NAME and kind == "int":
            self.line(f"{x} = DATE({x})")
        elif schema.name == TIME_NAME and kind == "int":
            self.line(f"{x} = TIME({x})")
        elif schema.name in (DECIMAL_NAME, DATE_NAME, TIME_NAME, TIMESTAMP_NAME):
            simple = schema.name.rpartition(".")[2]
            self.line(f"wrong({f'Invalid type for {simple}: its underlying Avro type cannot be {kind}'!r})")
        elif schema.type is Type.INT8:
            self.line(f"if not -128 <= {x} <= 127: INT8({x})")
        elif schema.type is Type.INT16:
            self.line(f"if not -32768 <= {x} <= 32767: INT16({x})")
