"""Java's arithmetic and number texts, as far as ``Cast`` and ``MaskField`` show them.

Wrapping and saturating conversions (Java Language Specification 5.1.3), ``Float.toString`` and ``Double.toString``, and
what ``parseInt`` and ``parseFloat`` accept. Parsers raise ``ValueError`` where Java throws NumberFormatException.
"""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

__all__ = [
    "decimal_to_int",
    "double_to_int",
    "double_to_text",
    "float32_to_text",
    "parse_boolean",
    "parse_decimal",
    "parse_double",
    "parse_float32",
    "parse_int",
    "to_float32",
    "wrap",
]

_DECIMAL: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_HEX_FLOAT: Final = re.compile(r"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?\d+", re.ASCII)
#: Java's BigDecimal knows exponents of an int's size; far smaller ones already give infinity or zero.
_MAX_EXPONENT: Final = 2**31 - 1


def wrap(number: int, bits: int) -> int:
    """The low bits, signed: Java's narrowing of integers."""
    half = 1 << (bits - 1)
    return ((number + half) & ((1 << bits) - 1)) - half


def double_to_int(number: float, bits: int) -> int:
    """``(byte) d`` … ``(long) d``: NaN is 0, infinities and far numbers saturate; byte and short go by way of int."""
    if number != number:
        return 0
    wide = 64 if bits == 64 else 32
    low, high = -(1 << (wide - 1)), (1 << (wide - 1)) - 1
    whole = high if number >= high else low if number <= low else int(number)
    return whole if bits >= 32 else wrap(whole, bits)


def decimal_to_int(number: Decimal, bits: int) -> int:
    """``BigDecimal.longValue`` and narrower: the low bits of the whole part."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent > 64 or number.adjusted() < 0:
        return 0  # not finite, or a multiple of 2**64, or a fraction: nothing left, and no huge power to work out
    return wrap(int(number), bits)


def to_float32(number: float | Fraction | int | Decimal) -> float:
    """The nearest float of 32 bits, rounded once; beyond its range an infinity."""
    try:
        double = float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
    if not isinstance(number, float):
        double = _round_to_odd(double, number)
    try:
        return float(struct.unpack(">f", struct.pack(">f", double))[0])
    except OverflowError:
        return math.copysign(math.inf, double)


def _round_to_odd(double: float, exact: Fraction | int | Decimal) -> float:
    # Rounding twice may land beside the nearest float; an odd last bit keeps what the first rounding lost.
    if not math.isfinite(double) or double == exact:
        return double
    odd = struct.unpack(">Q", struct.pack(">d", double))[0] & 1
    return double if odd else math.nextafter(double, math.inf if exact > double else -math.inf)


def double_to_text(number: float) -> str:
    """``Double.toString``."""
    return _to_text(number, repr(number))


def float32_to_text(number: float) -> str:
    """``Float.toString`` of a number that is a float of 32 bits."""
    if not math.isfinite(number):
        return _to_text(number, "")
    for digits in range(8):
        text = f"{number:.{digits}e}"
        if to_float32(float(text)) == number:
            return _to_text(number, text)
    return _to_text(number, f"{number:.8e}")


def _to_text(number: float, shortest: str) -> str:
    if number != number:
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    if number == 0:
        return "-0.0" if math.copysign(1, number) < 0 else "0.0"
    sign, digit_tuple, exponent = Decimal(shortest).as_tuple()
    assert isinstance(exponent, int)  # it is finite
    digits = "".join(map(str, digit_tuple))
    point = len(digits) + exponent  # where the decimal point stands, counted from the first digit
    digits = digits.rstrip("0") or "0"
    minus = "-" if sign else ""
    if not -3 < point <= 7:
        return f"{minus}{digits[0]}.{digits[1:] or '0'}E{point - 1}"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{digits}"
    return f"{minus}{digits[:point].ljust(point, '0')}.{digits[point:] or '0'}"


def parse_int(text: str, bits: int) -> int:
    """``Byte.parseByte`` … ``Long.parseLong``: a sign and digits (of any script), nothing around them."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits.isdecimal():
        raise ValueError(text)
    number = int(text)
    if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
        raise ValueError(text)
    return number


def parse_double(text: str) -> float:
    """``Double.parseDouble``."""
    exact = _parse_floating(text)
    if isinstance(exact, float):
        return exact
    return float(exact)


def parse_float32(text: str) -> float:
    """``Float.parseFloat``: rounded once, from the text to 32 bits."""
    exact = _parse_floating(text)
    if isinstance(exact, float):
        return to_float32(exact)
    zero = math.copysign(0.0, -1.0) if exact.is_signed() else 0.0
    return to_float32(exact) if exact else zero


def _parse_floating(text: str) -> float | Decimal:
    # Java trims everything up to the space character, and takes a type suffix.
    body = text.strip("".join(map(chr, range(33))))
    bare = body.lstrip("+-")
    if len(body) - len(bare) <= 1 and bare in ("NaN", "Infinity"):
        return float(body)
    if body[-1:] in ("f", "F", "d", "D"):
        body = body[:-1]
    if _HEX_FLOAT.fullmatch(body):
        try:
            return float.fromhex(body)
        except OverflowError:
            return -math.inf if body.startswith("-") else math.inf
    if not _DECIMAL.fullmatch(body):
        raise ValueError(text)
    return Decimal(body)


def parse_decimal(text: str) -> Decimal:
    """``new BigDecimal(text)``."""
    if not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _MAX_EXPONENT:
        raise ValueError(text)
    return number


def parse_boolean(text: Any) -> bool:
    """``Boolean.parseBoolean``: true for "true" in any case, else false."""
    return isinstance(text, str) and text.lower() == "true"
