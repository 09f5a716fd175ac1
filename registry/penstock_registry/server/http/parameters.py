"""Path and query parameters by Java's rules, bodies, and answers."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import Depends, Path, Query, Request, Response
from pydantic import AfterValidator, BeforeValidator

from penstock.http.asgi import read_body
from penstock_registry.server.errors import RegistryError, bad_body, body_too_large, http_error, invalid_version
from penstock_registry.server.http.front import decode_segment
from penstock_registry.server.http.media import DEFAULT_TYPE, body_problem
from penstock_registry.server.registry import LATEST

__all__ = ["Body", "Count", "Flag", "Id", "Reply", "Text", "Word", "check_accept", "page", "parse_version"]

_MAX_INT = 2**31 - 1


class Reply(Response):
    """A JSON answer. The front puts in another media type if the client wants one."""

    media_type = DEFAULT_TYPE

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def _java_bool(value: object) -> bool:
    """``Boolean.parseBoolean``: anything but "true" is false."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _java_int(value: object) -> int:
    """Return a 32-bit integer. The error becomes a 404, as for a parameter that Jersey cannot read."""
    text = str(value)
    if not text.removeprefix("-").removeprefix("+").isdecimal() or not text.isascii():
        raise ValueError("not an integer")
    number = int(text)
    if not -_MAX_INT - 1 <= number <= _MAX_INT:
        raise ValueError("not a 32-bit integer")
    return number


Flag = Annotated[bool, BeforeValidator(_java_bool), Query()]
Count = Annotated[int, BeforeValidator(_java_int), Query()]
Text = Annotated[str, Query()]
#: A part of the path.
Word = Annotated[str, AfterValidator(decode_segment), Path()]
Id = Annotated[int, BeforeValidator(_java_int), Path()]


async def _read_body(request: Request) -> Any:
    """Return the JSON of a request, None if it is empty or null. Raises 400, 413, 415."""
    kinds = request.headers.getlist("content-type")
    if len(kinds) > 1:
        raise RegistryError(
            415, 415, "HTTP 415 Unsupported Media Type: the request has more than one Content-Type header"
        )
    status = body_problem(kinds[0] if kinds else None)
    if status is not None:
        raise http_error(status)
    data = await read_body(request.receive, request.app.state.max_request_size, body_too_large)
    if not data.strip():
        return None
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise bad_body(f"The request is not JSON: {error}") from error
    if value == "":
        kind = _request_class(request.method, request.url.path)
        raise bad_body(
            f'Cannot coerce empty String ("") to `{kind}` value (but could if coercion was enabled using `CoercionConfig`)'
        )
    if value is not None and not isinstance(value, dict):
        raise bad_body(f"The request must be a JSON object, not {type(value).__name__}")
    return value


def _request_class(method: str, path: str) -> str:
    """Return the name of a request's body in Confluent's messages."""
    if method == "PUT":
        return "ModeUpdateRequest" if path.startswith("/mode") else "ConfigUpdateRequest"
    return "TagSchemaRequest" if path.endswith("/tags") else "RegisterSchemaRequest"


#: ``dict | None``: the request's JSON object.
Body = Annotated[Any, Depends(_read_body)]


async def check_accept(request: Request) -> None:
    """Raises 406. Every route depends on it, so that it comes after 404 and 405, and before anything is done."""
    if request.scope["registry.media_type"] is None:
        raise http_error(406)


def parse_version(text: str) -> int:
    """Return a version number, or -1 for ``latest`` in any case. Raises 42202."""
    if text.lower() == "latest":
        return LATEST
    if text == "-1":
        return LATEST
    digits = text.removeprefix("+").lstrip("0")
    # The length first: Python refuses to read a number of thousands of digits.
    if digits.isascii() and digits.isdecimal() and len(digits) <= 10 and int(digits) <= _MAX_INT:
        return int(digits)
    raise invalid_version(text)


def page(items: list[Any], offset: int, limit: int, default: int, most: int) -> list[Any]:
    """Return a page of `items`: a `limit` below 1 or beyond `most` counts as none (``normalizeLimit``)."""
    size = limit if 0 < limit <= most else default
    start = max(offset, 0)
    return items[start : start + size]
