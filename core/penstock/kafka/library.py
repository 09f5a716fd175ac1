"""The client library's opinion of single settings, asked before a client is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from penstock.config.client_def import client_config_def
from penstock.errors import ConfigError
from penstock.kafka.errors import CLIENT_ERRORS, reason_of
from penstock.kafka.settings import ClientKind, translate

__all__ = ["check_setting", "knows", "unknown_setting"]

_CLIENTS: Final[dict[ClientKind, Any]] = {
    ClientKind.PRODUCER: Producer,
    ClientKind.CONSUMER: Consumer,
    ClientKind.ADMIN: AdminClient,
}
#: The library takes settings in their order and stops at the first that it refuses: with this one last, no client is made.
_STOP: Final = "penstock.stop"
_NO_SUCH: Final = re.compile(r'No such configuration property: "(.*)"')


def check_setting(kind: ClientKind, name: str, value: str) -> None:
    """Raise `ConfigError` if the setting `name` of a Kafka client, in Java's words or the library's own, has a value that
    the library would refuse. A setting that nobody knows is no error, as in Kafka."""
    for theirs, translated in translate(name, value).items():
        reason = _refusal(kind, {theirs: translated})
        if reason is not None and _NO_SUCH.search(reason) is None:
            raise ConfigError(f"Invalid value for configuration {name}: {reason}")


def knows(kind: ClientKind, name: str) -> bool:
    """Return whether Kafka's client of that kind, or the client library, has a setting `name`."""
    if client_config_def(kind.value).key(name) is not None:
        return True
    reason = _refusal(kind, {name: ""})
    return reason is None or _NO_SUCH.search(reason) is None


def unknown_setting(kind: ClientKind, error: BaseException) -> str | None:
    """Return the name of the setting that the library refused with `error` because nobody knows it; None for other errors."""
    found = _NO_SUCH.search(reason_of(error))
    if found is None or client_config_def(kind.value).key(found[1]) is not None:
        return None
    return found[1]


def _refusal(kind: ClientKind, settings: Mapping[str, Any]) -> str | None:
    """Return the library's reason against `settings`, None if it takes them."""
    try:
        _CLIENTS[kind]({"group.id": "g", **settings, _STOP: ""})
    except CLIENT_ERRORS as error:
        reason = reason_of(error)
        return None if f'"{_STOP}"' in reason else reason
    raise AssertionError("the client library took a setting that does not exist")
