"""Java's texts of numbers: ``Double.toString``, ``Float.toString``, ``BigDecimal.toString``.

Floats are written in the shortest form that reads back as the same number, in the notation of ``Double.toString`` (as
Java 19 and later do; earlier releases print a digit too many for a few numbers).
"""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Final

from penstock.java.numbers import to_float32

__all__ = ["decimal_text", "double_text", "float_text", "shortest_float32", "widened_float32"]

_PACK: Final = struct.Struct(">f")
_SMALLEST_NORMAL: Final = 2.0**-126
#: Powers of ten for seven and eight digits after six.
_MORE_DIGITS: Final = (1.0, 10.0, 100.0)


def double_text(value: float) -> str:
    """``Double.toString``."""
    magnitude = abs(value)
    if 1e-3 <= magnitude < 1e7:
        return repr(value)  # Python's and Java's notations agree here
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return repr(value)
    return _scientific(repr(value), f"{value:.1e}", value)


def float_text(value: float) -> str:
    """``Float.toString``; `value` is rounded to 32 bits first."""
    value = to_float32(float(value))
    if value == 0 or not math.isfinite(value):
        return double_text(value)
    if 1e-3 <= abs(value) < 1e7:
        return repr(widened_float32(value))
    return _scientific(shortest_float32(value), f"{value:.1e}", value, single=True)


def shortest_float32(value: float) -> str:
    """The shortest decimal that reads back as the 32-bit float `value` (finite)."""
    packed = _PACK.pack(value)
    # Six digits find every shorter text too, zeros at its end dropped; only subnormal numbers are coarser than that.
    for digits in range(6 if abs(value) >= _SMALLEST_NORMAL else 1, 9):
        text = f"{value:.{digits}g}"
        try:
            if _PACK.pack(float(text)) == packed:
                return text
        except OverflowError:  # rounded up beyond the largest float
            continue
    return f"{value:.9g}"


def widened_float32(value: float) -> float:
    """Return the double whose shortest text is that of the 32-bit float `value`.

    In the common range this needs no text: a 32-bit float times a power of ten up to 10^12 is exact in a double, and so
    is the rounded product, which the division then takes to the nearest double of those digits.
    """
    magnitude = abs(value)
    if not 1e-3 <= magnitude < 1e6:
        return float(shortest_float32(value)) if math.isfinite(value) else value
    if magnitude >= 1.0:
        scale = (
            1e5
            if magnitude < 10
            else 1e4
            if magnitude < 100
            else 1e3
            if magnitude < 1000
            else 1e2
            if magnitude < 1e4
            else 1e1
            if magnitude < 1e5
            else 1.0
        )
    else:
        scale = 1e6 if magnitude >= 0.1 else 1e7 if magnitude >= 0.01 else 1e8
    packed = _PACK.pack(value)
    for more in _MORE_DIGITS:
        wide = round(value * (scale * more)) / (scale * more)
        if _PACK.pack(wide) == packed:
            return wide
    return float(f"{value:.9g}")


def _scientific(shortest: str, two_digits: str, value: float, *, single: bool = False) -> str:
    """``d.dddEn``, `shortest` being the shortest text that reads back as `value`."""
    sign, digits, power = _digits(shortest)
    if len(digits) == 1:
        # Java renders at least two digits and then takes the pair that is nearest: 4.9E-324, not 5E-324.
        again = float(two_digits)
        if (_PACK.pack(again) == _PACK.pack(value)) if single else again == value:
            sign, digits, power = _digits(two_digits)
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{power}"


def _digits(text: str) -> tuple[str, str, int]:
    """Sign, significant digits without trailing zeros, and the power of ten of the first of them."""
    negative, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    power = exponent + len(digits) - 1
    return "-" if negative else "", "".join(map(str, digits)).rstrip("0"), power


def decimal_text(value: Decimal) -> str:
    """``BigDecimal.toString``: Python's own notation, but Java has no negative zero."""
    text = str(value)
    return text[1:] if value.is_zero() and text[0] == "-" else text
