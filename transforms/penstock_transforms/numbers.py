"""Java's casts of numbers and its parsers of number texts, as far as ``Cast`` shows them.

What a number's text looks like stands in `penstock.data.javatext`. Parsers raise ``ValueError`` where Java throws
NumberFormatException.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any, Final

from penstock.data.conversion import decimal_to_long, java_decimal, wrap
from penstock.data.javatext import to_float32

__all__ = ["decimal_to_int", "double_to_int", "parse_boolean", "parse_double", "parse_float32", "parse_int"]

_HEX_FLOAT: Final = re.compile(r"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?\d+", re.ASCII)
#: Java trims everything up to the space character around a floating-point number.
_BLANKS: Final = "".join(map(chr, range(33)))


def double_to_int(number: float, bits: int) -> int:
    """``(byte) d`` to ``(long) d``: NaN is 0, infinities and far numbers saturate; byte and short go by way of int."""
    if number != number:
        return 0
    wide = 64 if bits == 64 else 32
    low, high = -(1 << (wide - 1)), (1 << (wide - 1)) - 1
    whole = high if number >= high else low if number <= low else int(number)
    return whole if bits >= 32 else wrap(whole, bits)


def decimal_to_int(number: Decimal, bits: int) -> int:
    """``BigDecimal.longValue`` and narrower: the low bits of the whole part."""
    return wrap(decimal_to_long(number), bits)


def parse_int(text: str, bits: int) -> int:
    """``Byte.parseByte`` to ``Long.parseLong``: a sign and digits (of any script), nothing around them."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    # The longest long has 19 digits; the limit keeps huge texts from being worked out before they are refused.
    if not digits.isdecimal() or len(digits.lstrip("0")) > 19:
        raise ValueError(text)
    number = int(text) if digits.strip("0") else 0
    if not -(1 << (bits - 1)) <= number < 1 << (bits - 1):
        raise ValueError(text)
    return number


def parse_double(text: str) -> float:
    """``Double.parseDouble``."""
    return float(_parse_floating(text))


def parse_float32(text: str) -> float:
    """``Float.parseFloat``: rounded once, from the text to 32 bits."""
    exact = _parse_floating(text)
    return to_float32(exact) if exact else float(exact)


def _parse_floating(text: str) -> float | Decimal:
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


def parse_boolean(text: Any) -> bool:
    """``Boolean.parseBoolean``: true for "true" in any case, else false."""
    return isinstance(text, str) and text.lower() == "true"
