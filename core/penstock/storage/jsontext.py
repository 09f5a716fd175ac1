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

from penstock.data.javatext import double_text, float_text
from penstock.data.values import Float32
from penstock.errors import DataError

__all__ = ["dumps", "loads"]

_QUOTED: Final = re.compile('["\\\\\\x00-\\x1f\ud800-\udfff\U00010000-\U0010ffff]')
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_DECODER: Final = json.JSONDecoder()


def dumps(tree: Any) -> bytes:
    """`tree` (JSON's types, and bytes as Base64) in Jackson's notation. Members keep their order."""
    parts: list[str] = []
    _write(tree, parts.append)
    return "".join(parts).encode("utf-8")


def _write(tree: Any, put: Callable[[str], None]) -> None:
    if tree is None:
        put("null")
    elif isinstance(tree, str):
        put(_quote(tree))
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
            put(f"{',' if i else ''}{_quote(key)}:")
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


def _quote(text: str) -> str:
    return f'"{_QUOTED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    char = found.group()
    if char in _SHORT:
        return _SHORT[char]
    units = char.encode("utf-16-be", "surrogatepass").hex().upper()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def loads(data: bytes | None) -> Any:
    """What `data` holds; None for a tombstone. A `DataError` if it is not JSON."""
    if data is None:
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass  # Jackson takes more than orjson does: text after the document, lone surrogates
    try:
        return _DECODER.raw_decode(data.decode("utf-8").lstrip())[0]
    except (ValueError, RecursionError) as error:
        raise DataError(f"Converting byte[] to Kafka Connect data failed: not JSON: {error}") from error
