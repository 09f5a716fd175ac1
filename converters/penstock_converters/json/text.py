"""JSON text as Jackson writes and reads it.

What is written are trees of what orjson can write (and `orjson.Fragment`, for numbers whose notation differs). Jackson
escapes characters beyond the Basic Multilingual Plane as two surrogates, and spells ``\\u001B`` with capitals.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import orjson

from penstock.errors import DataError, SerializationError
from penstock.java.json_text import quote_for_bytes

__all__ = ["MISSING", "double_json", "dumps", "exact_loads", "float_json", "loads", "node_type"]

#: Stands for the content of an empty document.
MISSING: Final = object()


# --- writing ---------------------------------------------------------------------------------------------------------


def dumps(tree: Any) -> bytes:
    """`tree` as JSON; a `DataError` where it is nested too deeply."""
    try:
        data = orjson.dumps(tree)
    except orjson.JSONEncodeError:
        # Lone surrogates, and nesting beyond orjson's 254 levels.
        return _dumps_slowly(tree)
    return data if data.isascii() and b"\\u00" not in data else as_jackson(data)


_ASTRAL: Final = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
_ESCAPE: Final = re.compile(rb"\\(?:u00[01][0-9a-f]|.)", re.DOTALL)


def as_jackson(data: bytes) -> bytes:
    """orjson's text with Jackson's escapes."""
    if b"\\u00" in data:
        data = _ESCAPE.sub(_capitals, data)
    if not data.isascii():
        data = _ASTRAL.sub(_surrogates, data)
    return data


def _capitals(found: re.Match[bytes]) -> bytes:
    escape = found.group()
    return b"\\u" + escape[2:].upper() if len(escape) == 6 else escape


def _surrogates(found: re.Match[bytes]) -> bytes:
    units = found.group().decode("utf-8").encode("utf-16-be").hex().upper()
    return f"\\u{units[:4]}\\u{units[4:]}".encode("ascii")


#: Jackson's own limit of nesting (``StreamWriteConstraints``, ``StreamReadConstraints``).
MAX_DEPTH: Final = 1000


def _dumps_slowly(tree: Any) -> bytes:
    parts: list[str] = []
    _write(tree, parts.append, 0)
    return "".join(parts).encode("utf-8")


def _write(tree: Any, put: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise DataError(
            "Converting Kafka Connect data to byte[] failed due to serialization error: "
        ) from SerializationError(f"The value is nested more than {MAX_DEPTH} levels deep")
    if isinstance(tree, str):
        put(quote_for_bytes(tree))
    elif isinstance(tree, dict):
        put("{")
        for i, (key, value) in enumerate(tree.items()):
            put(f"{',' if i else ''}{quote_for_bytes(key)}:")
            _write(value, put, depth + 1)
        put("}")
    elif isinstance(tree, list):
        put("[")
        for i, value in enumerate(tree):
            if i:
                put(",")
            _write(value, put, depth + 1)
        put("]")
    else:
        put(orjson.dumps(tree).decode("utf-8"))


def double_json(value: float) -> Any:
    """A double as something `dumps` writes as Jackson does: Java's notation, and text for what is not finite."""
    from penstock.java.number_text import double_text  # only numbers outside the plain notation come this way

    return _number_json(double_text(value))


def float_json(value: float) -> Any:
    """Return the JSON of a float of 32 bits, as `double_json` does for 64."""
    from penstock.java.number_text import float_text  # see double_json

    return _number_json(float_text(value))


def _number_json(text: str) -> Any:
    return text if text[-1] in "yN" else orjson.Fragment(text)


# --- reading ---------------------------------------------------------------------------------------------------------


def loads(data: bytes, leading_zeros: bool = False) -> Any:
    """A document as orjson reads it: fast, with numbers beyond 64 bits as floats. See `exact_loads` for `leading_zeros`."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # Jackson takes more than orjson does: text after the document, lone surrogates, a byte order mark.
        return exact_loads(data, leading_zeros)


_BLANK: Final = " \t\r\n"


def exact_loads(data: bytes, leading_zeros: bool = False) -> Any:
    """A document with its numbers exact: integers as `int`, others as `Decimal`. `MISSING` where it is empty.

    With `leading_zeros` numbers may begin with zeros (``00501``), as Kafka's ``JsonDeserializer`` takes them.
    """
    try:
        encoding = json.detect_encoding(data) if len(data) >= 4 else "utf-8"
        text = data.decode(encoding).removeprefix("\ufeff")
        start = len(text) - len(text.lstrip(_BLANK))
        if start == len(text):
            return MISSING
        if text.count("[") + text.count("{") > MAX_DEPTH:
            _check_depth(text)
        try:
            return _decoded(text, start)
        except ValueError:
            stripped = _NUMBER_OR_TEXT.sub(_without_zeros, text) if leading_zeros else text
            if len(stripped) == len(text):
                raise
            return _decoded(stripped, start)
    except RecursionError:
        raise _unreadable("the document is nested too deeply") from None
    except ValueError as error:  # malformed UTF-8 and JSON
        raise _unreadable(str(error)) from None


def _decoded(text: str, start: int) -> Any:
    tree, end = _DECODER.raw_decode(text, start)
    after = text[end : end + 1]
    number = isinstance(tree, int | Decimal) and not isinstance(tree, bool)
    if (number and after.strip(_BLANK)) or ((tree is None or isinstance(tree, bool)) and _goes_on(after)):
        raise ValueError(f"Unrecognized token, met {after!r}: char {end}")
    return tree


#: The tokens that may hold a digit: a text, whose digits stay, or a number. Possessive, so that the search is linear.
_NUMBER_OR_TEXT: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?+|-?+[0-9][0-9.eE+-]*+', re.DOTALL)


def _without_zeros(found: re.Match[str]) -> str:
    """A number with one zero at most before its other digits; a text as it is."""
    token = found.group()
    if token[0] == '"':
        return token
    sign, digits = ("-", token[1:]) if token[0] == "-" else ("", token)
    rest = digits.lstrip("0")
    return sign + (
        rest if rest[:1].isdigit() else digits[len(digits) - len(rest) - 1 :] if digits[0] == "0" else digits
    )


def _goes_on(char: str) -> bool:
    """Return True if a word goes on with `char` (``Character.isJavaIdentifierPart``)."""
    return char == "$" or (char != "" and f"a{char}".isidentifier())


def _unreadable(reason: str) -> SerializationError:
    return SerializationError(f"Invalid JSON: {reason}")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"Non-standard token '{name}'")


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent that neither Python's decimals nor Java's can hold
        raise ValueError(f"Malformed numeric value ({text[:30]})") from None
    return number.copy_abs() if number.is_zero() else number  # BigDecimal knows no negative zero


def _integer(text: str) -> int:
    if len(text) > 1000:  # StreamReadConstraints.maxNumberLength; int() of unbounded text takes quadratic time
        raise ValueError(f"Number value length ({len(text)}) exceeds the maximum allowed (1000)")
    return int(text)


_DECODER: Final = json.JSONDecoder(parse_float=_decimal, parse_int=_integer, parse_constant=_no_constant)
_STRUCTURE: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{\]}]', re.DOTALL)


def _check_depth(text: str) -> None:
    depth = 0
    for found in _STRUCTURE.finditer(text):
        mark = found.group()
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(
                    f"Document nesting depth exceeds the maximum allowed ({MAX_DEPTH}): char {found.start()}"
                )
        elif mark in "]}":
            depth -= 1


_NODE_TYPES: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (type(None), "NULL"),
    (bool, "BOOLEAN"),
    ((int, float, Decimal), "NUMBER"),
    (str, "STRING"),
    (list, "ARRAY"),
    (dict, "OBJECT"),
)


def node_type(tree: Any) -> str:
    """Jackson's ``JsonNodeType`` of what a document holds."""
    return next((name for kinds, name in _NODE_TYPES if isinstance(tree, kinds)), "MISSING")
