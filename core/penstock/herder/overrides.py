"""Which client settings a connector may override (KIP-458, KIP-1188): the ``connector.client.config.override.policy``s."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from penstock.config import ConfigValue
from penstock.config.info import config_infos
from penstock.errors import ConfigError

__all__ = ["OverridePolicy"]

_PRODUCER, _CONSUMER, _ADMIN = "producer.override.", "consumer.override.", "admin.override."
#: Who one is to the broker, and nothing else: what the policy ``Principal`` lets through.
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
        """By short name or by class name. `ConfigError` for one that is not known."""
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
        """The part of a validation's answer about overrides: a value each, with an error where it is not allowed."""
        dead_letters = not source and bool(props.get("errors.deadletterqueue.topic.name"))
        topics_made = source and any(key.startswith("topic.creation.") for key in props)
        prefixes = []
        if source or dead_letters:
            prefixes.append(_PRODUCER)
        if not source:
            prefixes.append(_CONSUMER)
        if topics_made or dead_letters or not source:
            prefixes.append(_ADMIN)
        return [config_infos(connector_type, [], self._values(prefix, props)) for prefix in prefixes]

    def _values(self, prefix: str, props: Mapping[str, str | None]) -> list[ConfigValue]:
        values = []
        for key, text in props.items():
            if key.startswith(prefix):
                value = ConfigValue(key, text)
                name = key.removeprefix(prefix)
                if not self._allows(name):
                    value.add_error(
                        f"The '{self.name}' policy does not allow '{name}' to be overridden in the connector configuration."
                    )
                values.append(value)
        return values
