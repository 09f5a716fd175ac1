"""Config providers: values that are looked up elsewhere (KIP-297)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar, NamedTuple

__all__ = ["ConfigData", "ConfigProvider"]


class ConfigData(NamedTuple):
    """The values that a provider found, and for how long they may be used (milliseconds; None: for good)."""

    data: Mapping[str, str]
    ttl_ms: int | None = None


class ConfigProvider(ABC):
    """Resolves ``${provider:path:key}``. One instance a worker, safe from any thread."""

    version: ClassVar[str] = "undefined"

    def configure(self, configs: Mapping[str, str]) -> None:
        """``config.providers.<name>.param.*``, prefix taken off. Raises `ConfigError`."""

    @abstractmethod
    def get(self, path: str, keys: Iterable[str] | None = None) -> ConfigData:
        """Return the values of `keys` under `path`, or all of them; unknown keys are left out. `path` may be empty."""

    def close(self) -> None:
        """Called once at the worker's end."""
