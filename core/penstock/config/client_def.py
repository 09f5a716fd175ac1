"""Definitions of Kafka's client settings, for checking what a connector overrides (KIP-458)."""

from __future__ import annotations

import functools
import re
from typing import Any, Final, Literal

from penstock.config.client_table import CLIENT_TABLE
from penstock.config.definition import NO_DEFAULT, ConfigDef, ConfigType, Importance
from penstock.config.validators import (
    CaseInsensitiveValidString,
    LambdaValidator,
    NonEmptyString,
    Range,
    Validator,
    ValidString,
)
from penstock.errors import ConfigError

__all__ = ["Client", "client_config_def"]

Client = Literal["producer", "consumer", "admin"]

_NUMBERS: Final = re.compile(r"\[(-?[\d.]+),\.\.\.(?:,(-?[\d.]+))?\]( or -1)?")
#: librdkafka's words for where to begin, which a connector here may use as well.
_OWN_RESETS: Final = ("error", "smallest", "largest", "beginning", "end")


@functools.cache
def client_config_def(client: Client) -> ConfigDef:
    """Return the settings that Kafka's producer, consumer or admin client takes, without Kafka's texts about them."""
    definition = ConfigDef()
    for line in CLIENT_TABLE.strip().splitlines():
        name, type_name, default, valid, importance, clients = line.split("|")
        if client[0].upper() in clients:
            definition.define(
                name,
                ConfigType(type_name),
                _default(default),
                importance=Importance(importance),
                doc=f"A setting of Kafka's {client} client.",
                validator=_validator(name, valid),
            )
    return definition


def _default(text: str) -> Any:
    return NO_DEFAULT if text == "required" else None if text == "null" else text.removeprefix("=")


def _validator(name: str, valid: str) -> Validator | None:
    if not valid:
        return None
    if name == "auto.offset.reset":
        return LambdaValidator(_check_reset, valid)
    if valid == "non-empty string":
        return NonEmptyString()
    numbers = _NUMBERS.fullmatch(valid)
    if numbers is not None:
        low, high, or_default = numbers.groups()
        within = Range(_number(low), None if high is None else _number(high))
        return (
            LambdaValidator(lambda n, v: None if v == -1 else within.ensure_valid(n, v), valid)
            if or_default
            else within
        )
    words = re.split(r",\s*", valid.partition("[")[2].rstrip("]"))
    if valid.startswith("(case insensitive)") or name == "share.acquire.mode":
        return CaseInsensitiveValidString(*words)
    return ValidString(*words)


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)


def _check_reset(name: str, value: Any) -> None:
    if value not in ("latest", "earliest", "none", *_OWN_RESETS):
        # by_duration has no counterpart in the client library.
        raise ConfigError(name, value, "String must be one of: latest, earliest, none")
