"""Avro's integers as bytes, from tables: zigzag, then seven bits a byte."""

from __future__ import annotations

import struct
from typing import Final, NoReturn

from penstock.errors import SerializationError

__all__ = [
    "LAST",
    "MORE",
    "NUMBERS",
    "SIX_HIGH",
    "SIX_LOW",
    "SIX_MIDDLE",
    "SMALL",
    "THREE_MARKS",
    "TOO_SHORT",
    "beyond_int",
    "long_bytes",
    "read_int",
    "read_length",
    "read_long",
    "read_more",
    "six_bytes",
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
#: The amount that the continuation bits of the first bytes add to the sum of the shifted bytes.
THREE_MARKS: Final = 0x204080
_FOUR_MARKS: Final = 0x10204080

# An integer of six bytes, which most identifiers and milliseconds since 1970 are, is the sum of what its three pairs of
# bytes say. The tables hold only pairs that were met in a number that is not negative; each has room for 16,384.
#
# The tables are shared by all threads and have no lock. They need none: every entry is a function of its key alone, so that
# two threads that fill one write the same; setting and getting one entry of a dict are atomic; nothing is ever taken out;
# and a reader that misses an entry computes the number itself (``except KeyError``).

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
    """Read an integer of four bytes or more, of which `low` are the first 21 bits."""
    low += data[position + 3] << 21
    if low < 0x10000000:
        return (~(low >> 1) if low & 1 else low >> 1), position + 4
    low -= 0x10000000
    # The bits above the first 28 are summed apart: small numbers are the quicker ones.
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
