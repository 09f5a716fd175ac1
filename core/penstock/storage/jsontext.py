"""JSON as the internal topics hold it: Kafka's ``JsonConverter`` without schemas, byte for byte.

Small documents, few of them: plain code instead of the JSON converter's generated kind, which is another room.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any, Final

import orjson

from penstock.data.values import Float32
from penstock.errors import DataError
from penstock.java.json_text import quote_for_bytes
from penstock.java.number_text import double_text, float_text

__all__ = ["dumps", "loads"]

_LONG_NUMBER: Final = re.compile(rb"[0-9]{19}")


def dumps(tree: Any) -> bytes:
    """Return `tree` (JSON's types, and bytes as Base64) in Jackson's notation. Members keep their order."""
    parts: list[str] = []
    _write(tree, parts.append)
    return "".join(parts).encode("utf-8")


def _write(tree: Any, put: Callable[[str], None]) -> None:
    if tree is None:
        put("null")
    elif isinstance(tree, str):
        put(quote_for_bytes(tree))
    elif isinstance(tree, bool):
        put("true" if tree else "false")
    elif isinstance(tree, int):
        put(str(int(tree)))
    elif isinstance(tree, float):
        text = float_text(tree) if isinstance(tree, Float32) else double_text(tree)
        put(f'"{text}"' if text[-1] in "yN" else text)  # NaN and the infinities are text to Jackson
    elif isinstance(tree, bytes | bytearray | memoryview):
        put(f'"{base64.b64encode(tree).decode("ascii")}"')
    elif isinstance(tree, dict):
        put("{")
        for i, (key, value) in enumerate(tree.items()):
            put(f"{',' if i else ''}{quote_for_bytes(key)}:")
            _write(value, put)
        put("}")
    elif isinstance(tree, list | tuple):
        put("[")
        for i, value in enumerate(tree):
            put("," if i else "")
            _write(value, put)
        put("]")
    else:
        raise DataError(f"A value of type {type(tree).__name__} cannot be written as JSON; use JSON's types only")


def _long(digits: str) -> int:
    if len(digits) > 1000:  # Jackson's limit
        raise ValueError(f"a number of {len(digits)} characters; at most 1000 are allowed")
    # The last 64 decimals make the lowest 64 bits.
    number = int(digits[-64:].lstrip("-"))
    return ((-number if digits[0] == "-" else number) + 2**63) % 2**64 - 2**63


def _refused(text: str) -> Any:
    raise ValueError(f"{text} is no number")


_DECODER: Final = json.JSONDecoder(parse_int=_long, parse_constant=_refused)
#: Texts, and zeros that lead a number: Kafka's ``JsonDeserializer`` lets Jackson take them.
#: A text that is not closed is taken to its end: beginning again at each quote in it would cost the square of its length.
_ZEROS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|(?<![\w.+])(?<![eE]-)0+(?=[0-9])', re.DOTALL)
#: The deepest nesting: whoever walks a document must not run out of stack. Nothing that Connect writes has more than 3.
_MAX_DEPTH: Final = 200
_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_SPACE: Final = " \t\r\n"


def loads(data: bytes | None) -> Any:
    """Return the document in `data`; None for a tombstone, and for nothing but white space.

    Raises `DataError` if it is not JSON. Whole numbers are Java's longs: of longer ones the lowest 64 bits are kept, as
    ``JsonConverter`` does.
    """
    if data is None:
        return None
    _check_depth(data)
    try:
        # orjson makes an unsigned number or a float of what is longer than Java's long.
        if _LONG_NUMBER.search(data) is None:
            return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass  # Jackson takes more than orjson does: text after the document, lone surrogates, nothing at all
    try:
        return _first(data.decode("utf-8-sig").lstrip(_SPACE))
    except (ValueError, RecursionError) as error:
        raise DataError(f"Converting byte[] to Kafka Connect data failed: not JSON: {error}") from error


def _check_depth(data: bytes) -> None:
    """Raise a `DataError` for a document that is nested too deeply."""
    if data.count(b"[") + data.count(b"{") <= _MAX_DEPTH:
        return
    depth = 0
    for found in _BRACKETS.finditer(data):
        if found[0] in (b"[", b"{"):
            depth += 1
            if depth > _MAX_DEPTH:
                raise DataError(
                    f"Converting byte[] to Kafka Connect data failed: nested deeper than {_MAX_DEPTH} levels"
                )
        elif found[0] in (b"]", b"}"):
            depth -= 1


def _first(text: str) -> Any:
    """Return the first document in `text`. Jackson ignores what comes after it, unless that touches a bare word or number."""
    if not text:
        return None
    text = _ZEROS.sub(lambda found: found.group() if found.group()[0] == '"' else "", text)
    tree, end = _DECODER.raw_decode(text)
    if text[0] not in '{["' and text[end : end + 1] not in ("", *_SPACE):
        raise ValueError(f"{text[:40]!r} goes on after its first value")
    return tree
