"""Puts values from config providers in place of ``${provider:[path:]key}`` (``ConfigTransformer``, KIP-297)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from penstock.config.provider import ConfigProvider
from penstock.errors import ConfigError, ConnectError

__all__ = ["ConfigTransformer", "Transformed"]

#: Provider, optional path (the shortest that leaves a key), key.
_VARIABLE: Final = re.compile(r"\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}")


class Transformed(NamedTuple):
    """Settings with their values in place, and for how many milliseconds each path's values may be used."""

    data: dict[str, str]
    ttls: dict[str, int]


class ConfigTransformer:
    """Resolves variables with the providers it was made with. Immutable; safe from any thread if the providers are."""

    def __init__(self, providers: Mapping[str, ConfigProvider]) -> None:
        self._providers = dict(providers)

    def transform(self, configs: Mapping[str, str], *, keep_unknown: bool = False) -> Transformed:
        """Return every value of `configs` resolved; each provider and path is asked once.

        What a provider returns is not resolved again. A variable of an unknown provider stays as it is, since
        ``${...}`` may mean something to a connector. A key that its provider does not have is an error, or stays as it
        is with `keep_unknown`. `ConfigError` names provider, path and key, never a value.
        """
        wanted: dict[tuple[str, str], dict[str, str]] = {}
        for setting, value in configs.items():
            for provider, path, key in self._variables(value):
                wanted.setdefault((provider, path), {}).setdefault(key, setting)
        found: dict[tuple[str, str], Mapping[str, str]] = {}
        ttls: dict[str, int] = {}
        for (provider, path), keys in wanted.items():
            data, ttl = self._ask(provider, path, keys, keep_unknown)
            found[provider, path] = data
            if ttl is not None and ttl >= 0:
                ttls[path] = ttl
        return Transformed({k: self._replaced(v, found) for k, v in configs.items()}, ttls)

    def close(self) -> None:
        """Close the providers."""
        for provider in self._providers.values():
            provider.close()

    def _variables(self, value: str | None) -> Iterable[tuple[str, str, str]]:
        for match in _VARIABLE.finditer(value or ""):
            if match[1] in self._providers:
                yield match[1], match[3] or "", match[4]

    def _ask(
        self, provider: str, path: str, keys: Mapping[str, str], keep_unknown: bool
    ) -> tuple[Mapping[str, str], int | None]:
        """`keys` maps each key to a setting that uses it, for the error."""
        where = f"config provider {provider!r}" + (f", path {path!r}" if path else "")
        try:
            data, ttl = self._providers[provider].get(path, set(keys))
        except ConnectError as error:
            raise ConfigError(f"{where}: {error.message}") from error
        except Exception as error:  # a stranger's provider; its message may hold a secret
            raise ConfigError(f"{where} failed with {type(error).__name__}") from error
        for key, setting in keys.items():
            if key not in data and not keep_unknown:
                raise ConfigError(f"{where} has no key {key!r}, which the setting {setting!r} refers to")
        return data, ttl

    def _replaced(self, value: str, found: Mapping[tuple[str, str], Mapping[str, str]]) -> str:
        if value is None or "${" not in value:
            return value

        def replacement(match: re.Match[str]) -> str:
            data = found.get((match[1], match[3] or ""))
            return match[0] if data is None else data.get(match[4], match[0])

        return _VARIABLE.sub(replacement, value)
