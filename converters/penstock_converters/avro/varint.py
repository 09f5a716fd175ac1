"""Avro's integers as bytes, from tables: zigzag, then seven bits a byte."""

from __future__ import annotations

import datetime as dt
import struct
from typing import Any, Final, NoReturn

from penstock.data.logical import EPOCH
from penstock.errors import SerializationError

__all__ = [
    "DAYS",
    "LAST",
    "MORE",
    "NUMBERS",
    "SIX_HIGH",
    "SIX_LOW",
    "SIX_MIDDLE",
    "SMALL",
    "THREE_MARKS",
    "TIME_HIGH",
    "TIME_LOW",
    "TOO_SHORT",
    "beyond_int",
    "long_bytes",
    "read_int",
    "read_length",
    "read_long",
    "read_more",
    "read_timestamp",
    "six_bytes",
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
    # In parts of 28 bits: small numbers are the quicker ones.
    high = n >> 28
    n &= 0xFFFFFFF
    if not high:
        return MORE[n & 16383] + LAST[n >> 14]
    if high < 1 << 14:
        return MORE[n & 16383] + MORE[n >> 14] + LAST[high]
    if high < 1 << 28:
        return b"".join((MORE[n & 16383], MORE[n >> 14], MORE[high & 16383], LAST[high >> 14]))
    if high < 1 << 36:
        low, high, top = MORE[n & 16383] + MORE[n >> 14], high & 0xFFFFFFF, high >> 28
        return b"".join((low, MORE[high & 16383], MORE[high >> 14], LAST[top]))
    raise OverflowError(number)


TOO_SHORT: Final = "the data ends too early"

#: Integers of one byte by that byte, of two by the sum ``first + (second << 7)``, which starts at 128.
NUMBERS: Final = [(n >> 1) ^ -(n & 1) for n in range(128)] + [(n >> 1) ^ -(n & 1) for n in range(1 << 14)]
#: What the continuation bits of the first bytes add to the sum of the shifted bytes.
THREE_MARKS: Final = 0x204080
_FOUR_MARKS: Final = 0x10204080

# An integer of six bytes, which most identifiers and milliseconds since 1970 are, is the sum of what its three pairs of
# bytes say. Only pairs that were met in one that is not negative are in these tables; each can have 16,384. Threads may
# fill them at once: what stands under a key is always the same.

#: Reads the three pairs, as little-endian numbers.
six_bytes: Final = struct.Struct("<HHH").unpack_from
SIX_LOW: Final[dict[int, int]] = {}
SIX_MIDDLE: Final[dict[int, int]] = {}
SIX_HIGH: Final[dict[int, int]] = {}


def read_long(data: bytes, position: int) -> tuple[int, int]:
    """The integer at `position`, and the position after it. Raises `IndexError` where the data ends."""
    first = data[position]
    if first < 0x80:
        return NUMBERS[first], position + 1
    first += data[position + 1] << 7
    if first < 0x4080:
        return NUMBERS[first], position + 2
    first += data[position + 2] << 14
    if first < THREE_MARKS:
        first -= 0x4080
        return (~(first >> 1) if first & 1 else first >> 1), position + 3
    return read_more(data, position, first - THREE_MARKS)


def read_more(data: bytes, position: int, low: int) -> tuple[int, int]:
    """The same for an integer of four bytes or more, of which `low` are the first 21 bits."""
    low += data[position + 3] << 21
    if low < 0x10000000:
        return (~(low >> 1) if low & 1 else low >> 1), position + 4
    low -= 0x10000000
    # What is above 28 bits is summed apart: small numbers are the quicker ones.
    high = data[position + 4]
    if high < 0x80:
        size = 5
    elif (high := high + (data[position + 5] << 7)) < 0x4080:
        high, size = high - 0x80, 6
        if not low & 1:
            _learn(data, position, low, high)
    elif (high := high + (data[position + 6] << 14)) < THREE_MARKS:
        high, size = high - 0x4080, 7
    elif (high := high + (data[position + 7] << 21)) < _FOUR_MARKS:
        high, size = high - THREE_MARKS, 8
    else:
        high, size = _last_bytes(data, position, high - _FOUR_MARKS)
    number = low + (high << 28)
    return (~(number >> 1) if number & 1 else number >> 1), position + size


def _last_bytes(data: bytes, position: int, high: int) -> tuple[int, int]:
    ninth = data[position + 8]
    if ninth < 0x80:
        return high + (ninth << 28), 9
    tenth = data[position + 9]
    if tenth >= 0x80:
        raise SerializationError("an integer is longer than ten bytes")
    return high + (ninth - 0x80 << 28) + ((tenth & 1) << 35), 10


def _learn(data: bytes, position: int, low: int, high: int) -> None:
    first, second, third = six_bytes(data, position)
    SIX_LOW[first] = (low & 0x3FFF) >> 1
    SIX_MIDDLE[second] = low >> 14 << 13
    SIX_HIGH[third] = high << 27


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
        beyond_int(number)
    return number, position


def beyond_int(number: int) -> NoReturn:
    raise SerializationError(f"{number} is beyond Avro's int")


def read_length(data: bytes, position: int) -> tuple[int, int]:
    """A length or an index: an integer that is not negative and no longer than the data can be."""
    first = data[position]
    if first > 0x7F and not first & 1 and (second := data[position + 1]) < 0x80:
        return first + (second << 7) - 0x80 >> 1, position + 2
    number, position = read_long(data, position)
    if not 0 <= number < 2**31:
        raise SerializationError(f"a length or index of {number} cannot be")
    return number, position
