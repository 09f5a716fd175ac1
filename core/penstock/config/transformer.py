"""Values from config providers in place of ``${provider:[path:]key}`` (``ConfigTransformer``, KIP-297)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from penstock.config.provider import ConfigProvider
from penstock.errors import ConfigError, ConnectError

__all__ = ["ConfigTransformer", "Transformed", "Variable", "variables_in"]


class Variable(NamedTuple):
    """One ``${provider:[path:]key}`` in a text, and where it stands."""

    start: int
    end: int
    provider: str
    path: str
    key: str


def variables_in(text: str) -> Iterator[Variable]:
    """Yield the variables of `text` from left to right. Each character is looked at a few times, whatever the text is.

    The path is the shortest that leaves a key, as in Kafka's own expression.
    """
    start = text.find("${")
    while start >= 0:
        end = text.find("}", start)
        if end < 0:
            return
        provider, colon, rest = text[start + 2 : end].partition(":")
        if colon:
            path, another, key = rest.partition(":")
            yield Variable(start, end + 1, provider, *((path, key) if another else ("", rest)))
        # Without a colon, what begins inside has none either.
        start = text.find("${", end)


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
            for variable in variables_in(value or ""):
                if variable.provider in self._providers:
                    where = variable.provider, variable.path
                    wanted.setdefault(where, {}).setdefault(variable.key, setting)
        found: dict[tuple[str, str], Mapping[str, str]] = {}
        ttls: dict[str, int] = {}
        for (provider, path), keys in wanted.items():
            data, ttl = self._ask(provider, path, keys, keep_unknown)
            found[provider, path] = data
            if ttl is not None and ttl >= 0:
                ttls[path] = min(ttl, ttls.get(path, ttl))  # of two providers' same path the shorter one
        return Transformed({k: self._replaced(v, found) for k, v in configs.items()}, ttls)

    def close(self) -> None:
        """Close the providers."""
        for provider in self._providers.values():
            provider.close()

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
        parts, last = [], 0
        for start, end, provider, path, key in variables_in(value):
            parts += [value[last:start], found.get((provider, path), {}).get(key, value[start:end])]
            last = end
        return "".join([*parts, value[last:]])
