"""The schema languages a registry speaks: our own, imported when first used, and those it was given."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from functools import partial

from penstock.api.registry import SchemaFormat
from penstock_registry.languages import BUILT_IN

__all__ = ["Formats"]


class Formats:
    """Thread-safe. A format in `extra` takes the place of a built-in one of its name; it is made when first used."""

    def __init__(
        self,
        extra: Mapping[str, Callable[[], SchemaFormat]] | None = None,
        built_in: Mapping[str, str] = BUILT_IN,
    ) -> None:
        self._lock = threading.Lock()
        self._makers: dict[str, Callable[[], SchemaFormat]] = {
            name: partial(_imported, target) for name, target in built_in.items()
        } | dict(extra or {})
        self._made: dict[str, SchemaFormat] = {}

    def names(self) -> list[str]:
        return list(self._makers)

    def find(self, name: str) -> SchemaFormat | None:
        """Return the format of that name, imported if need be; None if there is none."""
        with self._lock:
            found = self._made.get(name)
            if found is None and name in self._makers:
                found = self._made[name] = self._makers[name]()
            return found


def _imported(target: str) -> SchemaFormat:
    module, _, attribute = target.partition(":")
    made = getattr(importlib.import_module(module), attribute)()
    assert isinstance(made, SchemaFormat)
    return made
