"""Timestamps of milliseconds in Avro's integers, from tables: an instant of our times costs two look-ups and an addition.

The tables are shared by all threads and have no lock. They need none:

- Every entry is a function of its key alone. Two threads that fill an entry at once write the same thing.
- Setting, getting and clearing are one operation each of a dict or a list, and atomic. Nobody iterates over a table.
- Nobody relies on an entry. Where one is missing, because it was never met or because another thread cleared a full table a
  moment ago, generated code falls back to `read_timestamp` (a KeyError), and `DAYS` computes it again.
- Two threads may both find a table nearly full and go one entry each beyond its bound; that is as far as it grows.
"""

from __future__ import annotations

import datetime as dt
import struct
from typing import Any, Final

from penstock.data.logical import EPOCH
from penstock_converters.avro.varint import MORE, read_long

__all__ = ["DAYS", "TIME_HIGH", "TIME_LOW", "read_timestamp", "time_parts"]

# A timestamp of six bytes is the sum of what its first two and its last four bytes say. The tables hold both as Python
# objects.

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
