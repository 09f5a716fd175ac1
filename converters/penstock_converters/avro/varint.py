"""Avro's integers as bytes, from tables: zigzag, then seven bits a byte."""

from __future__ import annotations

import datetime as dt
import struct
from typing import Any, Final

from penstock.data.logical import EPOCH
from penstock.errors import SerializationError

__all__ = [
    "DAYS",
    "LAST",
    "MORE",
    "SMALL",
    "TIME_HIGH",
    "TIME_LOW",
    "TOO_SHORT",
    "long_bytes",
    "read_int",
    "read_length",
    "read_long",
    "read_timestamp",
    "time_parts",
]


def _encode(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


#: The last bytes of an integer: 14 bits, in as few bytes as hold them.
LAST: Final = [_encode(n) for n in range(1 << 14)]
#: 14 bits of an integer in two bytes, with more to follow.
MORE: Final = [bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(1 << 14)]

#: SMALL[n] for -64 <= n < 8192, negative ones from the list's end as Python indexes them.
SMALL: Final = [LAST[n << 1] for n in range(8192)] + [LAST[~(n << 1)] for n in range(-64, 0)]


def long_bytes(number: int) -> bytes:
    """Any 64-bit integer. Raises `OverflowError` beyond."""
    n = (number << 1) ^ (number >> 63)
    if n < 1 << 14:
        if n < 0:
            raise OverflowError(number)
        return LAST[n]
    if n < 1 << 28:
        return MORE[n & 16383] + LAST[n >> 14]
    if n < 1 << 42:
        return MORE[n & 16383] + MORE[n >> 14 & 16383] + LAST[n >> 28]
    if n < 1 << 56:
        return MORE[n & 16383] + MORE[n >> 14 & 16383] + MORE[n >> 28 & 16383] + LAST[n >> 42]
    if n < 1 << 64:
        middle = MORE[n >> 14 & 16383] + MORE[n >> 28 & 16383] + MORE[n >> 42 & 16383]
        return MORE[n & 16383] + middle + LAST[n >> 56]
    raise OverflowError(number)


TOO_SHORT: Final = "the data ends too early"


def read_long(data: bytes, position: int) -> tuple[int, int]:
    """The integer at `position`, and the position after it. Raises `IndexError` where the data ends."""
    # Up to six bytes written out: almost every integer, milliseconds since 1970 included.
    first = data[position]
    if first < 0x80:
        n, position = first, position + 1
    elif (second := data[position + 1]) < 0x80:
        n, position = first + (second << 7) - 0x80, position + 2
    elif (third := data[position + 2]) < 0x80:
        n, position = first + (second << 7) + (third << 14) - 0x4080, position + 3
    elif (fourth := data[position + 3]) < 0x80:
        n, position = first + (second << 7) + (third << 14) + (fourth << 21) - 0x204080, position + 4
    elif (fifth := data[position + 4]) < 0x80:
        n = first + (second << 7) + (third << 14) + (fourth << 21) + (fifth << 28) - 0x10204080
        position += 5
    elif (sixth := data[position + 5]) < 0x80:
        n = first + (second << 7) + (third << 14) + (fourth << 21) + (fifth << 28) + (sixth << 35) - 0x810204080
        position += 6
    else:
        n, position = _read_many(data, position)
    return ~(n >> 1) if n & 1 else n >> 1, position


def _read_many(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, position
        shift += 7
        if shift > 63:
            raise SerializationError("an integer is longer than ten bytes")


# A timestamp of six bytes is the sum of what its first two and its last four bytes say. The tables hold both as Python
# objects, so that the usual one costs two look-ups and an addition.

#: Reads the two parts, as little-endian numbers.
time_parts: Final = struct.Struct("<HI").unpack_from
#: First two bytes to their milliseconds, for an even integer (zigzag: not negative) of at least three bytes; else None.
TIME_LOW: Final[list[dt.timedelta | None]] = [None] * 65536
for _n in range(0, 1 << 14, 2):
    TIME_LOW[int.from_bytes(MORE[_n], "little")] = dt.timedelta(milliseconds=_n >> 1)
#: Last four bytes of six to the instant when the first two say nothing: windows of eight seconds that were met.
TIME_HIGH: Final[dict[int, dt.datetime]] = {}
_MAX_WINDOWS: Final = 8192


class _Days(dict[int, tuple[int, int]]):
    """Days since 1970 to the low 28 bits, and the rest, of their milliseconds in zigzag form; bounded.

    A KeyError for days whose milliseconds do not take six bytes all day long.
    """

    def __missing__(self, day: int) -> tuple[int, int]:
        if not 2 <= day < 25_450:
            raise KeyError(day)
        if len(self) >= _MAX_WINDOWS:
            self.clear()
        number = day * 172_800_000
        parts = self[day] = (number & 0xFFFFFFF, number >> 28)
        return parts


DAYS: Final = _Days()


def read_timestamp(data: bytes, position: int) -> tuple[Any, int]:
    """Milliseconds as a datetime in UTC; as a number where the years 1 to 9999 do not hold them."""
    start = position
    millis, position = read_long(data, position)
    try:
        instant = EPOCH + dt.timedelta(0, 0, 0, millis)
    except OverflowError:
        return millis, position
    if position - start == 6:
        first, last = time_parts(data, start)
        low = TIME_LOW[first]
        if low is not None:
            if len(TIME_HIGH) >= _MAX_WINDOWS:
                TIME_HIGH.clear()
            TIME_HIGH[last] = instant - low
    return instant, position


def read_int(data: bytes, position: int) -> tuple[int, int]:
    number, position = read_long(data, position)
    if not -(2**31) <= number < 2**31:
        raise SerializationError(f"{number} is beyond Avro's int")
    return number, position


def read_length(data: bytes, position: int) -> tuple[int, int]:
    """A length or an index: an integer that is not negative and no longer than the data can be."""
    first = data[position]
    if first > 0x7F and not first & 1 and (second := data[position + 1]) < 0x80:
        return first + (second << 7) - 0x80 >> 1, position + 2
    number, position = read_long(data, position)
    if not 0 <= number < 2**31:
        raise SerializationError(f"a length or index of {number} cannot be")
    return number, position
