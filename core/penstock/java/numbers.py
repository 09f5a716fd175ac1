"""Java's numbers: parsing their texts, narrowing, rounding to ``float``.

Nothing here gets dearer with the value of a number. What a text or bytes may hold is bounded (`MAX_DIGITS`), and an
exponent is looked at (`Decimal.adjusted`) before anything is worked out: ``1e-999999999`` is 0 at once, as in Java.
Parsers raise ``ValueError`` where Java throws NumberFormatException.
"""

from __future__ import annotations

import math
import re
import struct
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_05UP, ROUND_DOWN, Context, Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

__all__ = [
    "MAX_DIGITS",
    "decimal_to_int",
    "decimal_to_long",
    "double_to_int",
    "java_decimal",
    "parse_double",
    "parse_float32",
    "parse_int",
    "to_float32",
    "wrap",
]

#: The longest number that is read out of text or bytes from outside. Making an int of its digits takes the square of their number:
#: some milliseconds for this many, minutes for a million.
MAX_DIGITS: Final = 10_000
_NUMBER: Final = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d{1,10})?")
_HEX_FLOAT: Final = re.compile(
    r"[+-]?0[xX](?:[0-9a-fA-F]++(?:\.[0-9a-fA-F]*+)?|\.[0-9a-fA-F]++)[pP][+-]?\d++", re.ASCII
)
#: Java trims everything up to the space character around a floating-point number.
_BLANKS: Final = "".join(map(chr, range(33)))
_PACK: Final = struct.Struct(">f")
#: Rounds nothing that fits into memory.
_EXACT: Final = Context(prec=MAX_PREC, Emin=MIN_EMIN, Emax=MAX_EMAX)
#: More digits than any number halfway between two floats has. What is cut off shows in the last digit (0 and 5 become 1 and 6), so
#: that rounding once more cannot go wrong.
_SHORT: Final = Context(prec=200, rounding=ROUND_05UP, Emin=MIN_EMIN, Emax=MAX_EMAX)
#: Beyond 10**39 every number is infinite as a float, below 10**-47 it is 0.
_FLOAT_POWERS: Final = range(-47, 39)


def wrap(number: int, bits: int) -> int:
    """Return `number` cut to two's complement of `bits`, as Java's narrowing casts do."""
    half = 1 << (bits - 1)
    return ((number + half) & ((1 << bits) - 1)) - half


def java_decimal(text: str) -> Decimal:
    """Return ``new BigDecimal(text)``. Longer texts than `MAX_DIGITS` are not read as numbers, either."""
    if len(text) > MAX_DIGITS:
        raise ValueError(
            f"A number of {len(text)} characters is too long, at most {MAX_DIGITS} are read: {text[:40]!r}..."
        )
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a decimal number")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a decimal number") from None
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # the pattern has neither NaN nor Infinity
    if not -(2**31) <= -exponent < 2**31:
        raise ValueError(f"The exponent of {text!r} is too large")
    # BigDecimal knows no negative zero.
    return number.copy_abs() if number.is_zero() else number


def decimal_to_long(number: Decimal) -> int:
    """Return ``BigDecimal.longValue()``: cut towards zero, then to 64 bits. `number` is finite."""
    if number.adjusted() < 0 or number.is_zero():
        return 0
    if number.adjusted() < 64:
        return wrap(int(number), 64)
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= 64:
        return 0  # a multiple of 2**64
    # The last 64 digits decide: 10**64 is a multiple of 2**64.
    return wrap(int(_EXACT.remainder(number.to_integral_value(ROUND_DOWN, _EXACT), Decimal(10) ** 64)), 64)


def decimal_to_int(number: Decimal, bits: int) -> int:
    """Return ``BigDecimal.longValue`` and narrower: the low bits of the whole part."""
    return wrap(decimal_to_long(number), bits)


def double_to_int(number: float, bits: int) -> int:
    """Return ``(byte) d`` to ``(long) d``: NaN is 0, infinities and far numbers saturate; byte and short go by way of int."""
    if number != number:
        return 0
    wide = 64 if bits == 64 else 32
    low, high = -(1 << (wide - 1)), (1 << (wide - 1)) - 1
    whole = high if number >= high else low if number <= low else int(number)
    return whole if bits >= 32 else wrap(whole, bits)


def to_float32(value: float | int | Decimal) -> float:
    """Return the nearest ``float`` of 32 bits, rounded once; infinite where `value` is too large."""
    if isinstance(value, Decimal) and value.is_finite():
        if value.is_zero() or value.adjusted() < _FLOAT_POWERS.start:
            return -0.0 if value.is_signed() else 0.0
        if value.adjusted() >= _FLOAT_POWERS.stop:
            return -math.inf if value.is_signed() else math.inf
        value = _SHORT.plus(value)
    try:
        wide = float(value)
    except OverflowError:  # an int beyond all doubles
        return math.inf if value > 0 else -math.inf
    if not isinstance(value, float) and math.isfinite(wide):
        wide = _round_to_odd(value, wide)
    try:
        return float(_PACK.unpack(_PACK.pack(wide))[0])
    except OverflowError:
        return math.copysign(math.inf, wide)


def _round_to_odd(exact: int | Decimal, near: float) -> float:
    # Rounding to 53 bits and then to 24 may be off by one; of the two doubles around the exact value the odd one is
    # on the right side of every tie.
    ratio, wanted = Fraction(near), Fraction(exact)
    if ratio == wanted:
        return near
    other = math.nextafter(near, math.inf if ratio < wanted else -math.inf)
    odd = struct.unpack(">q", struct.pack(">d", near))[0] & 1
    return near if odd else other


def parse_int(text: str, bits: int) -> int:
    """Return ``Byte.parseByte`` to ``Long.parseLong``: a sign and digits (of any script), nothing around them."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    # The longest long has 19 digits; the limits keep huge texts from being worked out before they are refused.
    if len(digits) > MAX_DIGITS or not digits.isdecimal() or len(digits.lstrip("0")) > 19:
        raise ValueError(text)
    number = int(digits.lstrip("0") or "0")
    number = -number if text[0] == "-" else number
    if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
        raise ValueError(text)
    return number


def parse_double(text: str) -> float:
    """Return ``Double.parseDouble``."""
    return float(_parse_floating(text))


def parse_float32(text: str) -> float:
    """Return ``Float.parseFloat``: rounded once, from the text to 32 bits."""
    exact = _parse_floating(text)
    return to_float32(exact) if exact else float(exact)


def _parse_floating(text: str) -> float | Decimal:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"A number of {len(text)} characters is too long, at most {MAX_DIGITS} are read")
    body = text.strip(_BLANKS)
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
    number = java_decimal(body)
    return -0.0 if number.is_zero() and body.startswith("-") else number
