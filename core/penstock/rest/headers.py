"""``response.http.headers.config`` (KIP-577): headers for every response, in the syntax of Jetty's ``HeaderFilter``.

``[action] [name]:[value]``, separated by commas, in double quotes where a value has commas of its own. The action is
``set``, ``add``, ``setDate`` or ``addDate``; the latter two take milliseconds to add to the time of the response.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Final, NamedTuple

from starlette.datastructures import MutableHeaders

from penstock.errors import ConfigError
from penstock.http.asgi import App, Message, Receive, Scope, Send

__all__ = ["HeaderRule", "ResponseHeaders", "parse_header_rules"]

_KEY: Final = "response.http.headers.config"
_ACTIONS: Final = ("set", "add", "setDate", "addDate")


class HeaderRule(NamedTuple):
    replace: bool
    name: str
    value: str
    #: Milliseconds from now, instead of a value.
    date_offset_ms: int | None = None


def parse_header_rules(text: str) -> list[HeaderRule]:
    """Raises `ConfigError` naming the rule that is wrong."""
    if not text.strip():
        return []
    rules = next(csv.reader([text], skipinitialspace=True, strict=True), [])
    return [_rule(rule.strip()) for rule in rules]


def _rule(text: str) -> HeaderRule:
    action, _, rest = text.partition(" ")
    name, colon, value = rest.partition(":")
    name, value = name.strip(), value.strip()
    if action not in _ACTIONS:
        raise ConfigError(_KEY, text, f"Expected an action out of {', '.join(_ACTIONS)}, then 'name:value'")
    if not colon or not name or " " in name or not value or not (name + value).isascii() or "\n" in value:
        raise ConfigError(_KEY, text, "Expected 'action name:value', the name without spaces")
    if not action.endswith("Date"):
        return HeaderRule(action == "set", name, value)
    if not value.lstrip("-").isdigit():
        raise ConfigError(_KEY, text, f"Expected a number of milliseconds after {action} {name}:")
    return HeaderRule(action == "setDate", name, "", int(value))


class ResponseHeaders:
    def __init__(self, app: App, rules: Sequence[HeaderRule], clock: Callable[[], float] = time.time) -> None:
        self._app, self._rules, self._clock = app, rules, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._apply(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, with_headers)

    def _apply(self, headers: MutableHeaders) -> None:
        for rule in self._rules:
            value = rule.value
            if rule.date_offset_ms is not None:
                value = formatdate(self._clock() + rule.date_offset_ms / 1000, usegmt=True)
            if rule.replace:
                headers[rule.name] = value
            else:
                headers.append(rule.name, value)
