"""The settings that source and sink have in common, and what they come to: a dialect and a keeper of connections."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from penstock.config import ConfigDef, ConfigType, Importance, Password, Width
from penstock.errors import ConfigError, ConnectError
from penstock_connectors.jdbc.connection import ConnectionKeeper
from penstock_connectors.jdbc.dialects import DIALECT_NAMES, Dialect, dialect_for
from penstock_connectors.jdbc.urls import database_url

__all__ = [
    "CREDENTIALS_PROVIDER",
    "DialectNames",
    "EnumChoice",
    "connection_keeper",
    "connection_properties",
    "credentials_provider",
    "dialect_of",
    "quoting_of",
]

CREDENTIALS_PROVIDER: Final = "io.confluent.connect.jdbc.util.DefaultJdbcCredentialsProvider"
_PREFIX: Final = "connection."


class EnumChoice:
    """Accepts one of a few words in lower or in upper case, not mixed, and recommends them (``EnumRecommender``)."""

    def __init__(self, *values: str) -> None:
        self._values = values

    def ensure_valid(self, name: str, value: Any) -> None:
        for item in value if isinstance(value, list) else [value]:
            if item is not None and item not in {v.lower() for v in self._values} | {v.upper() for v in self._values}:
                raise ConfigError(name, item, "Invalid enumerator")

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> list[str]:
        return [value.lower() for value in self._values]

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        return True

    def __str__(self) -> str:
        return f"[{', '.join(value.lower() for value in self._values)}]"


class DialectNames:
    """Accepts the name of a dialect, or nothing."""

    def ensure_valid(self, name: str, value: Any) -> None:
        if value is not None and value != "" and value not in DIALECT_NAMES:
            raise ConfigError(name, value, "Invalid enumerator")

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> list[str]:
        return ["", *DIALECT_NAMES]

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        return True

    def __str__(self) -> str:
        return f"[, {', '.join(DIALECT_NAMES)}]"


def credentials_provider(definition: ConfigDef, group: str, order: int) -> ConfigDef:
    """Add ``jdbc.credentials.provider.class``, of which only the default can be used here; return `definition`."""
    return definition.define(
        "jdbc.credentials.provider.class", ConfigType.CLASS, CREDENTIALS_PROVIDER, importance=Importance.LOW,
        doc="The class that gives user and password. Only the default is supported, which takes connection.user and connection.password.",
        validator=_OnlyDefaultProvider(), group=group, order=order, width=Width.LONG, display_name="JDBC Credentials Provider Class",
    )  # fmt: skip


class _OnlyDefaultProvider:
    def ensure_valid(self, name: str, value: Any) -> None:
        if value != CREDENTIALS_PROVIDER:
            raise ConfigError(
                name,
                value,
                f"Only {CREDENTIALS_PROVIDER} is supported; a config provider can look up connection.password",
            )

    def __str__(self) -> str:
        return CREDENTIALS_PROVIDER


def connection_properties(props: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    """Return the ``connection.*`` settings that are not the connector's own (`known`), without their prefix: they are the
    driver's."""
    return {
        name.removeprefix(_PREFIX): value
        for name, value in props.items()
        if name.startswith(_PREFIX) and name not in known and name != _PREFIX and value is not None
    }


def quoting_of(value: str) -> bool:
    """Return whether ``quote.sql.identifiers`` asks for quotes. Raise `ConnectError` for a word it does not know."""
    if value.lower() not in {"always", "never"}:
        raise ConnectError(f"No matching QuoteMethod found for '{value}'")
    return value.lower() == "always"


def dialect_of(config: Mapping[str, Any], props: Mapping[str, str], known: Collection[str]) -> Dialect:
    """Return the dialect for a connector's parsed `config` and its texts `props`; `known` are the connector's settings."""
    password = config["connection.password"]
    target = database_url(
        config["connection.url"] or "",
        config["connection.user"],
        password.value if isinstance(password, Password) else password,
        connection_properties(props, known),
    )
    return dialect_for(target, config["dialect.name"], quoting_of(config["quote.sql.identifiers"]))


def connection_keeper(dialect: Dialect, config: Mapping[str, Any]) -> ConnectionKeeper:
    """Return a keeper of one connection that tries as often as the settings say."""
    return ConnectionKeeper(dialect, config["connection.attempts"], config["connection.backoff.ms"])
