"""Overrides of Kafka clients' settings by connectors (KIP-458, KIP-1188): whether they are allowed, and valid."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from penstock.config import ConfigKey, ConfigValue, Password
from penstock.config.client_def import client_config_def
from penstock.config.definition import parse_type
from penstock.config.info import config_infos
from penstock.errors import ConfigError
from penstock.kafka.library import check_setting
from penstock.kafka.settings import ClientKind, refuse_code

__all__ = ["OverridePolicy"]

_PRODUCER, _CONSUMER, _ADMIN = "producer", "consumer", "admin"
#: Parts of the names of the client library's own settings whose values are secrets.
_SECRET_WORDS: Final = ("password", "secret", "token", "jaas", "pem", "oauthbearer.config")
#: The settings that say who one is to the broker: the policy ``Principal`` lets these through.
_PRINCIPAL_KEYS: Final = frozenset({"security.protocol", "sasl.jaas.config", "sasl.mechanism"})
_NAMES: Final = {
    f"{package}{name}{suffix}": name
    for name in ("All", "None", "Principal", "Allowlist")
    for package, suffix in (
        ("", ""),
        ("", "ConnectorClientConfigOverridePolicy"),
        ("org.apache.kafka.connect.connector.policy.", "ConnectorClientConfigOverridePolicy"),
    )
}


class OverridePolicy:
    def __init__(self, name: str, allows: Callable[[str], bool]) -> None:
        self.name, self._allows = name, allows

    @classmethod
    def named(cls, name: str, allowlist: Collection[str] = ()) -> OverridePolicy:
        """Return the policy of a short name or class name. Raises `ConfigError` for one that is not known."""
        short = _NAMES.get(name.strip())
        if short is None:
            raise ConfigError(
                "connector.client.config.override.policy", name, "Expected All, None, Principal or Allowlist"
            )
        rules: dict[str, Callable[[str], bool]] = {
            "All": lambda key: True,
            "None": lambda key: False,
            "Principal": _PRINCIPAL_KEYS.__contains__,
            "Allowlist": frozenset(allowlist).__contains__,
        }
        return cls(short, rules[short])

    def infos(self, connector_type: str, source: bool, props: Mapping[str, str | None]) -> list[dict[str, Any]]:
        """Return the part of a validation's answer about overrides: the definition of each that Kafka's client knows, its
        value, and errors where it is not allowed or not valid (``AbstractHerder.validateClientOverrides``)."""
        dead_letters = not source and bool(props.get("errors.deadletterqueue.topic.name"))
        topics_made = source and any(key.startswith("topic.creation.") for key in props)
        clients = []
        if source or dead_letters:
            clients.append(_PRODUCER)
        if not source:
            clients.append(_CONSUMER)
        if topics_made or dead_letters or not source:
            clients.append(_ADMIN)
        return [self._client_infos(connector_type, client, props) for client in clients]

    def _client_infos(self, connector_type: str, client: Any, props: Mapping[str, str | None]) -> dict[str, Any]:
        definition, prefix = client_config_def(client), f"{client}.override."
        keys, values = [], []
        for full_name, text in props.items():
            if full_name.startswith(prefix) and text is not None:
                name = full_name.removeprefix(prefix)
                key = definition.key(name)
                if key is not None:
                    keys.append(replace(key, name=full_name))
                values.append(self._value(ClientKind(client), full_name, text, key))
        return config_infos(connector_type, keys, values)

    def _value(self, client: ClientKind, full_name: str, text: str, key: ConfigKey | None) -> ConfigValue:
        value, name = ConfigValue(full_name), full_name.removeprefix(f"{client.value}.override.")
        try:
            if key is None:
                value.value = Password(text) if any(word in name for word in _SECRET_WORDS) else text
            else:
                value.value = parse_type(name, text, key.type)
                if key.validator is not None:
                    key.validator.ensure_valid(name, value.value)
            refuse_code({name: text})
            check_setting(client, name, text)
        except ConfigError as error:
            value.add_error(error.message)
        if not self._allows(name):
            value.add_error(
                f"The '{self.name}' policy does not allow '{name}' to be overridden in the connector configuration."
            )
        return value
