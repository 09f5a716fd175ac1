"""JSON out of a request, in bounds: whatever a client sends is read or refused with a sentence, never an error of ours."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, Final

from penstock.errors import BadRequestError

__all__ = ["parse_document"]

#: Jackson's bounds (``StreamReadConstraints``) are 1000 both; this nesting can be written out again on any stack.
_MAX_NUMBER: Final = 1000
_MAX_NESTING: Final = 200
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_document(body: bytes, number: Callable[[str], Any] | None = None) -> Any:
    """Return the JSON value in `body`, which is UTF-8. `number` makes a value of a number's text; else int or float.

    Raises `BadRequestError` if it is no JSON, or if it cannot be handled or written out again: numbers of more than 1000
    characters or beyond what a double holds, more than 200 levels, half of a surrogate pair.
    """
    try:
        value = json.loads(
            body,
            parse_int=_bounded(number or int),
            parse_float=_bounded(number or _finite),
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError:
        raise BadRequestError("The request's body is not JSON: it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise BadRequestError(
            f"The request's body is not JSON: {error.msg}, line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise _too_deep() from None
    _check_nesting(value)
    if _SURROGATE.search(body):
        _check_text(value)
    return value


def _bounded(number: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        if len(text) > _MAX_NUMBER:
            raise BadRequestError(
                f"The request's body has a number of {len(text)} characters; at most {_MAX_NUMBER} are read"
            )
        return number(text)

    return parse


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise BadRequestError(f"The request's body has a number out of range: {text[:50]}")
    return value


def _refuse_constant(text: str) -> Any:
    raise BadRequestError(f"The request's body is not JSON: {text} is no JSON number")


def _too_deep() -> BadRequestError:
    return BadRequestError(f"The request's body is nested too deeply: more than {_MAX_NESTING} levels")


def _check_nesting(value: Any) -> None:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_MAX_NESTING):
        if not level:
            return
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    if level:
        raise _too_deep()


def _check_text(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise BadRequestError(
            f"The request's body has half of a surrogate pair (\\u{ord(half):04x}), which is no character"
        ) from None
